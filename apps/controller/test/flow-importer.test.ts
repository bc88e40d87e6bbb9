/** Flows of others: named as their ends were, counted once, never from the future, and without what belongs to nobody. */
import { describe, expect, it } from "vitest";
import { importFlowsRequestSchema, type ImportFlowsRequest } from "@bulkhead/api";
import type { Flow } from "@bulkhead/model";
import { StoreFullError, type FlowBatch } from "@bulkhead/store";
import { createFlowImporter } from "../src/flows/flow-importer.ts";
import { createNamer } from "../src/world/naming.ts";
import { createTenure } from "../src/world/tenure.ts";
import { buildWorld } from "../src/world/world.ts";
import { endpoint, NOW, reading, SHOP, shop, surroundings } from "./fixtures.ts";

const HOUR = 3_600_000;
const BORN = NOW - HOUR;

/** Bytes of a flow that the store has already. */
const TOLD = 4711;

const plain = (address: string) => ({ address, name: address, labels: {} });
const flow = (more: Partial<ImportFlowsRequest["flows"][number]> = {}) => ({
  start: NOW - 60_000,
  end: NOW - 59_000,
  source: 0,
  destination: 1,
  origin: 0,
  protocol: 6,
  port: 5432,
  sourcePort: 40_000,
  verdict: "forwarded" as const,
  connections: 1,
  established: 1,
  failed: 0,
  bytes: 10,
  packets: 2,
  ...more,
});
const request = (
  flows: readonly unknown[],
  more: Partial<Record<keyof ImportFlowsRequest, unknown>> = {},
) => ({
  batch: "0".repeat(64),
  ends: [plain("10.9.0.10"), plain("10.9.0.11"), plain("203.0.113.9")],
  origins: [{ format: "aws-vpc", sampling: 1, aggregation: 60_000, direction: "guessed" }],
  flows,
  ...more,
});

function set(world = shop([]).world) {
  const stored: FlowBatch[] = [];
  const seen: Flow[] = [];
  const disk = { full: false };
  const tenure = createTenure();
  tenure.see(world, BORN);
  const namer = createNamer(world, []);
  const importer = createFlowImporter({
    store: {
      append: (batches) => {
        if (disk.full) return Promise.reject(new StoreFullError("full"));
        stored.push(...batches);
        const all = batches.flatMap(({ flows: told }) => told);
        return Promise.resolve({ leftOut: new Set(all.filter(({ bytes }) => bytes === TOLD)) });
      },
      lastSequence: (boot) =>
        Promise.resolve(stored.findLast((batch) => batch.boot === boot)?.sequence ?? 0),
    },
    now: () => NOW,
    namer: () => namer,
    heldAt: (address, time) => tenure.heldAt(address, time),
    onFlow: (one) => seen.push(one),
    keepMs: () => 30 * 24 * HOUR,
  });
  const take = (asked: unknown) => importer.take(importFlowsRequestSchema.parse(asked));
  const flows = (): readonly Flow[] => stored.flatMap((batch) => batch.flows);
  return { take, flows, stored, seen, disk, tenure };
}

const names = (flows: readonly Flow[]) =>
  flows.map(({ source, destination }) => `${source.name} → ${destination.name}`);

