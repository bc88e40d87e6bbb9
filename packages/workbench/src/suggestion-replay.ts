/** What a suggestion would do to the very flows it was made of: decided again by the reference, with nothing else in force. */
import { buildPolicySet, parseFiles } from "@bulkhead/dialects";
import { indexInventory, replay } from "@bulkhead/engine";
import { recogniseEnds } from "@bulkhead/learn";
import type { Edge, Inventory } from "@bulkhead/model";

export interface ReplayCounts {
  /** Edges that were decided. */
  readonly edges: number;
  readonly newlyDenied: readonly Edge[];
  readonly newlyAllowed: readonly Edge[];
  readonly unchanged: number;
}

export function replaySuggestion(
  files: readonly { readonly name: string; readonly text: string }[],
  edges: readonly Edge[],
  inventory: Inventory,
  now: number,
): ReplayCounts {
  const real = edges.filter((edge) => edge.verdict !== "spoofed" && edge.verdict !== "error");
  const set = (texts: typeof files) =>
    buildPolicySet(parseFiles([...texts]).resources, { now, strict: false, mode: "enforce" }).set;
  const { newlyDenied, newlyAllowed, unchanged } = replay(
    set([]),
    set(files),
    recogniseEnds(real, inventory),
    indexInventory(inventory),
    now,
  );
  return {
    edges: real.length,
    newlyDenied: newlyDenied.map(({ edge }) => edge),
    newlyAllowed: newlyAllowed.map(({ edge }) => edge),
    unchanged,
  };
}
