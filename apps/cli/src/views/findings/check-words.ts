/** Counts of what `check` found, in words. */
import type { Difference } from "@bulkhead/workbench/desk";
import { count } from "../../ui/words.ts";

export function changesText(changes: readonly Difference[]): string {
  const number = (kind: Difference["kind"]): number =>
    changes.filter((one) => one.kind === kind).length;
  const words = {
    added: "newly allowed",
    removed: "no longer allowed",
    changed: "on other ports",
  } as const;
  return (["added", "removed", "changed"] as const)
    .flatMap((kind) => (number(kind) === 0 ? [] : [`${number(kind)} ${words[kind]}`]))
    .join(", ");
}

export function standInText(many: number): string {
  return `No file has a workload: ${count(many, "representative pod")} ${many === 1 ? "stands" : "stand"} for those that the policies name, and one without labels in every namespace for all others.`;
}

/** Of recorded edges, not one of which is about anybody: a replay without a change would pass for a proof. */
export function strangersText(edges: number): string {
  return `${count(edges, "edge")} in the flows, none of them of a known workload: nothing was tested with them. Name workloads by their addresses in the folder, or give flows that name them.`;
}
