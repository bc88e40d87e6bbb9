/**
 * A policy set at one moment, made ready for compiling: what is active in each view, block by block with the version of
 * what it says, and what all selectors, prefixes and named ports look at. Read again only when the set changes or
 * something in it begins to count as expired.
 */
import type { Block, Cookie, CookieName, Direction, PolicySet } from "@bulkhead/model";
import { isConditional } from "../bounds.ts";
import { isActive, type DecideOptions, type View } from "../judge-stage.ts";
import type { CidrPeer } from "../matching.ts";
import { assignCookies } from "./decision-table.ts";
import { vocabularyOf, type Vocabulary } from "./identity-table.ts";
import { compare } from "../order.ts";

export interface ActiveBlock {
  readonly block: Block;
  /** Equal where stage, block and active rules say the same, wherever they stand in a file. */
  readonly version: number;
}

export interface ViewReading {
  /** Only what is active: blocks, and rules in them. */
  readonly set: PolicySet;
  readonly blocks: Readonly<Record<Direction, readonly ActiveBlock[]>>;
}

export interface PolicyReading {
  readonly set: PolicySet;
  readonly from: number;
  /** When something in the set expires next; null: nothing will. */
  readonly nextChangeAt: number | null;
  readonly views: Readonly<Record<"live" | "shadow", ViewReading>> & {
    /** Only while a rollout is under way. */
    readonly settled: ViewReading | undefined;
  };
  /** By rule or block. */
  readonly cookies: ReadonlyMap<string, Cookie>;
  /** The same, sorted by cookie. */
  readonly cookieNames: readonly CookieName[];
  readonly vocabulary: Vocabulary;
  /** Of every rule, active or not. */
  readonly prefixes: readonly CidrPeer[];
  /** What holds for every class: the profile, and the stages without their blocks. */
  readonly frame: string;
  readonly versions: ReadonlyMap<string, number>;
}

/**
 * Throws a RangeError for a set that asks of requests what no map can tell: who builds sets refuses such rules by name, and
 * who wants to know what such a set permits compiles its bounds. Versions go on from those of the reading `before`.
 */
export function readPolicySet(set: PolicySet, now: number, before?: PolicyReading): PolicyReading {
  if (isConditional(set)) throw new RangeError("a rule asks for something above layer 4");
  const versions = new Versions(before?.versions);
  const view = (name: View) => readView(set, { now, view: name }, versions);
  const { canary, stages, ...frame } = set;
  const cookies = assignCookies(set);
  return {
    set,
    from: now,
    nextChangeAt: nextChange(set, now),
    views: {
      live: view("live"),
      shadow: view("shadow"),
      settled: canary && view("settled"),
    },
    cookies,
    cookieNames: [...cookies]
      .map(([rule, cookie]): CookieName => ({ cookie, rule }))
      .toSorted((a, b) => compare(a.cookie, b.cookie)),
    vocabulary: vocabularyOf(set),
    prefixes: stages
      .flatMap(({ blocks }) => blocks)
      .flatMap(({ rules }) => rules)
      .flatMap(({ peers }) => peers.filter((peer) => peer.kind === "cidr")),
    frame: JSON.stringify([frame, stages.map(({ blocks: _blocks, ...stage }) => stage)]),
    versions: versions.given,
  };
}

/** Does the reading still say what holds? */
export function stillHolds(reading: PolicyReading, set: PolicySet, now: number): boolean {
  const { from, nextChangeAt } = reading;
  return reading.set === set && from <= now && (nextChangeAt === null || now < nextChangeAt);
}

/** The set with nothing in it but what is active. */
export function activePart(set: PolicySet, options: DecideOptions): PolicySet {
  const active = (block: Block): Block => {
    const rules = block.rules.filter((rule) => isActive(rule, options));
    return rules.length === block.rules.length ? block : { ...block, rules };
  };
  return {
    ...set,
    stages: set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.filter((block) => isActive(block, options)).map(active),
    })),
  };
}

function readView(set: PolicySet, options: DecideOptions, versions: Versions): ViewReading {
  const part = activePart(set, options);
  const blocks = { egress: [] as ActiveBlock[], ingress: [] as ActiveBlock[] };
  for (const [position, stage] of part.stages.entries()) {
    for (const block of stage.blocks) {
      blocks[block.direction].push({ block, version: versions.of(position, block) });
    }
  }
  return { set: part, blocks };
}

class Versions {
  readonly given = new Map<string, number>();
  readonly #before: ReadonlyMap<string, number>;
  readonly #texts = new Map<Block, string>();
  #next: number;

  constructor(before: ReadonlyMap<string, number> = new Map()) {
    this.#before = before;
    this.#next = before.values().reduce((next, version) => Math.max(next, version + 1), 0);
  }

  of(stage: number, block: Block): number {
    const text = this.#text(stage, block);
    let version = this.given.get(text) ?? this.#before.get(text);
    version ??= this.#next++;
    this.given.set(text, version);
    return version;
  }

  #text(stage: number, block: Block): string {
    let text = this.#texts.get(block);
    if (text === undefined) {
      const { source: _source, policy: _policy, rules, ...rest } = block;
      const said = rules.map(({ source: _place, description: _text, ...rule }) => rule);
      text = JSON.stringify([stage, rest, said]);
      this.#texts.set(block, text);
    }
    return text;
  }
}

function nextChange(set: PolicySet, now: number): number | null {
  const next = set.stages
    .flatMap((stage) => stage.blocks)
    .flatMap((block) => [block, ...block.rules])
    .reduce((soonest, { expiresAt = Infinity }) => {
      return expiresAt > now && expiresAt < soonest ? expiresAt : soonest;
    }, Infinity);
  return next === Infinity ? null : next;
}
