/** What a native Policy or Intent of one connection says, as Kubernetes NetworkPolicies: for who has nothing else to apply. */
import {
  parsePort,
  parseSelector,
  type ExceptionManifest,
  type IntentManifest,
  type PeerManifest,
  type PolicyManifest,
  type PortManifest,
  type SelectorManifest,
  type WorkloadsManifest,
} from "@bulkhead/model";
import { stringify } from "yaml";

type Direction = "ingress" | "egress";
type Json = Readonly<Record<string, unknown>>;

/** Null: NetworkPolicies cannot say it (other protocols, the host, an Exception). */
export function networkPoliciesFor(
  manifest: PolicyManifest | IntentManifest | ExceptionManifest,
): string | null {
  const { name, namespace = "default" } = manifest.metadata;
  const policies = policiesOf(manifest, name, namespace);
  if (policies.length === 0 || policies.includes(null)) return null;
  return policies
    .map((policy) => stringify(policy, { flowCollectionPadding: false }))
    .join("---\n");
}

function policiesOf(
  manifest: PolicyManifest | IntentManifest | ExceptionManifest,
  name: string,
  home: string,
): (Json | null)[] {
  switch (manifest.kind) {
    case "Exception":
      return [null];
    case "Policy": {
      const { subject, ingress = [], egress = [] } = manifest.spec;
      return [
        ...ingress.map(({ from, ports }) =>
          policy(name, home, "ingress", subject, from[0]!, ports),
        ),
        ...egress.map(({ to, ports }) => policy(name, home, "egress", subject, to[0]!, ports)),
      ];
    }
    case "Intent": {
      const { from, to, ports } = manifest.spec;
      const between = [
        isWorkloads(from) ? policy(`${name}-egress`, home, "egress", from, to, ports) : undefined,
        isWorkloads(to) ? policy(`${name}-ingress`, home, "ingress", to, from, ports) : undefined,
      ];
      return between.filter((one) => one !== undefined);
    }
  }
}

function policy(
  name: string,
  home: string,
  direction: Direction,
  subject: string | WorkloadsManifest,
  peer: PeerManifest,
  ports: readonly PortManifest[] = [],
): Json | null {
  const chosen = typeof subject === "string" ? { selector: subject } : subject;
  const { selector, namespace = home } = chosen;
  const peers = peersOf(peer, home, namespace);
  const matched = ports.map(portOf);
  if (peers === null || matched.includes(null)) return null;
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace },
    spec: {
      podSelector: labelSelector(selector),
      policyTypes: [direction === "ingress" ? "Ingress" : "Egress"],
      [direction]: [{ [direction === "ingress" ? "from" : "to"]: peers, ports: matched }],
    },
  };
}

/** `home`: where the manifest lives. `namespace`: where the policy does. */
function peersOf(peer: PeerManifest, home: string, namespace: string): readonly Json[] | null {
  if (isWorkloads(peer)) {
    const chosen = typeof peer === "string" ? { selector: peer } : peer;
    const there = chosen.namespace ?? home;
    const elsewhere = {
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": there } },
    };
    const podSelector = labelSelector(chosen.selector);
    return [{ ...(there === namespace ? {} : elsewhere), podSelector }];
  }
  if ("cidr" in peer) return [{ ipBlock: { cidr: peer.cidr } }];
  if (!("entity" in peer) || peer.entity !== "world") return null;
  return [{ ipBlock: { cidr: "0.0.0.0/0" } }, { ipBlock: { cidr: "::/0" } }];
}

function isWorkloads(peer: PeerManifest): peer is string | WorkloadsManifest {
  return typeof peer === "string" || "selector" in peer;
}

const PROTOCOLS: Readonly<Record<number, string>> = { 6: "TCP", 17: "UDP", 132: "SCTP" };

function portOf(text: PortManifest): Json | null {
  const parsed = parsePort(String(text));
  if ("error" in parsed || parsed.match.kind !== "range") return null;
  const { protocol, first } = parsed.match;
  const name = PROTOCOLS[protocol];
  return name === undefined ? null : { protocol: name, port: first };
}

/** What is proposed has one value for every key. */
function labelSelector(selector: SelectorManifest): Json {
  if (typeof selector !== "string") return selector;
  const parsed = parseSelector(selector);
  if ("error" in parsed) throw new TypeError(`\`${selector}\`: ${parsed.error}`);
  const matchLabels = parsed.selector.requirements.map((one): [string, string] => [
    one.key,
    "values" in one ? one.values[0]! : "",
  ]);
  return { matchLabels: Object.fromEntries(matchLabels) };
}
