/**
 * What it costs to keep flows in ClickHouse rather than in a file: the same batches into both, in turns, each acknowledged on disk
 * before the next. The engine runs in this process, behind its HTTP interface, so rows cross a wire as they do to a server,
 * and both share two processors with it: what a server of its own would take is not in the figure.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Flow } from "@bulkhead/model";
import { openClickHouseFlowStore, openDuckDbFlowStore, type FlowStore } from "@bulkhead/store";
import { startEngine } from "../packages/store/test/clickhouse-server.ts";
import { compared, type Figure } from "./figure.ts";

const BATCH = 20_000;
const BATCHES = 10;
const WORKLOADS = 1000;

function batch(sequence: number): readonly Flow[] {
  return Array.from({ length: BATCH }, (_, n): Flow => {
    const at = sequence * BATCH + n;
    const end = (workload: number) => ({
      address: `10.0.${workload >> 8}.${workload & 255}`,
      workload: `shop/w${workload}`,
      name: `shop/w${workload}`,
      labels: { app: `a${workload % 50}` },
    });
    const start = 1_750_000_000_000 + at * 10;
    return {
      start,
      end: start + 5,
      source: end(at % WORKLOADS),
      destination: end((at * 7 + 1) % WORKLOADS),
      protocol: 6,
      port: 1000 + (at % 20),
      sourcePort: 30_000 + (at % 20_000),
      verdict: "forwarded",
      connections: 1,
      established: 1,
      failed: 0,
      bytes: 1500,
      packets: 10,
    };
  });
}

async function perSecond(store: FlowStore, sequence: number): Promise<number> {
  const flows = batch(sequence);
  const start = performance.now();
  await store.append([{ boot: "bench", sequence, flows }]);
  return (BATCH / (performance.now() - start)) * 1000;
}

export async function benchClickHouse(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "bhk-bench-clickhouse-"));
  const server = await startEngine(join(folder, "engine"));
  const theirs = openClickHouseFlowStore({ url: server.url, username: "u", password: "p" });
  const file = await openDuckDbFlowStore(join(folder, "flows.duckdb"));
  try {
    const [clickhouse, duckdb]: [number[], number[]] = [[], []];
    // The first makes tables, and is not counted.
    await theirs.append([{ boot: "warm", sequence: 1, flows: batch(0) }]);
    for (let sequence = 1; sequence <= BATCHES; sequence++) {
      clickhouse.push(await perSecond(theirs, sequence));
      duckdb.push(await perSecond(file, sequence));
    }
    const { stored } = await theirs.stats();
    if (stored !== (BATCHES + 1) * BATCH) throw new Error(`only ${stored} flows are stored`);
    return [compared("clickhouse/durable ingest", "1/s", clickhouse, "DuckDB", duckdb)];
  } finally {
    await theirs.close();
    await file.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
