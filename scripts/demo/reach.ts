/**
 * What can be reached, by trying: the scan program is run inside workloads, and its results are turned into
 * sets of (workload, port) pairs. The blast radius is their number.
 */
import type { Attempt } from "@bulkhead/example-shop/attempts";
import type { Lab } from "@bulkhead/example-shop";
import { WORKLOADS } from "@bulkhead/example-shop/topology";
import { pairKey } from "./truth.ts";

/** `db 5432/tcp`, `web icmp`. */
export function portOf(attempt: Attempt): string {
  if (attempt.means === "icmp") return "icmp";
  return `${attempt.port}/${attempt.means === "dns" || attempt.means === "udp" ? "udp" : "tcp"}`;
}

/** Distinct (workload, port) pairs reached over any family. */
export function pairsReached(attempts: readonly Attempt[]): ReadonlySet<string> {
  return new Set(attempts.filter((one) => one.reached).map((one) => `${one.name} ${portOf(one)}`));
}

export interface ReachMatrix {
  /** By source workload (or `world`), everything tried from there. */
  readonly attempts: ReadonlyMap<string, readonly Attempt[]>;
  /** `a → b 80/tcp` by route. */
  readonly reached: Readonly<Record<Attempt["route"], ReadonlySet<string>>>;
  /** Pairs in reach of one breached workload, on average over the shop's workloads. */
  readonly average: number;
  /** The same, when whatever is reached is broken into as well, and so on. */
  readonly averageSpread: number;
}

/** Pairs that fall, hop by hop, once `source` has fallen. `edges` holds (from, to, port). */
export function spreadFrom(
  source: string,
  edges: ReadonlyMap<string, readonly { readonly to: string; readonly port: string }[]>,
): ReadonlySet<string> {
  const fallen = new Set([source]);
  const pairs = new Set<string>();
  for (const workload of fallen) {
    // A set may grow while it is walked: what falls is visited later on.
    for (const { to, port } of edges.get(workload) ?? []) {
      if (to !== source) pairs.add(`${to} ${port}`);
      fallen.add(to);
    }
  }
  return pairs;
}

function averageOf(count: (name: string) => number): number {
  return WORKLOADS.reduce((sum, workload) => sum + count(workload.name), 0) / WORKLOADS.length;
}

/** Every workload of the shop is breached in turn (in truth: all at once); from the world, too. */
export async function scanEverywhere(lab: Lab): Promise<ReachMatrix> {
  const sources = [...WORKLOADS.map((workload) => workload.name), "world"];
  const attempts = new Map<string, readonly Attempt[]>();
  await Promise.all(
    sources.map(async (source) => {
      const self = source === "world" ? "anywhere.example" : source;
      attempts.set(source, JSON.parse(await lab.runProgram(source, "scan", [self])) as Attempt[]);
    }),
  );
  const reached = {
    ipv4: new Set<string>(),
    ipv6: new Set<string>(),
    "link-local": new Set<string>(),
  };
  for (const [source, tried] of attempts) {
    for (const one of tried) {
      // The world's own servers, and the host's door to the world, are not the workloads' affair.
      const own = source === "world" && (one.name.endsWith(".example") || one.name === "host");
      if (one.reached && !own) reached[one.route].add(pairKey(source, one.name, portOf(one)));
    }
  }
  const edges = new Map(
    [...attempts].map(([source, tried]) => [
      source,
      tried.filter((one) => one.reached).map((one) => ({ to: one.name, port: portOf(one) })),
    ]),
  );
  return {
    attempts,
    reached,
    average: averageOf((name) => pairsReached(attempts.get(name) ?? []).size),
    averageSpread: averageOf((name) => spreadFrom(name, edges).size),
  };
}
