/**
 * The promises of a suggestion, held against the reference: what was accepted is allowed once it is enforced, what was set
 * aside is not, every rule stands on evidence, and the text depends on nothing but what was seen.
 */
import { buildPolicySet, formatResourceName, parseFiles, resourceName } from "@bulkhead/dialects";
import { decide, indexInventory } from "@bulkhead/engine";
import { suggest } from "@bulkhead/learn";
import type { Edge } from "@bulkhead/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { suggestionFiles, suggestionText } from "../src/index.ts";
import { DECLARED, NOW, scene } from "./scene.ts";

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
        for (const set of networkSets) {
          expect(set.cidrs.length).toBe(set.addresses);
          for (const cidr of set.cidrs) expect(cidr).toMatch(/\/(32|128)$/);
        }
        for (const rule of rules) {
          // Somebody of ours, and somebody in particular: never any to any.
          const ends = [rule.from, rule.to];
          expect(ends.some(({ kind }) => kind === "workloads")).toBe(true);
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
          const other = suggest(shuffled, { ...inventory, workloads: others });
          expect(suggestionText(other)).toBe(first);
          expect(suggestionFiles(other)).toEqual(suggestionFiles(suggest(edges, inventory)));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("says in the files of applications together what it says in one", () => {
    fc.assert(
      fc.property(scene, ({ inventory, edges }) => {
        const suggestion = suggest(edges, inventory);
        const named = (files: readonly { readonly name: string; readonly text: string }[]) =>
          parseFiles([...files])
            .resources.map((resource) => formatResourceName(resourceName(resource)))
            .toSorted();
        const files = suggestionFiles(suggestion);
        const one = { name: "one.yaml", text: suggestionText(suggestion) };
        expect(named(files)).toEqual(named([one]));
        expect(new Set(files.map(({ name }) => name)).size).toBe(files.length);
      }),
      { numRuns: 150 },
    );
  });
});
