/** Estates whose roles are known, without labels, with edges missing and too many; and how well a partition finds them again. */
import { TCP, UDP, type Edge, type FlowEnd } from "@bulkhead/model";
import type { Member } from "../src/index.ts";

export interface Planted {
  readonly members: readonly Member[];
  readonly edges: readonly Edge[];
  /** Role by workload id. */
  readonly truth: ReadonlyMap<string, string>;
}

/** mulberry32: small, and the same everywhere. */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Noise {
  readonly missing: number;
  /** Besides, so many edges a workload that are nobody's habit. */
  readonly extra: number;
}

export class Estate {
  readonly #roles = new Map<string, string[]>();
  readonly #members: Member[] = [];
  readonly #truth = new Map<string, string>();
  readonly #edges: Edge[] = [];
  readonly #random: () => number;
  readonly #noise: Noise;

  constructor(seed: number, noise: Noise) {
    this.#random = dice(seed);
    this.#noise = noise;
  }

  role(name: string, copies: number): this {
    const own = Array.from({ length: copies }, () => {
      const id = `vms/h${this.#members.length.toString().padStart(4, "0")}`;
      this.#members.push({ id, namespace: "vms", labels: {} });
      this.#truth.set(id, name);
      return id;
    });
    this.#roles.set(name, own);
    return this;
  }

  /** Every copy calls every copy, but for what is missing. */
  calls(from: string, to: string, port: number, protocol = TCP): this {
    const targets = this.#roles.get(to) ?? [to];
    for (const source of this.#roles.get(from) ?? [from]) {
      for (const target of targets) {
        if (source === target || this.#random() < this.#noise.missing) continue;
        this.add(source, target, port, protocol);
      }
    }
    return this;
  }

  all(to: string, port: number, protocol = TCP): this {
    for (const name of this.#roles.keys()) if (name !== to) this.calls(name, to, port, protocol);
    return this;
  }

  add(
    source: string,
    target: string,
    port: number,
    protocol = TCP,
    over: Partial<Edge> = {},
  ): this {
    this.#edges.push({
      source: this.#end(source),
      destination: this.#end(target),
      protocol,
      port,
      verdict: "forwarded",
      connections: 40,
      established: 40,
      failed: 0,
      bytes: 80_000,
      packets: 400,
      firstSeen: 1_000_000,
      lastSeen: 2_000_000,
      windows: 30,
      ...over,
    });
    return this;
  }

  planted(): Planted {
    const pick = (): Member => this.#members[Math.floor(this.#random() * this.#members.length)]!;
    for (let count = this.#noise.extra * this.#members.length; count > 0; count -= 1) {
      const [from, to] = [pick(), pick()];
      const seldom = { connections: 2, established: 2, windows: 2, bytes: 9000, packets: 30 };
      const port = 1024 + Math.floor(this.#random() * 20_000);
      if (from !== to) this.add(from.id, to.id, port, TCP, seldom);
    }
    return { members: this.#members, edges: this.#edges, truth: this.#truth };
  }

  #end(id: string): FlowEnd {
    const at = this.#members.findIndex((member) => member.id === id);
    if (at < 0) return { address: id, name: "world", labels: {} };
    return { address: `10.1.${at >> 8}.${at & 255}`, workload: id, name: id, labels: {} };
  }
}

export const QUIET: Noise = { missing: 0, extra: 0 };
export const NOISY: Noise = { missing: 0.08, extra: 0.5 };

/** A web, an application and a database for each tenant, behind one entrance; names, metrics and backups for all. */
export function tenants(seed: number, count: number, noise = NOISY): Estate {
  const estate = new Estate(seed, noise);
  estate.role("entrance", 2).role("names", 2).role("metrics", 1).role("backup", 1);
  for (let tenant = 0; tenant < count; tenant += 1) {
    const of = (name: string): string => `${name}-${tenant}`;
    estate.role(of("web"), 3).role(of("app"), 4).role(of("db"), 2);
    estate
      .calls("entrance", of("web"), 443)
      .calls(of("web"), of("app"), 8080)
      .calls(of("app"), of("db"), 5432)
      .calls("backup", of("db"), 5432);
  }
  estate.all("names", 53, UDP);
  for (let tenant = 0; tenant < count; tenant += 1) {
    for (const name of ["web", "app", "db"]) estate.calls("metrics", `${name}-${tenant}`, 9100);
  }
  return estate.calls("203.0.113.9", "entrance", 443);
}

/** Few who lead, many who work, each calling somebody else outside now and then. */
export function farm(seed: number, workers: number, noise = NOISY): Estate {
  const estate = new Estate(seed, noise);
  estate
    .role("queue", 3)
    .role("store", 4)
    .role("worker", workers)
    .role("leader", 2)
    .role("names", 2);
  estate
    .calls("worker", "queue", 5672)
    .calls("worker", "store", 9000)
    .calls("leader", "queue", 5672)
    .calls("leader", "worker", 7070)
    .calls("queue", "queue", 25_672)
    .all("names", 53, UDP);
  return estate;
}

/** Services that all listen on one port, told apart by whom they call and by whom they are called. */
export function services(seed: number, count: number, noise = NOISY): Estate {
  const random = dice(seed + 1);
  const estate = new Estate(seed, noise);
  estate.role("front", 3).role("names", 2).role("mesh", 2);
  for (let at = 0; at < count; at += 1) estate.role(`s${at}`, 2 + Math.floor(random() * 4));
  for (let at = 0; at < count; at += 1) {
    if (at % 3 === 0) estate.calls("front", `s${at}`, 8080);
    const store = `store${at}`;
    estate.role(store, 1 + (at % 2)).calls(`s${at}`, store, at % 2 === 0 ? 5432 : 6379);
    for (let more = 0; more < 2; more += 1) {
      const other = Math.floor(random() * count);
      if (other !== at) estate.calls(`s${at}`, `s${other}`, 8080);
    }
  }
  return estate.all("names", 53, UDP).all("mesh", 4317);
}

/** 1: the same partition; 0: no better than chance (Hubert and Arabie, 1985). */
export function adjustedRandIndex(
  truth: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
): number {
  const pairs = (count: number): number => (count * (count - 1)) / 2;
  const sum = (counts: ReadonlyMap<string, number>): number =>
    [...counts.values()].reduce((total, count) => total + pairs(count), 0);
  const [both, left, right] = [new Map(), new Map(), new Map()] as Map<string, number>[];
  const add = (map: Map<string, number> | undefined, key: string): void => {
    map?.set(key, (map.get(key) ?? 0) + 1);
  };
  for (const [id, role] of truth) {
    const other = found.get(id) ?? `alone ${id}`;
    add(both, `${role}\n${other}`);
    add(left, role);
    add(right, other);
  }
  const [a, b, c] = [sum(both!), sum(left!), sum(right!)];
  const expected = (b * c) / pairs(truth.size);
  const most = (b + c) / 2;
  return most === expected ? 1 : (a - expected) / (most - expected);
}
