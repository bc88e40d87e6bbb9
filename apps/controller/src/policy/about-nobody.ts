/**
 * Policies that select nobody who is known here: a mistyped label, most likely, or an Inventory that has gone. They are
 * no error, for who is meant may be yet to come; but nobody is protected by them today.
 */
import { formatResourceName } from "@bulkhead/dialects";
import type { Block, PolicySet, Workload } from "@bulkhead/model";
import { selects } from "../queries/workloads.ts";
import type { World } from "../world/world.ts";

const SHOWN = 5;
/** About a tenth of a second: an apply must not wait for a hint. */
const MOST_LOOKS = 1_000_000;

export function aboutNobody({ stages }: PolicySet, world: World): readonly string[] {
  const workloads = unlike(world.inventory.workloads);
  const blocks = stages.filter(({ id }) => id !== "metadata").flatMap((stage) => stage.blocks);
  // Where nobody is known at all, that is told elsewhere.
  if (workloads.length === 0 || workloads.length * blocks.length > MOST_LOOKS) return [];
  const idle = blocks.filter(
    (block) => !workloads.some((workload) => selects(block, workload, world)),
  );
  const words = [...new Set(idle.map(wordsOf))];
  if (words.length === 0) return [];
  const more = words.length > SHOWN ? `, and ${words.length - SHOWN} more` : "";
  return [
    `no workload known here is selected by ${words.slice(0, SHOWN).join(", ")}${more}: compare their labels with \`bulkhead workloads\``,
  ];
}

/** One of each kind: copies are alike to every selector. */
function unlike(workloads: readonly Workload[]): readonly Workload[] {
  const kinds = new Map(
    workloads.map((workload) => {
      const { namespace, labels, hostNetwork } = workload;
      return [JSON.stringify([namespace, hostNetwork, labels]), workload];
    }),
  );
  return [...kinds.values()];
}

function wordsOf({ policy, direction }: Block): string {
  const resource = `\`${formatResourceName(policy)}\``;
  if (policy.kind !== "Intent" && policy.kind !== "Exception") return resource;
  return `${resource} (${direction === "egress" ? "from" : "to"})`;
}
