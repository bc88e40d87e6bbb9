/**
 * Rules that could go without a decision changing, and rules that can never match, found over sets of flows and true in every
 * inventory. Each finding holds by itself, and all of them together: what one rests on is not said to be needless by another.
 * Silence is no promise: where a question needs too much work, nothing is said.
 */
import type { Block, PolicySet, Rule, Stage } from "@bulkhead/model";
import { isActive } from "../judge-stage.ts";
import { compareBlocks, decides, groupsOfEqualOrder } from "../strictness.ts";
import { coveredBy, overlap, remainder, type Coverer } from "./cover.ts";
import { boxesOf, type Box } from "./flow-box.ts";

export type RuleFindingKind =
  /** It matches nothing: its own words contradict each other. */
  | "never"
  /** Rules before it take all that it matches, and say the same or pass it on. */
  | "shadowed"
  /** The same is said by others, with it and without it. */
  | "redundant"
  /** Others, which count more, say the opposite of all that it matches. */
  | "contradicted"
  /** What it asks of requests changes nothing: others allow the same connections whatever travels in them. */
  | "voided"
  /** A rule of the same order says something else of some of the same flows. */
  | "ambiguous";

export interface RuleFinding {
  readonly kind: RuleFindingKind;
  readonly stage: Stage["id"];
  readonly block: Block;
  readonly rule: Rule;
  /** On account of whom; in the order of the set. Empty for `never`. */
  readonly by: readonly { readonly block: Block; readonly rule: Rule }[];
}

interface Member {
  readonly stage: Stage["id"];
  readonly block: Block;
  readonly rule: Rule;
  readonly boxes: readonly Box[];
}

/** In the order of stages and blocks. */
export function findRules({ stages }: PolicySet, now: number): readonly RuleFinding[] {
  return stages.flatMap((stage) =>
    (["egress", "ingress"] as const).flatMap((direction) => {
      const blocks = stage.blocks
        .filter(
          (block) => block.direction === direction && isActive(block, { now, view: "shadow" }),
        )
        .toSorted(compareBlocks);
      return FINDERS[stage.mode](neighbourhoods(stage.id, blocks, now));
    }),
  );
}

/** Where a rule is looked at, with all who may have the same subjects, in the order of their blocks. */
interface Neighbourhood {
  readonly own: readonly Member[];
  readonly all: readonly Member[];
}

/** Blocks of different namespaces never meet. */
function neighbourhoods(
  stage: Stage["id"],
  blocks: readonly Block[],
  now: number,
): readonly Neighbourhood[] {
  const known = new Map<Block, readonly Member[]>();
  const membersOf = (block: Block): readonly Member[] => {
    let found = known.get(block);
    if (found === undefined) {
      found = block.rules
        .filter((rule) => isActive(rule, { now, view: "shadow" }) && decides(rule.action))
        .map((rule) => ({ stage, block, rule, boxes: boxesOf(block, rule) }));
      known.set(block, found);
    }
    return found;
  };
  const wide = blocks.filter((block) => homeOf(block) === undefined);
  const homes = Map.groupBy(blocks, homeOf);
  return [...homes].map(([home, here]) => {
    const all =
      home === undefined
        ? blocks
        : wide.length === 0
          ? here
          : [...here, ...wide].toSorted(compareBlocks);
    return { own: here.flatMap(membersOf), all: all.flatMap(membersOf) };
  });
}

function homeOf({ subject }: Block): string | undefined {
  if (subject.kind === "all-workloads" || subject.namespaces.kind !== "named") return undefined;
  return subject.namespaces.name;
}

const FINDERS: Readonly<
  Record<Stage["mode"], (places: readonly Neighbourhood[]) => readonly RuleFinding[]>
> = {
  firstMatch: (places) => places.flatMap(firstMatchFindings),
  denyOverrides: (places) => sideBySide(places, true),
  anyAllow: (places) => sideBySide(places, false),
};

function told(
  kind: RuleFindingKind,
  { stage, block, rule }: Member,
  by: readonly Member[],
): RuleFinding {
  const others = new Map(by.map((one) => [one.rule, { block: one.block, rule: one.rule }]));
  return { kind, stage, block, rule, by: [...others.values()] };
}

/** Where order does not matter: denies first, since what they leave is what allows are about. */
function sideBySide(places: readonly Neighbourhood[], denies: boolean): readonly RuleFinding[] {
  const gone = new Set<Rule>();
  const found: RuleFinding[] = [];
  const say = (finding: RuleFinding): void => {
    if (finding.kind !== "voided") gone.add(finding.rule);
    found.push(finding);
  };
  const isDeny = ({ rule }: Member): boolean => rule.action !== "allow";
  for (const wanted of denies ? [isDeny, isAllow] : [isAllow]) {
    for (const { own, all } of places) {
      const others = all.filter(
        ({ rule }) => rule.auth === undefined && rule.l7Mode !== "terminal",
      );
      // Of two that say the same, the later one is needless.
      for (const member of own.filter(wanted).toReversed()) {
        if (member.boxes.length === 0) {
          say(told("never", member, []));
          continue;
        }
        if (member.rule.auth !== undefined || member.rule.l7Mode === "terminal") continue;
        const standing = coverersOf(member, others).filter(({ from }) => !gone.has(from.rule));
        const denying = denies ? standing.filter(({ from }) => isDeny(from)) : [];
        const same = standing.filter(({ from }) => from.rule.action === member.rule.action);
        const denied = isDeny(member) ? null : coveredBy(member.boxes, denying);
        if (denied !== null) {
          say(told("contradicted", member, denied));
          continue;
        }
        const again = coveredBy(member.boxes, isDeny(member) ? same : [...same, ...denying]);
        const voiding =
          member.rule.l7 === undefined ? null : voidedBy(member, same, denies && isDeny(member));
        if (voiding !== null) say(told("voided", member, voiding));
        if (again !== null && voiding === null) say(told("redundant", member, again));
      }
    }
  }
  return found;
}

