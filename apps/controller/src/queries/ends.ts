/** What people call an end of a connection, and the addresses it stands for. */
import { ApiFailure } from "@bulkhead/api";
import {
  canonicalIp,
  cidrRange,
  formatIp,
  GROUPS,
  isShortFor,
  parseCidr,
  type Cidr,
  type IpAddress,
  type Workload,
} from "@bulkhead/model";
import type { NamedSet } from "../world/naming.ts";
import { isLinkLocal, type World } from "../world/world.ts";

export interface NamedEnd {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
  readonly workload?: Workload;
  /** The world itself was named: the addresses only stand for it. */
  readonly atLarge?: true;
  /** It was named by this NetworkSet: an address of each of its prefixes stands for it. */
  readonly set?: NamedSet;
}

/** Documentation addresses (RFC 5737, RFC 3849): nobody's, so they stand for the world at large. */
const SOMEWHERE = ["198.51.100.1", "2001:db8:ffff::1"];

/** Throws ApiFailure `unknown-workload`, with near names, when nothing is called so. */
export function resolveEnd(text: string, world: World, sets: readonly NamedSet[]): NamedEnd {
  const address = canonicalIp(text);
  if (address !== null) {
    const place = world.index.at(address);
    if (place.kind === "workload")
      return { name: place.workload.id, addresses: [address], workload: place.workload };
    return { name: place.kind === "host" ? "host" : address, addresses: [address] };
  }
  if (text === "host") return { name: "host", addresses: usable(world.inventory.hostAddresses) };
  if (text === "world")
    return {
      name: "world",
      atLarge: true,
      addresses: SOMEWHERE.filter((one) => world.index.at(one).kind === "world"),
    };
  if (text === "broadcast" || text === "multicast")
    return { name: text, atLarge: true, addresses: GROUPS[text].map(lastOf) };
  const workload = findWorkload(text, world);
  if (workload !== undefined) {
    // A process has no address of its own: it is at those of its machine.
    const own = workload.kind === "process" ? world.inventory.hostAddresses : workload.addresses;
    const addresses = usable(own);
    if (addresses.length === 0) {
      throw new ApiFailure(
        "unknown-workload",
        `\`${workload.id}\` has no address: it is not attached now`,
        {
          help: "`bulkhead workloads` shows what is",
        },
      );
    }
    return { name: workload.id, addresses, workload };
  }
  const set =
    sets.find(({ name }) => name === text) ??
    only(sets.filter(({ name }) => name.endsWith(`/${text}`)));
  if (set !== undefined) return { name: set.name, addresses: set.cidrs.flatMap(firstOf), set };
  throw unknown(text, world);
}

/** By id, by name alone when only one namespace has it, or as people shorten units when only one can be meant. */
function findWorkload(text: string, world: World): Workload | undefined {
  const { workloads } = world.inventory;
  const exact = workloads.find(({ id }) => id === text);
  if (exact !== undefined) return exact;
  const named = workloads.filter(({ name }) => name === text);
  return named.length > 0 ? only(named) : only(shortenedTo(text, world));
}

function shortenedTo(text: string, world: World): readonly Workload[] {
  return world.inventory.workloads.filter(({ id, labels }) => isShortFor(text, id, labels));
}

function only<T>(found: readonly T[]): T | undefined {
  return found.length === 1 ? found[0] : undefined;
}

/** Link-local addresses only where there is nothing else: they mean nothing beyond their link. */
function usable(addresses: readonly IpAddress[]): readonly IpAddress[] {
  const routed = addresses.filter((address) => !isLinkLocal(address));
  return routed.length > 0 ? routed : addresses;
}

function firstOf(text: string): IpAddress[] {
  const parsed = parseCidr(text);
  return parsed === null ? [] : [formatIp(parsed.range.family, parsed.range.first)];
}

/** The last address of a group's prefix stands for all: no rule is likely to name it alone. */
function lastOf(text: Cidr): IpAddress {
  const { family, last } = cidrRange(text);
  return formatIp(family, last);
}

function unknown(text: string, world: World): ApiFailure {
  const named = world.inventory.workloads.filter(({ name }) => name === text);
  const same = named.length > 0 ? named : shortenedTo(text, world);
  if (same.length > 1) {
    return new ApiFailure("unknown-workload", `\`${text}\` names several workloads`, {
      help: `say which: ${same.map(({ id }) => `\`${id}\``).join(", ")}`,
    });
  }
  const near = world.inventory.workloads
    .filter(({ id, name }) => id.includes(text) || text.includes(name))
    .slice(0, 3);
  return new ApiFailure(
    "unknown-workload",
    `no workload, NetworkSet or address is called \`${text}\``,
    {
      help:
        near.length > 0
          ? `did you mean ${near.map(({ id }) => `\`${id}\``).join(" or ")}?`
          : "`bulkhead workloads` lists them; `host` and `world` are names too",
    },
  );
}
