/**
 * The promises of a suggestion, held against the reference: what was accepted is allowed once it is enforced, what was set
 * aside is not, every rule stands on evidence, and the text depends on nothing but what was seen.
 */
import { buildPolicySet, parseFiles } from "@bulkhead/dialects";
import { decide, indexInventory } from "@bulkhead/engine";
import { suggest } from "@bulkhead/learn";
import type { Edge, FlowEnd, FlowVerdict, Inventory, Workload } from "@bulkhead/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { suggestionText } from "../src/index.ts";

const HOST = "10.9.0.1";
const NOW = 2_000_000;

/** Declared beforehand, so that flows to it bear its name. */
const DECLARED = `apiVersion: bulkhead.dev/v1
kind: NetworkSet
metadata: { name: payments, namespace: shop }
spec: { cidrs: [198.51.100.7/32] }
`;

const labelled = fc.record(
  {
    app: fc.constantFrom("web", "db", "dns", "api"),
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

const scene = workloads.chain((all) => {
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

function enforced(text: string) {
  const parsed = parseFiles([
    { name: "declared.yaml", text: DECLARED },
    { name: "suggested.yaml", text },
  ]);
  const built = buildPolicySet(parsed.resources, { now: NOW, strict: true, mode: "enforce" });
  return { set: built.set, diagnostics: [...parsed.diagnostics, ...built.diagnostics] };
}

const nameOf = (edge: Edge): string =>
  `${edge.source.name} (${edge.source.address}) → ${edge.destination.name} (${edge.destination.address}) ${edge.protocol}/${edge.port}`;

describe("a suggestion", () => {
  it("allows what it accepted, and nothing that it set aside", () => {
    let accepted = 0;
    let setAside = 0;
    fc.assert(
      fc.property(scene, ({ inventory, edges }) => {
        const suggestion = suggest(edges, inventory);
        const { set, diagnostics } = enforced(suggestionText(suggestion));
        expect(diagnostics).toEqual([]);
        const index = indexInventory(inventory);
        const verdictOf = (edge: Edge): string =>
          decide(
            set,
            index,
            {
              source: edge.source.address,
              destination: edge.destination.address,
              protocol: edge.protocol,
              port: edge.port,
            },
            { now: NOW, view: "live" },
          ).verdict;
        accepted += suggestion.accepted.length;
        for (const edge of suggestion.accepted) {
          expect(`${nameOf(edge)}: ${verdictOf(edge)}`).toBe(`${nameOf(edge)}: allow`);
        }
        for (const { edge, reason } of suggestion.setAside) {
          if (reason === "spoofed") continue; // stopped by where it comes from
          setAside += 1;
          const said = `${reason}: ${nameOf(edge)}: ${verdictOf(edge)}`;
          expect(said).not.toBe(`${reason}: ${nameOf(edge)}: allow`);
        }
        for (const { edge } of suggestion.covered) {
          expect(`${nameOf(edge)}: ${verdictOf(edge)}`).toBe(`${nameOf(edge)}: allow`);
        }
      }),
      { numRuns: 400 },
    );
    // The generator must reach both sides, or this proves nothing.
    expect(accepted).toBeGreaterThan(200);
    expect(setAside).toBeGreaterThan(200);
  });

  it("says of every edge what became of it, once", () => {
    fc.assert(
      fc.property(scene, ({ inventory, edges }) => {
        const suggestion = suggest(edges, inventory);
        const told = [
          ...suggestion.accepted,
          ...suggestion.setAside.map((item) => item.edge),
          ...suggestion.covered.map((item) => item.edge),
          ...suggestion.exempt.map((item) => item.edge),
        ];
        expect(new Set(told).size).toBe(told.length);
        expect(told.length).toBe(edges.length);
      }),
      { numRuns: 200 },
    );
  });

  it("has no rule without evidence, and no two of one name", () => {
    fc.assert(
      fc.property(scene, ({ inventory, edges }) => {
        const { rules, networkSets } = suggest(edges, inventory);
        for (const rule of rules) {
          const { connections, established, bytes } = rule.evidence;
          expect(established > 0 || bytes > 0).toBe(true);
          expect(connections >= established).toBe(true);
          expect(rule.ports.length).toBeGreaterThan(0);
        }
        const names = [
          ...rules.map((rule) => `Intent ${rule.namespace}/${rule.name}`),
          ...networkSets.map((set) => `NetworkSet ${set.namespace}/${set.name}`),
        ];
        expect(new Set(names).size).toBe(names.length);
      }),
      { numRuns: 200 },
    );
  });

  it("is the same text for the same edges, in whatever order they come", () => {
    fc.assert(
      fc.property(
        scene.chain(({ inventory, edges }) =>
          fc.record({
            inventory: fc.constant(inventory),
            edges: fc.constant(edges),
            shuffled: fc.shuffledSubarray([...edges], {
              minLength: edges.length,
              maxLength: edges.length,
            }),
            workloads: fc.shuffledSubarray([...inventory.workloads], {
              minLength: inventory.workloads.length,
              maxLength: inventory.workloads.length,
            }),
          }),
        ),
        ({ inventory, edges, shuffled, workloads: others }) => {
          const first = suggestionText(suggest(edges, inventory));
          expect(suggestionText(suggest(edges, inventory))).toBe(first);
          expect(suggestionText(suggest(shuffled, { ...inventory, workloads: others }))).toBe(
            first,
          );
        },
      ),
      { numRuns: 200 },
    );
  });
});
