/** Small worlds and sets for unit tests, made the way the controller makes them. */
import type { Canary } from "@bulkhead/model";
import type { StoredFile } from "@bulkhead/store";
import type { DiscoveredEndpoint, DiscoveredProcess } from "@bulkhead/wire";
import { mergeGiven, readGiven, type HeldResource } from "../src/policy/candidate.ts";
import { readPolicy, type Reading } from "../src/policy/reading.ts";
import { buildWorld, NO_SURROUNDINGS, type Surroundings, type World } from "../src/world/world.ts";

export const NOW = 1_790_000_000_000;

export function endpoint(name: string, more: Partial<DiscoveredEndpoint> = {}): DiscoveredEndpoint {
  return {
    kind: "netns",
    name,
    containerLabels: {},
    interface: `v${name}`,
    ifindex: 5,
    mac: "02:00:00:00:00:01",
    addresses: [],
    netnsPath: `/run/netns/${name}`,
    listeners: [],
    ...more,
  };
}

export function service(cgroup: string, more: Partial<DiscoveredProcess> = {}): DiscoveredProcess {
  return {
    cgroup,
    form: "service",
    unit: cgroup.slice(cgroup.lastIndexOf("/") + 1),
    sockets: [],
    ...more,
  };
}

export function surroundings(
  endpoints: readonly DiscoveredEndpoint[],
  more: Partial<Surroundings> = {},
): Surroundings {
  return { ...NO_SURROUNDINGS, hostAddresses: ["10.9.0.1", "fd99::1"], endpoints, ...more };
}

export const INVENTORY: StoredFile = {
  name: "inventory.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: lab, namespace: shop }
spec:
  workloads:
    - { name: web, netns: web, labels: { app: web } }
    - { name: db, netns: db, labels: { app: db }, ports: [{ name: sql, port: 5432 }] }
    - { name: evil, netns: evil, labels: { app: evil } }
`,
};

export const SHOP = surroundings([
  endpoint("web", {
    addresses: ["10.9.0.10", "fd99::10"],
    listeners: [{ protocol: 6, port: 80, family: 4 }],
  }),
  endpoint("db", {
    addresses: ["10.9.0.11", "fd99::11"],
    listeners: [
      { protocol: 6, port: 5432, family: 4 },
      { protocol: 6, port: 5432, family: 6 },
      { protocol: 6, port: 22, family: 4 },
    ],
  }),
  endpoint("evil", { addresses: ["10.9.0.12", "fd99::12"] }),
]);

export function held(
  files: readonly StoredFile[],
  mode: "audit" | "enforce" = "enforce",
  canary?: Canary,
): readonly HeldResource[] {
  const given = readGiven(files);
  const errors = given.diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return mergeGiven([], given, { mode, prune: false, canary }).held;
}

export function reading(
  files: readonly StoredFile[],
  mode: "audit" | "enforce" = "enforce",
  canary?: Canary,
): Reading {
  const read = readPolicy(held(files, mode, canary), { now: NOW, strict: false });
  const errors = read.diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return read;
}

export function shop(
  files: readonly StoredFile[],
  mode: "audit" | "enforce" = "enforce",
  canary?: Canary,
): { reading: Reading; world: World } {
  const read = reading([INVENTORY, ...files], mode, canary);
  return { reading: read, world: buildWorld(read.declared, SHOP) };
}
