/**
 * Outside addresses become sets with a name, each with the evidence it stands on:
 *
 *   metadata service ──► metadata-of-GROUP
 *   said by a person ──► net-PREFIX          as wide as was said
 *   named by DNS ──────► api.example.com     the addresses that were seen behind the name
 *   a resolver ────────► dns-at-ADDRESS      whoever of the application asks it
 *   a handful ─────────► outside-of-GROUP-PORT, callers-of-GROUP-PORT
 *   more than that ────► set aside: a person says which. Never any/any.
 */
import {
  hostCidr,
  type Cidr,
  type Edge,
  type IpAddress,
  type SuggestedNetworkSet,
  type SuggestedPort,
} from "@bulkhead/model";
import { setEnd, type End } from "./ends.ts";
import { evidenceOf } from "./evidence.ts";
import type { Group } from "./groups.ts";
import type { Refused } from "./judge.ts";
import { domainNameOf, fitting, nameOf, portsName, resolverName } from "./names.ts";
import { by, compareText, groupBy } from "./order.ts";
import { basisOf, coveringPrefix, outsideOf, type Outside } from "./outside.ts";
import { DNS_PORT, purposeOfPort } from "./purpose.ts";
import type { Need } from "./drafts.ts";

/** A needed relation, one end of which may still be an outside address. */
export interface RawNeed extends Omit<Need, "source" | "destination"> {
  readonly source: End;
  readonly destination: End;
}

export interface WorldOptions {
  /** More nameless addresses than this on one port of one group are left to a person. */
  readonly maxWorldAddresses: number;
  /** More addresses than this behind one name are, too. */
  readonly maxNamedAddresses: number;
  /** Prefixes that a person said, none of which holds everybody. */
  readonly ranges: readonly Cidr[];
  /** What was denied, by sources that give no cause for suspicion. */
  readonly denied: readonly Denied[];
}

export interface Denied {
  readonly edge: Edge;
  readonly inside: GroupEnd;
}

export interface WorldResult {
  readonly needs: readonly Need[];
  readonly networkSets: readonly SuggestedNetworkSet[];
  readonly refused: readonly Refused[];
  /** Of what was denied: to addresses that a needed name stands for by now. */
  readonly followed: readonly Edge[];
}

export type GroupEnd = Extract<End, { kind: "group" }>;

/** What one group has to do with one address on one port. */
interface Wanted {
  readonly inside: GroupEnd;
  readonly outward: boolean;
  readonly address: IpAddress;
  readonly outside: Outside;
  readonly need: RawNeed;
}

interface Proposed {
  readonly set: SuggestedNetworkSet;
  readonly short: string;
  readonly wanted: readonly Wanted[];
}

export function nameWorld(raw: readonly RawNeed[], options: WorldOptions): WorldResult {
  const inner: Need[] = [];
  const wanted: Wanted[] = [];
  for (const need of raw) {
    const { source, destination } = need;
    if (source.kind === "address" || destination.kind === "address") {
      wanted.push(toWanted(need, options.ranges));
    } else inner.push({ ...need, source, destination });
  }
  const followed = followNames(wanted, options.denied);
  wanted.push(...followed);
  const refused: Refused[] = [];
  const proposed: Proposed[] = [];
  const named = groupBy(
    wanted.filter(({ outside }) => outside.kind !== "address"),
    sharedKey,
  );
  for (const own of named.values()) {
    const seen = addressesOf(own);
    if (own[0]?.outside.kind === "dns" && seen.length > options.maxNamedAddresses) {
      refused.push(...refuse(own, `\`${own[0].outside.name}\` answered with ${many(seen)}`));
    } else proposed.push(sharedSet(own));
  }
  const nameless: (readonly Wanted[])[] = [];
  const resolvers: Wanted[] = [];
  const plain = wanted.filter(({ outside }) => outside.kind === "address");
  for (const own of groupBy(plain, portKey).values()) {
    const seen = addressesOf(own);
    if (seen.length > options.maxWorldAddresses) refused.push(...refuse(own, tooMany(own, seen)));
    else if (own.every(isResolver)) resolvers.push(...own);
    else nameless.push(own);
  }
  for (const own of groupBy(resolvers, resolverKey).values()) proposed.push(resolverSet(own));
  // Ports with the same addresses share a set.
  const sameAddresses = (own: readonly Wanted[]): string =>
    [own[0]?.inside.key, own[0]?.outward, ...addressesOf(own)].join("\n");
  for (const ports of groupBy(nameless, sameAddresses).values()) {
    proposed.push(plainSet(ports.flat()));
  }

  const sets = withFormer(proposed, inner);
  const outer = proposed.flatMap(({ set, short, wanted: own }) =>
    own.map(({ need, inside, outward }): Need => {
      const end = { ...setEnd(`${set.namespace}/${set.name}`), short };
      return {
        ...need,
        source: outward ? inside : end,
        destination: outward ? end : inside,
      };
    }),
  );
  return {
    needs: merged([...inner, ...outer]),
    networkSets: sets,
    refused,
    followed: followed.flatMap(({ need }) => need.edges),
  };
}

