/** From drafts to rules: peers said with one selector each, a name, the evidence, and what it permits beyond that. */
import { EVERYTHING, formatPort } from "@bulkhead/model";
import type { Evidence, Selector, SuggestedPeer, SuggestedRule } from "@bulkhead/model";
import type { Draft, Need } from "./drafts.ts";
import { evidenceOf } from "./evidence.ts";
import { COMMON_CLIENTS } from "./generality.ts";
import type { Group, Grouping } from "./groups.ts";
import { by, compareText, groupBy } from "./order.ts";
import { DNS_PORT } from "./purpose.ts";
import { homeOf, nameRules, type Named } from "./rule-names.ts";

/** A rule that nobody has asked yet what it permits, and what it was drafted from. */
export interface DraftedRule {
  readonly rule: Omit<SuggestedRule, "slack">;
  readonly needs: readonly Need[];
}

/** `ofMachine`: namespaces of processes of the machine, whose whole is never an end: people are among them. */
export function rulesOf(
  drafts: readonly Draft[],
  grouping: Grouping,
  ofMachine: ReadonlySet<string>,
): readonly DraftedRule[] {
  return nameRules(drafts, grouping.groups)
    .map((named) => ({
      rule: toRule(named, grouping, ofMachine),
      needs: named.draft.needs,
    }))
    .toSorted(
      by(
        ({ rule }) => rule.namespace,
        ({ rule }) => (rule.rare ? 1 : 0),
        ({ rule }) => rule.name,
      ),
    );
}

function peerOf(ends: readonly Need["source"][]): SuggestedPeer {
  const first = ends[0];
  if (first === undefined) throw new Error("a rule without ends was drafted");
  if (first.kind === "host") return { kind: "host" };
  if (first.kind === "set") return { kind: "networkSet", name: first.name };
  const own = ends.flatMap((end) => (end.kind === "group" ? [end.group] : []));
  const names = own.map((group) => group.name).toSorted(compareText);
  return {
    kind: "workloads",
    namespace: first.group.namespace,
    selector: mergeSelectors(own),
    name: names.join(", "),
  };
}

/** Names are common ground: when all of a namespace resolves them, the namespace is the peer. */
function clientsOf(
  draft: Draft,
  grouping: Grouping,
  ofMachine: ReadonlySet<string>,
): SuggestedPeer {
  const clients = peerOf(draft.sources);
  const destination = draft.destinations[0];
  const names = draft.ports.every((port) => port.port === DNS_PORT);
  if (clients.kind !== "workloads" || draft.destinations.length > 1 || !names) return clients;
  const { namespace } = clients;
  if (ofMachine.has(namespace)) return clients;
  const asking = new Set(draft.sources.map((end) => end.key));
  const silent = grouping.groups.filter(
    (group) => group.namespace === namespace && !asking.has(`group ${group.id}`),
  );
  // A single server need not ask itself, and talking to itself is exempt.
  const others = silent.filter(
    (group) => destination?.key !== `group ${group.id}` || group.members.length > 1,
  );
  const nameless = grouping.ungrouped.some((member) => member.namespace === namespace);
  if (draft.sources.length < COMMON_CLIENTS || others.length > 0 || nameless) return clients;
  return { kind: "workloads", namespace, selector: EVERYTHING, name: "all" };
}

function mergeSelectors(groups: readonly Group[]): Selector {
  const first = groups[0];
  if (first === undefined || groups.length === 1) return first?.selector ?? { requirements: [] };
  return {
    requirements: first.selector.requirements.map((requirement) => {
      if (requirement.operator !== "In") return requirement;
      const values = groups.flatMap((group) =>
        group.selector.requirements.flatMap((other) =>
          other.operator === "In" && other.key === requirement.key ? other.values : [],
        ),
      );
      return { ...requirement, values: [...new Set(values)].toSorted(compareText) };
    }),
  };
}

function toRule(
  { draft, namespace, name }: Named,
  grouping: Grouping,
  ofMachine: ReadonlySet<string>,
): DraftedRule["rule"] {
  const between = (need: Need): string => `${endName(need.source)} → ${endName(need.destination)}`;
  const parts = [...groupBy(draft.needs, between)]
    .map(([part, needs]) => ({
      name: part,
      rare: needs.every((need) => need.rare),
      evidence: evidenceOf(needs.flatMap((need) => need.edges)),
    }))
    .toSorted(by((part) => part.name));
  const links = draft.needs
    .map((need) => ({
      text: `${between(need)} ${formatPort(need.protocol, need.port)}`,
      firstSeen: Math.min(...need.edges.map((edge) => edge.firstSeen)),
    }))
    .toSorted(by((link) => link.text));
  const evidence: Evidence = evidenceOf(draft.needs.flatMap((need) => need.edges));
  const home = homeOf(draft);
  return {
    name,
    namespace,
    application: home?.application ?? namespace,
    ...(draft.purpose === undefined ? {} : { purpose: draft.purpose }),
    ...(draft.only === undefined ? {} : { only: draft.only }),
    from: clientsOf(draft, grouping, ofMachine),
    to: peerOf(draft.destinations),
    ports: draft.ports,
    rare: draft.rare,
    evidence,
    parts: parts.length > 1 ? parts : [],
    links,
  };
}

function endName(end: Need["source"]): string {
  if (end.kind === "host") return "host";
  return end.kind === "set" ? end.name : `${end.group.namespace}/${end.group.name}`;
}
