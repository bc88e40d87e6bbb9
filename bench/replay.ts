/**
 * What a replay costs: a million distinct edges among ten thousand workloads, decided by two sets of a thousand
 * policies, of which one lacks every tenth. The peer is the reference asked edge by edge, of a few of them. And the whole way
 * of ninety days and a thousand million connections on record: asked of the store, decided, and told by who is affected.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createReplay, decide, indexInventory, queryOf, replay } from "@bulkhead/engine";
import { DAY_MS, type Edge, type Flow, type FlowEnd, type PolicySet } from "@bulkhead/model";
import { openDuckDbFlowStore, type FlowStore } from "@bulkhead/store";
import { createImpact, withSamples } from "@bulkhead/workbench/impact";
import { sampleFilter } from "../apps/controller/src/queries/replay.ts";
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

const changed = (): [PolicySet, PolicySet] => [
  policySet(SAYINGS, (policy) => policy % 10 > 0),
  policySet(SAYINGS),
];

const DAYS = 90;
const CONNECTIONS = 1_000_000_000;
/** Of an edge: each tells of many connections, as flows of an hour do. */
const RECORDS = 3;
const BATCH = 50_000;

/** Every edge on three of the days, as records that tell of as many connections as there are to be. */
async function record(store: FlowStore, all: readonly Edge[], say: Say): Promise<void> {
  const connections = Math.round(CONNECTIONS / (EDGES * RECORDS));
  let sequence = 0;
  for (let round = 0; round < RECORDS; round++) {
    for (let from = 0; from < all.length; from += BATCH) {
      const flows = all
        .slice(from, from + BATCH)
        .map(({ firstSeen: _first, lastSeen: _last, windows: _windows, ...edge }, n): Flow => {
          const day = (((from + n) * 7 + round * 31) % DAYS) + 1;
          const start = day * DAY_MS + ((from + n) % 86_400) * 1000;
          return { ...edge, start, end: start + 500, sourcePort: 40_000, connections };
        });
      sequence += 1;
      await store.append([{ boot: "bench", sequence, flows }]);
    }
    say(`bench: history ${round + 1} of ${RECORDS} is recorded`);
  }
  await store.compact((DAYS + 40) * DAY_MS);
}

type Say = (line: string) => void;

export async function benchReplayHistory(say: Say): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "bhk-bench-replay-"));
  const store = await openDuckDbFlowStore(join(folder, "flows.duckdb"), { memoryLimit: "1GB" });
  try {
    await record(store, edges(), say);
    const [before, after] = changed();
    const index = indexInventory(inventory);
    const asked = { probes: false, since: DAY_MS, until: (DAYS + 2) * DAY_MS };
    const [ask, rest, whole, cpu]: [number[], number[], number[], number[]] = [[], [], [], []];
    let resident = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const [start, spent] = [performance.now(), process.cpuUsage()];
      const judge = createReplay({ before, after, index, now: 0, view: "live" });
      const found = createImpact(inventory);
      let [recorded, waited, since] = [0, 0, performance.now()];
      for await (const part of store.edgeParts(asked)) {
        waited += performance.now() - since;
        for (const edge of part) found.add(judge(edge), edge);
        recorded += part.length;
        since = performance.now();
      }
      waited += performance.now() - since;
      const { affected, denied, unchanged } = await withSamples(found.result(), (edge) =>
        store.flows(sampleFilter(edge, asked)),
      );
      const end = performance.now();
      if (recorded < EDGES * 0.99 || denied.edges === 0 || unchanged === 0)
        throw new Error(`nothing to tell apart: ${recorded} edges, ${denied.edges} denied`);
      if (affected.every((row) => row.samples.length === 0)) throw new Error("no samples");
      ask.push(waited / 1000);
      rest.push((end - start - waited) / 1000);
      whole.push((end - start) / 1000);
      const { user, system } = process.cpuUsage(spent);
      cpu.push((user + system) / 1e6);
      resident = Math.max(resident, process.memoryUsage.rss() / 1024 / 1024);
    }
    return [
      absolute("replay/90 days, 10^9 connections", "s", whole, { atMost: 2 }),
      absolute("replay/90 days: asked of the store", "s", ask),
      absolute("replay/90 days: decided and told", "s", rest),
      absolute("replay/90 days: processor, both cores", "s", cpu),
      absolute("replay/90 days: resident, all included", "MiB", [resident]),
    ];
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

export function benchReplay(): Figure[] {
  const [before, after] = changed();
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
