/**
 * Peers that admit more than was used, and narrower ones. Whole groups of workloads count, not their copies, and addresses of
 * nobody's; who has not been watched for long enough is kept, whether it was seen or not.
 */
import type { Place } from "@bulkhead/engine";
import { coverAddresses, purposeOfPort, unitsIn, type Cover } from "@bulkhead/learn";
import {
  cidrRange,
  GROUPS,
  groupAt,
  rangeContains,
  rangeCovers,
  type IpRange,
  type Peer,
} from "@bulkhead/model";
import type { EstateGroups } from "./estate-groups.ts";
import { onOneDay, type SeenPeer } from "./peer-use.ts";
import { tellApart, type WorkloadPeer } from "./telling-labels.ts";

/** Peers as one entry of a rule writes them: a NetworkSet's prefixes are one. */
export interface WrittenPeer {
  readonly peers: readonly Peer[];
  /** Addresses follow a name: what they are today says nothing of tomorrow. */
  readonly followsName?: string;
}

export interface PeerCount {
  readonly groups: number;
  readonly workloads: number;
  /** Of IPv4, and networks of 64 bits; absent: the world. */
  readonly addresses?: number;
}

export interface PeerFinding {
  /** Which of the entries of its rule it is. */
  readonly at: number;
  readonly permits: PeerCount;
  /** Lately. */
  readonly used: PeerCount;
  /** Names of groups that did not use it, by name. */
  readonly unused: readonly string[];
  /** In the whole record: so many groups and addresses used it, and so many of them on one day alone. */
  readonly regular: { readonly seen: number; readonly once: number };
  readonly outcome:
    | { readonly kind: "narrower"; readonly peers: readonly Peer[] }
    | { readonly kind: "left"; readonly why: string };
}

export interface PeerContext {
  readonly groups: EstateGroups;
  /** Addresses of the machine and of workloads. */
  readonly known: readonly Place[];
}

/** So many times what was seen is not much more. */
const TIMES = 4;
/** Whoever has more of them serves the world. */
const MOST_ADDRESSES = 256;
/** More peers are no rule that a person reads. */
const MOST_PEERS = 8;
/** Where more of those that came, came once, others will come. */
const MOST_ONCE = 0.2;
/** What everybody asks for now and then: whoever is rare is a client too. */
const COMMON = ["dns", "ntp", "dhcp", "monitoring"];

export interface SeenOf {
  /** Whom the rule is about, where that is one alone: who talks to himself needs no rule. */
  readonly self: string | undefined;
  readonly lately: readonly SeenPeer[];
  readonly ever: readonly SeenPeer[];
}

/** Of one entry of a rule that was used. Null: it admits little more than was used. */
export function findNarrower(
  at: number,
  written: WrittenPeer,
  { self, lately, ever }: SeenOf,
  context: PeerContext,
): PeerFinding | null {
  const { groups } = context;
  const kinds = new Set(written.peers.map(({ kind }) => kind));
  const [peer] = written.peers;
  if (peer === undefined || kinds.size > 1 || peer.kind === "domain" || isGroups(peer)) return null;
  if (peer.kind === "entity" && peer.entity === "host") return null;
  const admitted = [...new Set(written.peers.flatMap((one) => groups.admittedBy(one)))];
  const keys = new Set(admitted.map(({ id }) => groups.keyOf(id)));
  const others = [...keys].filter((key) => !isOnly(self, key, groups));
  const usedLately = sortEnds(lately, groups);
  const usedEver = sortEnds(ever, groups);
  const unknown = others.filter((key) => !groups.isKnown(key));
  const unused = others.filter((key) => !usedLately.groups.has(key) && groups.isKnown(key));
  const permits = permitted(written.peers, keys.size, admitted.length);
  const used = countOf(usedLately);
  if (!isBroad(peer, permits, unused, lately, usedLately)) return null;
  const regular = regularity(usedEver);
  const found = { at, permits, used, unused: unused.map(groups.nameOf).toSorted(), regular };
  const left = (why: string): PeerFinding => ({ ...found, outcome: { kind: "left", why } });
  if (written.followsName !== undefined) {
    return left(`its addresses follow the name \`${written.followsName}\``);
  }
  const once = toldOnce(regular, ever);
  if (once !== undefined) return left(once);
  const peers = propose(written.peers, peer, usedEver, { self, unknown }, context);
  if (typeof peers === "string") return left(peers);
  return { ...found, outcome: { kind: "narrower", peers } };
}

function isOnly(self: string | undefined, key: string, groups: EstateGroups): boolean {
  return self !== undefined && groups.membersOf(key).every(({ id }) => id === self);
}

