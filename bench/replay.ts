/**
 * What a replay costs: a million distinct edges among ten thousand workloads, decided by two sets of a thousand
 * policies, of which one lacks every tenth. The peer is the reference asked edge by edge, of a few of them.
 */
import { decide, indexInventory, queryOf, replay } from "@bulkhead/engine";
import type { Edge, FlowEnd, PolicySet } from "@bulkhead/model";
import {
  addressOf,
  APPS,
  appOf,
  caller,
  inventory,
  PORTS,
  called,
  policySet,
  portOf,
  WORKLOADS,
} from "./decide-world.ts";
import { absolute, compared } from "./figure.ts";
import type { Figure } from "./figure.ts";

interface Question {
  readonly from: number;
  readonly to: number;
  readonly port: number;
}

const EDGES = 1_000_000;
const REFERENCE_EDGES = 20;
const ROUNDS = 3;

const end = (workload: number): FlowEnd => ({
  address: addressOf(workload),
  workload: `shop/w${workload}`,
  name: `shop/w${workload}`,
  labels: { app: `a${appOf(workload)}` },
});

/** Policies say a thousand different things, each of four hundred pairs of pods. */
const SAYINGS = 1000;

const allowed = (n: number): Question => {
  const [policy, pair] = [n % SAYINGS, Math.floor(n / SAYINGS)];
  return {
    from: caller(policy) + APPS * (pair % 20),
    to: called(policy) + APPS * Math.floor(pair / 20),
    port: portOf(policy),
  };
};

const other = (n: number): Question => ({
  from: n % WORKLOADS,
  to: (n * 13 + Math.floor(n / WORKLOADS) * 101) % WORKLOADS,
  port: 1000 + (n % PORTS),
});

/** Two of five are a policy's own; no two are alike. */
function edges(): Edge[] {
  const ends = Array.from({ length: WORKLOADS }, (_, workload) => end(workload));
  return Array.from({ length: EDGES }, (_, n): Edge => {
    const { from, to, port } = n % 5 < 2 ? allowed(2 * Math.floor(n / 5) + (n % 5)) : other(n);
    return {
      source: ends[from]!,
      destination: ends[to]!,
      protocol: 6,
      port,
      verdict: "forwarded",
      connections: 1,
      established: 1,
      failed: 0,
      bytes: 1000,
      packets: 10,
      firstSeen: 1,
      lastSeen: 2,
      windows: 1,
    };
  });
}

const seconds = <T>(
  work: () => T,
): { readonly s: number; readonly cpu: number; readonly value: T } => {
  const [start, before] = [performance.now(), process.cpuUsage()];
  const value = work();
  const { user, system } = process.cpuUsage(before);
  return { s: (performance.now() - start) / 1000, cpu: (user + system) / 1e6, value };
};

export function benchReplay(): Figure[] {
  const [before, after]: [PolicySet, PolicySet] = [
    policySet(SAYINGS, (policy) => policy % 10 > 0),
    policySet(SAYINGS),
  ];
  const index = indexInventory(inventory);
  const all = edges();
  const distinct = new Set(
    all.map(({ source, destination, port }) => `${source.address} ${destination.address} ${port}`),
  );
  if (distinct.size < EDGES * 0.99) throw new Error(`only ${distinct.size} edges are distinct`);
  const [wall, cpu, plain]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const { s, cpu: spent, value } = seconds(() => replay(before, after, all, index, 0));
    if (value.newlyDenied.length === 0 || value.unchanged === 0)
      throw new Error("nothing to tell apart");
    wall.push(s);
    cpu.push(spent);
    const few = all.slice(round * REFERENCE_EDGES, (round + 1) * REFERENCE_EDGES);
    const asked = seconds(() => {
      for (const edge of few) {
        for (const set of [before, after])
          decide(set, index, queryOf(edge, index), { now: 0, view: "live" });
      }
    });
    plain.push((asked.cpu * EDGES) / REFERENCE_EDGES);
  }
  return [
    absolute("replay/1M distinct edges", "s", wall, { atMost: 1 }),
    compared("replay/1M distinct edges, processor", "s", cpu, "the reference, for as many", plain),
  ];
}
