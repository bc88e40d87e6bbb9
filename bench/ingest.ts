/**
 * How fast flows get on disk: appends of fifty thousand, each synced before it counts, against DuckDB's own appender writing
 * the same flows value by value into one wide table, in the same transactions.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { Flow } from "@bulkhead/model";
import { openDuckDbFlowStore } from "@bulkhead/store";
import { absolute, compared, type Figure } from "./figure.ts";
import { flowOn, LINKS } from "./flow-world.ts";

const ROWS = 1_000_000;
const BATCH = 50_000;
const ROUNDS = 3;
const START = Date.UTC(2026, 0, 1);

const batchOf = (number: number): Flow[] =>
  Array.from({ length: BATCH }, (_, index) => {
    const row = number * BATCH + index;
    return flowOn((row * 7919) % LINKS, START + Math.floor(row / 10));
  });

type Append = (sequence: number, flows: readonly Flow[]) => Promise<unknown>;

/** Rows a second, without the time it takes to invent them. */
async function measured(append: Append): Promise<number> {
  let spent = 0;
  for (let number = 0; number < ROWS / BATCH; number += 1) {
    const flows = batchOf(number);
    const begun = performance.now();
    await append(number + 1, flows);
    spent += performance.now() - begun;
  }
  return (ROWS / spent) * 1000;
}

async function ours(file: string): Promise<number> {
  const store = await openDuckDbFlowStore(file);
  const rate = await measured((sequence, flows) =>
    store.append([{ boot: "bench", sequence, flows }]),
  );
  await store.close();
  return rate;
}

async function plain(file: string): Promise<number> {
  const instance = await DuckDBInstance.create(file, { memory_limit: "512MB", threads: "2" });
  const connection = await instance.connect();
  await connection.run(`CREATE TABLE flows (start_ms BIGINT, end_ms BIGINT, node VARCHAR,
    src_address VARCHAR, src_workload VARCHAR, src_name VARCHAR, src_labels VARCHAR,
    dst_address VARCHAR, dst_workload VARCHAR, dst_name VARCHAR, dst_labels VARCHAR,
    protocol INTEGER, port INTEGER, source_port INTEGER, verdict VARCHAR,
    connections BIGINT, established BIGINT, failed BIGINT, bytes BIGINT, packets BIGINT)`);
  const rate = await measured(async (_, flows) => {
    await connection.run("BEGIN");
    const appender = await connection.createAppender("flows");
    for (const flow of flows) {
      appender.appendBigInt(BigInt(flow.start));
      appender.appendBigInt(BigInt(flow.end));
      appender.appendVarchar(flow.node ?? "");
      for (const { address, workload, name, labels } of [flow.source, flow.destination]) {
        appender.appendVarchar(address);
        appender.appendVarchar(workload ?? "");
        appender.appendVarchar(name);
        appender.appendVarchar(JSON.stringify(labels));
      }
      appender.appendInteger(flow.protocol);
      appender.appendInteger(flow.port);
      appender.appendInteger(flow.sourcePort);
      appender.appendVarchar(flow.verdict);
      for (const count of [
        flow.connections,
        flow.established,
        flow.failed,
        flow.bytes,
        flow.packets,
      ])
        appender.appendBigInt(BigInt(count));
      appender.endRow();
    }
    appender.closeSync();
    await connection.run("COMMIT");
  });
  connection.closeSync();
  instance.closeSync();
  return rate;
}

export async function benchIngest(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "bhk-bench-"));
  const rates: { ours: number[]; plain: number[] } = { ours: [], plain: [] };
  const sizes: number[] = [];
  let peak = 0;
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = process.memoryUsage.rss();
      rates.ours.push(await ours(join(folder, `ours-${round}`)));
      peak = Math.max(peak, process.memoryUsage.rss() - before);
      sizes.push(statSync(join(folder, `ours-${round}`)).size / ROWS);
      rates.plain.push(await plain(join(folder, `plain-${round}`)));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return [
    absolute("ingest/durable", "rows/s", rates.ours, { atLeast: 500_000 }),
    compared("ingest/durable", "rows/s", rates.ours, "DuckDB's appender", rates.plain),
    absolute("ingest/on disk", "bytes a flow", sizes),
    absolute("ingest/memory", "MiB", [peak / 2 ** 20]),
  ];
}
