/**
 * The reference watches the kernel: every observed flow is decided again by `decide`, and a verdict that differs is
 * reported. What connection tracking counts of a connection that is cut by now gets its true verdict here. Each distinct
 * flow is decided once for a given policy and inventory, so this costs a map look-up per record.
 */
import { decide, type InventoryIndex } from "@bulkhead/engine";
import {
  formatPort,
  ICMPV6,
  type Block,
  type DecisionVerdict,
  type DirectionDecision,
  type Flow,
  type FlowVerdict,
  type PolicySet,
} from "@bulkhead/model";
import { possibleQueries } from "./possible-queries.ts";

export interface Judged {
  readonly set: PolicySet;
  readonly index: InventoryIndex;
  /** Since when the kernel holds it; what began earlier was judged by another. */
  readonly since: number;
}

/** The kernel's first packets and our clock are this far apart at most. */
const SETTLING_MS = 1500;
/** News of connections tells what happened since the news before: up to a reading of the table's later, and those take time. */
export const NEWS_MS = SETTLING_MS + 1500;
const MAX_REMEMBERED = 200_000;

/** How a flow is denied: its verdict, and what denied it. */
export type Denial = Pick<Flow, "verdict" | "rule" | "direction">;

export class Referee {
  #judged: Judged | null = null;
  /** What the kernel held of late, the oldest first: news may be of the time of each. */
  #lately: readonly Judged[] = [];
  #known = new Map<string, string | null>();
  #denials = new Map<string, Denial | null>();

  /** Since when the kernel holds what it is judged by; undefined while that changes. */
  get since(): number | undefined {
    return this.#judged?.since;
  }

