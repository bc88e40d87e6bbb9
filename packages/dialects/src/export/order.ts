/**
 * The order within a stage where the first rule that matches decides: what a policy says of the same subject in neighbouring
 * places is one block, and places become numbers that no two of them share by accident.
 */
import type { Block, Rule } from "@bulkhead/model";
import { portKey } from "../build/lint.ts";
import type { Losses } from "./exported.ts";

export const compareOrders = (a: readonly number[], b: readonly number[]): number => {
  for (let at = 0; at < Math.max(a.length, b.length); at += 1) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
};

const said = (rules: readonly Rule[]): string =>
  JSON.stringify(rules.map(({ id: _id, source: _source, ...rest }) => rest));

const keyOf = ({ policy, direction, subject, isolates, enforce, expiresAt, canary }: Block) =>
  JSON.stringify([policy, direction, subject, isolates, enforce, expiresAt, canary]);

const FINAL: readonly Rule["action"][] = ["allow", "deny", "reject", "pass"];

/** Whom a rule before it decides already, at the same ports, no rule meets any more. */
const alive = (rules: readonly Rule[]): readonly Rule[] => {
  const decided = new Set<string>();
  return rules.flatMap((rule): Rule[] => {
    const place = `${rule.enforce} ${rule.expiresAt} ${portKey(rule.ports)}`;
    const keyed = rule.peers.map((peer) => [`${place} ${JSON.stringify(peer)}`, peer] as const);
    const left = keyed.filter(([key]) => !decided.has(key)).map(([, peer]) => peer);
    const isPlain = rule.l7 === undefined && rule.auth === undefined;
    if (isPlain && FINAL.includes(rule.action)) for (const [key] of keyed) decided.add(key);
    return left.length === 0 && rule.peers.length > 0 ? [] : [{ ...rule, peers: left }];
  });
};

/** Blocks in between say at their places what the run says there; whoever is in both meets the same rules in the same order. */
const isBetween = (run: readonly Block[], next: Block, all: readonly Block[]): boolean => {
  const first = run[0]?.order ?? [];
  const members = [...run, next];
  return all.some((one) => {
    if (one.direction !== next.direction || members.includes(one)) return false;
    if (compareOrders(one.order, first) < 0 || compareOrders(one.order, next.order) > 0)
      return false;
    const same = members.find(({ order }) => compareOrders(order, one.order) === 0);
    return same === undefined || said(same.rules) !== said(one.rules);
  });
};

const joined = (blocks: readonly Block[]): readonly Block[] => {
  const groups = Map.groupBy(blocks, keyOf);
  return [...groups.values()].flatMap((group) => {
    const runs: Block[][] = [];
    for (const block of group.toSorted((a, b) => compareOrders(a.order, b.order))) {
      const run = runs.at(-1);
      if (run === undefined || isBetween(run, block, blocks)) runs.push([block]);
      else run.push(block);
    }
    return runs.flatMap((run): Block[] => {
      const [first] = run;
      return first === undefined
        ? []
        : [{ ...first, rules: alive(run.flatMap(({ rules }) => rules)) }];
    });
  });
};

/** One number each, from `from` on where they have none of their own; and how many are taken. */
export const numbered = (
  blocks: readonly Block[],
  from?: number,
): { readonly blocks: readonly Block[]; readonly next: number } => {
  const whole = joined(blocks);
  const orders = [...new Map(whole.map(({ order }) => [JSON.stringify(order), order])).values()];
  const sorted = orders.toSorted(compareOrders);
  const isOwn = new Set(sorted.map(([first]) => first)).size === sorted.length;
  const numbers = new Map(
    sorted.map((order, at) => [
      JSON.stringify(order),
      from === undefined && isOwn ? (order[0] ?? 0) : (from ?? 0) + at,
    ]),
  );
  return {
    blocks: whole.map((block) => ({
      ...block,
      order: [numbers.get(JSON.stringify(block.order)) ?? 0],
    })),
    next: (from ?? 0) + sorted.length,
  };
};

/** Which numbers a target has. */
export interface Priorities {
  readonly first: number;
  readonly last: number;
  readonly hasFractions?: boolean;
}

/** As they are where they fit, else as many steps as there are. */
export const priorities = (
  blocks: readonly Block[],
  { first, last, hasFractions = false }: Priorities,
  losses: Losses,
): ReadonlyMap<number, number> => {
  const given = [...new Set(blocks.map(({ order }) => order[0] ?? 0))].toSorted((a, b) => a - b);
  const fits = given.every(
    (one) => one >= first && one <= last && (hasFractions || Number.isInteger(one)),
  );
  const [block] = blocks;
  if (!fits && given.length > last - first + 1 && block !== undefined)
    losses.refuse(block.source, `${given.length} different priorities`);
  return new Map(given.map((one, at) => [one, fits ? one : at + first]));
};
