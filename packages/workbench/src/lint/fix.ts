/** Files written plainer, where it is proved that every decision stays as it is; edits that cannot be proved are left out. */
import { saysTheSameWithout } from "@bulkhead/engine";
import type { SourceFile } from "@bulkhead/dialects";
import { openDesk, type Desk, type DeskOptions } from "../desk/desk.ts";
import { fixEdits } from "./fix-edits.ts";
import { nameEdits } from "./fix-names.ts";
import { needlessIn, offsetOf, type Needless } from "./fix-needless.ts";
import { applyEdits, inOrder, type Edit } from "./fix-places.ts";
import { lintDesk } from "./lint.ts";

export interface FixedFile extends SourceFile {
  readonly before: string;
  readonly edits: readonly Edit[];
}

/** Those that become otherwise. Whoever proposes need not be trusted. */
export function fixFiles(
  files: readonly SourceFile[],
  reading: DeskOptions,
  propose: (text: string, needless: ReadonlySet<number>) => readonly Edit[] = fixEdits,
): readonly FixedFile[] {
  const desk = openDesk(files, reading);
  const needless = needlessIn(desk, reading.now, lintDesk(desk, { now: reading.now }));
  let current = files;
  const fixed: FixedFile[] = [];
  // Of what could not be read, nothing can be proved.
  const broken = new Set(
    desk.diagnostics.filter(({ severity }) => severity === "error").map(({ span }) => span.file),
  );
  for (const [at, { name, text }] of files.entries()) {
    if (broken.has(name)) continue;
    // Offsets are those of the text without a byte order mark.
    const mark = text.startsWith("\uFEFF") ? "\uFEFF" : "";
    const plain = text.slice(mark.length);
    const edited = (edits: readonly Edit[]): readonly SourceFile[] =>
      current.with(at, { name, text: mark + applyEdits(plain, edits) });
    const places = needless.places.get(name) ?? [];
    const proposed = propose(plain, new Set(places.map((place) => offsetOf(plain, place))));
    const edits = isSame(desk, edited(proposed), reading, needless)
      ? proposed
      : proposed.reduce<readonly Edit[]>((kept, edit) => {
          const more = [...kept, edit];
          return isSame(desk, edited(more), reading, needless) ? more : kept;
        }, []);
    if (edits.length === 0) continue;
    current = edited(edits);
    fixed.push({ name, text: current[at]!.text, before: text, edits });
  }
  return withNames(fixed, current, reading);
}

/** What is permitted besides is the last thing, over files that say the same as before. */
function withNames(
  fixed: readonly FixedFile[],
  files: readonly SourceFile[],
  reading: DeskOptions,
): readonly FixedFile[] {
  const edits = nameEdits(files, reading);
  const plain = new Map(fixed.map((one) => [one.name, one]));
  return files.flatMap(({ name, text }): readonly FixedFile[] => {
    const one = plain.get(name);
    const more = edits.get(name);
    if (more === undefined) return one === undefined ? [] : [one];
    const before = one?.before ?? text;
    const all = [...(one?.edits ?? []), ...more];
    return [{ name, before, text: applyEdits(text, inOrder(more)), edits: all }];
  });
}

/** Nothing that could be read before may be missing, and whoever was there is there. */
function isSame(
  desk: Desk,
  files: readonly SourceFile[],
  reading: DeskOptions,
  { rules }: Needless,
): boolean {
  const after = openDesk(files, reading);
  const errors = ({ diagnostics }: Desk): number =>
    diagnostics.filter(({ severity }) => severity === "error").length;
  return (
    errors(after) === errors(desk) &&
    after.resources.length === desk.resources.length &&
    JSON.stringify(after.built.inventory.workloads) ===
      JSON.stringify(desk.built.inventory.workloads) &&
    saysTheSameWithout(desk.set, after.set, rules)
  );
}
