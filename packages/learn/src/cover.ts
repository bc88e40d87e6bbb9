/**
 * Does a suggested rule allow an edge that was set aside? That happens when a refused edge's ends carry the same labels
 * as ends whose need is proven. Such edges are reported as covered, never left in the list of what stays forbidden.
 */
import {
  matches,
  type Edge,
  type FlowEnd,
  type SetAside,
  type SuggestedNetworkSet,
  type SuggestedPeer,
} from "@bulkhead/model";
import type { Member } from "./groups.ts";
import { push } from "./order.ts";
import { within } from "./outside.ts";
import type { DraftedRule } from "./rules.ts";

type Rule = DraftedRule["rule"];

export interface Split {
  readonly setAside: readonly SetAside[];
  readonly covered: readonly SetAside[];
  /** What is covered, by the rule that allows it. */
  readonly by: ReadonlyMap<Rule, readonly Edge[]>;
}

export function splitCovered(
  setAside: readonly SetAside[],
  rules: readonly Rule[],
  networkSets: readonly SuggestedNetworkSet[],
  members: ReadonlyMap<string, Member>,
): Split {
  const covered: SetAside[] = [];
  const rest: SetAside[] = [];
  const by = new Map<Rule, Edge[]>();
  for (const item of setAside) {
    const rule =
      item.reason === "spoofed"
        ? undefined // stopped by where it comes from, whatever the rules say
        : rules.find((candidate) => allows(candidate, item.edge, networkSets, members));
    if (rule === undefined) rest.push(item);
    else {
      covered.push({ ...item, detail: `${item.detail}; \`${rule.name}\` allows it all the same` });
      push(by, rule, item.edge);
    }
  }
  return { setAside: rest, covered, by };
}

function allows(
  rule: Rule,
  edge: Edge,
  networkSets: readonly SuggestedNetworkSet[],
  members: ReadonlyMap<string, Member>,
): boolean {
  return (
    rule.ports.some((port) => port.protocol === edge.protocol && port.port === edge.port) &&
    isPeer(rule.from, edge.source, networkSets, members) &&
    isPeer(rule.to, edge.destination, networkSets, members)
  );
}

function isPeer(
  peer: SuggestedPeer,
  end: FlowEnd,
  networkSets: readonly SuggestedNetworkSet[],
  members: ReadonlyMap<string, Member>,
): boolean {
  const member = end.workload === undefined ? undefined : members.get(end.workload);
  switch (peer.kind) {
    case "workloads":
      return (
        member !== undefined &&
        member.namespace === peer.namespace &&
        matches(peer.selector, member.labels)
      );
    case "host":
      return member === undefined && end.name === "host";
    case "networkSet": {
      if (member !== undefined || end.name === "host") return false;
      const proposed = networkSets.find((set) => `${set.namespace}/${set.name}` === peer.name);
      if (proposed === undefined) return end.name === peer.name;
      return proposed.cidrs.some((cidr) => within(end.address, cidr));
    }
  }
}
