/** What is in force, and how often each of its rules was hit: the kernel counts by decision, and a decision has its rule's cookie. */
import type { PoliciesAnswer, RuleHits } from "@bulkhead/api";
import type { CookieName } from "@bulkhead/model";
import type { RuleCounter } from "@bulkhead/wire";
import type { AgentSession } from "../link/agent-session.ts";

export interface HeldResource {
  readonly key: string;
  readonly mode: "audit" | "enforce";
  readonly fileName: string;
}

export interface PoliciesInput {
  readonly revision: number;
  readonly held: readonly HeldResource[];
  readonly cookies: readonly CookieName[];
  readonly session: Pick<AgentSession, "ruleCounters"> | undefined;
}

const TIMEOUT_MS = 10_000;

export async function listPolicies(input: PoliciesInput): Promise<PoliciesAnswer> {
  const { revision, held, cookies, session } = input;
  const { counters, problem } = await countersOf(session);
  const hits = hitsOf(cookies, counters);
  const names = new Set(held.map(({ key }) => key));
  return {
    revision,
    policies: held
      .map(({ key: name, mode, fileName: file }) => ({
        name,
        mode,
        file,
        rules: hits.filter(({ rule }) => resourceOf(rule) === name),
      }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    others: hits.filter(({ rule }) => !names.has(resourceOf(rule))),
    ...(problem === undefined ? {} : { uncounted: problem }),
  };
}

async function countersOf(
  session: PoliciesInput["session"],
): Promise<{ readonly counters: readonly RuleCounter[]; readonly problem?: string }> {
  if (session === undefined) return { counters: [], problem: "no agent is connected" };
  try {
    const { rules, error } = await session.ruleCounters(TIMEOUT_MS);
    return { counters: rules, ...(error === undefined ? {} : { problem: error }) };
  } catch (error) {
    return { counters: [], problem: error instanceof Error ? error.message : String(error) };
  }
}

/** One rule may have several cookies, and one cookie several decisions. */
function hitsOf(cookies: readonly CookieName[], counters: readonly RuleCounter[]): RuleHits[] {
  const byCookie = Map.groupBy(counters, ({ cookie }) => cookie);
  const byRule = Map.groupBy(cookies, ({ rule }) => rule);
  return [...byRule]
    .map(([rule, own]) => ({
      rule,
      ...sumOf(own.flatMap(({ cookie }) => byCookie.get(cookie) ?? [])),
    }))
    .toSorted((a, b) => (a.rule < b.rule ? -1 : 1));
}

function sumOf(counters: readonly RuleCounter[]): Omit<RuleHits, "rule"> {
  const shadow = counters.filter(({ plane }) => plane === "shadow");
  const live = counters.filter(({ plane }) => plane !== "shadow");
  // What is enforced is in the shadow trees as well, beside what is only audited: it counts once.
  const counted = live.length > 0 ? live : shadow;
  const packets = (of: readonly RuleCounter[], allows: boolean): number =>
    of.reduce((sum, one) => ((one.verdict === "allow") === allows ? sum + one.packets : sum), 0);
  const last = Math.max(0, ...counters.map(({ lastHit = 0 }) => lastHit));
  return {
    allowed: packets(counted, true),
    denied: packets(live, false),
    wouldDeny: packets(shadow, false),
    bytes: counted.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(last === 0 ? {} : { lastHit: last }),
  };
}

/** `Policy/shop/db#ingress/0` is of `Policy/shop/db`. */
function resourceOf(rule: string): string {
  return rule.split("#")[0] ?? rule;
}
