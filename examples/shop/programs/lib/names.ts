/**
 * Name resolution by the shop's own DNS server (the machine's resolv.conf is not namespaced). Answers of
 * both families are handed out in turn, so that every pair of programs talks over IPv4 and IPv6.
 */
import { Resolver } from "node:dns/promises";
import type { LookupFunction } from "node:net";
import { ZONE, ipv4Of, ipv6Of, workloadNamed } from "../../topology.ts";

const CACHE_MS = 2000; // the TTL the zone gives

interface Answer {
  readonly addresses: readonly string[];
  readonly until: number;
}

export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

export function qualified(name: string): string {
  return name.includes(".") ? name : `${name}.${ZONE}`;
}

export class Names {
  readonly #resolvers: readonly Resolver[];
  readonly #cache = new Map<string, Answer>();
  #turn = 0;

  constructor() {
    const dns = workloadNamed("dns");
    // Queries themselves go over both families in turn; the other server is the fallback.
    this.#resolvers = [
      [ipv4Of(dns), `[${ipv6Of(dns)}]`],
      [`[${ipv6Of(dns)}]`, ipv4Of(dns)],
    ].map((servers) => {
      const resolver = new Resolver({ timeout: 700, tries: 2 });
      resolver.setServers(servers);
      return resolver;
    });
  }

  /** One address of the name: of the family asked for, else of each family in turn. */
  async one(name: string, family?: 4 | 6): Promise<Address> {
    this.#turn += 1;
    const wanted = family ?? (this.#turn % 2 === 0 ? 4 : 6);
    const addresses = await this.#all(qualified(name), wanted);
    const address = addresses[Math.floor(this.#turn / 2) % addresses.length];
    if (address === undefined) throw new Error(`no address of family ${wanted} for ${name}`);
    return { address, family: wanted };
  }

  /** For `net.connect` and `http.request`. */
  readonly lookup: LookupFunction = (name, options, done) => {
    const family = options.family === 4 || options.family === 6 ? options.family : undefined;
    this.one(name, family).then(
      (found) => {
        if (options.all === true) done(null, [found]);
        else done(null, found.address, found.family);
      },
      (error: NodeJS.ErrnoException) => done(error, "", 4),
    );
  };

  async #all(name: string, family: 4 | 6): Promise<readonly string[]> {
    const key = `${name}/${family}`;
    const cached = this.#cache.get(key);
    if (cached !== undefined && cached.until > Date.now()) return cached.addresses;
    const resolver = this.#resolvers[this.#turn % this.#resolvers.length];
    if (resolver === undefined) throw new Error("no resolver");
    const addresses = family === 4 ? await resolver.resolve4(name) : await resolver.resolve6(name);
    this.#cache.set(key, { addresses, until: Date.now() + CACHE_MS });
    return addresses;
  }
}
