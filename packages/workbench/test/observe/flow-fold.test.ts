/** Exports of Hubble, folded into edges: packets of one connection counted once, replies turned round, nothing fatal. */
import { suggest } from "@bulkhead/learn";
import { formatPort, type Edge, type Flow } from "@bulkhead/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readerOf } from "@bulkhead/sources";
import { createFlowFold, hubbleFlow, type ImportedFlows } from "../../src/observe/index.ts";
import { suggestionText } from "../../src/index.ts";
import { connection, DB, line, packet, WEB } from "./hubble.ts";

function imported(lines: readonly string[], wanted?: (time: number) => boolean): ImportedFlows {
  const flows = createFlowFold(wanted);
  const reader = readerOf("hubble")?.open(flows);
  reader?.push(new TextEncoder().encode(lines.join("\n")));
  reader?.end();
  return flows.result();
}

const told = ({ edges }: ImportedFlows): readonly string[] =>
  edges.map(
    ({ source, destination, protocol, port, verdict, connections, established, failed }: Edge) =>
      `${source.name} → ${destination.name} ${formatPort(protocol, port)} ${verdict} ${connections}/${established}/${failed}`,
  );

describe("an export of Hubble", () => {
  it("is read with its envelope and without, and counts a connection once", () => {
    const lines = [
      ...connection(WEB, DB, 5432, 40_001).map((flow) => line(flow)),
      ...connection(WEB, DB, 5432, 40_002).map((flow) => line(flow, true)),
    ];
    const found = imported(lines);
    expect(told(found)).toEqual(["shop/web-7d4f → shop/db-0 5432/tcp forwarded 2/2/0"]);
    expect(found.edges[0]?.source.labels).toEqual({ app: "web" });
    expect(found.edges[0]?.packets).toBe(6);
    expect(found.inventory.workloads.map(({ id }) => id)).toEqual(["shop/db-0", "shop/web-7d4f"]);
  });

  it("tells what was refused, denied or never answered from what was", () => {
    const reset = packet(DB, WEB, 1, { reply: true, flags: { RST: true, ACK: true } });
    const found = imported(
      [
        packet(WEB, DB, 1),
        reset,
        packet(WEB, DB, 2),
        packet(WEB, DB, 3, { verdict: "DROPPED", reply: null }),
        packet(WEB, DB, 4, { verdict: "AUDIT" }),
        packet(WEB, DB, 5, { protocol: "UDP" }),
        packet(DB, WEB, 5, { protocol: "UDP", reply: true }),
        // In the middle of a connection, and nobody says which end began it.
        packet(WEB, DB, 6, { reply: null, flags: { ACK: true } }),
      ].map((flow) => line(flow)),
    );
    expect(told(found)).toEqual([
      "shop/web-7d4f → shop/db-0 1/tcp forwarded 1/0/1",
      "shop/web-7d4f → shop/db-0 2/tcp forwarded 1/0/0",
      "shop/web-7d4f → shop/db-0 3/tcp dropped 1/0/1",
      "shop/web-7d4f → shop/db-0 4/tcp audit 1/0/0",
      "shop/web-7d4f → shop/db-0 5/udp forwarded 1/1/0",
    ]);
    expect(found.others).toEqual({ "a direction that cannot be told": 1 });
  });

  it("has names from the flows and from DNS answers, and the host by its reserved label", () => {
    const answer = {
      ...packet("10.1.0.53", WEB, 40_000, { protocol: "UDP", reply: true }),
      Type: "L7",
      l7: { type: "RESPONSE", dns: { query: "API.example.com.", ips: ["203.0.113.7"] } },
    };
    const found = imported(
      [
        answer,
        packet(WEB, "203.0.113.7", 443),
        packet(WEB, "203.0.113.8", 443, { names: ["www.example.com"] }),
        packet(WEB, "10.1.0.1", 22, { reserved: "reserved:host" }),
      ].map((flow) => line(flow)),
    );
    expect(found.edges.map(({ destination }) => [destination.name, destination.names])).toEqual([
      ["world", ["api.example.com"]],
      ["world", ["www.example.com"]],
      ["host", undefined],
    ]);
    expect(found.inventory.hostAddresses).toEqual(["10.1.0.1"]);
  });

  it("is never fatal: what cannot be read is counted and quoted, what tells of no connection is named", () => {
    const found = imported([
      "",
      "not json at all",
      '{"flow":{"time":"yesterday"}}',
      "[]",
      '{"flow":7}',
      '{"node_status":{"state_change":"NODE_CONNECTED"}}',
      '{"lost_events":{"source":"HUBBLE_RING_BUFFER","num_events_lost":"17"}}',
      line({ ...packet(WEB, DB, 1), IP: {} }),
      line({ ...packet(WEB, DB, 1), verdict: "TRACED" }),
      `{"flow":${"x".repeat(500)}`,
      line(packet(WEB, DB, 5432)),
    ]);
    expect(found.malformed.count).toBe(6);
    expect(found.malformed.quoted.map(({ place, problem }) => `${place} ${problem}`)).toEqual([
      "2 not JSON",
      "3 no `time`",
      "4 not an object",
      "5 `flow` is not an object",
      "8 no `IP` addresses",
    ]);
    expect(found.malformed.quoted.every(({ quote }) => quote.length <= 121)).toBe(true);
    expect(found.lost).toBe(17);
    expect(found.others).toEqual({ node_status: 1, "verdict TRACED": 1 });
    expect(found.edges).toHaveLength(1);
  });

  it("takes only moments that are wanted", () => {
    const at = (time: string) => line(packet(WEB, DB, 5432, { time }));
    const cut = Date.parse("2026-03-31T17:30:00Z");
    const found = imported(
      [at("2026-03-31T17:00:00Z"), at("2026-03-31T18:00:00Z")],
      (t) => t < cut,
    );
    expect(found.edges[0]?.connections).toBe(1);
    expect(found.outside).toBe(1);
  });

  it("gives the same suggestion in whatever order its lines come", () => {
    const caller = { ...WEB, ip: "10.1.0.7", pod: "web-9", app: "web" };
    const lines = [
      ...[1, 2, 3].flatMap((at) => connection(WEB, DB, 5432, 40_000 + at)),
      ...connection(caller, DB, 5432, 41_000, { time: "2026-03-31T17:00:05Z" }),
      ...connection(WEB, "203.0.113.8", 443, 42_000, { names: ["b.example.com"] }),
      ...connection(WEB, "203.0.113.8", 443, 42_001, { names: ["a.example.com"] }),
      packet(DB, WEB, 9999, { verdict: "DROPPED" }),
      // Relabelled at that very moment, and once more later.
      packet({ ...DB, app: "database" }, WEB, 9999, { verdict: "DROPPED" }),
      packet({ ...DB, app: "db" }, WEB, 9998, { time: "2026-03-31T17:00:09Z" }),
      packet({ ...DB, app: "sql" }, WEB, 9998, { time: "2026-03-31T17:00:08Z" }),
      packet({ ...DB, app: "old" }, WEB, 9998, { time: "2026-03-31T17:00:08Z" }),
    ].map((flow) => line(flow));
    const text = (some: readonly string[]): string => {
      const { edges, inventory } = imported(some);
      const sorted = edges.map((edge) => JSON.stringify(edge)).toSorted();
      return `${suggestionText(suggest(edges, inventory))}${sorted.join("\n")}`;
    };
    const first = text(lines);
    expect(first).toContain("name: web-to-db");
    expect(first).toContain("name: web-to-a.example.com");
    fc.assert(
      fc.property(
        fc.shuffledSubarray(lines, { minLength: lines.length, maxLength: lines.length }),
        (shuffled) => {
          expect(text(shuffled)).toBe(first);
        },
      ),
      { numRuns: 50 },
    );
  });
});

