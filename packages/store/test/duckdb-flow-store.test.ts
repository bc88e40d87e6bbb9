/** The conformance suite on DuckDB, and what only a real file on a real disk can show: kill -9. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";
import { DAY_MS, FLOW_FORMATS, type Flow, type FlowOrigin } from "@bulkhead/model";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDuckDbFlowStore, openFlowFile, StoreFullError, type FlowStore } from "../src/index.ts";
import { everyKind, flow, flowStoreConformance } from "./flow-store-conformance.ts";

/** As the first version made it, and one column that it got later. */
const EARLIER_COLUMNS = `
  start_ms BIGINT NOT NULL, end_ms BIGINT NOT NULL,
  src_address VARCHAR NOT NULL, src_workload VARCHAR, src_name VARCHAR NOT NULL, src_labels VARCHAR NOT NULL,
  dst_address VARCHAR NOT NULL, dst_workload VARCHAR, dst_name VARCHAR NOT NULL, dst_labels VARCHAR NOT NULL,
  protocol INTEGER NOT NULL, port INTEGER NOT NULL, source_port INTEGER NOT NULL,
  verdict VARCHAR NOT NULL, cookie VARCHAR, direction VARCHAR, rule VARCHAR, probe BOOLEAN NOT NULL,
  connections BIGINT NOT NULL, established BIGINT NOT NULL, failed BIGINT NOT NULL,
  bytes BIGINT NOT NULL, packets BIGINT NOT NULL, src_names VARCHAR, dst_names VARCHAR`;
const EARLIER_INSERT = `INSERT INTO flows VALUES (${Array.from({ length: 25 }, (_, n) => `$${n + 1}`).join(", ")})`;

function earlierRow(one: Flow): DuckDBValue[] {
  const end = ({ address, workload, name, labels }: Flow["source"]) => [
    address,
    workload ?? null,
    name,
    JSON.stringify(labels),
  ];
  const names = (found: readonly string[] | undefined) =>
    found === undefined ? null : JSON.stringify(found);
  return [
    one.start,
    one.end,
    ...end(one.source),
    ...end(one.destination),
    one.protocol,
    one.port,
    one.sourcePort,
    one.verdict,
    one.cookie ?? null,
    one.direction ?? null,
    one.rule ?? null,
    one.probe ?? false,
    one.connections,
    one.established,
    one.failed,
    one.bytes,
    one.packets,
    names(one.source.names),
    names(one.destination.names),
  ];
}

