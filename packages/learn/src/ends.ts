/**
 * Resolves the two ends of an edge to what a rule could name: a group of workloads, the host, a declared NetworkSet, or
 * an outside address. What no rule has to or can name leaves here, with its reason.
 */
import {
  groupEntityOf,
  ICMPV6,
  type Edge,
  type ExemptReason,
  type FlowEnd,
  type Inventory,
  type SetAsideReason,
  type Workload,
} from "@bulkhead/model";
import type { Group, Grouping, Member } from "./groups.ts";
import { domainNameOf } from "./names.ts";
import { groupBy } from "./order.ts";
import { heardName } from "./purpose.ts";

export type End =
  | { readonly kind: "group"; readonly key: string; readonly group: Group }
  | { readonly kind: "host"; readonly key: "host" }
  /** `short` is how it stands in a rule's name. */
  | { readonly kind: "set"; readonly key: string; readonly name: string; readonly short: string }
  | { readonly kind: "address"; readonly key: string; readonly address: string };

export type Placed =
  | {
      readonly kind: "candidate";
      readonly edge: Edge;
      readonly source: End;
      readonly destination: End;
    }
  | { readonly kind: "exempt"; readonly edge: Edge; readonly reason: ExemptReason }
  | {
      readonly kind: "aside";
      readonly edge: Edge;
      readonly reason: SetAsideReason;
      readonly detail: string;
    };

/** A process of the host is known by where its sockets were made, not by an address: policy can name it all the same. */
const isProcess = ({ kind }: { readonly kind: string }): boolean => kind === "process";

/** On its machine's address, and known by nothing else. */
const isHostNetwork = (workload: Workload): boolean => workload.hostNetwork && !isProcess(workload);

/**
 * Everybody known: the inventory, and workloads that were seen but have gone since, with the labels of their last edge; of
 * edges that ended at the same time, the later one in order.
 */
export function knownMembers(ordered: readonly Edge[], inventory: Inventory): readonly Member[] {
  const last = new Map<string, { readonly at: number; readonly end: FlowEnd }>();
  for (const { source, destination, lastSeen } of ordered) {
    for (const end of [source, destination]) {
      if (end.workload === undefined) continue;
      const known = last.get(end.workload);
      if (known === undefined || known.at <= lastSeen)
        last.set(end.workload, { at: lastSeen, end });
    }
  }
  const members = new Map<string, Member>();
  for (const [id, { end }] of last) {
    members.set(id, { id, namespace: id.slice(0, id.indexOf("/")), labels: end.labels });
  }
  for (const workload of inventory.workloads) {
    if (isHostNetwork(workload)) members.delete(workload.id);
    else members.set(workload.id, workload);
  }
  return [...members.values()];
}

export function placeEdges(
  edges: readonly Edge[],
  inventory: Inventory,
  grouping: Grouping,
): readonly Placed[] {
  const hostNetwork = new Set(
    inventory.workloads.filter(isHostNetwork).map((workload) => workload.id),
  );
  return edges.map((edge) => place(edge, hostNetwork, grouping));
}

