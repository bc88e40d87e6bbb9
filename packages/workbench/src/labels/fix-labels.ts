/**
 * Labels mended where an Inventory declares them, comments and layout kept: slips, other words for the same, and a key that all
 * others bear, with the value of those who do the same. Read again, everybody bears what he should and nothing else has
 * changed, or the edit is left out. What another file declares belongs to another system, and is a person's to mend there.
 */
import { openDesk, type Desk, type DeskOptions } from "../desk/desk.ts";
import type { SourceFile } from "@bulkhead/dialects";
import type { Labels, WorkloadId } from "@bulkhead/model";
import { isMap, isScalar, isSeq, parseAllDocuments, type YAMLMap } from "yaml";
import type { FixedFile } from "../lint/fix.ts";
import { offsetOf } from "../lint/fix-needless.ts";
import { applyEdits, entryOut, inOrder, type Edit } from "../lint/fix-places.ts";
import type { LabelFinding, LabelledWorkload } from "./label-finding.ts";

/** Labels decide policy: what another role's labels would be is proposed, and never written. */
const FIXED: ReadonlySet<string> = new Set(["BH0740", "BH0741"]);

export interface FixedLabels {
  readonly files: readonly FixedFile[];
  /** Findings that no file of these can mend, or that could not be mended without touching something else. */
  readonly left: readonly LabelFinding[];
}

export function fixLabels(
  files: readonly SourceFile[],
  findings: readonly LabelFinding[],
  reading: DeskOptions,
): FixedLabels {
  const desk = openDesk(files, reading);
  const mended = (wanted: readonly LabelFinding[]): readonly SourceFile[] | undefined => {
    const next = edited(files, wanted);
    return next !== undefined && isAsWanted(desk, openDesk(next, reading), wanted)
      ? next
      : undefined;
  };
  const repairs = findings.filter(
    ({ code, set, remove }) => FIXED.has(code) && Object.keys(set).length + remove.length > 0,
  );
  const here = repairs.filter((one) => isOf(files, one));
  let done = here;
  let current = mended(here);
  if (current === undefined) {
    [done, current] = [[], files];
    for (const one of here) {
      const next = mended([...done, one]);
      if (next === undefined) continue;
      done = [...done, one];
      current = next;
    }
  }
  const left = repairs.filter((one) => !done.includes(one));
  return {
    files: current.flatMap(({ name, text }, at): readonly FixedFile[] => {
      const before = files[at]?.text ?? "";
      if (before === text) return [];
      return [{ name, text, before, edits: editsIn({ name, text: before }, done) ?? [] }];
    }),
    left,
  };
}

const isOf = (files: readonly SourceFile[], { workloads }: LabelFinding): boolean =>
  workloads.every(({ source }) => files.some(({ name }) => name === source?.file));

/** Undefined where a place cannot be found, or cannot be written to without losing a comment. */
function edited(
  files: readonly SourceFile[],
  findings: readonly LabelFinding[],
): readonly SourceFile[] | undefined {
  const next: SourceFile[] = [];
  for (const file of files) {
    const edits = editsIn(file, findings);
    if (edits === undefined) return undefined;
    next.push({ name: file.name, text: withEdits(file.text, edits) });
  }
  return next;
}

/** Offsets are those of the text without a byte order mark. */
const MARK = "\uFEFF";
const withoutMark = (text: string): string => (text.startsWith(MARK) ? text.slice(1) : text);
const withEdits = (text: string, edits: readonly Edit[]): string =>
  (text.startsWith(MARK) ? MARK : "") + applyEdits(withoutMark(text), edits);

function editsIn(file: SourceFile, findings: readonly LabelFinding[]): readonly Edit[] | undefined {
  const text = withoutMark(file.text);
  const own = findings.flatMap(({ workloads, set, remove }) =>
    workloads
      .filter(({ source }) => source?.file === file.name)
      .map((workload) => ({ workload, set, remove })),
  );
  if (own.length === 0) return [];
  const declared = declaredIn(text);
  const found: Edit[] = [];
  for (const { workload, set, remove } of own) {
    const map = declared.get(offsetOf(text, workload.source!));
    const labels = map?.get("labels", true);
    if (!isMap(labels)) return undefined;
    const edits = editsOf(labels, set, remove, text, workload);
    if (edits === undefined) return undefined;
    found.push(...edits);
  }
  const ordered = inOrder(found);
  return ordered.length === found.length ? ordered : undefined;
}

/** Workloads of Inventories, by where each begins. */
function declaredIn(text: string): ReadonlyMap<number, YAMLMap> {
  const documents = parseAllDocuments(text, {
    prettyErrors: false,
    version: "1.2",
    schema: "core",
    merge: false,
  });
  const found = new Map<number, YAMLMap>();
  if (!Array.isArray(documents)) return found;
  for (const { contents, errors } of documents) {
    if (errors.length > 0 || !isMap(contents)) continue;
    const kind: unknown = contents.get("kind");
    if (kind !== "Inventory") continue;
    const list = contents.getIn(["spec", "workloads"], true);
    if (!isSeq(list)) continue;
    for (const item of list.items) if (isMap(item) && item.range) found.set(item.range[0], item);
  }
  return found;
}

