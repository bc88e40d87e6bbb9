/**
 * Who there is, in groups, and which of them have been watched for long enough that their silence tells anything: what a rule
 * is narrowed to is said of groups, so that a new copy of something is what the others are.
 */
import { selects, type InventoryIndex } from "@bulkhead/engine";
import { groupWorkloads, knownMembers, type Group, type Member } from "@bulkhead/learn";
import {
  cidrRange,
  isReservedNamespace,
  parseIp,
  rangeContains,
  type Edge,
  type IpRange,
  type Peer,
  type WorkloadId,
} from "@bulkhead/model";

export interface EstateGroups {
  /** Undefined: no label tells what it is. */
  groupOf(id: WorkloadId): Group | undefined;
  /** The group, or who has none by itself. */
  keyOf(id: WorkloadId): string;
  /** `shop/web`, for people. */
  nameOf(key: string): string;
  /** Those who have gone with them. */
  membersOf(key: string): readonly Member[];
  /** Those who are there now. */
  readonly present: readonly Member[];
  /** Who of them is meant by a peer. */
  admittedBy(peer: Peer): readonly Member[];
  /** On record since before that time, and not learning any more. */
  isKnown(key: string): boolean;
}

export interface EstateInput {
  readonly index: InventoryIndex;
  /** All on record, of whatever verdict. */
  readonly edges: readonly Edge[];
  readonly since: number;
  readonly learning: ReadonlySet<WorkloadId>;
}

export function groupEstate({ index, edges, since, learning }: EstateInput): EstateGroups {
  const members = new Map(knownMembers(edges, index.inventory).map((one) => [one.id, one]));
  const { groupOf } = groupWorkloads([...members.values()]);
  const present = [...members.values()].filter(({ id }) => index.workloads.has(id));
  const keyOf = (id: WorkloadId): string => groupOf.get(id)?.id ?? id;
  const byKey = Map.groupBy(members.values(), ({ id }) => keyOf(id));
  const first = firstSeen(edges);
  const known = new Map<string, boolean>();
  const admitted = new Map<string, readonly Member[]>();
  return {
    present,
    keyOf,
    groupOf: (id) => groupOf.get(id),
    nameOf(key) {
      const one = byKey.get(key)?.[0];
      const group = one === undefined ? undefined : groupOf.get(one.id);
      return group === undefined ? key : `${group.namespace}/${group.name}`;
    },
    membersOf: (key) => byKey.get(key) ?? [],
    admittedBy(peer) {
      const key = JSON.stringify(peer);
      const found = admitted.get(key) ?? present.filter(whoIn(peer, index));
      admitted.set(key, found);
      return found;
    },
    isKnown(key) {
      const own = byKey.get(key) ?? [];
      const found =
        known.get(key) ??
        (own.every(({ id }) => !learning.has(id)) &&
          own.some(({ id }) => (first.get(id) ?? Infinity) <= since));
      known.set(key, found);
      return found;
    },
  };
}

function firstSeen(edges: readonly Edge[]): ReadonlyMap<WorkloadId, number> {
  const first = new Map<WorkloadId, number>();
  for (const { source, destination, firstSeen: at } of edges) {
    for (const { workload } of [source, destination]) {
      if (workload !== undefined) first.set(workload, Math.min(at, first.get(workload) ?? at));
    }
  }
  return first;
}

function whoIn(peer: Peer, index: InventoryIndex): (member: Member) => boolean {
  switch (peer.kind) {
    case "any":
      return ({ namespace }) => !isReservedNamespace(namespace);
    case "workloads":
      // A selector asks for nothing but where somebody is, and what labels he has.
      return (member) => selects(peer, { ...BLANK, ...member, kind: "external" }, index);
    case "cidr": {
      if (!peer.matchesWorkloads) return () => false;
      const range = cidrRange(peer.cidr);
      const except = peer.except.map(cidrRange);
      return ({ id }) =>
        (index.workloads.get(id)?.addresses ?? []).some(
          (address) => isIn(address, range) && !except.some((one) => isIn(address, one)),
        );
    }
    case "entity":
    case "domain":
      return () => false;
  }
}

const BLANK = { name: "", addresses: [], namedPorts: [], hostNetwork: false } as const;

export function isIn(address: string, range: IpRange): boolean {
  const parsed = parseIp(address);
  return parsed !== null && rangeContains(range, parsed);
}