/**
 * A name that is needed stands for other addresses by now, and the set in force lacks them: what was denied is the same need,
 * of the same client on the same port.
 */
function followNames(wanted: readonly Wanted[], denied: readonly Denied[]): readonly Wanted[] {
  const keyOf = (inside: GroupEnd, { protocol, port }: Edge | RawNeed, name: string): string =>
    [inside.key, protocol, port, name].join("\n");
  const needed = new Set(
    wanted.flatMap(({ inside, outward, outside, need }) =>
      outward && outside.kind === "dns" ? [keyOf(inside, need, outside.name)] : [],
    ),
  );
  return denied.flatMap(({ edge, inside }): readonly Wanted[] => {
    const { address, names = [] } = edge.destination;
    const name = names.find((one) => needed.has(keyOf(inside, edge, one)));
    if (name === undefined) return [];
    const { protocol, port } = edge;
    const also = names.filter((one) => one !== name);
    const destination: End = { kind: "address", key: `address ${address}`, address };
    const need = { source: inside, destination, protocol, port, rare: true, edges: [edge] };
    return [{ inside, outward: true, address, outside: { kind: "dns", name, also }, need }];
  });
}

function toWanted(need: RawNeed, ranges: readonly Cidr[]): Wanted {
  const { source, destination, edges } = need;
  const outward = destination.kind === "address";
  const [inside, outside] = outward ? [source, destination] : [destination, source];
  if (inside.kind !== "group" || outside.kind !== "address") {
    throw new Error("neither end of a need is one of ours");
  }
  const { address } = outside;
  return { inside, outward, address, outside: outsideOf(address, edges, outward, ranges), need };
}

/** What one set stands for, whoever uses it on whatever port: a name, or a prefix, of one application. */
function sharedKey({ inside, outside }: Wanted): string {
  const { group } = inside;
  const home = `${group.namespace}\n${group.application}`;
  switch (outside.kind) {
    case "dns":
      return `dns\n${home}\n${outside.name}`;
    case "said":
      return `said\n${home}\n${outside.cidr}`;
    case "metadata":
    case "address":
      return `${outside.kind}\n${inside.key}`;
  }
}

/** The same for whoever asks it, and over UDP or TCP. */
const isResolver = ({ outward, need }: Wanted): boolean =>
  outward && need.port === DNS_PORT && need.purpose === "dns";

function resolverKey({ inside: { group }, address }: Wanted): string {
  return [group.namespace, group.application, address].join("\n");
}

function resolverSet(wanted: readonly Wanted[]): Proposed {
  const { inside, address } = firstOf(wanted);
  const short = resolverName(address);
  const name = ofApplication(inside.group, short);
  return propose(wanted, { name, short, cidrs: [hostCidr(address)] });
}

function portKey({ inside, outward, need }: Wanted): string {
  return [inside.key, outward, need.protocol, need.port].join("\n");
}

function addressesOf(wanted: readonly Wanted[]): readonly IpAddress[] {
  return [...new Set(wanted.map(({ address }) => address))].toSorted(compareText);
}

/** A set that belongs to one application of several in its namespace bears its name. */
function ofApplication({ namespace, scope }: Group, name: string): string {
  const home = scope === undefined ? namespace : nameOf(scope.value);
  return fitting(home === namespace ? name : `${home}-to-${name}`);
}

function sharedSet(wanted: readonly Wanted[]): Proposed {
  const { inside, outside } = firstOf(wanted);
  const { group } = inside;
  const seen = addressesOf(wanted);
  switch (outside.kind) {
    case "dns": {
      const also = wanted.flatMap(({ outside: one }) => (one.kind === "dns" ? one.also : []));
      const others = [...new Set(also)].filter((name) => name !== outside.name);
      const short = domainNameOf(outside.name);
      const name = ofApplication(group, short);
      return propose(wanted, { name, short, cidrs: seen.map(hostCidr), also: others });
    }
    case "said": {
      const short = nameOf(`net-${outside.cidr}`);
      return propose(wanted, { name: ofApplication(group, short), short, cidrs: [outside.cidr] });
    }
    case "metadata":
    case "address":
      return propose(wanted, {
        name: fitting(`metadata-of-${group.name}`),
        short: "metadata",
        cidrs: seen.map(hostCidr),
      });
  }
}

