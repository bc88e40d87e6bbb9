/**
 * Proofs about a desk: a yes that holds for all workloads of the files, all other addresses, every protocol and port; or a
 * packet that contradicts it, with the rules that it passes.
 */
import {
  decide,
  findPath,
  includes,
  sampleNames,
  withEveryName,
  type DecideOptions,
  type Hop,
  type ReachEnd,
  type Side,
} from "@bulkhead/engine";
import {
  formatPort,
  formatPorts,
  type FlowQuery,
  type Obligation,
  type PolicySet,
  type Request,
} from "@bulkhead/model";
import { determined, type Determined } from "../answer.ts";
import type { Desk } from "../desk.ts";
import { problem, type Found } from "../problem.ts";
import { alignDesks } from "./align.ts";
import { selectionOf, type NamedSelection } from "./selections.ts";
import type { Statement } from "./statement.ts";

export interface ProofOptions extends DecideOptions {
  /** Through workloads on the way, and not only directly. */
  readonly transitive: boolean;
  readonly allowEmpty: boolean;
}

/** One connection of a counterexample. */
export interface ProvedHop {
  readonly from: string;
  readonly to: string;
  /** All ports between the two that contradict what was to be proved. */
  readonly ports: string;
  /** One packet of them; a workload that has no address in the files is called by its name. */
  readonly packet: {
    readonly source: string;
    readonly destination: string;
    readonly port: string;
    readonly request?: Request;
    readonly names?: readonly string[];
  };
  /** What lets it pass. */
  readonly determinedBy: readonly Determined[];
  readonly obligations?: readonly Obligation[];
  /** Where two folders are compared: what of the other one stops it. */
  readonly deniedBy?: readonly Determined[];
}

export interface Proof {
  readonly answer: "yes" | "no" | "undecided";
  /** Over whom it was proved, in words. */
  readonly over: readonly string[];
  /** Of a no, hop by hop; of what is undecided, where it would be. */
  readonly counterexample?: {
    readonly path: readonly ProvedHop[];
    /** Of the two folders, the one that permits it: `this` or `other`. */
    readonly permittedBy?: "this" | "other";
  };
  /** Why it is undecided. */
  readonly because?: string;
}

const EVERY_PACKET = "every protocol and port, over IPv4 and IPv6";
const NOT_OTHERS = "not over workloads that are not in the files";

/** `folder`: the desk of the folder that the statement names, where it names one. */
export function prove(
  desk: Desk,
  statement: Statement,
  folder: Desk | undefined,
  options: ProofOptions,
): Found<Proof> {
  switch (statement.kind) {
    case "no-path":
      return apart(desk, statement.from, statement.to, false, options);
    case "isolated":
      return apart(desk, statement.one, statement.other, true, options);
    case "implies":
      return { value: compare(desk, folder!, false, options) };
    case "equivalent-to":
      return { value: compare(desk, folder!, true, options) };
  }
}

function apart(
  desk: Desk,
  one: string,
  other: string,
  bothWays: boolean,
  options: ProofOptions,
): Found<Proof> {
  const from = selectionOf(desk, one, options.allowEmpty);
  if (from.problem !== undefined) return from;
  const to = selectionOf(desk, other, options.allowEmpty);
  if (to.problem !== undefined) return to;
  const ways = [
    [from.value, to.value],
    [to.value, from.value],
  ] as const;
  const nothing = [from.value, to.value].find(isNobody);
  if (nothing !== undefined && !options.allowEmpty) {
    return problem("selects-nothing", `\`${nothing.text}\` is no address that anybody has here`);
  }
  const over = [
    `from ${countOf(from.value)} to ${countOf(to.value)}${bothWays ? ", and back" : ""}`,
    options.transitive
      ? "directly and through workloads of the files, not through the node or the outside"
      : "directly, in one connection",
    EVERY_PACKET,
    NOT_OTHERS,
  ];
  for (const [start, end] of bothWays ? ways : ways.slice(0, 1)) {
    const found = wayBetween(desk, start!, end!, options);
    if (found !== null) return { value: { ...found, over } };
  }
  return { value: { answer: "yes", over } };
}

const isNobody = ({ workloads, host, ranges }: NamedSelection) =>
  workloads.size === 0 && !host && ranges.length === 0;

function wayBetween(
  desk: Desk,
  from: NamedSelection,
  to: NamedSelection,
  options: ProofOptions,
): Omit<Proof, "over"> | null {
  const { set, index } = desk;
  const [one] = from.onNode;
  const other = to.onNode.find((id) => id !== one);
  if (one !== undefined && other !== undefined) return amongNodes(one, other);
  const searched = {
    now: options.now,
    view: options.view,
    hops: options.transitive ? Infinity : 1,
  };
  const path = findPath(set, index, from, to, searched);
  if (path !== null)
    return { answer: "no", counterexample: { path: told(desk, path, set, options) } };
  const named = to.ranges.length > 0 ? withEveryName(set) : null;
  const byName = named === null ? null : findPath(named, index, from, to, searched);
  if (named === null || byName === null) return null;
  const packet = withName(desk, byName.at(-1)!.packet, options);
  if (packet === null) {
    const because = "a rule allows addresses by their names, and no name was found for this one";
    return {
      answer: "undecided",
      counterexample: { path: told(desk, byName, named, options) },
      because,
    };
  }
  const way = [...byName.slice(0, -1), { ...byName.at(-1)!, packet }];
  return { answer: "no", counterexample: { path: told(desk, way, set, options) } };
}

