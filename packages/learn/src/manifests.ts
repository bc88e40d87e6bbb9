/** A suggestion as the native resources a person would write: isolation first, then address sets, then one Intent a rule. */
import {
  API_VERSION,
  DNS_NAME_ANNOTATION,
  formatPort,
  formatSelector,
  type Direction,
  type IntentManifest,
  type NetworkSetManifest,
  type PeerManifest,
  type PolicyManifest,
  type SuggestedIsolation,
  type SuggestedNetworkSet,
  type SuggestedPeer,
  type SuggestedRule,
  type Suggestion,
} from "@bulkhead/model";

export type SuggestedManifest =
  | {
      readonly of: "isolation";
      readonly manifest: PolicyManifest;
      readonly from: SuggestedIsolation;
    }
  | {
      readonly of: "networkSet";
      readonly manifest: NetworkSetManifest;
      readonly from: SuggestedNetworkSet;
    }
  | {
      readonly of: "rule";
      readonly manifest: IntentManifest | PolicyManifest;
      readonly from: SuggestedRule;
    };

export function manifestsOf(
  suggestion: Pick<Suggestion, "applications" | "isolations" | "networkSets" | "rules">,
): readonly SuggestedManifest[] {
  const owners = new Map(suggestion.applications.map(({ id, owner }) => [id, owner]));
  return [
    ...suggestion.isolations.map((from): SuggestedManifest => ({
      of: "isolation",
      manifest: isolationManifest(from),
      from,
    })),
    ...suggestion.networkSets.map((from): SuggestedManifest => ({
      of: "networkSet",
      manifest: networkSetManifest(from),
      from,
    })),
    ...suggestion.rules.map((from): SuggestedManifest => ({
      of: "rule",
      manifest: ruleManifest(from, owners.get(from.application)),
      from,
    })),
  ];
}

function isolationManifest(isolation: SuggestedIsolation): PolicyManifest {
  const { name, namespace, directions = ["ingress", "egress"] } = isolation;
  return {
    apiVersion: API_VERSION,
    kind: "Policy",
    metadata: { name, namespace },
    spec: {
      subject: formatSelector(isolation.selector),
      ...(directions.includes("ingress") ? { ingress: [] } : {}),
      ...(directions.includes("egress") ? { egress: [] } : {}),
    },
  };
}

function networkSetManifest(set: SuggestedNetworkSet): NetworkSetManifest {
  const { name, namespace, cidrs, basis } = set;
  const annotations =
    basis.kind === "dns" ? { annotations: { [DNS_NAME_ANNOTATION]: basis.name } } : {};
  return {
    apiVersion: API_VERSION,
    kind: "NetworkSet",
    metadata: { name, namespace, ...annotations },
    spec: { cidrs },
  };
}

function ruleManifest(
  rule: SuggestedRule,
  owner: string | undefined,
): IntentManifest | PolicyManifest {
  return rule.only === undefined
    ? intentManifest(rule, owner)
    : oneSidedManifest(rule, rule.only, owner);
}

/** An Intent isolates both its ends: what holds for one of them alone is a Policy. */
function oneSidedManifest(
  rule: SuggestedRule,
  only: Direction,
  owner: string | undefined,
): PolicyManifest {
  const { name, namespace } = rule;
  const subject = only === "ingress" ? rule.to : rule.from;
  if (subject.kind !== "workloads") throw new Error(`\`${name}\` confines nobody of ours`);
  const peer = [peerManifest(only === "ingress" ? rule.from : rule.to, namespace)];
  const ports = rule.ports.map((port) => formatPort(port.protocol, port.port));
  return {
    apiVersion: API_VERSION,
    kind: "Policy",
    metadata: { name, namespace },
    spec: {
      ...(owner === undefined ? {} : { owner }),
      subject: formatSelector(subject.selector),
      ...(only === "ingress"
        ? { ingress: [{ from: peer, ports }] }
        : { egress: [{ to: peer, ports }] }),
    },
  };
}

function intentManifest(rule: SuggestedRule, owner: string | undefined): IntentManifest {
  const { name, namespace } = rule;
  return {
    apiVersion: API_VERSION,
    kind: "Intent",
    metadata: { name, namespace },
    spec: {
      ...(owner === undefined ? {} : { owner }),
      from: peerManifest(rule.from, namespace),
      to: peerManifest(rule.to, namespace),
      ports: rule.ports.map((port) => formatPort(port.protocol, port.port)),
    },
  };
}

function peerManifest(peer: SuggestedPeer, home: string): PeerManifest {
  switch (peer.kind) {
    case "host":
      return { entity: "host" };
    case "networkSet":
      return { networkSet: withinHome(peer.name, home) };
    case "workloads": {
      const selector = formatSelector(peer.selector);
      return peer.namespace === home ? selector : { selector, namespace: peer.namespace };
    }
  }
}

/** A set of the same namespace is named without it. */
function withinHome(name: string, home: string): string {
  return name.startsWith(`${home}/`) ? name.slice(home.length + 1) : name;
}
