/** A suggestion as the native resources a person would write: isolation first, then address sets, then one Intent a rule. */
import {
  API_VERSION,
  formatPort,
  formatSelector,
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
  | { readonly of: "rule"; readonly manifest: IntentManifest; readonly from: SuggestedRule };

export function manifestsOf(suggestion: Suggestion): readonly SuggestedManifest[] {
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
      manifest: intentManifest(from),
      from,
    })),
  ];
}

function isolationManifest(isolation: SuggestedIsolation): PolicyManifest {
  const { name, namespace } = isolation;
  return {
    apiVersion: API_VERSION,
    kind: "Policy",
    metadata: { name, namespace },
    spec: { subject: formatSelector(isolation.selector), ingress: [], egress: [] },
  };
}

function networkSetManifest(set: SuggestedNetworkSet): NetworkSetManifest {
  const { name, namespace, cidrs } = set;
  return {
    apiVersion: API_VERSION,
    kind: "NetworkSet",
    metadata: { name, namespace },
    spec: { cidrs },
  };
}

function intentManifest(rule: SuggestedRule): IntentManifest {
  const { name, namespace } = rule;
  return {
    apiVersion: API_VERSION,
    kind: "Intent",
    metadata: { name, namespace },
    spec: {
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