let folder: string;
let store: FlowStore;
const path = () => join(folder, "flows.duckdb");

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "bhk-flows-"));
  store = await openDuckDbFlowStore(path());
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("DuckDB flow store", () => {
  flowStoreConformance(
    () => store,
    async () => {
      await store.close();
      store = await openDuckDbFlowStore(path());
      return store;
    },
    () => folder,
  );

  it("refuses to write into the last free space, and goes on when there is some", async () => {
    await store.close();
    store = await openDuckDbFlowStore(path(), { minFreeBytes: Number.MAX_SAFE_INTEGER });
    const batch = { boot: "b", sequence: 1, flows: [flow()] };
    await expect(store.append([batch])).rejects.toThrow(StoreFullError);
    await store.close();
    store = await openDuckDbFlowStore(path());
    await store.append([batch]);
    expect(await store.flows({ probes: false })).toHaveLength(1);
  });

  it("remembers the last records of others, in the order in which they came, and no more", async () => {
    await store.close();
    store = await openDuckDbFlowStore(path(), { remembered: 16 });
    const told = (boot: string, digests: readonly number[]) =>
      store.append([
        { boot, sequence: 1, flows: digests.map(() => flow()), digests: digests.map(BigInt) },
      ]);
    for (const hundred of [100, 200, 300]) {
      const { leftOut } = await told(
        `${hundred}`,
        [0, 1, 2, 3, 4, 5, 6].map((one) => hundred + one),
      );
      expect(leftOut.size).toBe(0);
    }
    expect((await told("again", [100, 200, 300])).leftOut.size).toBe(2);
    await store.close();
    store = await openDuckDbFlowStore(path(), { remembered: 16 });
    expect((await told("reopened", [100, 206, 306])).leftOut.size).toBe(3);
  });

  it("forgets no digest for an append that failed", async () => {
    const batch = { boot: "b", sequence: 1, flows: [flow()], digests: [5n] };
    const odd = { ...batch, boot: "odd", flows: [flow({ start: 1e30 })], digests: [6n] };
    await expect(store.append([odd])).rejects.toThrow(/AppendDataChunk/);
    expect((await store.append([batch])).leftOut.size).toBe(0);
    expect((await store.append([{ ...batch, boot: "c" }])).leftOut.size).toBe(1);
    expect((await store.append([{ ...odd, flows: [flow()] }])).leftOut.size).toBe(0);
  });

  it("tells origins roughly when there are very many, and counts those that it cannot tell apart", async () => {
    const told = (aggregation: number, more: Partial<FlowOrigin> = {}): FlowOrigin => ({
      format: "aws-vpc",
      sampling: 1,
      aggregation,
      direction: "told",
      ...more,
    });
    let sequence = 0;
    const add = (origins: readonly FlowOrigin[]) =>
      store.append([
        {
          boot: "b",
          sequence: (sequence += 1),
          flows: origins.map((origin, at) => flow({ port: sequence * 100 + at, origin })),
        },
      ]);
    await add(Array.from({ length: 36 }, (_, at) => told(4_000_000 + at)));
    await add([told(5_000_000), told(6_000_000), told(0, { sampling: 300 }), told(4_000_003)]);
    const edges = await store.edges({ probes: false });
    expect(edges.slice(-4).map(({ origins }) => origins)).toEqual([
      [told(DAY_MS, { direction: "guessed" })],
      [told(DAY_MS, { direction: "guessed" })],
      [told(0, { sampling: 1000, direction: "guessed" })],
      [told(4_000_003)],
    ]);
    expect((await store.stats()).sharedOrigins).toBeUndefined();
    const formats = FLOW_FORMATS.filter((format) => format !== "agent");
    await add(
      formats.flatMap((format) =>
        [0, 1, 2].map((at) => told(at, { format, sampling: 10 ** (at + 1) })),
      ),
    );
    expect((await store.stats()).sharedOrigins).toBeGreaterThan(1);
  });

  it("is closed while somebody still reads, who is told", async () => {
    await store.append([{ boot: "b", sequence: 1, flows: [flow()] }]);
    const parts = store.edgeParts({ probes: false })[Symbol.asyncIterator]();
    expect((await parts.next()).value).toHaveLength(1);
    await store.close();
    await expect(parts.next()).rejects.toThrow(/closed/);
    store = await openDuckDbFlowStore(path());
    expect(await store.edges({ probes: false })).toHaveLength(1);
  });

  it("takes over a file of an earlier version, with all that is in it", async () => {
    const records = everyKind();
    await store.append([{ boot: "b", sequence: 7, flows: records }]);
    const answers = async () => [
      await store.flows({ probes: true }),
      await store.histories({ probes: true }),
      await store.watch(),
      await store.lastSequence("b"),
    ];
    const wanted = await answers();
    await store.close();
    rmSync(path());
    const instance = await DuckDBInstance.create(path());
    const connection = await instance.connect();
    await connection.run(`CREATE TABLE flows (${EARLIER_COLUMNS})`);
    await connection.run("CREATE TABLE intake (boot VARCHAR NOT NULL, sequence BIGINT NOT NULL)");
    await connection.run("INSERT INTO intake VALUES ('b', 7)");
    for (const one of records) await connection.run(EARLIER_INSERT, earlierRow(one));
    connection.closeSync();
    instance.closeSync();
    store = await openDuckDbFlowStore(path());
    expect(await answers()).toEqual(wanted);
    const known = records[1] ?? flow();
    const destination = { ...known.destination, names: ["db.example"] };
    const named = { ...known, start: 99_000, end: 99_000, destination };
    await store.append([{ boot: "b", sequence: 8, flows: [named] }]);
    expect(await store.flows({ probes: true })).toHaveLength(records.length + 1);
    expect(await store.edges({ probes: true })).toHaveLength((wanted[1] as unknown[]).length);
  });

  it("numbers ends and links alike, however little of them is in memory", async () => {
    const records = everyKind();
    const appendAll = async () => {
      for (let sequence = 1; sequence <= 6; sequence += 1) {
        // Parts that overlap, and come in another order: most are known to the file alone.
        const flows = records.filter((_, index) => (index * sequence) % 4 !== 1).toReversed();
        await store.append([{ boot: "b", sequence, flows }]);
      }
      return [await store.edges({ probes: true }), await store.flows({ probes: true })];
    };
    const wanted = await appendAll();
    await store.close();
    rmSync(path());
    store = await openDuckDbFlowStore(path(), { memory: { ends: 2, links: 2 } });
    expect(await appendAll()).toEqual(wanted);
  });

  /** The very last block of a file may be one that nobody uses: then nothing is missing. */
  const LAST_BLOCKS = 2 * 262_144 + 20_000;

  it("sets a half-written file aside, under another name, and begins anew", async () => {
    const flows = Array.from({ length: 5000 }, (_, index) =>
      flow({ start: index, rule: `${index}` }),
    );
    await store.append([{ boot: "b", sequence: 1, flows }]);
    await store.compact(0);
    await store.close();
    const whole = readFileSync(path());
    const now = Date.UTC(2026, 0, 2, 3, 4, 5);
    for (const [bytes, name] of [
      [whole.subarray(0, whole.length >> 1), "flows.duckdb.unreadable-2026-01-02T030405"],
      [
        whole.subarray(0, whole.length - LAST_BLOCKS),
        "flows.duckdb.unreadable-2026-01-02T030405-2",
      ],
      [whole.subarray(0, 5000), "flows.duckdb.unreadable-2026-01-02T030405-3"],
      [Buffer.from("something else"), "flows.duckdb.unreadable-2026-01-02T030405-4"],
    ] as const) {
      writeFileSync(path(), bytes);
      writeFileSync(`${path()}.wal`, "half");
      const opened = await openFlowFile(path(), now);
      store = opened.store;
      expect(opened.setAside).toBe(join(folder, name));
      expect(readFileSync(join(folder, name))).toEqual(bytes);
      await store.append([{ boot: "b", sequence: 1, flows: [flow()] }]);
      expect(await store.stats()).toMatchObject({ stored: 1 });
      await store.close();
    }
    const opened = await openFlowFile(path(), now);
    store = opened.store;
    expect(opened).not.toHaveProperty("setAside");
    expect(await store.stats()).toMatchObject({ stored: 1 });
  });

  it("opens after kill -9 whatever the end of its log looks like, and has whole batches", async () => {
    await store.close();
    const child = spawn(process.execPath, [join(import.meta.dirname, "endless-writer.ts"), path()]);
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === "5") child.kill("SIGKILL");
    }
    await closed;
    const log = readFileSync(`${path()}.wal`);
    writeFileSync(`${path()}.wal`, log.subarray(0, log.length - 100));
    const opened = await openFlowFile(path(), 0);
    store = opened.store;
    expect(opened).not.toHaveProperty("setAside");
    const last = await store.lastSequence("writer");
    expect(last).toBeGreaterThanOrEqual(4);
    expect(await store.stats()).toMatchObject({ stored: last * 50 });
  });

  it("does not keep a scan of all ports for years, and counts what it leaves out", async () => {
    const scan = Array.from({ length: 3000 }, (_, index) =>
      flow({ start: index, port: index + 1, established: 0, failed: 1 }),
    );
    const answered = Array.from({ length: 400 }, (_, index) =>
      flow({ start: index, port: index + 10_000 }),
    );
    await store.append([{ boot: "b", sequence: 1, flows: [...scan, ...answered] }]);
    const count = async () => (await store.edges({ probes: false })).length;
    expect([await count(), (await store.stats()).unsummed]).toEqual([3400, undefined]);
    expect((await store.compact(9 * DAY_MS)).days).toBe(256 + 400);
    expect([await count(), (await store.stats()).unsummed]).toEqual([256 + 400, 3000 - 256]);
    // The single flows are there, as long as they are kept.
    expect(await store.flows({ probes: false })).toHaveLength(3400);
    await store.append([{ boot: "b", sequence: 2, flows: [flow({ start: 5000 })] }]);
    await store.compact(9 * DAY_MS);
    expect((await store.stats()).unsummed).toBe(3000 - 256);
    await store.prune({ before: 9 * DAY_MS, maxRecords: 0, daysBefore: 0 });
    await store.compact(9 * DAY_MS);
    expect(await count()).toBe(256 + 401);
  });

  it("takes what is far from now, and prunes and sums all the same", async () => {
    const far = flow({ start: 9e13, end: 9e13 });
    const early = flow({ start: 0, end: 0, port: 1 });
    await store.append([{ boot: "b", sequence: 1, flows: [far, early, flow({ port: 2 })] }]);
    await store.compact(3 * DAY_MS);
    expect(await store.watch(0, DAY_MS)).toEqual([{ day: 0, hours: 1, by: { agent: 1 } }]);
    expect(await store.histories({ probes: false, until: DAY_MS })).toHaveLength(2);
    expect(await store.edges({ probes: false })).toHaveLength(3);
    await store.prune({ before: 2 * DAY_MS, maxRecords: 5, daysBefore: 2 * DAY_MS });
    await store.compact(3 * DAY_MS);
    expect((await store.edges({ probes: false })).map(({ firstSeen }) => firstSeen)).toEqual([
      9e13,
    ]);
  });

  it("has every acknowledged batch after kill -9", async () => {
    await store.close();
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, "endless-writer.ts"), path()],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    let acknowledged = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line);
      if (acknowledged === 25) child.kill("SIGKILL");
    }
    await closed;
    expect(acknowledged).toBeGreaterThanOrEqual(25);
    store = await openDuckDbFlowStore(path());
    const last = await store.lastSequence("writer");
    expect(last).toBeGreaterThanOrEqual(acknowledged);
    // Whole batches only: one that was not committed left no row behind.
    expect(await store.stats()).toMatchObject({ stored: last * 50 });
  });
});