const isAllow = ({ rule }: Member): boolean => rule.action === "allow";

function voidedBy(
  member: Member,
  same: readonly Coverer<Member>[],
  isDeny: boolean,
): readonly Member[] | null {
  if (isDeny) return null;
  const { l7: _asked, onOpaque: _opaque, ...plain } = member.rule;
  const open = same.filter(({ from }) => from.rule.l7 === undefined);
  return coveredBy(boxesOf(member.block, plain), open);
}

/** Those who are in force whenever the member is. */
function coverersOf(member: Member, others: readonly Member[]): readonly Coverer<Member>[] {
  return others
    .filter((other) => other.rule !== member.rule && outlasts(other, member))
    .map((other) => ({ from: other, boxes: other.boxes }));
}

function outlasts(one: Member, other: Member): boolean {
  const [mine, its] = [endOf(one), endOf(other)];
  return (
    (!isStaged(one) || isStaged(other)) &&
    (one.block.canary !== true || other.block.canary === true || isStaged(other)) &&
    mine >= its
  );
}

function isStaged({ block, rule }: Member): boolean {
  return block.enforce === "staged" || rule.enforce === "staged";
}

function endOf({ block, rule }: Member): number {
  return Math.min(block.expiresAt ?? Infinity, rule.expiresAt ?? Infinity);
}

function firstMatchFindings({ own, all }: Neighbourhood): readonly RuleFinding[] {
  const found: RuleFinding[] = [];
  const gone = new Set<Rule>();
  const mine = new Set(own.map(({ rule }) => rule));
  const groups = groupsOfEqualOrder(all);
  const earlier: Member[] = [];
  for (const group of groups) {
    for (const [at, member] of group.entries()) {
      if (!mine.has(member.rule)) continue;
      if (member.boxes.length === 0) {
        gone.add(member.rule);
        found.push(told("never", member, []));
        continue;
      }
      const before = [
        ...earlier,
        ...group.slice(0, at).filter(({ block }) => block === member.block),
      ];
      const standing = coverersOf(member, before).filter(({ from }) => !gone.has(from.rule));
      const by = coveredBy(member.boxes, standing);
      if (by !== null) {
        gone.add(member.rule);
        const agree = by.every(({ rule }) => [member.rule.action, "pass"].includes(rule.action));
        found.push(told(agree ? "shadowed" : "contradicted", member, by));
        continue;
      }
      const rivals = group.slice(0, at).filter((other) => isRival(member, other, earlier));
      if (rivals.length > 0) found.push(told("ambiguous", member, rivals));
    }
    earlier.push(...group);
  }
  for (const [number, group] of [...groups.entries()].toReversed()) {
    for (const member of group.toReversed()) {
      const { rule, block } = member;
      if (!mine.has(rule) || gone.has(rule) || rule.auth !== undefined) continue;
      if (rule.l7Mode === "terminal") continue;
      const rest = group.slice(group.indexOf(member) + 1).filter((one) => one.block === block);
      const beside = group.filter((one) => one.block !== block);
      if (beside.some((one) => overlap(one.boxes, member.boxes))) continue;
      const by = saidAgain(member, [rest, ...groups.slice(number + 1)], gone);
      if (by === null) continue;
      gone.add(rule);
      found.push(told("redundant", member, by));
    }
  }
  return found;
}

/** Says something else of flows that come so far. */
function isRival(member: Member, other: Member, earlier: readonly Member[]): boolean {
  if (other.block === member.block || other.rule.action === member.rule.action) return false;
  if (!overlap(other.boxes, member.boxes)) return false;
  const left = remainder(
    member.boxes,
    coverersOf(member, earlier).flatMap(({ boxes }) => boxes),
  );
  return left === null || overlap(left, other.boxes);
}

/** Those who say the same of all that it matches, before anybody says something else of any of it. */
function saidAgain(
  member: Member,
  later: readonly (readonly Member[])[],
  gone: ReadonlySet<Rule>,
): readonly Member[] | null {
  let left: readonly Box[] = member.boxes;
  const by: Member[] = [];
  const isSame = (one: Member): boolean =>
    one.rule.action === member.rule.action &&
    one.rule.auth === undefined &&
    one.rule.l7Mode !== "terminal";
  for (const group of later) {
    const isAlone = group.every(({ block }) => block === group[0]!.block);
    // Among blocks of equal order the strictest rule wins, wherever it stands.
    if (!isAlone && group.some((one) => !isSame(one) && overlap(one.boxes, left))) return null;
    for (const one of group) {
      if (!overlap(one.boxes, left)) continue;
      if (!isSame(one)) return null;
      if (gone.has(one.rule) || !outlasts(one, member)) continue;
      const rest = remainder(left, one.boxes);
      if (rest === null) return null;
      left = rest;
      by.push(one);
      if (left.length === 0) return by;
    }
  }
  return null;
}
