/** Random scenes for suggestions: workloads of several applications, ends outside with and without names, and edges between them. */
import type { Edge, FlowEnd, FlowVerdict, Inventory, Workload } from "@bulkhead/model";
import fc from "fast-check";

const HOST = "10.9.0.1";
export const NOW = 2_000_000;

/** Declared beforehand, so that flows to it bear its name. */
export const DECLARED = `apiVersion: bulkhead.dev/v1
kind: NetworkSet
metadata: { name: payments, namespace: shop }
spec: { cidrs: [198.51.100.7/32] }
`;

const labelled = fc.record(
  {
    app: fc.constantFrom("web", "db", "dns", "api"),
    team: fc.constantFrom("blue", "red"),
    "app.kubernetes.io/part-of": fc.constantFrom("till", "shop"),
    role: fc.constantFrom("front", "back"),
    instance: fc.constantFrom("a1", "b2", "c3"),
    "pod-template-hash": fc.constantFrom("5d4f", "77aa"),
  },
  { requiredKeys: [] },
);

const workloads: fc.Arbitrary<readonly Workload[]> = fc
  .array(fc.record({ namespace: fc.constantFrom("shop", "ops"), labels: labelled }), {
    minLength: 2,
    maxLength: 9,
  })
  .map((drawn) =>
    drawn.map(({ namespace, labels }, index): Workload => {
      const known = Object.entries(labels).filter(([, value]) => value !== undefined);
      const name = `w${index}`;
      return {
        id: `${namespace}/${name}`,
        namespace,
        name,
        kind: "netns",
        labels: Object.fromEntries(known),
        addresses: [`10.0.0.${index + 10}`, `fd00::${index + 10}`],
        namedPorts: [],
        hostNetwork: false,
      };
    }),
  );

const OUTSIDE: readonly FlowEnd[] = [
  { address: HOST, name: "host", labels: {} },
  { address: "198.51.100.7", name: "shop/payments", labels: {} },
  ...["203.0.113.1", "203.0.113.2", "203.0.113.3", "2001:db8::1"].map((address) => ({
    address,
    name: "world",
    labels: {},
  })),
  ...[
    ["203.0.113.1", "api.example.com"],
    ["203.0.113.9", "api.example.com", "www.example.com"],
    ["203.0.113.10", "www.example.com"],
    ["2001:db8::9", "_sip._tcp.example.com"],
  ].map(([address = "", ...names]) => ({ address, name: "world", labels: {}, names })),
  { address: "169.254.169.254", name: "world", labels: {} },
  { address: "224.0.0.251", name: "world", labels: {} },
];

function endsOf(all: readonly Workload[]): readonly FlowEnd[] {
  const own = all.flatMap((one) =>
    one.addresses.map((address) => ({
      address,
      workload: one.id,
      name: one.id,
      labels: one.labels,
    })),
  );
  return [...own, ...OUTSIDE];
}

const verdicts: fc.Arbitrary<FlowVerdict> = fc.constantFrom(
  "forwarded",
  "forwarded",
  "forwarded",
  "audit",
  "dropped",
  "rejected",
  "spoofed",
  "error",
);

export interface Scene {
  readonly inventory: Inventory;
  readonly edges: readonly Edge[];
}

export const scene: fc.Arbitrary<Scene> = workloads.chain((all) => {
  const ends = endsOf(all);
  const six = (end: FlowEnd): boolean => end.address.includes(":");
  const edge = fc
    .record({
      source: fc.constantFrom(...ends),
      destination: fc.constantFrom(...ends),
      service: fc.constantFrom(
        { protocol: 6, port: 80 },
        { protocol: 6, port: 5432 },
        { protocol: 6, port: 40_000 },
        { protocol: 6, port: 50_001 },
        { protocol: 17, port: 53 },
        { protocol: 1, port: 2048 },
        { protocol: 132, port: 9000 },
      ),
      verdict: verdicts,
      connections: fc.integer({ min: 0, max: 40 }),
      answered: fc.constantFrom(0, 0.5, 1),
      payload: fc.constantFrom(0, 40, 60, 400),
      windows: fc.integer({ min: 1, max: 40 }),
      firstSeen: fc.integer({ min: 1, max: 1_000_000 }),
    })
    .filter(({ source, destination }) => six(source) === six(destination))
    .map(({ service, answered, payload, ...rest }): Edge => {
      const established = Math.floor(rest.connections * answered);
      const packets = (rest.connections + 1) * 8;
      return {
        ...rest,
        ...service,
        established,
        failed: rest.connections - established,
        packets,
        bytes: payload * packets,
        lastSeen: rest.firstSeen + 1000,
      };
    });
  return fc.record({
    inventory: fc.constant({
      workloads: all,
      namespaces: ["shop", "ops"].map((name) => ({
        name,
        labels: { "kubernetes.io/metadata.name": name },
      })),
      hostAddresses: [HOST],
    } satisfies Inventory),
    edges: fc.array(edge, { maxLength: 40 }),
  });
});