interface SortedEnds {
  readonly groups: ReadonlyMap<string, readonly SeenPeer[]>;
  readonly workloads: readonly SeenPeer[];
  readonly host: boolean;
  /** `broadcast`, `multicast` */
  readonly heard: ReadonlySet<keyof typeof GROUPS>;
  readonly world: readonly SeenPeer[];
}

function sortEnds(seen: readonly SeenPeer[], groups: EstateGroups): SortedEnds {
  const workloads = seen.filter(({ workload }) => workload !== undefined);
  const others = seen.filter(({ workload }) => workload === undefined);
  const world = others.filter(({ place }) => place.kind === "world");
  const heard = new Set(world.flatMap(({ place }) => groupAt(place) ?? []));
  return {
    workloads,
    groups: Map.groupBy(workloads, ({ workload }) => groups.keyOf(workload!.id)),
    host: others.some(({ place }) => place.kind === "host"),
    heard,
    world: world.filter(({ place }) => groupAt(place) === null),
  };
}

function countOf({ groups, workloads, world }: SortedEnds): PeerCount {
  return { groups: groups.size, workloads: workloads.length, addresses: world.length };
}

function permitted(peers: readonly Peer[], groups: number, workloads: number): PeerCount {
  const prefixes = peers.flatMap((peer) => (peer.kind === "cidr" ? [peer] : []));
  if (prefixes.length === 0) {
    const bounded = peers.every(({ kind }) => kind === "workloads");
    return { groups, workloads, ...(bounded ? { addresses: 0 } : {}) };
  }
  const sizes = prefixes.map(
    ({ cidr, except }) => unitsIn(cidr) - except.map(unitsIn).reduce((sum, size) => sum + size, 0),
  );
  return { groups, workloads, addresses: sizes.reduce((sum, size) => sum + Math.max(0, size), 0) };
}

function isBroad(
  peer: Peer,
  { addresses = Infinity }: PeerCount,
  unused: readonly string[],
  lately: readonly SeenPeer[],
  { world }: SortedEnds,
): boolean {
  if (peer.kind === "workloads") return unused.length > 0;
  if (world.length > MOST_ADDRESSES) return peer.kind === "any" && unused.length > 0;
  return addresses > TIMES * Math.max(1, lately.length);
}

function isGroups(peer: Peer): boolean {
  return peer.kind === "cidr" && groupEntityOf(peer) !== undefined;
}

function groupEntityOf({ cidr, matchesWorkloads }: Extract<Peer, { kind: "cidr" }>) {
  if (matchesWorkloads) return undefined;
  return HEARD.find((name) => GROUPS[name].some((one) => one === cidr));
}

const HEARD = ["broadcast", "multicast"] as const;

function regularity({ groups, world }: SortedEnds): PeerFinding["regular"] {
  const units = [...groups.values(), ...world.map((one) => [one])];
  return { seen: units.length, once: units.filter(onOneDay).length };
}

function toldOnce(
  { seen, once }: PeerFinding["regular"],
  ever: readonly SeenPeer[],
): string | undefined {
  const purposes = new Set(ever.map(({ protocol, port }) => purposeOfPort(protocol, port)));
  const isCommon = [...purposes].every((one) => one !== undefined && COMMON.includes(one));
  const common = isCommon && seen > 0;
  if (once <= (common ? 0 : MOST_ONCE * seen)) return undefined;
  const what = common ? `it is for ${[...purposes].join(" and ")}, and ` : "";
  return `${what}${once} of ${seen} that used it came on one day only`;
}