  adopt(judged: Judged): void {
    this.#judged = judged;
    const still = this.#lately.filter(
      (_, at, all) => (all[at + 1]?.since ?? judged.since) > judged.since - NEWS_MS,
    );
    this.#lately = [...still, judged];
    this.#known = new Map();
    this.#denials = new Map();
  }

  /** While a change is under way the kernel may hold the old or the new. */
  suspend(): void {
    this.#judged = null;
  }

  /**
   * Connection tracking goes on counting what a live connection sends, also when a policy drops all of it since. How the
   * policy in force denies such later news; null when it does not, or when the news may be of a time that another policy
   * allowed it.
   */
  denial(flow: Flow, now: number): Denial | null {
    const judged = this.#judged;
    const later = flow.connections === 0 && flow.established === 0 && flow.packets > 0;
    if (judged === null || flow.verdict !== "forwarded" || !later) return null;
    if (isExempt(flow) || !this.#deniedBefore(flow, now)) return null;
    const key = keyOf(flow);
    const known = this.#denials.get(key);
    if (known !== undefined) return known;
    const denial = denialOf(judged, flow, now);
    if (this.#denials.size >= MAX_REMEMBERED) this.#denials.clear();
    this.#denials.set(key, denial);
    return denial;
  }

  /** By all that the kernel held while what is told happened, but for what it holds now. */
  #deniedBefore(flow: Flow, now: number): boolean {
    const from = flow.end - NEWS_MS;
    const [first] = this.#lately;
    if (first === undefined || first.since > from) return false;
    return this.#lately.every((judged, at) => {
      const next = this.#lately[at + 1];
      return next === undefined || next.since <= from || denialOf(judged, flow, now) !== null;
    });
  }

  /** What is wrong with the verdict, in a sentence; null when nothing is. */
  judge(flow: Flow, now: number): string | null {
    const judged = this.#judged;
    if (judged === null || flow.start < judged.since + SETTLING_MS || flow.connections === 0)
      return null;
    if (isExempt(flow)) return null;
    const key = `${keyOf(flow)} ${flow.verdict}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const finding = examine(judged, flow, now);
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(key, finding);
    return finding;
  }
}

function keyOf({ source, destination, protocol, port, translated }: Flow): string {
  const ends = [source, destination].map(({ address, workload = "" }) => `${address} ${workload}`);
  return `${ends.join(" ")} ${protocol} ${port} ${translated ?? false}`;
}

/**
 * Does the flow take part in a rollout? What it addressed tells, and where the destination was translated no record holds
 * that: both are possible then, and the reference has two answers.
 */
function setsOf({ set }: Judged, { translated }: Flow): readonly PolicySet[] {
  if (set.canary === undefined || translated !== true) return [set];
  return [{ ...set, canary: undefined }, withoutRollout(set)];
}

function withoutRollout(set: PolicySet): PolicySet {
  const settled = (block: Block): boolean => block.canary !== true;
  const stages = set.stages.map((one) => ({ ...one, blocks: one.blocks.filter(settled) }));
  return { ...set, stages, canary: undefined };
}

function denialOf(judged: Judged, flow: Flow, now: number): Denial | null {
  const denials = setsOf(judged, flow).map((set) => denialUnder(set, judged.index, flow, now));
  return denials.every((denial) => denial !== null) ? (denials.at(-1) ?? null) : null;
}

function denialUnder(
  set: PolicySet,
  index: InventoryIndex,
  flow: Flow,
  now: number,
): Denial | null {
  let denied: DirectionDecision | undefined;
  for (const query of possibleQueries(flow, index)) {
    const { egress, ingress } = decide(set, index, query, { now, view: "live" });
    // A packet meets the egress verdict first.
    const found = [egress, ingress].find(({ verdict }) => verdict !== "allow");
    if (found === undefined) return null;
    denied ??= found;
  }
  if (denied === undefined) return null;
  const { verdict, direction, determinedBy: by } = denied;
  const rule = by.kind === "rule" ? by.rule : by.kind === "isolation" ? by.block : undefined;
  return {
    verdict: verdict === "reject" ? "rejected" : "dropped",
    direction,
    ...(rule === undefined ? {} : { rule }),
  };
}

function examine(judged: Judged, flow: Flow, now: number): string | null {
  const findings = setsOf(judged, flow).map((set) => finding(judged, set, flow, now));
  return findings.every((one) => one !== null) ? (findings.at(-1) ?? null) : null;
}

function finding(
  { set: whole, index }: Judged,
  set: PolicySet,
  flow: Flow,
  now: number,
): string | null {
  let likeliest: FlowVerdict | undefined;
  for (const query of possibleQueries(flow, index)) {
    const live = decide(set, index, query, { now, view: "live" }).verdict;
    const shadow = decide(whole, index, query, { now, view: "shadow" }).verdict;
    const expected = verdictsOf(live, shadow);
    if (expected.includes(flow.verdict)) return null;
    likeliest ??= expected[0];
  }
  const { source, destination, protocol, port } = flow;
  const what = `${source.name} (${source.address}) → ${destination.name} (${destination.address}) ${formatPort(protocol, port)}`;
  return `the kernel says \`${flow.verdict}\` for ${what}, the reference \`${likeliest}\``;
}

function verdictsOf(live: DecisionVerdict, shadow: DecisionVerdict): readonly FlowVerdict[] {
  if (live !== "allow") return [live === "drop" ? "dropped" : "rejected"];
  // What only the shadow denies is seen twice: as it was forwarded, and as it would have been judged.
  return shadow === "allow" ? ["forwarded"] : ["audit", "forwarded"];
}

/**
 * Verdicts of anti-spoofing; what was held back because nobody knew its link yet, which no direction decides; and what the
 * datapath exempts by a printed list: neighbour and multicast-listener discovery.
 */
function isExempt(flow: Flow): boolean {
  if (flow.verdict === "spoofed" || flow.verdict === "error") return true;
  if (flow.verdict === "dropped" && flow.direction === undefined) return true;
  const type = Math.floor(flow.port / 256);
  return flow.protocol === ICMPV6 && ((type >= 130 && type <= 137) || type === 143);
}