it("holds so many edges and counts what is beyond them", () => {
  const fold = createFlowFold(undefined, 2);
  const reader = readerOf("hubble")?.open(fold);
  for (const port of [1, 2, 3]) {
    reader?.push(
      new TextEncoder().encode(`${line(packet(WEB, DB, port, { sourcePort: 40_000 + port }))}\n`),
    );
  }
  reader?.push(new TextEncoder().encode(line(packet(WEB, DB, 4))));
  reader?.end();
  const { edges, flows, beyond } = fold.result();
  expect([edges.map(({ port }) => port), flows, beyond]).toEqual([[1, 2], 2, 2]);
  expect(edges[0]?.origins).toEqual([
    { format: "hubble", sampling: 1, aggregation: 0, direction: "told" },
  ]);
});

it("reads back what we write in Hubble's words", () => {
  const end = (name: string, address: string) => ({
    address,
    workload: name,
    name,
    labels: { app: name.split("/")[1] ?? "" },
  });
  const flow: Flow = {
    source: end("shop/web", "10.0.0.1"),
    destination: end("shop/db", "10.0.0.2"),
    start: 1_000_000,
    end: 1_000_500,
    protocol: 6,
    port: 5432,
    sourcePort: 40_000,
    verdict: "dropped",
    connections: 1,
    established: 0,
    failed: 1,
    bytes: 60,
    packets: 1,
  };
  const { edges, malformed } = imported([JSON.stringify(hubbleFlow(flow))]);
  expect(malformed.count).toBe(0);
  expect(edges).toMatchObject([
    { source: flow.source, destination: flow.destination, port: 5432, verdict: "dropped" },
  ]);
});

it("tells of each edge on which days it was seen, and in which hours a connection began", () => {
  const end = (name: string) => ({ address: name, workload: name, name, labels: {} });
  const flow = (start: number, connections: number): Flow => ({
    start,
    end: start,
    source: end("shop/web"),
    destination: end("shop/db"),
    protocol: 6,
    port: 5432,
    sourcePort: 1,
    verdict: "forwarded",
    connections,
    established: connections,
    failed: 0,
    bytes: 1000,
    packets: 10,
  });
  const [day, hour] = [86_400_000, 3_600_000];
  const fold = createFlowFold();
  for (const one of [flow(20 * day + 5 * hour, 2), flow(3 * day, 1), flow(20 * day + hour, 1)]) {
    fold.flow(one);
  }
  // News of one that began before.
  fold.flow(flow(21 * day + 7 * hour, 0));
  const { histories, edges } = fold.result();
  expect(histories).toEqual([
    {
      edge: edges[0],
      days: [
        { day: 3, hours: 1, connections: 1 },
        { day: 20, hours: 0b10_0010, connections: 3 },
        { day: 21, hours: 0, connections: 0 },
      ],
    },
  ]);
});