describe("imported flows", () => {
  it("are named by their addresses only since these have belonged to whom they belong to now", async () => {
    const { take, flows } = set();
    await take(
      request([
        flow(),
        // The day before, the same addresses may have been anybody's.
        flow({ start: BORN - 1, end: NOW }),
        flow({ destination: 2 }),
      ]),
    );
    expect(names(flows())).toEqual([
      "shop/web → shop/db",
      "10.9.0.10 → 10.9.0.11",
      "shop/web → world",
    ]);
    expect(flows()[0]?.source.labels).toEqual({ app: "web" });
    expect(flows()[0]?.origin).toMatchObject({ format: "aws-vpc", direction: "guessed" });
  });

  it("are handed over with digests of their records, and those told before are counted and not seen", async () => {
    const { take, stored, seen } = set();
    const future = flow({ start: NOW + HOUR, end: NOW + HOUR });
    const answer = await take(
      request([flow(), future, flow({ bytes: TOLD }), flow({ bytes: 11 })], {
        records: ["0000000000000001", "0000000000000002", "ffffffffffffffff", "8000000000000000"],
      }),
    );
    expect(answer).toEqual({ known: false, stored: 2, repeated: 1, future: 1, old: 0 });
    expect(stored[0]?.digests).toEqual([1n, -1n, -(2n ** 63n)]);
    expect(seen.map(({ bytes }) => bytes)).toEqual([10, 11]);
    const parse = (records: readonly string[]) =>
      importFlowsRequestSchema.safeParse(request([flow()], { records })).success;
    expect(parse(["0123456789abcdef"])).toBe(true);
    for (const records of [[], ["1"], ["0123456789ABCDEF"], Array(2).fill("0".repeat(16))])
      expect(parse(records as string[])).toBe(false);
  });

  it("keep the names that their source gave them, and have those of an Inventory for any time", async () => {
    const declared = reading([
      {
        name: "vms.yaml",
        text: `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: vms, namespace: shop }
spec:
  workloads:
    - { name: erp, addresses: [10.20.0.5], labels: { app: erp } }
`,
      },
    ]);
    const { take, flows } = set(buildWorld(declared.declared, SHOP));
    const pod = {
      address: "10.9.0.10",
      workload: "old/pod",
      name: "old/pod",
      labels: { app: "x" },
    };
    await take(request([flow({ start: 1000, end: 2000 })], { ends: [pod, plain("10.20.0.5")] }));
    expect(names(flows())).toEqual(["old/pod → shop/erp"]);
  });

  it("count once, however often their batch comes", async () => {
    const { take, flows } = set();
    expect(await take(request([flow()]))).toMatchObject({ known: false, stored: 1 });
    expect(await take(request([flow()]))).toMatchObject({ known: true, stored: 0 });
    expect(await take(request([flow()], { batch: "1".repeat(64) }))).toMatchObject({ stored: 1 });
    expect(flows()).toHaveLength(2);
  });

  it("from the future are counted and left out, and old ones are told", async () => {
    const { take, flows } = set();
    const old = flow({ start: 1000, end: 2000 });
    const answer = await take(
      request([flow({ end: NOW + HOUR }), flow({ start: NOW + 1000, end: NOW + 2000 }), old]),
    );
    expect(answer).toEqual({ known: false, stored: 2, repeated: 0, future: 1, old: 1 });
    expect(flows()).toHaveLength(2);
  });

  it("are not half stored where the disk is full, and can be sent again", async () => {
    const { take, disk, flows } = set();
    disk.full = true;
    await expect(take(request([flow()]))).rejects.toMatchObject({ code: "store-full" });
    disk.full = false;
    expect(await take(request([flow()]))).toMatchObject({ stored: 1 });
    expect(flows()).toHaveLength(1);
  });

  it("bring no query string, no strange name, and no end that is not there", async () => {
    const { take, flows } = set();
    const path = { method: "GET", path: "/pay?card=4111#x", status: 200 };
    await take(request([flow({ request: path })]));
    expect(flows()[0]?.request).toEqual({ method: "GET", path: "/pay", status: 200 });
    const refused = (asked: unknown) => importFlowsRequestSchema.safeParse(asked).success;
    expect(refused(request([flow({ source: 9 })]))).toBe(false);
    expect(refused(request([], { ends: [{ ...plain("10.0.0.1"), name: "a\u001b[2Jb" }] }))).toBe(
      false,
    );
    expect(refused(request([], { ends: [plain("010.0.0.1")] }))).toBe(false);
    expect(refused(request([flow({ port: 70_000 })]))).toBe(false);
  });
});

it("an address that changes hands is held anew", () => {
  const { tenure } = set();
  expect(tenure.heldAt("10.9.0.10", BORN)).toBe(true);
  expect(tenure.heldAt("10.9.0.10", BORN - 1)).toBe(false);
  expect(tenure.heldAt("10.9.0.1", BORN - 1)).toBe(false);
  const moved = surroundings([endpoint("evil", { addresses: ["10.9.0.10"] })]);
  const world = buildWorld(reading([]).declared, moved);
  tenure.see(world, NOW);
  tenure.see(world, NOW + HOUR);
  expect(tenure.heldAt("10.9.0.10", NOW - 1)).toBe(false);
  expect(tenure.heldAt("10.9.0.10", NOW)).toBe(true);
});

it("takes from nobody what only our own collectors can have seen", async () => {
  const { take, stored } = set();
  const origins = [{ format: "agent", sampling: 1, aggregation: 0, direction: "told" }];
  expect(() => take(request([flow()], { origins }))).toThrow("own collectors");
  expect(stored).toEqual([]);
});
