/** The conformance suite on DuckDB, and what only a real file on a real disk can show: kill -9. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDuckDbFlowStore, StoreFullError, type FlowStore } from "../src/index.ts";
import { FLOW_COLUMNS } from "../src/flows/flow-row.ts";
import { flow, flowStoreConformance } from "./flow-store-conformance.ts";

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

  it("takes over a file of an earlier version, with all that is in it", async () => {
    await store.close();
    rmSync(path());
    const instance = await DuckDBInstance.create(path());
    const connection = await instance.connect();
    await connection.run(`CREATE TABLE flows (${FLOW_COLUMNS})`);
    await connection.run(
      `INSERT INTO flows VALUES (1, 2, '10.0.0.2', 'shop/web', 'shop/web', '{"app":"web"}',
        '192.0.2.7', NULL, 'world', '{}', 6, 443, 40000, 'forwarded', NULL, NULL, NULL, false, 1, 1, 0, 10, 1)`,
    );
    connection.closeSync();
    instance.closeSync();
    store = await openDuckDbFlowStore(path());
    const named = flow({ destination: { ...flow().destination, names: ["db.example"] } });
    await store.append([{ boot: "b", sequence: 1, flows: [named] }]);
    const found = await store.flows({ probes: true });
    expect(found).toHaveLength(2);
    expect(found[0]?.destination).toEqual({ address: "192.0.2.7", name: "world", labels: {} });
    expect(found[1]?.destination.names).toEqual(["db.example"]);
    const edges = await store.edges({ probes: true });
    expect(edges.map(({ destination }) => destination.names)).toEqual([undefined, ["db.example"]]);
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