function withName(desk: Desk, packet: FlowQuery, options: DecideOptions): FlowQuery | null {
  const tries = sampleNames(desk.set).map((name) => ({ ...packet, names: [name] }));
  const passes = (query: FlowQuery) =>
    decide(desk.set, desk.index, query, options).verdict === "allow";
  return tries.find(passes) ?? null;
}

/** Nobody judges what the node says to itself. */
function amongNodes(from: string, to: string): Omit<Proof, "over"> {
  const exempt = (direction: "egress" | "ingress") =>
    ({ direction, kind: "exemption", exemption: "not-a-workload" }) as const;
  return {
    answer: "no",
    counterexample: {
      path: [
        {
          from,
          to,
          ports: "all",
          packet: { source: from, destination: to, port: "80/tcp" },
          determinedBy: [exempt("egress"), exempt("ingress")],
        },
      ],
    },
  };
}

function told(
  desk: Desk,
  path: readonly Hop[],
  set: PolicySet,
  options: DecideOptions,
): readonly ProvedHop[] {
  return path.map((hop) => hopOf({ set, index: desk.index }, hop, options, desk.isStandIn));
}

function hopOf(
  { set, index }: Side,
  { from, to, ports, packet }: Hop,
  options: DecideOptions,
  isStandIn: (address: string) => boolean,
): ProvedHop {
  const { egress, ingress } = decide(set, index, packet, options);
  const [source, destination] = [endName(from, packet.source), endName(to, packet.destination)];
  const obligations = [...(egress.obligations ?? []), ...(ingress.obligations ?? [])];
  return {
    from: source,
    to: destination,
    ports: formatPorts(ports),
    packet: {
      source: isStandIn(packet.source) ? source : packet.source,
      destination: isStandIn(packet.destination) ? destination : packet.destination,
      port: formatPort(packet.protocol, packet.port),
      ...(packet.request === undefined ? {} : { request: packet.request }),
      ...(packet.names === undefined ? {} : { names: packet.names }),
    },
    determinedBy: [egress, ingress].map(determined),
    ...(obligations.length === 0 ? {} : { obligations }),
  };
}

function endName(end: ReachEnd, address: string): string {
  if (end.kind === "workload") return end.workload;
  return end.kind === "host" ? "host" : address;
}

/** Everything that the one permits, and where they are to be equivalent, the other way round too. */
function compare(desk: Desk, folder: Desk, bothWays: boolean, options: ProofOptions): Proof {
  const aligned = alignDesks(desk, folder);
  const only = (ids: readonly string[], where: string) =>
    ids.length === 0 ? [] : [`${counted(ids.length)} only in ${where}, judged by both`];
  const host = desk.index.inventory.hostAddresses.length > 0 ? ", the node" : "";
  const over = [
    `${counted(aligned.one.index.workloads.size)}${host} and every address outside`,
    ...only(aligned.onlyInOne, "this folder"),
    ...only(aligned.onlyInOther, "the other folder"),
    EVERY_PACKET,
    "every request and every DNS name that a rule asks for",
    NOT_OTHERS,
  ];
  const sides = [
    { one: aligned.one, other: aligned.other, permittedBy: "this" },
    { one: aligned.other, other: aligned.one, permittedBy: "other" },
  ] as const;
  let undecided: Proof | null = null;
  for (const { one, other, permittedBy } of bothWays ? sides : sides.slice(0, 1)) {
    const found = includes(one, other, options);
    if (found.kind === "included") continue;
    if (found.hop === null) {
      const because = "rules ask for more than can be tried in every combination";
      undecided ??= { answer: "undecided", over, because };
      continue;
    }
    const path = [
      {
        ...hopOf(one, found.hop, options, aligned.isStandIn),
        deniedBy: denying(other, found.hop.packet, options),
      },
    ];
    const counterexample = { path, permittedBy };
    if (found.kind === "excess") return { answer: "no", over, counterexample };
    const because = "it depends on requests, and none was found that makes the difference";
    undecided ??= { answer: "undecided", over, counterexample, because };
  }
  return undecided ?? { answer: "yes", over };
}

/** Nothing where it only asks for more. */
function denying({ set, index }: Side, packet: FlowQuery, options: DecideOptions) {
  const { egress, ingress } = decide(set, index, packet, options);
  return [egress, ingress].filter(({ verdict }) => verdict !== "allow").map(determined);
}

const counted = (count: number) => `${count} workload${count === 1 ? "" : "s"}`;

function countOf({ text, workloads, host, onNode, ranges }: NamedSelection): string {
  if (ranges.length > 0 && workloads.size === 0 && !host) return `\`${text}\``;
  const count = workloads.size + onNode.length;
  const node = onNode.length > 0 ? `, ${onNode.length} of them at the node's address` : "";
  return count === 0 ? `\`${text}\`` : `${counted(count)} (\`${text}\`${node})`;
}