/** What it comes to, or why that cannot be said. */
function propose(
  was: readonly Peer[],
  peer: Peer,
  used: SortedEnds,
  { self, unknown }: { readonly self: string | undefined; readonly unknown: readonly string[] },
  context: PeerContext,
): readonly Peer[] | string {
  const { groups, known } = context;
  const isOfAddresses = peer.kind === "cidr";
  const within = was.flatMap((one) => (one.kind === "cidr" ? [one] : []));
  const kept = [...new Set([...used.groups.keys(), ...unknown])];
  // By labels where these say no more than the prefix does; else whoever was seen there, by address.
  const isInside = (key: string): boolean =>
    !isOfAddresses || groups.membersOf(key).every(({ id }) => isWholly(id, within, known));
  const named = kept.filter(isInside);
  const bare = kept.filter((key) => !isInside(key));
  const addresses = [
    ...used.world.map(({ place }) => place.address),
    ...bare.flatMap((key) => addressesAt(key, used, within, context)),
  ];
  const keptMembers = named.flatMap((key) => groups.membersOf(key));
  const base =
    peer.kind === "workloads"
      ? { namespaces: peer.namespaces, selector: peer.selector }
      : { namespaces: { kind: "all" } as const, selector: { requirements: [] } };
  const everybody = peer.kind === "workloads" ? groups.admittedBy(peer) : groups.present;
  const own = new Set(keptMembers.map(({ id }) => id));
  const others = everybody.filter(
    ({ id }) => !own.has(id) && !isOnly(self, groups.keyOf(id), groups),
  );
  const workloads: readonly WorkloadPeer[] | undefined =
    keptMembers.length === 0
      ? []
      : others.length === 0
        ? [{ kind: "workloads", ...base }]
        : tellApart({ kept: keptMembers, others, base, groupOf: groups.groupOf, most: MOST_PEERS });
  if (workloads === undefined) {
    return peer.kind === "workloads" && others.length === 0
      ? "all of it was used before that time"
      : "no label tells those that used it from others";
  }
  const outside = outsidePeers(peer, within, addresses, context);
  if (outside === undefined) {
    return `no few prefixes hold the ${addresses.length} addresses that used it`;
  }
  const heard = [...used.heard].flatMap((name) =>
    GROUPS[name].map((cidr): Peer => ({ kind: "cidr", cidr, except: [], matchesWorkloads: false })),
  );
  const host: readonly Peer[] =
    used.host && !isOfAddresses ? [{ kind: "entity", entity: "host" }] : [];
  const found = [...workloads, ...host, ...heard, ...outside];
  if (found.length > MOST_PEERS) return `it would take ${found.length} peers to say who used it`;
  const isWorld = outside.some((one) => one.kind === "entity");
  if (isWorld && others.length === 0) return "all of it was used before that time";
  const isSame = JSON.stringify(found) === JSON.stringify(was);
  return isSame ? "all of it was used before that time" : found;
}

type CidrPeer = Extract<Peer, { kind: "cidr" }>;

function isWholly(id: string, within: readonly CidrPeer[], known: readonly Place[]): boolean {
  const own = placesOf(id, known);
  return own.length > 0 && own.every((place) => within.some((one) => isInPeer(place, one)));
}

function placesOf(id: string, known: readonly Place[]): readonly Place[] {
  let byId = placesById.get(known);
  if (byId === undefined) {
    byId = Map.groupBy(known, ({ workload }) => workload?.id ?? "");
    placesById.set(known, byId);
  }
  return byId.get(id) ?? [];
}

const placesById = new WeakMap<readonly Place[], ReadonlyMap<string, readonly Place[]>>();

function isInPeer(place: Place, { cidr, except }: CidrPeer): boolean {
  const holds = (one: string): boolean => rangeContains(rangeOf(one), place);
  return holds(cidr) && !except.some(holds);
}

function rangeOf(cidr: string): IpRange {
  return cidrRange(cidr as CidrPeer["cidr"]);
}

/** Where somebody of a group was, or is, inside the prefixes. */
function addressesAt(
  key: string,
  used: SortedEnds,
  within: readonly CidrPeer[],
  { groups, known }: PeerContext,
): readonly string[] {
  const seen = (used.groups.get(key) ?? []).map(({ place }) => place.address);
  const present = groups
    .membersOf(key)
    .flatMap(({ id }) => placesOf(id, known))
    .filter((place) => within.some((one) => isInPeer(place, one)))
    .map(({ address }) => address);
  return [...new Set([...seen, ...present])];
}

/** Undefined: it cannot be said in few words. */
function outsidePeers(
  peer: Peer,
  within: readonly CidrPeer[],
  addresses: readonly string[],
  { known }: PeerContext,
): readonly Peer[] | undefined {
  if (addresses.length === 0) return [];
  const cover =
    addresses.length > MOST_ADDRESSES ? undefined : coverOf(peer, within, addresses, known);
  if (cover !== undefined) {
    return cover.cidrs.map((cidr) => ({ kind: "cidr", cidr, except: [], matchesWorkloads: true }));
  }
  return peer.kind === "any" ? [{ kind: "entity", entity: "world" }] : undefined;
}

function coverOf(
  peer: Peer,
  within: readonly CidrPeer[],
  addresses: readonly string[],
  known: readonly Place[],
): Cover | undefined {
  const holds = (outer: string, inner: IpRange): boolean => rangeCovers(rangeOf(outer), inner);
  const meets = (one: IpRange, other: IpRange): boolean =>
    one.family === other.family && one.first <= other.last && other.first <= one.last;
  return coverAddresses(addresses, {
    most: MOST_PEERS,
    times: TIMES,
    allowed: (range) => {
      if (peer.kind === "cidr") {
        return within.some(
          ({ cidr, except }) =>
            holds(cidr, range) && !except.some((one) => meets(rangeOf(one), range)),
        );
      }
      // A prefix is meant as written, and would let in whoever of ours lives there.
      return !known.some((place) => rangeContains(range, place));
    },
  });
}
