/** Random scenes of a machine: its services, its people, a shop in namespaces beside them, resolvers and others outside. */
import type { Edge, FlowEnd, Inventory, Labels, Workload } from "@bulkhead/model";
import fc from "fast-check";
import type { Scene } from "./scene.ts";

const HOST = "10.9.0.1";
const PORTS = [53, 80, 80, 443, 443, 5432, 5432];

function unit(name: string, labels: Labels): Workload {
  return {
    id: `host/${name}`,
    namespace: "host",
    name,
    kind: "process",
    labels,
    addresses: [],
    namedPorts: [],
    hostNetwork: false,
    cgroup: `/${name}`,
  };
}

const unitLabels = (unit: string, slice: string): Labels => ({
  "bulkhead.dev/unit": unit,
  "bulkhead.dev/slice": slice,
});

const UNITS: readonly (readonly [string, Labels])[] = [
  ...["nginx", "postgresql", "resolved", "cron", "ssh"].map((app): readonly [string, Labels] => {
    const name = `${app}.service`;
    return [name, { ...unitLabels(name, "system.slice"), app }];
  }),
  ["run-r1.service", unitLabels("run-r1.service", "system.slice")],
  ["upgrade.scope", { ...unitLabels("upgrade.scope", "system.slice"), app: "upgrade" }],
  ...["root", "alice", "bob"].map((who, at): readonly [string, Labels] => [
    `user-${who}`,
    { ...unitLabels(`user-${at}.slice`, "user.slice"), "bulkhead.dev/user": who },
  ]),
];

const SHOP: readonly Workload[] = ["web", "db"].map((app, at) => ({
  id: `shop/${app}`,
  namespace: "shop",
  name: app,
  kind: "netns",
  labels: { app },
  addresses: [`10.0.0.${at + 10}`],
  namedPorts: [],
  hostNetwork: false,
}));

const WORLD: readonly FlowEnd[] = ["203.0.113.1", "203.0.113.2", "203.0.113.9"].map((address) => ({
  address,
  name: "world",
  labels: {},
}));

const machines: fc.Arbitrary<Inventory> = fc
  .record({
    /** Some have ended, and some were labelled by a person. */
    units: fc.subarray([...UNITS], { minLength: 4 }),
    labelled: fc.constantFrom<Labels>({}, {}, { app: "nginx" }, { owner: "web-team" }),
  })
  .map(({ units, labelled }) => ({
    workloads: [
      ...units.map(([name, labels]) =>
        unit(name, name === "user-bob" ? { ...labels, ...labelled } : labels),
      ),
      ...SHOP,
    ],
    namespaces: ["host", "shop"].map((name) => ({
      name,
      labels: { "kubernetes.io/metadata.name": name },
    })),
    hostAddresses: [HOST],
  }));

export const machineScene: fc.Arbitrary<Scene> = machines.chain((inventory) => {
  const own = inventory.workloads.map((one): FlowEnd => ({
    address: one.addresses[0] ?? HOST,
    workload: one.id,
    name: one.id,
    labels: one.labels,
  }));
  const ends = [...own, ...WORLD, { address: HOST, name: "host", labels: {} }];
  const edge = fc
    .record({
      source: fc.constantFrom(...ends),
      destination: fc.constantFrom(...ends),
      protocol: fc.constantFrom(6, 17),
      port: fc.constantFrom(...PORTS),
      connections: fc.integer({ min: 1, max: 9 }),
      answered: fc.constantFrom(1, 1, 1, 0),
      firstSeen: fc.integer({ min: 1, max: 1_000_000 }),
    })
    .map(({ answered, ...rest }): Edge => ({
      ...rest,
      verdict: "forwarded",
      established: rest.connections * answered,
      failed: rest.connections * (1 - answered),
      packets: rest.connections * 8,
      bytes: rest.connections * 8 * 400,
      windows: rest.connections,
      lastSeen: rest.firstSeen + 1000,
    }));
  return fc.record({ inventory: fc.constant(inventory), edges: fc.array(edge, { maxLength: 30 }) });
});
