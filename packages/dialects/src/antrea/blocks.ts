/**
 * Antrea's policies to blocks: one for each rule and each of its subjects, since rules are compared one by one, by the tier,
 * the policy's priority and their place in it, whichever kind of policy they stand in.
 */
import {
  NODES_NAMESPACE,
  TCP,
  type Direction,
  type Peer,
  type PolicyRef,
  type PortMatch,
  type Rule,
} from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import type { StagedBlock } from "../build/native-blocks.ts";
import { contentName } from "../build/rule-id.ts";
import type { BuildInput } from "../dialect.ts";
import { DEFAULT_NAMESPACE } from "../resource.ts";
import { boundParts } from "./bound.ts";
import { peersOf, subjectsOf, type Chosen, type Members } from "./members.ts";
import type { AntreaPolicy } from "./policy.ts";
import type { AntreaRule } from "./rules.ts";
import { stageId } from "./tiers.ts";

const EVERYONE: readonly Peer[] = [{ kind: "any" }];
const EVERY_PORT: readonly PortMatch[] = [{ kind: "all" }];

export const homeOf = ({ kind, metadata }: AntreaPolicy): string | undefined =>
  kind === "AntreaNetworkPolicy" ? (metadata.namespace ?? DEFAULT_NAMESPACE) : undefined;

export const isOfNodes = ({ appliedTo }: AntreaPolicy): boolean =>
  appliedTo.some(({ kind }) => kind === "nodes");

/** What a rule says of some of its subjects. */
interface Part {
  /** Tells it from the rule's other parts; empty where there are none. */
  readonly name: string;
  readonly subject: Chosen;
  readonly peers: readonly Peer[];
}

const partsOf = (
  rule: AntreaRule,
  subjects: readonly Chosen[],
  members: Members,
  { inventory }: BuildInput,
): readonly Part[] => {
  const given = rule.peers ?? [];
  const bound = given.flatMap((peer) => (peer.kind === "bound" ? [peer] : []));
  const free = given.flatMap((peer) => peersOf(peer, members));
  const isFree = bound.length < given.length || given.length === 0;
  const peers = given.length === 0 ? EVERYONE : free;
  return subjects.flatMap((subject, at): Part[] => {
    const tag = subjects.length === 1 ? "" : `@${at}`;
    const own = bound.flatMap((peer, number) =>
      boundParts(subject, peer, inventory.namespaces).map((part): Part => ({
        name: `${tag}@${bound.length === 1 ? "" : `${number}:`}${part.name}`,
        subject: part.subject,
        peers: [part.peer],
      })),
    );
    return isFree ? [{ name: tag, subject, peers }, ...own] : own;
  });
};

type Match = Pick<Rule, "peers" | "ports"> & { readonly name: string };

/** A Service is met at its own addresses and ports, and not at the pods behind it (trap 10). */
const servicesOf = (rule: AntreaRule, members: Members): readonly Match[] =>
  (rule.services ?? []).map(({ namespace = members.home ?? DEFAULT_NAMESPACE, name, source }) => {
    const service = members.services.named(namespace, name);
    const addresses = service?.clusterIps ?? [];
    if (addresses.length === 0) {
      members.report(
        "BH0432",
        source,
        `no address of Service \`${namespace}/${name}\` is told: nothing goes to it`,
        "add the Service with its `clusterIP`; a headless one has none",
      );
    }
    return {
      name: `~${namespace}/${name}`,
      peers: addresses.map((address): Peer => ({
        kind: "cidr",
        cidr: address.includes(":") ? `${address}/128` : `${address}/32`,
        except: [],
        matchesWorkloads: true,
      })),
      ports: (service?.ports ?? []).map(({ protocol, port }): PortMatch => ({
        kind: "range",
        protocol,
        first: port,
        last: port,
      })),
    };
  });

const ofTcp = (ports: readonly PortMatch[]): readonly PortMatch[] =>
  ports.flatMap((port): PortMatch[] => {
    if (port.kind === "all") return [{ kind: "protocol", protocol: TCP }];
    return port.protocol === TCP ? [port] : [];
  });

/**
 * Requests are looked for in TCP; what the rule holds of other protocols is none, and dropped, for nothing after the rule is
 * asked (trap 10).
 */
const rulesOf = (
  rule: AntreaRule,
  id: string,
  { peers, ports, name }: Match,
  enforce: Rule["enforce"],
): readonly Rule[] => {
  const base = { source: rule.source, peers, ports, enforce };
  const { action, requests } = rule;
  const log: Rule = { id: `${id}${name}~log`, ...base, action: "log" };
  const logs = rule.isLogged ? [log] : [];
  if (requests === undefined) return [...logs, { id: `${id}${name}`, ...base, action }];
  const tcp = ofTcp(ports);
  const asking: Rule = {
    id,
    ...base,
    ports: tcp,
    action,
    l7: requests,
    l7Mode: "terminal",
    onOpaque: "noMatch",
  };
  const isAllTcp = ports.every((port) => tcp.includes(port));
  const others: Rule = { id: `${id}~other`, ...base, action: "deny" };
  return [...logs, asking, ...(isAllTcp ? [] : [others])];
};

const PLAIN = /^[\w.-]+$/;

const nameOf = (rule: AntreaRule, taken: ReadonlySet<string>): string => {
  const { name, action, peers = [], services = [], ports, requests } = rule;
  if (name !== undefined && PLAIN.test(name)) return name;
  const said = [...peers, ...services];
  return contentName({ action, peers: said, ports: [ports, requests, name] }, taken);
};

const directionBlocks = (
  policy: AntreaPolicy,
  direction: Direction,
  subjects: readonly Chosen[],
  members: Members,
  input: BuildInput,
  { options }: BuildContext,
): readonly StagedBlock[] => {
  const { kind, metadata, priority, source, tier } = policy;
  const ref: PolicyRef = { kind, namespace: members.home ?? "", name: metadata.name };
  const base = [kind, members.home, metadata.name].filter((part) => part !== undefined).join("/");
  const enforce = options.mode === "enforce" ? "on" : "staged";
  const rules = policy[direction];
  const taken = new Set(rules.flatMap(({ name }) => name ?? []));
  return rules.flatMap((rule, at): StagedBlock[] => {
    const name = nameOf(rule, taken);
    taken.add(name);
    const own = rule.appliedTo.flatMap((entry) => subjectsOf(entry, members));
    const services = servicesOf(rule, members);
    const parts = partsOf(rule, rule.appliedTo.length > 0 ? own : subjects, members, input);
    return parts.map((part): StagedBlock => {
      const id = `${base}#${direction}/${name}${part.name}`;
      const plain = { name: "", peers: part.peers, ports: rule.ports ?? EVERY_PORT };
      const found = rule.services === undefined ? [plain] : services;
      const { namespaces } = part.subject;
      const isForNodes = namespaces.kind === "named" && namespaces.name === NODES_NAMESPACE;
      return {
        stage: stageId(tier, isForNodes),
        block: {
          id,
          source,
          subject: part.subject,
          direction,
          order: [priority, at],
          isolates: false,
          enforce,
          rules: found.flatMap((match) => rulesOf(rule, id, match, enforce)),
          policy: ref,
        },
      };
    });
  });
};

export const policyBlocks = (
  policy: AntreaPolicy,
  members: Members,
  input: BuildInput,
  context: BuildContext,
): readonly StagedBlock[] => {
  const subjects = policy.appliedTo.flatMap((entry) => subjectsOf(entry, members));
  return (["ingress", "egress"] as const).flatMap((direction) =>
    directionBlocks(policy, direction, subjects, members, input, context),
  );
};
