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
