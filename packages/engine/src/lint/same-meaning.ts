/**
 * Do two policy sets say the same, block by block and whatever the inventory? Narrower than the question whether they permit
 * the same: a yes is a proof, a no is only that this proof does not reach so far.
 */
import type { Block, PolicySet, Rule, Stage } from "@bulkhead/model";
import { coveredBy } from "./cover.ts";
import { boxesOf } from "./flow-box.ts";

export function saysTheSame(one: PolicySet, other: PolicySet): boolean {
  return (
    textOf(one.profile) === textOf(other.profile) &&
    one.stages.length === other.stages.length &&
    one.stages.every((stage, at) => isSameStage(stage, other.stages[at]!))
  );
}

function isSameStage({ blocks, ...frame }: Stage, other: Stage): boolean {
  const { blocks: theirs, ...itsFrame } = other;
  const byId = new Map(theirs.map((block) => [block.id, block]));
  return (
    textOf(frame) === textOf(itsFrame) &&
    blocks.length === theirs.length &&
    blocks.every((block) => {
      const its = byId.get(block.id);
      return its !== undefined && isSameBlock(block, its, frame.mode);
    })
  );
}

function isSameBlock(one: Block, other: Block, mode: Stage["mode"]): boolean {
  const { rules, source: _place, ...frame } = one;
  const { rules: theirs, source: _itsPlace, ...itsFrame } = other;
  if (textOf(frame) !== textOf(itsFrame)) return false;
  if (textOf(rules.map(wordsOf)) === textOf(theirs.map(wordsOf))) return true;
  // Where order counts, or more than connections is asked for, nothing but the same words is the same.
  const isPlain = (rule: Rule): boolean =>
    rule.action === "allow" &&
    rule.l7 === undefined &&
    rule.auth === undefined &&
    rule.expiresAt === undefined &&
    rule.enforce === rules[0]?.enforce;
  if (mode === "firstMatch" || ![...rules, ...theirs].every(isPlain)) return false;
  return holds(one, theirs, rules) && holds(other, rules, theirs);
}

/** Is whatever `some` match matched by `others`? Both are of `block`. */
function holds(block: Block, others: readonly Rule[], some: readonly Rule[]): boolean {
  const coverers = others.map((rule) => ({ from: rule, boxes: boxesOf(block, rule) }));
  return (
    coveredBy(
      some.flatMap((rule) => boxesOf(block, rule)),
      coverers,
    ) !== null
  );
}

function wordsOf({ id: _id, source: _place, description: _said, ...words }: Rule): object {
  return words;
}

function textOf(value: unknown): string {
  return JSON.stringify(value);
}
