/** Questions that are looked up have the answers of the reference, to the last word. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDecider, decide, indexInventory } from "../src/index.ts";
import { claim, enough, failureOf } from "./check.ts";
import {
  aimed,
  contestedWorldArbitrary,
  flowsArbitrary,
  MOMENTS,
  processWorldArbitrary,
  worldArbitrary,
  type World,
} from "./worlds.ts";

const views = fc.constantFrom("live" as const, "shadow" as const);

/** What the rows cannot tell is asked of the reference, so that only worlds without it try them. */
function withoutLogs({ set, ...world }: World): World {
  return {
    ...world,
    set: {
      ...set,
      stages: set.stages.map((stage) => ({
        ...stage,
        blocks: stage.blocks.map((block) => ({
          ...block,
          rules: block.rules.filter(({ action }) => action !== "log" && action !== "audit"),
        })),
      })),
    },
  };
}

describe("a decider", () => {
  it.each([
    ["looked up", worldArbitrary.map(withoutLogs), 200, 20],
    ["with rules that log", worldArbitrary, 40, 5],
    ["with addresses that several claim", contestedWorldArbitrary, 20, -1],
    ["with processes", processWorldArbitrary, 20, -1],
  ])("says what decide says: %s", (_what, worlds, runs, times) => {
    const kinds = new Map<string, number>();
    const agrees = fc.property(
      worlds,
      flowsArbitrary,
      views,
      fc.constantFrom(...MOMENTS),
      ({ set, inventory }, samples, view, now) => {
        const index = indexInventory(inventory);
        const decider = createDecider(set, index, { now, view });
        for (const query of aimed(inventory, samples)) {
          const [got, expected] = [decider(query), decide(set, index, query, { now, view })];
          claim(JSON.stringify(got) === JSON.stringify(expected), "differs", { got, expected });
          for (const { determinedBy, verdict } of [got.egress, got.ingress]) {
            const kind = `${determinedBy.kind} ${verdict}`;
            kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
          }
        }
      },
    );
    expect(failureOf(agrees, runs)).toBe("");
    for (const kind of ["rule allow", "rule drop", "isolation drop", "default allow"]) {
      expect(kinds.get(kind) ?? 0).toBeGreaterThan(enough(times));
    }
  });
});
