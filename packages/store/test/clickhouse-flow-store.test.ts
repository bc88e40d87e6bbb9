/** The conformance suite on the real engine of ClickHouse, in this process; what its server would do besides is not tried here. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DAY_MS } from "@bulkhead/model";
import { schemaOf } from "../src/clickhouse/schema.ts";
import { openClickHouseFlowStore, type FlowStore } from "../src/index.ts";
import { startEngine, type EngineServer } from "./clickhouse-server.ts";
import { flow, flowStoreConformance } from "./flow-store-conformance.ts";

/** The engine ends when what it does in the background has. */
const PATIENCE_MS = 60_000;

let folder: string;
let database = "";
let server: EngineServer;
let store: FlowStore;
let count = 0;

/** Each test has a database of its own. */
const open = (more: { readonly flowDays?: number; readonly edgeDays?: number } = {}) =>
  openClickHouseFlowStore({ url: server.url, username: "u", password: "p", database, ...more });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bhk-chdb-"));
  server = await startEngine(join(folder, "engine"));
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}, PATIENCE_MS);
beforeEach(async () => {
  count += 1;
  database = `flows_${count}`;
  store = open();
});
afterEach(async () => {
  await store.close();
  await server.engine.command({ query: `DROP DATABASE IF EXISTS ${database}` });
});

describe("ClickHouse flow store", { timeout: 2 * PATIENCE_MS }, () => {
  flowStoreConformance(
    () => store,
    async () => {
      await store.close();
      store = open();
      return store;
    },
    () => folder,
    { share: 0.25, sums: false },
  );

  it("has a batch once, whoever sends it and whatever had been acknowledged", async () => {
    const other = open();
    try {
      const flows = [flow(), flow({ start: 9 * DAY_MS, port: 443 })];
      const batch = (sequence: number) => ({ boot: "b", sequence, flows });
      // Two controllers that an agent speaks to, one after the other or at once.
      await Promise.all([store.append([batch(1), batch(2)]), other.append([batch(1), batch(2)])]);
      // The first one stored it, and went before it could note so.
      await store.append([batch(3)]);
      await server.engine.command({
        query: `DELETE FROM ${database}.intake WHERE true SETTINGS lightweight_deletes_sync = 2`,
      });
      expect(await other.lastSequence("b")).toBe(0);
      await other.append([batch(3)]);
      const connections = (await store.edges({ probes: false })).map((edge) => edge.connections);
      expect([(await store.stats()).stored, connections]).toEqual([6, [3, 3]]);
      expect(await store.lastSequence("b")).toBe(3);
    } finally {
      await other.close();
    }
  });

  it("forgets single flows by the server's own clock, and keeps the days of their edges longer", async () => {
    await store.close();
    store = open({ flowDays: 30, edgeDays: 400 });
    const ago = (days: number) => {
      const start = Date.now() - days * DAY_MS;
      return flow({ start, end: start + 1 });
    };
    await store.append([{ boot: "b", sequence: 1, flows: [ago(1), ago(60), ago(500)] }]);
    for (const table of ["flows", "edge_days"])
      await server.engine.command({ query: `OPTIMIZE TABLE ${database}.${table} FINAL` });
    expect(await store.flows({ probes: false })).toHaveLength(1);
    const [found] = await store.histories({ probes: false });
    expect([found?.edge.connections, found?.days.length]).toEqual([2, 2]);
  });

  it("makes tables of a cluster by statements that the engine can read", async () => {
    const layout = { database: "flows", cluster: "fleet", flowDays: 30, edgeDays: 400 };
    const statements = schemaOf(layout);
    const text = statements.map((statement) => `${statement};\n`).join("\n");
    await expect(text).toMatchFileSnapshot("golden/clickhouse-cluster.sql");
    for (const statement of statements) {
      const answer = await server.engine.query({
        query: "SELECT formatQuery({statement:String}) AS read",
        query_params: { statement },
        format: "JSONEachRow",
      });
      const [row] = await answer.json<{ readonly read: string }>();
      expect(row?.read).toContain("fleet");
    }
  });
});
