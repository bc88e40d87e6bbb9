import { suggest } from "@bulkhead/learn";
import type { Edge, FlowEnd, Inventory, Workload } from "@bulkhead/model";
import { expect, it } from "vitest";
import { knownNow } from "../src/queries/known-now.ts";

const workload = (name: string, address: string): Workload => ({
  id: `shop/${name}`,
  namespace: "shop",
  name,
  kind: "vm",
  labels: { app: name },
  addresses: [address],
  namedPorts: [],
  hostNetwork: false,
});
const inventory: Inventory = {
  workloads: [workload("web", "10.0.0.5"), workload("db", "10.0.0.6")],
  namespaces: [],
  hostAddresses: [],
};
const nobody = (address: string): FlowEnd => ({ address, name: address, labels: {} });
const somebody = (name: string, address: string): FlowEnd => ({
  address,
  workload: `shop/${name}`,
  name: `shop/${name}`,
  labels: { app: name },
});
const edge = (source: FlowEnd, destination: FlowEnd, lastSeen: number): Edge => ({
  source,
  destination,
  protocol: 6,
  port: 5432,
  verdict: "forwarded",
  connections: 10,
  established: 10,
  failed: 0,
  bytes: 9000,
  packets: 80,
  firstSeen: lastSeen - 10,
  lastSeen,
  windows: 10,
});

const imported = edge(nobody("10.0.0.5"), nobody("10.0.0.6"), 100);
const watched = edge(somebody("web", "10.0.0.5"), somebody("db", "10.0.0.6"), 200);
const outside = edge(somebody("web", "10.0.0.5"), nobody("203.0.113.9"), 200);

it("lists imported addresses as the workloads that a suggestion takes them for, once", () => {
  const listed = knownNow([imported, watched, outside], inventory);
  expect(listed.map(({ source, destination }) => `${source.name} → ${destination.name}`)).toEqual([
    "shop/web → shop/db",
    "shop/web → 203.0.113.9",
  ]);
  expect(listed[0]).toMatchObject({ connections: 20, firstSeen: 90, lastSeen: 200 });
  const { accepted } = suggest([imported, watched, outside], inventory);
  const ends = new Set(listed.map((one) => one.destination.name));
  expect(accepted.every((one) => ends.has(one.destination.name))).toBe(true);
});

it("leaves alone what everybody knew", () => {
  const edges = [watched, outside];
  expect(knownNow(edges, inventory)).toBe(edges);
});
