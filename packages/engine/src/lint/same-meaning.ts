/**
 * Do two policy sets say the same, block by block and whatever the inventory? Narrower than the question whether they permit
 * the same: a yes is a proof, a no is only that this proof does not reach so far.
 */
import type { Block, PolicySet, Rule, Stage } from "@bulkhead/model";
import { decides } from "../strictness.ts";
import { coveredBy } from "./cover.ts";
import { boxesOf } from "./flow-box.ts";

export function saysTheSame(one: PolicySet, other: PolicySet): boolean {
  return (
    textOf(one.profile) === textOf(other.profile) &&
    one.stages.length === other.stages.length &&
    one.stages.every((stage, at) => isSameStage(stage, other.stages[at]!))
  );
}

/** `needless`: rules of `one` without which, one by one and all together, every decision stays as it is. */
export function saysTheSameWithout(
  one: PolicySet,
  other: PolicySet,
  needless: ReadonlySet<Rule>,
): boolean {
  if (needless.size === 0) return saysTheSame(one, other);
  const kept = new Map(
    other.stages.flatMap(({ blocks }) =>
      blocks.map(({ id, rules }) => [id, new Set(rules.map((rule) => textOf(wordsOf(rule))))]),
    ),
  );
  const isThere = (block: Block, rule: Rule): boolean =>
    kept.get(block.id)?.has(textOf(wordsOf(rule))) === true;
  const stages = one.stages.map((stage) => ({
    ...stage,
    blocks: stage.blocks.map((block) => ({
      ...block,
      rules: block.rules.filter((rule) => !needless.has(rule) || isThere(block, rule)),
    })),
  }));
  return saysTheSame({ ...one, stages }, other);
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
  if (textOf(distinct(rules, mode)) === textOf(distinct(theirs, mode))) return true;
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

/** A rule that another says before it, word for word, never counts; where none goes before another, order does not either. */
function distinct(rules: readonly Rule[], mode: Stage["mode"]): readonly string[] {
  const seen = new Set<string>();
  const each = rules.flatMap((rule) => {
    const words = textOf(wordsOf(rule));
    const isAgain = seen.has(words) && decides(rule.action);
    seen.add(words);
    return isAgain ? [] : [words];
  });
  return mode === "firstMatch" ? each : each.toSorted();
}

/** Whatever a rule lists, peers, ports, values and requests, says the same if it stands there twice. */
function wordsOf({ id: _id, source: _place, description: _said, ...words }: Rule): unknown {
  return once(words);
}

function once(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(once);
    const seen = new Set<string>();
    return items.filter((item) => {
      const text = textOf(item);
      return !seen.has(text) && seen.add(text);
    });
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, once(item)]));
}

function textOf(value: unknown): string {
  return JSON.stringify(value);
}
