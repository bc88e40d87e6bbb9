/** Measures are of what our own collectors saw: what others recorded moves none of them. */
import { expect, it } from "vitest";
import type { StatusAnswer } from "@bulkhead/api";
import type { Edge, FlowOrigin } from "@bulkhead/model";
import { openStateStore, type FlowStore } from "@bulkhead/store";
import { pino } from "pino";
import { reportFalseDeny } from "../../src/queries/false-deny.ts";
import { startMeasures } from "../../src/measures/measures.ts";
import { NOW } from "../fixtures.ts";

const CLOUD: FlowOrigin = {
  format: "aws-vpc",
  sampling: 1,
  aggregation: 60_000,
  direction: "guessed",
};
const end = (name: string) => ({ address: "10.9.0.1", workload: name, name, labels: {} });
const edge = (verdict: Edge["verdict"], connections: number, more: Partial<Edge> = {}): Edge => ({
  source: end("shop/web"),
  destination: end("shop/db"),
  protocol: 6,
  port: 5432,
  verdict,
  connections,
  established: 0,
  failed: 0,
  bytes: 0,
  packets: 0,
  firstSeen: NOW - 60_000,
  lastSeen: NOW - 60_000,
  windows: 1,
  ...more,
});

it("are not moved by denials that somebody else recorded", async () => {
  const edges = [
    edge("forwarded", 10),
    edge("dropped", 90, { port: 22, origins: [CLOUD] }),
    edge("forwarded", 900, { origins: [CLOUD] }),
  ];
  const flows = {
    edges: () => Promise.resolve(edges),
    stats: () => Promise.resolve({ stored: 3, bytes: 0 }),
  } as unknown as FlowStore;
  const coverage = { workloads: 2, underPolicy: 2, enforced: 2, ratio: 1, enforcedRatio: 1 };
  const state = await openStateStore(":memory:");
  const measures = await startMeasures({
    state,
    flows,
    log: pino({ level: "silent" }),
    now: () => NOW,
    flush: () => Promise.resolve(),
    status: () => Promise.resolve({ coverage } as StatusAnswer),
    modes: () => ({ "shop/db": "enforce" }),
    worldUnder: () => {
      throw new Error("not asked for");
    },
  });
  try {
    const { slo, edges: named } = await measures.measured();
    const parts = (id: string) => slo.measures.find((one) => one.id === id)?.parts;
    expect(named).toHaveLength(1);
    expect(parts("M1")).toMatchObject({ connections: 10 });
    expect(parts("M2")).toMatchObject({ connections: 10, denied: 0, unexpected: 0 });
    expect(parts("M7")).toMatchObject({ denied: 0, falselyDenied: 0 });
    const given = { from: "shop/web", to: "shop/db", port: "22/tcp", author: "me", reason: "why" };
    const intake = { flush: () => Promise.resolve() };
    await expect(
      reportFalseDeny(given, { flows, intake, measures, now: () => NOW }),
    ).rejects.toThrow("no denial");
  } finally {
    await measures.stop();
    await state.close();
  }
});
