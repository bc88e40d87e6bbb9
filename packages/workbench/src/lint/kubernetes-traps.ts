/** What a NetworkPolicy says otherwise than it looks (SEMANTICS traps 1, 2 and 4). */
import type { Resource } from "@bulkhead/dialects";
import { hasPort, portsOf, TCP, UDP, type Selector } from "@bulkhead/model";
import type { LintContext } from "./lint-context.ts";

type NetworkPolicy = Extract<Resource, { dialect: "kubernetes"; role: "policy" }>["object"];
type NetworkPolicyPeer = NonNullable<
  NonNullable<NetworkPolicy["spec"]["ingress"]>[number]["from"]
>[number];
type Rule =
  | NonNullable<NetworkPolicy["spec"]["ingress"]>[number]
  | NonNullable<NetworkPolicy["spec"]["egress"]>[number];

export function kubernetesTraps({ desk, say }: LintContext): void {
  for (const resource of desk.resources) {
    if (resource.dialect !== "kubernetes" || resource.role !== "policy") continue;
    const { ingress = [], egress = [] } = resource.object.spec;
    for (const rule of ingress) peers(rule, "from", say);
    for (const rule of egress) {
      peers(rule, "to", say);
      nameService(rule, say);
    }
  }
}

const isEmpty = ({ requirements }: Selector): boolean => requirements.length === 0;

function peers(rule: Rule, field: "from" | "to", say: LintContext["say"]): void {
  const given = "from" in rule ? rule.from : "to" in rule ? rule.to : undefined;
  if (given?.length === 0) {
    say(
      "BH0722",
      rule.source,
      `an empty \`${field}\` is everyone`,
      `for nobody leave the rule out; for everyone leave \`${field}\` out`,
    );
  }
  for (const peer of splitPeers(given ?? [])) {
    say(
      "BH0720",
      peer.source,
      "two items: every pod of those namespaces, and besides these pods of the policy's own namespace",
      "for these pods in those namespaces, put both selectors into one item",
    );
  }
  for (const { podSelector, namespaceSelector, source } of given ?? []) {
    const spaces = namespaceSelector !== undefined && podSelector === undefined;
    if (podSelector !== undefined && namespaceSelector === undefined && isEmpty(podSelector)) {
      say(
        "BH0721",
        source,
        "`podSelector: {}` is every pod of the policy's own namespace, and nobody else",
        "for every pod of the cluster write `namespaceSelector: {}`",
      );
    }
    if (spaces && isEmpty(namespaceSelector)) {
      say(
        "BH0721",
        source,
        "`namespaceSelector: {}` is every pod of every namespace",
        "for pods of the policy's own namespace write `podSelector: {}`",
      );
    }
  }
}

/** Second items of pairs that a dash tells apart: most often the namespaces come first. Each item is in one pair. */
function splitPeers(given: readonly NetworkPolicyPeer[]): readonly NetworkPolicyPeer[] {
  const paired = new Set<number>();
  const isPods = ({ podSelector, namespaceSelector }: NetworkPolicyPeer): boolean =>
    podSelector !== undefined && namespaceSelector === undefined && !isEmpty(podSelector);
  const isSpaces = ({ podSelector, namespaceSelector }: NetworkPolicyPeer): boolean =>
    namespaceSelector !== undefined && podSelector === undefined;
  const second: number[] = [];
  for (const [first, then] of [
    [isSpaces, isPods],
    [isPods, isSpaces],
  ] as const) {
    for (let at = 1; at < given.length; at++) {
      if (paired.has(at - 1) || paired.has(at)) continue;
      if (!first(given[at - 1]!) || !then(given[at]!)) continue;
      paired.add(at - 1).add(at);
      second.push(at);
    }
  }
  return second.map((at) => given[at]!);
}

/** A port without a protocol is TCP's (trap 4), and DNS asks over UDP. */
function nameService({ ports = [], source }: Rule, say: LintContext["say"]): void {
  const set = portsOf(ports, () => []);
  if (ports.length === 0 || !hasPort(set, TCP, 53) || hasPort(set, UDP, 53)) return;
  if (!ports.some((port) => port.kind === "range" && port.first === 53 && port.last === 53)) return;
  say(
    "BH0724",
    source,
    "port 53 is allowed over TCP alone",
    "a port without `protocol` is TCP; DNS asks over UDP first",
  );
}
