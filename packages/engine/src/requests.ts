/**
 * What rules ask above layer 4, and what a flow tells of it. Where the flow tells nothing, a decision lies between two
 * bounds: with the best requests that could come, and with the worst. Both are the same fold over other rules.
 */
import type { AttributeName, Obligation, Predicate, Request, Rule } from "@bulkhead/model";
import { textMatches } from "./text-match.ts";

/** Of requests that the flow does not tell. */
export type Assumption = "best" | "worst";

/**
 * What a rule that matches at layer 4 does to a flow with these requests; null: nothing. `imposes`: where it asks its ends
 * to prove who they are, nobody else may let them through without that.
 */
export function ruleInForce(
  rule: Rule,
  request: Request | undefined,
  assume: Assumption,
  imposes = false,
): Rule | null {
  const permits = rule.action === "allow";
  if (rule.action === "custom") return assume === "best" ? null : denying(rule);
  if (permits && rule.auth === "required" && assume === "worst") {
    return imposes ? denying(rule) : null;
  }
  if (rule.l7 === undefined) return rule;
  const held = request === undefined ? (assume === "best") === permits : holds(rule, request);
  if (held) return rule;
  return rule.l7Mode === "terminal" && permits ? denying(rule) : null;
}

/** Does the rule leave anything open that the flow does not tell? */
export function isOpen(rule: Rule, request: Request | undefined): boolean {
  if (rule.action === "log" || rule.action === "audit") return false;
  const asksRequest = rule.l7 !== undefined && request === undefined;
  return asksRequest || rule.action === "custom" || isBound(rule);
}

const isBound = ({ action, auth }: Rule) => action === "allow" && auth === "required";

/** What the open rules that were met on the way ask; rules in that order. */
export function obligationsOf(open: readonly Rule[], request: Request | undefined): Obligation[] {
  const asking = request === undefined ? open.filter(({ l7 }) => l7 !== undefined) : [];
  const of = (rules: readonly Rule[]) => ({
    rules: rules.map(({ id }) => id),
    l7: rules.flatMap(({ l7 }) => l7 ?? []),
  });
  const named = (rules: readonly Rule[]) => ({ rules: rules.map(({ id }) => id) });
  const all: Obligation[] = [
    { kind: "only", ...of(asking.filter(({ action }) => action === "allow")) },
    { kind: "unless", ...of(asking.filter(({ action }) => isRefusal(action))) },
    { kind: "auth", ...named(open.filter(isBound)) },
    { kind: "external", ...named(open.filter(({ action }) => action === "custom")) },
  ];
  return all.filter(({ rules }) => rules.length > 0);
}

const isRefusal = (action: Rule["action"]) => action === "deny" || action === "reject";

function denying(rule: Rule): Rule {
  return { ...rule, action: "deny" };
}

function holds(rule: Rule, request: Request): boolean {
  if (request.kind === "opaque") return rule.onOpaque === "widen";
  return rule.l7!.some((predicate) => predicateHolds(predicate, request));
}

function attributeOf(told: Readonly<Record<string, string>>, name: AttributeName) {
  if (Object.hasOwn(told, name)) return told[name];
  return name === "target" && Object.hasOwn(told, "path") ? told["path"] : undefined;
}

function predicateHolds(
  { kind, conditions }: Predicate,
  request: Exclude<Request, { kind: "opaque" }>,
): boolean {
  if (kind !== "any" && kind !== request.kind) return false;
  return conditions.every(({ attribute, anyOf, noneOf }) => {
    const value = attributeOf(request.attributes, attribute);
    const isOne = (matches: typeof anyOf) =>
      value !== undefined && matches.some((match) => textMatches(match, value));
    return (anyOf.length === 0 || isOne(anyOf)) && !isOne(noneOf);
  });
}
