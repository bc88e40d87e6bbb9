/**
 * A year of edges, asked for at once: ten thousand workloads, a hundred thousand edges, of which most are seen on most days, some
 * on one in seven or thirty. The peer is the same answer by a scan: every edge's every day, summed by DuckDB, and read.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { DAY_MS } from "@bulkhead/model";
import { openDuckDbFlowStore } from "@bulkhead/store";
import { absolute, compared, type Figure } from "./figure.ts";
import { flowOn, LINKS } from "./flow-world.ts";

const DAYS = 365;
const FIRST = Math.floor(Date.UTC(2025, 0, 1) / DAY_MS);
const ROUNDS = 5;

/** Of one day that was taken in and summed, by the store's own means, the year is made by copying its sums. */
const YEAR = `
  INSERT INTO days
  SELECT n.day, link, hours, connections, established, failed, bytes, packets, windows,
    first_ms + (n.day - ${FIRST}) * ${DAY_MS}, last_ms + (n.day - ${FIRST}) * ${DAY_MS},
    last_start + (n.day - ${FIRST}) * ${DAY_MS}, origins
  FROM (SELECT * FROM days WHERE day = ${FIRST}), (SELECT unnest(range(${FIRST + 1}, ${FIRST + DAYS})) AS day) n
  WHERE CASE link % 10 WHEN 0 THEN (link + n.day) % 30 = 0 WHEN 1 THEN (link + n.day) % 7 = 0
    ELSE hash(link, n.day) % 10 < 8 END
  ORDER BY n.day, link;
  INSERT INTO rolled SELECT unnest(range(${FIRST + 1}, ${FIRST + DAYS})), 1, true;`;

const SCAN = `
  SELECT edge, arg_max(src, last_start) AS src, arg_max(dst, last_start) AS dst, sum(connections)::DOUBLE AS connections,
    sum(established)::DOUBLE AS established, sum(failed)::DOUBLE AS failed, sum(bytes)::DOUBLE AS bytes,
    sum(packets)::DOUBLE AS packets, sum(windows)::DOUBLE AS windows, min(first_ms)::DOUBLE AS first_seen,
    max(last_ms)::DOUBLE AS last_seen
  FROM days JOIN links ON id = link GROUP BY edge ORDER BY first_seen`;

const OPTIONS = { memory_limit: "512MB", threads: "2" };

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

export async function benchHistory(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "bhk-bench-"));
  const file = join(folder, "flows.duckdb");
  try {
    let store = await openDuckDbFlowStore(file);
    const flows = Array.from({ length: LINKS }, (_, link) =>
      flowOn(link, FIRST * DAY_MS + ((link * 7919) % DAY_MS)),
    );
    await store.append([{ boot: "bench", sequence: 1, flows }]);
    await store.compact((FIRST + 1) * DAY_MS);
    await store.close();
    const instance = await DuckDBInstance.create(file, OPTIONS);
    const connection = await instance.connect();
    await connection.run(YEAR);
    const scan: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1)
      scan.push(await timed(async () => (await connection.runAndReadAll(SCAN)).getColumnsObject()));
    const counted = await connection.runAndReadAll("SELECT count(*)::DOUBLE FROM days");
    connection.closeSync();
    instance.closeSync();
    store = await openDuckDbFlowStore(file);
    await store.compact((FIRST + DAYS) * DAY_MS);
    const before = process.memoryUsage.rss();
    const all: number[] = [];
    const cut: number[] = [];
    const one: number[] = [];
    const every = { probes: false };
    let found = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      all.push(
        await timed(async () => {
          found = (await store.edges(every)).length;
        }),
      );
      const since = (FIRST + 40) * DAY_MS;
      cut.push(await timed(() => store.edges({ ...every, since, until: since + 300 * DAY_MS })));
      one.push(await timed(() => store.histories({ ...every, either: ["shop/w77"] })));
    }
    const memory = process.memoryUsage.rss() - before;
    await store.close();
    if (found !== LINKS) throw new Error(`${found} edges of ${LINKS} were found`);
    return [
      absolute("history/a year of edges", "ms", all, { atMost: 300 }),
      compared("history/a year of edges", "ms", all, "scan of all days", scan),
      absolute("history/300 days of it", "ms", cut),
      absolute("history/one workload's days", "ms", one),
      absolute("history/days of edges", "million", [Number(counted.getRows()[0]?.[0]) / 1e6]),
      absolute("history/on disk", "MiB", [statSync(file).size / 2 ** 20]),
      absolute("history/memory", "MiB", [memory / 2 ** 20]),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
