/**
 * The end of every look-up: count, and say what happens. An allow returns to the base chain, so that egress and
 * ingress must both pass; a drop or reject logs the first packet of its kind and ends. In the shadow trees nothing
 * ends a packet: a denial is logged as audit.
 */
import type { RowDecision } from "@bulkhead/model";
import { logRules } from "./frame.ts";
import { leafName } from "./names.ts";
import type { Tree } from "./names.ts";
import type { TableBuilder } from "./ruleset.ts";

const liveDenial = (
  { direction }: Tree,
  { verdict, cookie }: RowDecision,
  counter: string,
  telling: boolean,
): readonly string[] => {
  const end = verdict === "drop" ? "drop" : "goto refuse";
  const prefix = {
    verdict: verdict === "drop" ? "dropped" : "rejected",
    direction,
    cookie,
  } as const;
  return [
    counter,
    `jump ${verdict === "drop" ? "quiet_drop" : "quiet_reject"}`,
    ...logRules({ ...prefix, reply: true }, telling, end, "ct direction reply "),
    ...logRules({ ...prefix, reply: false }, telling, end),
  ];
};

const shadowDenial = (
  { direction }: Tree,
  { cookie }: RowDecision,
  counter: string,
  telling: boolean,
): readonly string[] => [
  counter,
  "jump quiet_audit",
  ...logRules({ verdict: "audit", direction, cookie, reply: false }, telling, "accept"),
];

export const writeLeaf = (
  table: TableBuilder,
  tree: Tree,
  decision: RowDecision,
  /** Rules that end what is exempt, to stand before a denial. */
  exemptions: readonly string[],
  /** Log messages tell of translated destinations. */
  telling: boolean,
): string => {
  const name = leafName(tree, decision.verdict, decision.cookie);
  if (table.has(name)) return name;
  const counter = `counter name "${table.counter(name)}"`;
  if (decision.verdict === "allow") return table.chain(name, [`${counter} return`]);
  const denial = tree.plane === "shadow" ? shadowDenial : liveDenial;
  return table.chain(name, [...exemptions, ...denial(tree, decision, counter, telling)]);
};
