/**
 * Connections worth trying: between representatives of everybody who is attached, to the host, and to outside addresses
 * that policies or observation know, over every port that somebody listens on or a rule names. Workloads with the same
 * namespace and labels are alike to every policy, so a few of them stand for all. Nobody lists who listens for SCTP: there
 * a workload's declared ports and the rules that let somebody in say where somebody would open. Processes of the machine share
 * its addresses, and are told from one another by whose sockets are there.
 */
import { decide } from "@bulkhead/engine";
import {
  formatIp,
  groupEntityOf,
  ICMP,
  ICMPV6,
  parseCidr,
  parseIp,
  SCTP,
  TCP,
  UDP,
  type CgroupPath,
  type Decision,
  type FlowQuery,
  type IpAddress,
  type IpFamily,
  type PolicySet,
  type PortMatch,
  type Workload,
} from "@bulkhead/model";
import type { Listener } from "@bulkhead/wire";
import { isLinkLocal, type World } from "../world/world.ts";
import {
  calledOf,
  callersOf,
  isLoopback,
  representativeProcesses,
  towards,
} from "./process-ends.ts";

export interface ProbeEnd {
  readonly name: string;
  readonly address: IpAddress;
  readonly family: IpFamily;
  /** Empty for the agent's own namespace; absent for the world. */
  readonly netnsPath?: string;
  /** Of a process of this machine. */
  readonly cgroup?: CgroupPath;
  /** It does not run now: whether anything can be tried in its name is for the agent to say. */
  readonly stopped?: true;
  /** Who stands for whom: ends of one group are alike to every policy. */
  readonly group: string;
  readonly listeners: readonly Listener[];
}

export interface Candidate {
  readonly from: ProbeEnd;
  readonly to: ProbeEnd;
  readonly protocol: number;
  readonly port: number;
  /** What is asked of policies about it. */
  readonly query: FlowQuery;
  /** As it will be once a rollout that may be under way holds for all flows. */
  readonly decision: Decision;
  /** What is to be expected now. It differs from the decision where a rollout does not hold for the flow yet. */
  readonly expected: "pass" | "blocked";
  readonly spared: boolean;
  /** Somebody listens there, or for SCTP is meant to. */
  readonly served: boolean;
}

export interface OutsidePort {
  readonly address: IpAddress;
  readonly protocol: number;
  readonly port: number;
}

export interface CandidateInput {
  readonly set: PolicySet;
  readonly world: World;
  /** Outside addresses that were seen. */
  readonly seen: readonly OutsidePort[];
  readonly now: number;
}

/** Of each group so many take part, so that members are tried against each other too. */
const REPRESENTATIVES = 2;
const MAX_RULE_PORTS = 64;
/** Where a rule about all of SCTP is tried: the discard service (RFC 863), in case somebody does serve there. */
const ANY_SCTP_PORT = 9;

export function candidatesOf({ set, world, seen, now }: CandidateInput): readonly Candidate[] {
  const workloads = representatives(world);
  const sources = workloads.flatMap((workload) => endsOf(workload, world));
  const processes = representativeProcesses(set, world, REPRESENTATIVES);
  const callers = [...sources, ...processes.flatMap((one) => callersOf(set, world, one))];
  const called = processes.flatMap((one) => calledOf(set, world, one));
  const targets = [
    ...sources,
    ...called,
    ...hostEnds(world, called),
    ...outsideEnds(set, world, seen),
  ];
  const rulePorts = portsOfRules(set);
  const candidates: Candidate[] = [];
  for (const caller of callers) {
    for (const to of targets) {
      if (caller.family !== to.family || caller.name === to.name) continue;
      if (isLoopback(to.address) && caller.cgroup === undefined) continue;
      const from =
        caller.cgroup === undefined
          ? caller
          : { ...caller, address: towards(world, to.address, to.family) };
      for (const { protocol, port, served } of portsTo(to, rulePorts)) {
        if (!canCall(from, to, protocol, served)) continue;
        const query: FlowQuery = {
          source: from.address,
          destination: to.address,
          protocol,
          port,
          ...(from.cgroup === undefined ? {} : { sourceProcess: from.name }),
          ...(to.cgroup === undefined ? {} : { destinationProcess: to.name }),
        };
        const options = { now, view: "live" } as const;
        const decision = decide({ ...set, canary: undefined }, world.index, query, options);
        const today =
          set.canary === undefined ? decision : decide(set, world.index, query, options);
        const expected = today.verdict === "allow" ? "pass" : "blocked";
        const spared = (decision.verdict === "allow") !== (expected === "pass");
        candidates.push({ from, to, protocol, port, query, decision, expected, spared, served });
      }
    }
  }
  const opened = new Set(candidates.filter(isOpenedSctp).map(targetOf));
  return candidates.map((one) =>
    one.protocol === SCTP && opened.has(targetOf(one)) ? { ...one, served: true } : one,
  );
}

function isOpenedSctp({ protocol, decision: { verdict, egress, ingress } }: Candidate): boolean {
  return (
    protocol === SCTP &&
    verdict === "allow" &&
    (egress.determinedBy.kind === "rule" || ingress.determinedBy.kind === "rule")
  );
}

/**
 * To a process goes what a socket takes, for whose an echo request is, nobody can tell. From another one only where it waits:
 * over loopback, who opened a port a moment ago is not known yet, and shut off whatever the policy says.
 */
function canCall(from: ProbeEnd, to: ProbeEnd, protocol: number, served: boolean): boolean {
  if (to.cgroup === undefined) return true;
  return (protocol === TCP || protocol === UDP) && (served || from.cgroup === undefined);
}

