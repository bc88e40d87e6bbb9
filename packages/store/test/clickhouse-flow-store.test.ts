/** The conformance suite on the real engine of ClickHouse, in this process; what its server would do besides is not tried here. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type ClickHouseClient } from "@clickhouse/client";
import { createChdbConnection } from "chdb/connection";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DAY_MS } from "@bulkhead/model";
import { createClickHouseFlowStore } from "../src/clickhouse/clickhouse-flow-store.ts";
import { schemaOf } from "../src/clickhouse/schema.ts";
import type { FlowStore } from "../src/index.ts";
import { flow, flowStoreConformance } from "./flow-store-conformance.ts";

/** Of the client's own types, of which the engine has a copy. */
type Connection = NonNullable<NonNullable<Parameters<typeof createClient>[0]>["connection"]>;

let folder: string;
let database = "";
let store: FlowStore;
let count = 0;

/** The engine is one a process, on one folder; each test has a database of its own. */
const connect = (): ClickHouseClient => {
  const engine: unknown = createChdbConnection({ path: join(folder, "engine") });
  return createClient({ connection: engine as Connection });
};
let keeper: ClickHouseClient;

const open = () => createClickHouseFlowStore(connect(), { database });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bhk-chdb-"));
  keeper = connect();
});
afterAll(async () => {
  await keeper.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  count += 1;
  database = `flows_${count}`;
  store = await open();
});
afterEach(async () => {
  await store.close();
  await keeper.command({ query: `DROP DATABASE ${database}` });
});

describe("ClickHouse flow store", () => {
  flowStoreConformance(
    () => store,
    async () => {
      await store.close();
      store = await open();
      return store;
    },
    () => folder,
    { share: 0.25, sums: false },
  );

  it("has a batch once, whoever sends it and whatever had been acknowledged", async () => {
    const other = await open();
    try {
      const flows = [flow(), flow({ start: 9 * DAY_MS, port: 443 })];
      const batch = (sequence: number) => ({ boot: "b", sequence, flows });
      // Two controllers that an agent speaks to, one after the other or at once.
      await Promise.all([store.append([batch(1), batch(2)]), other.append([batch(1), batch(2)])]);
      // The first one stored it, and went before it could note so.
      await store.append([batch(3)]);
      await keeper.command({
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
    store = await createClickHouseFlowStore(connect(), { database, flowDays: 30, edgeDays: 400 });
    const ago = (days: number) => {
      const start = Date.now() - days * DAY_MS;
      return flow({ start, end: start + 1 });
    };
    await store.append([{ boot: "b", sequence: 1, flows: [ago(1), ago(60), ago(500)] }]);
    for (const table of ["flows", "edge_days"])
      await keeper.command({ query: `OPTIMIZE TABLE ${database}.${table} FINAL` });
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
      const answer = await keeper.query({
        query: "SELECT formatQuery({statement:String}) AS read",
        query_params: { statement },
        format: "JSONEachRow",
      });
      const [row] = await answer.json<{ readonly read: string }>();
      expect(row?.read).toContain("fleet");
    }
  });
});
