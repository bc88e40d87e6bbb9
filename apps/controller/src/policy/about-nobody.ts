/**
 * Policies that select nobody who is known here: a mistyped label, most likely, or an Inventory that has gone. They are
 * no error, for who is meant may be yet to come; but nobody is protected by them today.
 */
import type { Block, PolicySet } from "@bulkhead/model";
import { selects } from "../queries/workloads.ts";
import type { World } from "../world/world.ts";

const SHOWN = 5;

export function aboutNobody({ stages }: PolicySet, world: World): readonly string[] {
  const { workloads } = world.inventory;
  // Nobody is known at all: that is told elsewhere.
  if (workloads.length === 0) return [];
  const idle = stages
    .filter(({ id }) => id !== "metadata")
    .flatMap(({ blocks }) => blocks)
    .filter((block) => !workloads.some((workload) => selects(block, workload, world)));
  const words = [...new Set(idle.map(wordsOf))];
  if (words.length === 0) return [];
  const more = words.length > SHOWN ? `, and ${words.length - SHOWN} more` : "";
  return [
    `no workload known here is selected by ${words.slice(0, SHOWN).join(", ")}${more}: compare their labels with \`bulkhead workloads\``,
  ];
}

function wordsOf({ policy: { kind, namespace, name }, direction }: Block): string {
  const resource = `\`${kind}/${namespace}/${name}\``;
  if (kind !== "Intent" && kind !== "Exception") return resource;
  return `${resource} (${direction === "egress" ? "from" : "to"})`;
}
