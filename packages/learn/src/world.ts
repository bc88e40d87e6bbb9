/**
 * Outside addresses: a handful per workload group and port becomes a NetworkSet of single addresses; more than that is a
 * public service or a wild destination, and a person says which. Never any/any.
 */
import type { Cidr, Edge, SuggestedNetworkSet } from "@bulkhead/model";
import { proposedSetName, type End } from "./ends.ts";
import type { Refused } from "./judge.ts";
import { by, compareText, groupBy } from "./order.ts";
import type { Need } from "./rules.ts";

/** A needed relation, one end of which may still be an outside address. */
export interface RawNeed extends Omit<Need, "source" | "destination"> {
  readonly source: End;
  readonly destination: End;
}

export interface WorldResult {
  readonly needs: readonly Need[];
  readonly networkSets: readonly SuggestedNetworkSet[];
  readonly refused: readonly Refused[];
}

interface Wanted {
  readonly inside: Exclude<End, { kind: "address" }>;
  readonly outward: boolean;
  readonly protocol: number;
  readonly port: number;
  readonly addresses: readonly string[];
  readonly needs: readonly RawNeed[];
}

export function nameWorld(raw: readonly RawNeed[], maximum: number): WorldResult {
  const refused: Refused[] = [];
  const inner: Need[] = [];
  const outer: RawNeed[] = [];
  for (const need of raw) {
    const { source, destination } = need;
    if (source.kind === "address" || destination.kind === "address") outer.push(need);
    else inner.push({ ...need, source, destination });
  }
  const wanted: Wanted[] = [];
  for (const needs of groupBy(outer, worldKey).values()) {
    const one = toWanted(needs);
    if (one.addresses.length <= maximum) wanted.push(one);
    else refused.push(...refuseMany(one));
  }
  const networkSets: SuggestedNetworkSet[] = [];
  const taken = new Set<string>();
  // Ports with the same addresses share a set.
  const bySet = groupBy(wanted, (one) =>
    [one.inside.key, one.outward, ...one.addresses].join("\n"),
  );
  for (const same of [...bySet.values()].toSorted(by((items) => setOrder(items)))) {
    const first = same[0];
    if (first === undefined) continue;
    const set = makeSet(first, taken);
    networkSets.push(set);
    const name = `${set.namespace}/${set.name}`;
    const end: End = { kind: "set", key: `set ${name}`, name, short: "world" };
    for (const one of same) {
      inner.push({
        source: one.outward ? one.inside : end,
        destination: one.outward ? end : one.inside,
        protocol: one.protocol,
        port: one.port,
        rare: one.needs.every((need) => need.rare),
        edges: one.needs.flatMap((need) => need.edges),
      });
    }
  }
  return { needs: inner, networkSets, refused };
}

function worldKey(need: RawNeed): string {
  const outward = need.destination.kind === "address";
  const inside = outward ? need.source : need.destination;
  return [inside.key, outward, need.protocol, need.port].join("\n");
}

function toWanted(needs: readonly RawNeed[]): Wanted {
  const first = needs[0];
  if (first === undefined) throw new Error("an empty group of needs");
  const outward = first.destination.kind === "address";
  const inside = outward ? first.source : first.destination;
  if (inside.kind === "address") throw new Error("neither end of a need is one of ours");
  const ends = needs.map((need) => (outward ? need.destination : need.source));
  const addresses = ends.flatMap((end) => (end.kind === "address" ? [end.address] : []));
  const { protocol, port } = first;
  return {
    inside,
    outward,
    protocol,
    port,
    addresses: [...new Set(addresses)].toSorted(compareText),
    needs,
  };
}

function refuseMany(one: Wanted): readonly Refused[] {
  const count = one.addresses.length;
  const detail = one.outward
    ? `leads to ${count} outside addresses on this port: say which networks it may reach`
    : `${count} outside addresses use this port: if it is public, allow the world by hand`;
  const edges: readonly Edge[] = one.needs.flatMap((need) => need.edges);
  return edges.map((edge) => ({ edge, reason: "world", detail }));
}

function setOrder(items: readonly Wanted[]): string {
  const first = items[0];
  return first === undefined
    ? ""
    : [first.inside.key, first.outward, first.protocol, String(first.port).padStart(5, "0")].join(
        " ",
      );
}

function makeSet(one: Wanted, taken: Set<string>): SuggestedNetworkSet {
  const inside = one.inside.kind === "group" ? one.inside.group : undefined;
  const namespace = inside?.namespace ?? "default";
  const base = proposedSetName(one.outward, inside?.name ?? "host");
  let name = base;
  if (taken.has(`${namespace}/${name}`)) name = `${base}-${one.port}`;
  for (let count = 2; taken.has(`${namespace}/${name}`); count += 1)
    name = `${base}-${one.port}-${count}`;
  taken.add(`${namespace}/${name}`);
  const cidrs = one.addresses.map(
    (address): Cidr => `${address}/${address.includes(":") ? 128 : 32}`,
  );
  return { name, namespace, cidrs };
}
