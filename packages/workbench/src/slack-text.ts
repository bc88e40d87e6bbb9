/** What rules permit beyond what they stand on, as a sentence: for comments, tables and pull requests. */
import { sumSlack } from "@bulkhead/learn";
import type { FewerRules, Slack, SlackCause } from "@bulkhead/model";
import { many, thousands } from "./words.ts";

/** What each cause means, in the words people see. */
const CAUSES: Readonly<Record<SlackCause, string>> = {
  doubtful: "seen, and set aside",
  copies: "other copies of the same roles",
  addresses: "other addresses of the set",
  ports: "other ports of the rule",
  joined: "clients and services of joined rules",
  everybody: "others of the namespace",
};

/** Above that nobody reads digits: prefixes of IPv6. */
const READABLE = 1e15;

export const numberOf = (value: number): string =>
  value < READABLE ? thousands(value) : `about 10^${Math.floor(Math.log10(value))}`;

export const pairsOf = (value: number): string =>
  value < READABLE ? many(value, "pair") : `${numberOf(value)} pairs`;

export const beyondOf = ({ permitted, used }: Slack): number => permitted - used;

/** `other copies of the same roles (4)`, one for each cause. */
export function causesText({ beyond }: Slack): string {
  return beyond.map(({ cause, pairs }) => `${CAUSES[cause]} (${numberOf(pairs)})`).join(", ");
}

/** `Permits 12 pairs of ends and port; 4 not seen in use: other copies of the same roles (4)`. */
export function slackText(slack: Slack): string {
  const permits = `Permits ${pairsOf(slack.permitted)} of ends and port`;
  const beyond = beyondOf(slack);
  if (slack.permitted === 0) return "Nobody whom it names is there now";
  if (beyond === 0) return `${permits}, all seen in use`;
  return `${permits}; ${numberOf(beyond)} not seen in use: ${causesText(slack)}`;
}

/** One line for all of them; none where there is no rule. */
export function totalText(rules: readonly { readonly slack: Slack }[]): readonly string[] {
  if (rules.length === 0) return [];
  const total = sumSlack(rules.map(({ slack }) => slack));
  const beyond = beyondOf(total);
  const permits = `Slack: the rules permit ${pairsOf(total.permitted)} of ends and port`;
  if (beyond === 0) return [`${permits}, all seen in use.`];
  return [
    `${permits}; ${numberOf(beyond)} of them (${percent(beyond / total.permitted)}) not seen in use.`,
  ];
}

const LISTED_ROLES = 10;

/** A line for each role that too many rules named: what came of it, and what it cost. */
export function fewerRulesText(roles: readonly FewerRules[]): readonly string[] {
  const rest = roles.length - LISTED_ROLES;
  return [
    ...roles.slice(0, LISTED_ROLES).map(fewerText),
    ...(rest > 0
      ? [`${many(rest, "more role")} that too many rules name: \`-o json\` lists them.`]
      : []),
  ];
}

function fewerText({ role, most, before, after, added }: FewerRules): string {
  const cost = added === 0 ? "which permits nothing more" : `which permits ${pairsOf(added)} more`;
  if (after <= most) return `${role}: ${before} rules that name it joined to ${after}, ${cost}.`;
  const joined = after === before ? "" : ` (${before} before joining what permits nothing more)`;
  return `${role}: ${after} rules name it${joined}, more than ${most}: no join within the bounds holds them to that.`;
}

const percent = (share: number): string =>
  share < 0.001 ? "< 0.1 %" : `${(share * 100).toFixed(1)} %`;
