/** What every flow store owes, whatever is beneath it. */
import { expect, it } from "vitest";
import type { Flow } from "@bulkhead/model";
import type { FlowStore } from "../src/index.ts";

export function flow(more: Partial<Flow> = {}): Flow {
  return {
    start: 1000,
    end: 1500,
    source: { address: "10.0.0.2", workload: "shop/web", name: "shop/web", labels: { app: "web" } },
    destination: {
      address: "10.0.0.3",
      workload: "shop/db",
      name: "shop/db",
      labels: { app: "db" },
    },
    protocol: 6,
    port: 5432,
    sourcePort: 40000,
    verdict: "forwarded",
    connections: 1,
    established: 1,
    failed: 0,
    bytes: 100,
    packets: 4,
    ...more,
  };
}

const world = { address: "192.0.2.7", name: "world", labels: {} };

export function flowStoreConformance(
  open: () => FlowStore,
  reopen: () => Promise<FlowStore>,
): void {
  const every = { probes: true };

  it("gives back what was appended, oldest first, after reopening", async () => {
    const late = flow({
      start: 3000,
      verdict: "dropped",
      cookie: "0badcafe",
      direction: "ingress",
      rule: "Policy/shop/db#ingress",
      destination: world,
    });
    const early = flow({ probe: true });
    await open().append([{ boot: "b", sequence: 1, flows: [late, early] }]);
    expect(await (await reopen()).flows(every)).toEqual([early, late]);
  });

  it("ignores a batch it has, also after reopening and within one call", async () => {
    const batch = { boot: "b", sequence: 1, flows: [flow()] };
    await open().append([batch, batch]);
    const again = await reopen();
    expect(await again.lastSequence("b")).toBe(1);
    await again.append([
      batch,
      { boot: "b", sequence: 2, flows: [flow({ start: 2000 })] },
      { ...batch, boot: "c" },
    ]);
    expect(await again.flows(every)).toHaveLength(3);
    expect([
      await again.lastSequence("b"),
      await again.lastSequence("c"),
      await again.lastSequence("d"),
    ]).toEqual([2, 1, 0]);
  });

  it("filters", async () => {
    const records = [
      flow({ start: 1000 }),
      flow({ start: 2000, verdict: "audit" }),
      flow({ start: 3000, destination: world, port: 443 }),
      flow({ start: 4000, probe: true }),
      flow({ start: 5000, protocol: 17, port: 53, source: { ...world, name: "o'brien" } }),
    ];
    await open().append([{ boot: "b", sequence: 1, flows: records }]);
    const starts = async (filter: object) =>
      (await open().flows({ probes: false, ...filter })).map((found) => found.start);
    expect(await starts({})).toEqual([1000, 2000, 3000, 5000]);
    expect(await starts({ probes: true })).toEqual([1000, 2000, 3000, 4000, 5000]);
    expect(await starts({ since: 2000, until: 5000 })).toEqual([2000, 3000]);
    expect(await starts({ verdicts: ["audit", "dropped"] })).toEqual([2000]);
    expect(await starts({ verdicts: [] })).toEqual([]);
    expect(await starts({ either: ["world", "o'brien"] })).toEqual([3000, 5000]);
    expect(await starts({ from: ["shop/web"], to: ["shop/db"] })).toEqual([1000, 2000]);
    expect(await starts({ protocol: 17, port: 53 })).toEqual([5000]);
    expect(await starts({ limit: 2 })).toEqual([3000, 5000]);
  });

  it("aggregates edges, keeps verdicts, addresses and probes apart, and labels them as last seen", async () => {
    const relabelled = { ...flow().source, labels: { app: "web", tier: "front" } };
    await open().append([
      {
        boot: "b",
        sequence: 1,
        flows: [
          flow({ start: 1000, end: 1100 }),
          flow({ start: 1900, end: 1950, connections: 2, established: 1, failed: 1 }),
          flow({ start: 7000, end: 7500, source: relabelled }),
          // Later news of a connection: no new window.
          flow({
            start: 9000,
            end: 9500,
            connections: 0,
            established: 0,
            bytes: 900,
            source: relabelled,
          }),
          flow({ start: 2000, verdict: "dropped" }),
          flow({ start: 3000, probe: true }),
          flow({ start: 4000, source: { ...flow().source, address: "fd00::2" } }),
        ],
      },
    ]);
    const edges = await open().edges(every);
    expect(edges.map((edge) => [edge.source.address, edge.verdict, edge.probe ?? false])).toEqual([
      ["10.0.0.2", "forwarded", false],
      ["10.0.0.2", "dropped", false],
      ["10.0.0.2", "forwarded", true],
      ["fd00::2", "forwarded", false],
    ]);
    expect(edges[0]).toEqual({
      source: relabelled,
      destination: flow().destination,
      protocol: 6,
      port: 5432,
      verdict: "forwarded",
      connections: 4,
      established: 3,
      failed: 1,
      bytes: 1200,
      packets: 16,
      firstSeen: 1000,
      lastSeen: 9500,
      windows: 2,
    });
    expect(await open().edges({ probes: false })).toHaveLength(3);
    // The first to be seen is also the last; what was refused in between is older than either.
    const newest = await open().edges({ probes: false, limit: 2 });
    expect(newest.map((edge) => [edge.source.address, edge.firstSeen])).toEqual([
      ["10.0.0.2", 1000],
      ["fd00::2", 4000],
    ]);
  });

  it("forgets by age and by number, oldest first, and says how many", async () => {
    const flows = [1000, 2000, 3000, 4000].map((start) => flow({ start, end: start }));
    await open().append([{ boot: "b", sequence: 1, flows }]);
    expect(await open().stats()).toEqual({ stored: 4, oldest: 1000, newest: 4000 });
    expect(await open().prune({ before: 1500, maxRecords: 2 })).toBe(2);
    expect((await open().flows(every)).map((found) => found.start)).toEqual([3000, 4000]);
    expect(await open().prune({ before: 9999, maxRecords: 2 })).toBe(2);
    expect(await open().stats()).toEqual({ stored: 0 });
  });

  it("takes appends and queries at the same time", async () => {
    const work: Promise<unknown>[] = [];
    for (let sequence = 1; sequence <= 20; sequence += 1) {
      work.push(open().append([{ boot: "b", sequence, flows: [flow({ start: sequence })] }]));
      work.push(open().edges(every));
    }
    await Promise.all(work);
    expect(await open().stats()).toMatchObject({ stored: 20 });
  });
}
