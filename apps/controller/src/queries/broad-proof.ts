/**
 * Edits of texts in force that were proved: all that is on record still passes, and nothing passes that did not. All are tried
 * together; where that cannot be proved, the halves are, down to the edits that stand in the way.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { createReplay, includes, type InventoryIndex } from "@bulkhead/engine";
import type { Edge, PolicySet } from "@bulkhead/model";
import { applyEdits, inOrder, type Edit, type FixedFile } from "@bulkhead/workbench/lint";
import { keyOf, readGiven, type HeldResource } from "../policy/candidate.ts";
import { readPolicy } from "../policy/reading.ts";

export interface Narrowing {
  readonly file: { readonly name: string; readonly text: string };
  readonly edit: Edit;
}

export interface Proof {
  readonly held: readonly HeldResource[];
  readonly set: PolicySet;
  readonly index: InventoryIndex;
  /** What was used, in the whole record. */
  readonly edges: readonly Edge[];
  readonly now: number;
}

export interface Proved<T> {
  readonly kept: readonly T[];
  /** With one clause each. */
  readonly left: ReadonlyMap<T, string>;
}

/** Edges decided in one go, before others have their turn. */
const AT_ONCE = 500;
const VIEWS = ["live", "shadow"] as const;

export async function proved<T extends Narrowing>(
  proposals: readonly T[],
  proof: Proof,
): Promise<Proved<T>> {
  const left = new Map<T, string>();
  const add = async (kept: readonly T[], more: readonly T[]): Promise<readonly T[]> => {
    if (more.length === 0) return kept;
    const why = await objection([...kept, ...more], proof);
    if (why === null) return [...kept, ...more];
    if (more.length === 1) {
      left.set(more[0]!, why);
      return kept;
    }
    const middle = Math.ceil(more.length / 2);
    return add(await add(kept, more.slice(0, middle)), more.slice(middle));
  };
  return { kept: await add([], proposals), left };
}

export function filesOf(proposals: readonly Narrowing[]): readonly FixedFile[] {
  return [...Map.groupBy(proposals, ({ file }) => file.name)].map(([name, own]) => {
    const { text: before } = own[0]!.file;
    const mark = before.startsWith("\uFEFF") ? "\uFEFF" : "";
    const edits = inOrder(own.map(({ edit }) => edit));
    return { name, before, text: mark + applyEdits(before.slice(mark.length), edits), edits };
  });
}

/** Null: it is proved. */
async function objection(proposals: readonly Narrowing[], proof: Proof): Promise<string | null> {
  const { held, set: before, index, edges, now } = proof;
  const after = setWith(held, filesOf(proposals), now);
  if (after === null) return "its text could not be read after the change";
  for (const view of VIEWS) {
    const judge = createReplay({ before, after, index, now, view });
    let denied = false;
    await eachOf(edges, (edge) => {
      const change = judge(edge);
      denied ||= change !== null && change.after.verdict !== "allow";
    });
    if (denied) return "something on record would be denied without it";
    if (includes({ set: after, index }, { set: before, index }, { now, view }).kind !== "included")
      return "it could not be proved that nothing more is permitted";
  }
  return null;
}

function setWith(
  held: readonly HeldResource[],
  files: readonly FixedFile[],
  now: number,
): PolicySet | null {
  const read = new Map(files.map(({ name, text }) => [name, readGiven([{ name, text }])]));
  const after: HeldResource[] = [];
  for (const one of held) {
    const given = read.get(one.stored.fileName);
    const resource = given === undefined ? one.resource : given.resources.get(keyOf(one.resource));
    if (resource === undefined) return null;
    after.push({ ...one, resource });
  }
  return readPolicy(after, { now, strict: false }).set;
}

export async function eachOf(edges: readonly Edge[], ask: (edge: Edge) => void): Promise<void> {
  for (const [at, edge] of edges.entries()) {
    if (at % AT_ONCE === AT_ONCE - 1) await breathe();
    ask(edge);
  }
}
