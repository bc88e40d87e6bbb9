/** The promises of a suggestion about a machine: what it keeps is kept, and people are cut from nothing that they did. */
import { suggest } from "@bulkhead/learn";
import type { Edge, FlowEnd } from "@bulkhead/model";
import fc from "fast-check";
import { expect, it } from "vitest";
import { isLeftOpen, replaySuggestion, suggestionText } from "../src/index.ts";
import { machineScene } from "./machine-scene.ts";
import { NOW } from "./scene.ts";

const SUGGESTED = "suggested.yaml";
const isUser = ({ labels }: FlowEnd): boolean => labels["bulkhead.dev/user"] !== undefined;
const said = ({ source, destination, protocol, port }: Edge): string =>
  `${source.name} (${source.address}) → ${destination.name} (${destination.address}) ${protocol}/${port}`;
const whereTo = ({ destination, protocol, port }: Edge): string =>
  `${destination.workload ?? destination.address} ${protocol}/${port}`;

it.each([false, true])(
  "replayed on what it came from denies nothing that is to be kept (people included: %s)",
  (includePeople) => {
    let kept = 0;
    let people = 0;
    fc.assert(
      fc.property(machineScene, ({ inventory, edges }) => {
        const found = suggest(edges, inventory, { includePeople });
        const files = [{ name: SUGGESTED, text: suggestionText(found) }];
        const replayed = replaySuggestion(files, edges, inventory, NOW);
        const denied = new Set(replayed.newlyDenied.map(said));
        const open = found.setAside.filter(isLeftOpen).map(({ edge }) => edge);
        const told = new Set(found.unattributed);
        const byKnown = new Set(found.accepted.map(whereTo));
        // What nobody knows the sender of is told, where nobody is known to need the same.
        const strangers = found.exempt.flatMap(({ edge, reason }) =>
          reason === "from-host" && denied.has(said(edge)) ? edge : [],
        );
        for (const edge of strangers) {
          expect(told.has(edge) || byKnown.has(whereTo(edge))).toBe(true);
        }
        const keep = [
          ...found.accepted,
          ...open,
          ...found.covered.map(({ edge }) => edge),
          ...found.exempt.map(({ edge }) => edge).filter((edge) => !strangers.includes(edge)),
        ];
        expect(keep.map(said).filter((edge) => denied.has(edge))).toEqual([]);
        kept += keep.length;
        people += open.length;
        if (includePeople) return;
        // Whatever people call, it is never their own end that denies it.
        for (const { directions, selector } of found.isolations) {
          if (directions?.includes("egress") !== true) continue;
          expect(selector.requirements).not.toContainEqual(
            expect.objectContaining({ key: "bulkhead.dev/user", operator: "In" }),
          );
        }
        for (const edge of replayed.newlyDenied) {
          if (isUser(edge.source)) expect(edge.destination.workload).toBeDefined();
        }
      }),
      { numRuns: 200 },
    );
    expect(kept).toBeGreaterThan(500);
    if (!includePeople) expect(people).toBeGreaterThan(100);
  },
);

it("of a machine is the same text for the same edges, in whatever order they come", () => {
  fc.assert(
    fc.property(
      machineScene.chain(({ inventory, edges }) =>
        fc.record({
          inventory: fc.constant(inventory),
          edges: fc.constant(edges),
          shuffled: fc.shuffledSubarray([...edges], {
            minLength: edges.length,
            maxLength: edges.length,
          }),
        }),
      ),
      ({ inventory, edges, shuffled }) => {
        const first = suggestionText(suggest(edges, inventory));
        expect(suggestionText(suggest(shuffled, inventory))).toBe(first);
      },
    ),
    { numRuns: 100 },
  );
});