/** What is renamed keeps its place: another key for the same value is that key written otherwise. */
function editsOf(
  labels: YAMLMap,
  set: Labels,
  remove: readonly string[],
  text: string,
  { id }: LabelledWorkload,
): readonly Edit[] | undefined {
  const edits: Edit[] = [];
  const [gone, ...others] = remove;
  const [entry, ...more] = Object.entries(set);
  if (gone !== undefined && entry !== undefined && others.length + more.length === 0) {
    const pair = labels.items.find(({ key }) => isScalar(key) && key.value === gone);
    const key = pair?.key;
    if (!isScalar(key) || !key.range || labels.has(entry[0])) return undefined;
    return replaced(key, entry[0], text, `\`${gone}\` of ${id} written as \`${entry[0]}\``);
  }
  for (const [key, value] of Object.entries(set)) {
    const node = labels.get(key, true);
    const what = `\`${key}=${value}\` for ${id}`;
    const edit = isScalar(node)
      ? replaced(node, value, text, what)
      : added(labels, key, value, text, what);
    if (edit === undefined) return undefined;
    edits.push(...edit);
  }
  for (const key of remove) {
    const pair = labels.items.find((one) => isScalar(one.key) && one.key.value === key);
    if (pair === undefined) return undefined;
    const out = entryOut(labels, pair, text, `\`${key}\` taken from ${id}`);
    if (out.length === 0) return undefined;
    edits.push(...out);
  }
  return edits;
}

/** As it is quoted. What has an anchor, or runs over lines, is a person's to rewrite. */
function replaced(
  node: { readonly range?: readonly [number, number, number] | null; readonly anchor?: string },
  value: string,
  text: string,
  what: string,
): readonly Edit[] | undefined {
  // The range begins behind the anchor.
  if (!node.range || node.anchor !== undefined) return undefined;
  const [start, end] = node.range;
  const [, quote, written] = /^(["']?)([^"'\n\\&*!]*)\1$/.exec(text.slice(start, end)) ?? [];
  if (quote === undefined || written === undefined || written === "") return undefined;
  return [{ start, end, text: quote === "" ? scalar(value) : `${quote}${value}${quote}`, what }];
}

/** Behind the last label, as that one stands. */
function added(
  labels: YAMLMap,
  key: string,
  value: string,
  text: string,
  what: string,
): readonly Edit[] | undefined {
  const last = labels.items.at(-1);
  if (!isScalar(last?.key) || !isScalar(last.value) || !last.key.range || !last.value.range) {
    return undefined;
  }
  const entry = `${scalar(key)}: ${scalar(value)}`;
  const [, end] = last.value.range;
  if (labels.flow === true) return [{ start: end, end, text: `, ${entry}`, what }];
  const [start] = last.key.range;
  const line = text.lastIndexOf("\n", start - 1) + 1;
  const indent = /^ *$/.exec(text.slice(line, start))?.[0];
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  if (indent === undefined) return undefined;
  // A comment behind the last label stays behind it.
  const stop = text.indexOf("\n", end);
  const at = stop < 0 ? text.length : stop - (newline.length - 1);
  return [{ start: at, end: at, text: `${newline}${indent}${entry}`, what }];
}

/** A value that YAML would take for something else is quoted. */
const scalar = (word: string): string =>
  /^[A-Za-z][\w./-]*$/.test(word) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(word)
    ? word
    : JSON.stringify(word);

/** Everybody is there, as he was, but for the labels that were to change. */
function isAsWanted(before: Desk, after: Desk, findings: readonly LabelFinding[]): boolean {
  const errors = ({ diagnostics }: Desk): number =>
    diagnostics.filter(({ severity }) => severity === "error").length;
  const wanted = new Map<WorkloadId, Labels>();
  for (const { workloads, set, remove } of findings) {
    for (const { id, labels } of workloads) {
      const rest = Object.entries(wanted.get(id) ?? labels).filter(
        ([key]) => !remove.includes(key),
      );
      wanted.set(id, { ...Object.fromEntries(rest), ...set });
    }
  }
  const plain = ({ built }: Desk, labelled: ReadonlyMap<WorkloadId, Labels>): string =>
    JSON.stringify(
      {
        ...built.inventory,
        workloads: built.inventory.workloads.map((one) => ({
          ...one,
          labels: Object.entries(labelled.get(one.id) ?? one.labels).toSorted(([x], [y]) =>
            x < y ? -1 : 1,
          ),
        })),
      },
      // Places move with the text.
      (key, value: unknown) => (key === "source" && typeof value === "object" ? undefined : value),
    );
  return errors(before) === errors(after) && plain(before, wanted) === plain(after, new Map());
}
