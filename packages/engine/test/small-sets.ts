/** Short ways to write down a policy set and an inventory in a test. Everything not said is the plain case. */
import {
  familyOf,
  parseProtocol,
  TCP,
  type Block,
  type Cidr,
  type Inventory,
  type Labels,
  type Namespace,
  type NamedPort,
  type OwnedSocket,
  type Peer,
  type PolicySet,
  type PortMatch,
  type Profile,
  type Rule,
  type Stage,
  type Workload,
} from "@bulkhead/model";

export const T0 = 1_700_000_000_000;
const source = { file: "test.yaml", line: 1, column: 1 };

export function workload(
  id: string,
  address: string | readonly string[],
  labels: Labels = {},
  more: { readonly namedPorts?: readonly NamedPort[]; readonly hostNetwork?: boolean } = {},
): Workload {
  const [namespace = "", name = ""] = id.split("/");
  return {
    id,
    namespace,
    name,
    kind: "netns",
    labels,
    addresses: typeof address === "string" ? [address] : address,
    namedPorts: more.namedPorts ?? [],
    hostNetwork: more.hostNetwork ?? false,
  };
}

/** Sockets: `80/tcp` on every address of both families, `[::1]:80/tcp` and `10.0.0.254:53/udp` on one. */
export function unit(
  id: string,
  sockets: readonly string[] = [],
  labels: Labels = {},
  namedPorts: readonly NamedPort[] = [],
): Workload {
  const name = id.slice(id.indexOf("/") + 1);
  return {
    ...workload(id, [], labels, { namedPorts }),
    kind: "process",
    cgroup: `/system.slice/${name}.service`,
    sockets: sockets.flatMap(socketsAt),
  };
}

function socketsAt(text: string): OwnedSocket[] {
  const colon = text.lastIndexOf(":");
  const [port, protocol = ""] = text.slice(colon + 1).split("/");
  const socket = { protocol: parseProtocol(protocol)!, port: Number(port) };
  if (colon < 0) return ([4, 6] as const).map((family) => ({ family, ...socket }));
  const address = text.slice(0, colon).replaceAll(/[[\]]/g, "");
  return [{ address, family: familyOf(address), ...socket }];
}

export function inventory(
  workloads: readonly Workload[],
  hostAddresses: readonly string[] = ["10.0.0.254"],
  namespaces: readonly Namespace[] = [],
): Inventory {
  return { workloads, namespaces, hostAddresses };
}

/** `shop:app=web,tier=front`, `*:app=web`, `shop:`. */
export function chosen(text: string): Extract<Peer, { kind: "workloads" }> {
  const [scope = "", selector = ""] = text.split(":");
  return {
    kind: "workloads",
    namespaces: scope === "*" ? { kind: "all" } : { kind: "named", name: scope },
    selector: {
      requirements: selector
        .split(",")
        .filter((part) => part !== "")
        .map((part) => {
          const [key = "", value = ""] = part.split("=");
          return { key, operator: "In", values: [value] };
        }),
    },
  };
}

export const any: Peer = { kind: "any" };

export function cidr(prefix: Cidr, more: Partial<Extract<Peer, { kind: "cidr" }>> = {}): Peer {
  return { kind: "cidr", cidr: prefix, except: [], matchesWorkloads: false, ...more };
}

export const everyPort: PortMatch = { kind: "all" };

export function tcp(first: number, last = first): PortMatch {
  return { kind: "range", protocol: TCP, first, last };
}

type RuleDraft = Partial<Omit<Rule, "source">>;

export function rule(
  action: Rule["action"],
  peers: readonly Peer[],
  ports: readonly PortMatch[] = [everyPort],
  more: RuleDraft = {},
): RuleDraft {
  return { action, peers, ports, ...more };
}

/** Ids of rules are `BLOCK/0`, `BLOCK/1`, … unless given. */
export function block(
  id: string,
  direction: Block["direction"],
  subject: Block["subject"] | string,
  rules: readonly RuleDraft[],
  more: Partial<Block> = {},
): Block {
  return {
    id,
    source,
    direction,
    subject: typeof subject === "string" ? chosen(subject) : subject,
    order: [0],
    isolates: true,
    enforce: "on",
    policy: { kind: "Policy", namespace: "test", name: id },
    rules: rules.map((draft, i) => ({
      id: `${id}/${i}`,
      source,
      action: "allow",
      peers: [],
      ports: [],
      enforce: "on",
      ...draft,
    })),
    ...more,
  };
}

export function stage(
  id: string,
  mode: Stage["mode"],
  blocks: readonly Block[],
  more: Partial<Stage> = {},
): Stage {
  return { id, plane: "net", mode, blocks, endIfApplied: "deny", onPass: null, ...more };
}

export function policySet(stages: readonly Stage[], profile: Partial<Profile> = {}): PolicySet {
  return {
    stages,
    profile: { nodeExempt: true, hairpinExempt: true, default: "allow", ...profile },
  };
}

/** The stages that native policies have, with blocks put where they belong. */
export function nativeSet(
  blocks: Partial<
    Record<"emergency" | "guardrail" | "exception" | "application" | "baseline", Block[]>
  >,
): PolicySet {
  return policySet([
    stage("emergency", "firstMatch", blocks.emergency ?? [], { onPass: "guardrail" }),
    stage("guardrail", "firstMatch", blocks.guardrail ?? [], { onPass: "exception" }),
    stage("exception", "firstMatch", blocks.exception ?? [], { onPass: "application" }),
    stage("application", "denyOverrides", blocks.application ?? [], { onPass: "baseline" }),
    stage("baseline", "firstMatch", blocks.baseline ?? []),
  ]);
}