function plainSet(wanted: readonly Wanted[]): Proposed {
  const { inside, outward } = firstOf(wanted);
  const ports = portsName(portsOf(wanted));
  return propose(wanted, {
    name: fitting(`${outward ? "outside-of" : "callers-of"}-${inside.group.name}-${ports}`),
    short: `world-${ports}`,
    cidrs: addressesOf(wanted).map(hostCidr),
  });
}

function propose(
  wanted: readonly Wanted[],
  made: {
    readonly name: string;
    readonly short: string;
    readonly cidrs: readonly Cidr[];
    readonly also?: readonly string[];
  },
): Proposed {
  const { inside, outside } = firstOf(wanted);
  const purposes = new Set(
    portsOf(wanted).map(({ protocol, port }) =>
      outside.kind === "metadata" ? "metadata" : purposeOfPort(protocol, port),
    ),
  );
  const [purpose] = purposes;
  const set: SuggestedNetworkSet = {
    name: made.name,
    namespace: inside.group.namespace,
    application: inside.group.application,
    cidrs: made.cidrs,
    basis: basisOf(outside, (made.also ?? []).toSorted(compareText)),
    ...(purposes.size === 1 && purpose !== undefined ? { purpose } : {}),
    addresses: addressesOf(wanted).length,
    evidence: evidenceOf(wanted.flatMap(({ need }) => need.edges)),
  };
  return { set, short: made.short, wanted };
}

/** Addresses that bear the name of a set already, since it is in force by now, stay in it. */
function withFormer(
  proposed: readonly Proposed[],
  inner: readonly Need[],
): readonly SuggestedNetworkSet[] {
  return proposed
    .map(({ set, wanted }) => {
      if (set.basis.kind !== "dns") return set;
      const key = `set ${set.namespace}/${set.name}`;
      const former = inner.filter(({ destination }) => destination.key === key);
      const edges = former.flatMap((need) => need.edges);
      if (edges.length === 0) return set;
      const seen = new Set([
        ...addressesOf(wanted),
        ...edges.map(({ destination }) => destination.address),
      ]);
      return {
        ...set,
        cidrs: [...seen].toSorted(compareText).map(hostCidr),
        addresses: seen.size,
        evidence: evidenceOf([...wanted.flatMap(({ need }) => need.edges), ...edges]),
      };
    })
    .toSorted(
      by(
        (set) => set.namespace,
        (set) => set.name,
      ),
    );
}

/** One need for the same ends and port, however many addresses stand behind it. */
function merged(needs: readonly Need[]): readonly Need[] {
  const key = ({ source, destination, protocol, port, only }: Need): string =>
    [source.key, destination.key, protocol, port, only].join("\n");
  return [...groupBy(needs, key).values()].flatMap((own) => {
    const [first] = own;
    if (first === undefined || own.length === 1) return own;
    return [
      {
        ...first,
        rare: own.every((need) => need.rare),
        edges: own.flatMap((need) => need.edges),
      },
    ];
  });
}

function portsOf(wanted: readonly Wanted[]): readonly SuggestedPort[] {
  const ports = wanted.map(({ need: { protocol, port } }) => ({ protocol, port }));
  return [...new Map(ports.map((one) => [`${one.protocol}/${one.port}`, one])).values()].toSorted(
    by(
      (one) => one.protocol,
      (one) => one.port,
    ),
  );
}

function firstOf(wanted: readonly Wanted[]): Wanted {
  const [first] = wanted;
  if (first === undefined) throw new Error("a set of nobody was drafted");
  return first;
}

function refuse(wanted: readonly Wanted[], detail: string): readonly Refused[] {
  const edges: readonly Edge[] = wanted.flatMap(({ need }) => need.edges);
  return edges.map((edge) => ({ edge, reason: "world", detail }));
}

const many = (seen: readonly IpAddress[]): string =>
  `${seen.length} addresses: say which networks it may reach (--range)`;

function tooMany(wanted: readonly Wanted[], seen: readonly IpAddress[]): string {
  const { outward } = firstOf(wanted);
  const count = `${seen.length} outside addresses`;
  const prefix = coveringPrefix(seen);
  const all = prefix === undefined ? "" : `, all of ${prefix}`;
  return outward
    ? `leads to ${count} on this port${all}: say which networks it may reach (--range${prefix === undefined ? "" : ` ${prefix}`})`
    : `${count} use this port${all}: if it is public, allow the world by hand`;
}
