/** What was applied in audit is staged, whatever the mode of the rest: it is judged and reported, and decides nothing. */
import type { Block, PolicySet } from "@bulkhead/model";
import { formatResourceName } from "../resource.ts";

/** `audited`: names of resources, as `formatResourceName` writes them. */
export const stageAudited = (set: PolicySet, audited: ReadonlySet<string>): PolicySet => {
  if (audited.size === 0) return set;
  const stage = (block: Block): Block => {
    if (!audited.has(formatResourceName(block.policy))) return block;
    return {
      ...block,
      enforce: "staged",
      rules: block.rules.map((rule) => ({ ...rule, enforce: "staged" as const })),
    };
  };
  return { ...set, stages: set.stages.map((one) => ({ ...one, blocks: one.blocks.map(stage) })) };
};
