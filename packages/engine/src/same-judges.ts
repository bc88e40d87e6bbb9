/**
 * Do two policy sets say the same of somebody? Where the blocks that select them are the same, so are all answers, and
 * nobody need ask for them one by one.
 */
import type { Block, PolicySet } from "@bulkhead/model";
import { isSame } from "./compile/same.ts";
import type { Judge, Seating } from "./decider.ts";

export type SameJudges = (before: Judge | null, after: Judge | null) => boolean;

/** Null: the sets differ in what holds for everybody. Both are asked with one inventory. */
export function createSameJudges(
  { set: before }: Seating,
  { set: after }: Seating,
): SameJudges | null {
  if (!isSame(frameOf(before), frameOf(after))) return null;
  const [then, now] = [stagesOf(before), stagesOf(after)];
  const known = new Map<Judge, Map<Judge, boolean>>();
  const compare = ({ blocks }: Judge, { blocks: others }: Judge): boolean => {
    if (blocks.length !== others.length) return false;
    const byId = new Map(others.map((block) => [block.id, block]));
    return blocks.every((block) => {
      const other = byId.get(block.id);
      return (
        other !== undefined &&
        then.get(block) === now.get(other) &&
        isSame(saidBy(block), saidBy(other))
      );
    });
  };
  return (a, b) => {
    if (a === null || b === null) return a === b;
    let ofA = known.get(a);
    if (ofA === undefined) known.set(a, (ofA = new Map()));
    let same = ofA.get(b);
    if (same === undefined) ofA.set(b, (same = compare(a, b)));
    return same;
  };
}

function frameOf({ stages, ...set }: PolicySet) {
  return [set, stages.map(({ blocks: _blocks, ...stage }) => stage)];
}

function stagesOf({ stages }: PolicySet): Map<Block, number> {
  return new Map(stages.flatMap(({ blocks }, at) => blocks.map((block) => [block, at] as const)));
}

/** Lines of a file move without anything being said anew. */
function saidBy({ source: _source, rules, ...block }: Block) {
  return [block, rules.map(({ source: _place, description: _text, ...rule }) => rule)];
}