function place(edge: Edge, hostNetwork: ReadonlySet<string>, grouping: Grouping): Placed {
  const aside = (reason: SetAsideReason, detail: string): Placed => ({
    kind: "aside",
    edge,
    reason,
    detail,
  });
  const exempt = (reason: ExemptReason): Placed => ({ kind: "exempt", edge, reason });
  if (edge.verdict === "spoofed") {
    return aside("spoofed", "the packets bore a source address that is not their sender's");
  }
  if (isNeighbourDiscovery(edge)) return exempt("neighbour-discovery");
  const ends = [edge.source, edge.destination];
  if (ends.every((end) => end.workload === undefined)) return exempt("not-a-workload");
  if (edge.source.workload !== undefined && edge.source.workload === edge.destination.workload) {
    return exempt("itself");
  }
  const isHost = (end: FlowEnd): boolean =>
    end.workload === undefined ? end.name === "host" : hostNetwork.has(end.workload);
  if (isHost(edge.source)) return exempt(isHost(edge.destination) ? "not-a-workload" : "from-host");
  if (edge.destination.workload !== undefined && hostNetwork.has(edge.destination.workload)) {
    return aside(
      "host-network",
      "the destination shares its machine's addresses: name the host instead",
    );
  }
  const known = ends.filter(
    (end) => end.workload !== undefined && grouping.groupOf.has(end.workload),
  );
  if (known.length === 0) return exempt("unlabelled");
  const nameless = ends.find(
    (end) => end.workload !== undefined && !grouping.groupOf.has(end.workload),
  );
  if (nameless !== undefined) {
    return aside(
      "unlabelled",
      `no label tells what \`${nameless.name}\` is: give it one in an Inventory`,
    );
  }
  if (edge.verdict === "error")
    return aside("error", "the packet could not be judged or delivered");
  if (edge.verdict === "dropped" || edge.verdict === "rejected") {
    const by = edge.rule === undefined ? "" : ` by \`${edge.rule}\``;
    return aside("denied", `was denied${by}: allow it by hand if it is needed`);
  }
  const heard = groupEntityOf(edge.destination.address);
  if (heard !== null) {
    return aside(
      "multicast",
      `${heardName(edge)} to whoever listens: allow \`{entity: ${heard}}\` at both ends by hand if it is needed`,
    );
  }
  return {
    kind: "candidate",
    edge,
    source: endOf(edge.source, grouping),
    destination: endOf(edge.destination, grouping),
  };
}

function endOf(end: FlowEnd, grouping: Grouping): End {
  const group = end.workload === undefined ? undefined : grouping.groupOf.get(end.workload);
  if (group !== undefined) return groupEnd(group);
  if (end.name === "host") return { kind: "host", key: "host" };
  if (end.name === "world" || end.name === end.address) {
    return { kind: "address", key: `address ${end.address}`, address: end.address };
  }
  return setEnd(end.name);
}

const groupEnds = new WeakMap<Group, Extract<End, { kind: "group" }>>();

/** One and the same for a group: there are many edges to each. */
function groupEnd(group: Group): Extract<End, { kind: "group" }> {
  let end = groupEnds.get(group);
  if (end === undefined) {
    end = { kind: "group", key: `group ${group.id}`, group };
    groupEnds.set(group, end);
  }
  return end;
}

/** A set by its full name, `shop/payments`. */
export function setEnd(name: string): Extract<End, { kind: "set" }> {
  const short = domainNameOf(name.slice(name.indexOf("/") + 1));
  return { kind: "set", key: `set ${name}`, name, short };
}

/** ICMPv6 types a link cannot do without (RFC 4890 §4.4.1); the datapath exempts them. */
function isNeighbourDiscovery(edge: Edge): boolean {
  const type = Math.floor(edge.port / 256);
  return edge.protocol === ICMPV6 && ((type >= 130 && type <= 137) || type === 143);
}

/** Everything seen between two ends on one port: what is judged as one. */
export interface Relation {
  readonly source: End;
  readonly destination: End;
  readonly protocol: number;
  readonly port: number;
  readonly edges: readonly Edge[];
}

export function relationsOf(placed: readonly Placed[]): readonly Relation[] {
  const candidates = placed.filter((item) => item.kind === "candidate");
  const numbers = new Map<string, number>();
  const numberOf = ({ key }: End): number => {
    const known = numbers.get(key) ?? numbers.size;
    numbers.set(key, known);
    return known;
  };
  // Text as a key costs more than all the rest of it.
  const bySource = groupBy(candidates, (item) => numberOf(item.source));
  const all = [...bySource.values()].flatMap((own) => [
    ...groupBy(
      own,
      ({ destination, edge }) => (numberOf(destination) * 256 + edge.protocol) * 65_536 + edge.port,
    ).values(),
  ]);
  return all.flatMap((items) => {
    const first = items[0];
    if (first === undefined) return [];
    const { source, destination, edge } = first;
    const { protocol, port } = edge;
    return [{ source, destination, protocol, port, edges: items.map((item) => item.edge) }];
  });
}