function targetOf({ to, port }: Candidate): string {
  return `${to.address} ${port}`;
}

function representatives(world: World): readonly Workload[] {
  const taken = new Map<string, number>();
  return world.inventory.workloads.filter((workload) => {
    const attached = world.attachments
      .get(workload.id)
      ?.some(({ discovered }) => discovered.netnsPath !== "");
    if (attached !== true || workload.hostNetwork) return false;
    const group = groupOf(workload);
    const count = taken.get(group) ?? 0;
    taken.set(group, count + 1);
    return count < REPRESENTATIVES;
  });
}

function groupOf({ namespace, labels, id }: Workload): string {
  const entries = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? id : JSON.stringify([namespace, entries]);
}

function endsOf(workload: Workload, world: World): readonly ProbeEnd[] {
  const attachments = world.attachments.get(workload.id) ?? [];
  const { netnsPath = "", listeners = [] } = attachments[0]?.discovered ?? {};
  return onePerFamily(workload.addresses).map(({ address, family }) => ({
    name: workload.id,
    address,
    family,
    netnsPath,
    group: groupOf(workload),
    listeners: [
      ...listeners.filter((listener) => listener.family === family),
      ...workload.namedPorts
        .filter(({ protocol }) => protocol === SCTP)
        .map(({ port }) => ({ protocol: SCTP, port, family })),
    ],
  }));
}

/** What a process waits for is tried in its own name. */
function hostEnds(world: World, processes: readonly ProbeEnd[]): readonly ProbeEnd[] {
  const owned = new Set(
    processes.flatMap(({ family, listeners }) =>
      listeners.map(({ protocol, port }) => `${family} ${protocol} ${port}`),
    ),
  );
  return onePerFamily(world.inventory.hostAddresses).map(({ address, family }) => ({
    name: "host",
    address,
    family,
    netnsPath: "",
    group: "host",
    listeners: world.hostListeners.filter(
      (one) => one.family === family && !owned.has(`${family} ${one.protocol} ${one.port}`),
    ),
  }));
}

/** Single addresses that rules name, and outside addresses that were seen: somebody may be there. */
function outsideEnds(
  set: PolicySet,
  world: World,
  seen: readonly OutsidePort[],
): readonly ProbeEnd[] {
  const listeners = new Map<IpAddress, Listener[]>();
  for (const { address, protocol, port } of seen) {
    const family = parseIp(address)?.family;
    // Nobody answers in the name of a group.
    if (family === undefined || world.index.at(address).kind !== "world" || groupEntityOf(address))
      continue;
    const known = listeners.get(address) ?? [];
    known.push({ protocol, port, family });
    listeners.set(address, known);
  }
  for (const rule of set.stages.flatMap(({ blocks }) => blocks.flatMap(({ rules }) => rules))) {
    for (const peer of rule.peers) {
      if (peer.kind !== "cidr") continue;
      const range = parseCidr(peer.cidr)?.range;
      if (range === undefined || range.first !== range.last) continue;
      const address = formatIp(range.family, range.first);
      if (
        world.index.at(address).kind === "world" &&
        groupEntityOf(address) === null &&
        !listeners.has(address)
      )
        listeners.set(address, []);
    }
  }
  return [...listeners].map(([address, known]) => ({
    name: address,
    address,
    family: parseIp(address)?.family ?? 4,
    group: address,
    listeners: known,
  }));
}

function onePerFamily(
  addresses: readonly IpAddress[],
): readonly { address: IpAddress; family: IpFamily }[] {
  const found = new Map<IpFamily, IpAddress>();
  for (const address of addresses) {
    const family = parseIp(address)?.family;
    if (family !== undefined && !isLinkLocal(address) && !found.has(family))
      found.set(family, address);
  }
  return [...found].map(([family, address]) => ({ address, family }));
}

interface PlainPort {
  readonly protocol: number;
  readonly port: number;
}

/** The first port of every interval that a rule names by number, and one for all of SCTP. */
function portsOfRules(set: PolicySet): readonly PlainPort[] {
  const found = new Map<string, PlainPort>();
  for (const rule of set.stages.flatMap(({ blocks }) => blocks.flatMap(({ rules }) => rules))) {
    for (const match of rule.ports) {
      if (found.size >= MAX_RULE_PORTS) continue;
      const port = portOf(match);
      if (port !== null) found.set(`${port.protocol} ${port.port}`, port);
    }
  }
  return [...found.values()];
}

function portOf(match: PortMatch): PlainPort | null {
  if (match.kind === "range") return { protocol: match.protocol, port: match.first };
  return match.kind === "protocol" && match.protocol === SCTP
    ? { protocol: SCTP, port: ANY_SCTP_PORT }
    : null;
}

const ECHO: Readonly<Record<IpFamily, PlainPort>> = {
  4: { protocol: ICMP, port: 8 * 256 },
  6: { protocol: ICMPV6, port: 128 * 256 },
};

function portsTo(
  to: ProbeEnd,
  rulePorts: readonly PlainPort[],
): readonly (PlainPort & { served: boolean })[] {
  const ports = new Map<string, PlainPort & { served: boolean }>();
  const add = (port: PlainPort, served: boolean): void => {
    const key = `${port.protocol} ${port.port}`;
    ports.set(key, { ...port, served: served || (ports.get(key)?.served ?? false) });
  };
  for (const port of to.listeners) add(port, true);
  for (const port of rulePorts) if (canProbe(port.protocol, to.family)) add(port, false);
  add(ECHO[to.family], true);
  return [...ports.values()];
}

function canProbe(protocol: number, family: IpFamily): boolean {
  return [TCP, UDP, SCTP, family === 4 ? ICMP : ICMPV6].includes(protocol);
}
