/**
 * Which names stand for an address, for each client by itself: what a workload was told by DNS says nothing of what
 * others mean by the address. Of a fixed size; what gives way is the oldest of whoever holds the most.
 */
import type { IpAddress } from "@bulkhead/model";
import type { DnsAnswer } from "./dns-intake.ts";

/** Addresses that are one client: a workload's, or the machine's. */
export interface NameClient {
  /** Not used again for another one. */
  readonly key: string;
  readonly addresses: readonly IpAddress[];
}

export interface NameLimits {
  readonly perClient: number;
  readonly inAll: number;
}

/** Programs keep what they were told for longer than they should, and connect later. */
const AT_LEAST_MS = 300_000;
const AT_MOST_MS = 86_400_000;
/** So long the name is kept for connections that began while it held. */
const REMEMBERED_MS = 86_400_000;
/** An address of a large network stands for any number of names; the latest are told. */
const NAMES_TOLD = 8;

/** Of one answer: larger ones are made to be larger. */
const ADDRESSES_TAKEN = 64;

const LIMITS: NameLimits = { perClient: 4096, inAll: 32_768 };

interface Entry {
  readonly address: IpAddress;
  readonly name: string;
  readonly since: number;
  readonly until: number;
}

interface Known {
  /** Oldest news first. */
  readonly entries: Map<string, Entry>;
  readonly byAddress: Map<IpAddress, Map<string, Entry>>;
}

export class NameTable {
  readonly #limits: NameLimits;
  readonly #clients = new Map<IpAddress, Known>();
  readonly #owners = new Map<IpAddress, NameClient>();
  #size = 0;
  #evicted = 0;

  constructor(limits: NameLimits = LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** Entries that gave way to others before their time. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Who takes over an address does not take over what was said to the one before. */
  setClients(clients: readonly NameClient[]): void {
    const present = new Set<IpAddress>();
    for (const client of clients) {
      for (const address of client.addresses) {
        const before = this.#owners.get(address);
        if (before !== undefined && before.key !== client.key) this.#forget(address);
        this.#owners.set(address, client);
        present.add(address);
      }
    }
    for (const address of this.#owners.keys())
      if (!present.has(address) && !this.#clients.has(address)) this.#owners.delete(address);
  }

  learn({ client, name, addresses, at }: DnsAnswer): void {
    const known = this.#known(client);
    for (const { address, ttl } of addresses.slice(0, ADDRESSES_TAKEN)) {
      const key = `${address} ${name}`;
      const before = known.entries.get(key);
      const lifetime = Math.min(Math.max(ttl * 1000, AT_LEAST_MS), AT_MOST_MS);
      const until = Math.max(at + lifetime, before?.until ?? 0);
      if (before !== undefined) this.#remove(known, key, before);
      const entry: Entry = { address, name, since: before?.since ?? at, until };
      known.entries.set(key, entry);
      this.#size++;
      const names = known.byAddress.get(address);
      if (names === undefined) known.byAddress.set(address, new Map([[name, entry]]));
      else names.set(name, entry);
      this.#makeRoom(known, at);
    }
  }

  /**
   * What the client calls the address at a time, sorted; undefined when nothing is known. `begins`: a connection begins
   * then; one that goes on is called what it was called when it began.
   */
  namesOf(
    client: IpAddress,
    address: IpAddress,
    at: number,
    begins: boolean,
  ): readonly string[] | undefined {
    if (this.#size === 0) return undefined;
    const entries = (this.#owners.get(client)?.addresses ?? [client])
      .flatMap((one) => [...(this.#clients.get(one)?.byAddress.get(address)?.values() ?? [])])
      .filter(({ since, until }) => since <= at && at <= until + REMEMBERED_MS);
    const fresh = entries.filter(({ until }) => at <= until);
    const told = fresh.length > 0 || begins ? fresh : entries;
    if (told.length === 0) return undefined;
    const latest = told.toSorted((a, b) => b.until - a.until).slice(0, NAMES_TOLD);
    return [...new Set(latest.map(({ name }) => name))].toSorted();
  }

  #known(client: IpAddress): Known {
    let known = this.#clients.get(client);
    if (known === undefined) {
      known = { entries: new Map(), byAddress: new Map() };
      this.#clients.set(client, known);
    }
    return known;
  }

  #makeRoom(known: Known, now: number): void {
    while (known.entries.size > this.#limits.perClient) this.#evictOldest(known, now);
    while (this.#size > this.#limits.inAll) {
      let largest = known;
      for (const one of this.#clients.values())
        if (one.entries.size > largest.entries.size) largest = one;
      this.#evictOldest(largest, now);
    }
  }

  #evictOldest(known: Known, now: number): void {
    for (const [key, entry] of known.entries) {
      this.#remove(known, key, entry);
      if (now <= entry.until) this.#evicted++;
      return;
    }
  }

  #forget(client: IpAddress): void {
    this.#size -= this.#clients.get(client)?.entries.size ?? 0;
    this.#clients.delete(client);
  }

  #remove(known: Known, key: string, { address, name }: Entry): void {
    known.entries.delete(key);
    this.#size--;
    const names = known.byAddress.get(address);
    names?.delete(name);
    if (names?.size === 0) known.byAddress.delete(address);
  }
}
