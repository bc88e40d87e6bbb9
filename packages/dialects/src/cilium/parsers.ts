/** One port has one parser. Where two rules of a section want another each, Cilium rejects the policy (SEMANTICS trap 9). */
import { portsOf, portsOfProtocol, TCP, UDP, type Rule } from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";

const parserOf = ({ l7 = [] }: Rule): "http" | "dns" | null => {
  const kind = l7[0]?.kind;
  return kind === "http" || kind === "dns" ? kind : null;
};

const shareAPort = (a: Rule, b: Rule): boolean =>
  [TCP, UDP].some((protocol) => {
    const of = ({ ports }: Rule) =>
      portsOfProtocol(
        portsOf(ports, () => []),
        protocol,
      );
    return of(a).some((one) =>
      of(b).some((other) => one.first <= other.last && other.first <= one.last),
    );
  });

export const parserConflicts = (rules: readonly Rule[], { report }: BuildContext): void => {
  const looking = rules.filter((rule) => parserOf(rule) !== null);
  looking.forEach((rule, i) => {
    const other = looking
      .slice(0, i)
      .find((before) => parserOf(before) !== parserOf(rule) && shareAPort(before, rule));
    if (other === undefined) return;
    report(
      "BH0410",
      rule.source,
      `this rule looks for ${parserOf(rule)} at a port where another looks for ${parserOf(other)}`,
      "Cilium rejects the whole policy for it",
    );
  });
};
