import { expect, it } from "vitest";
import { coverageOf, LAWS } from "../../worlds/coverage.ts";
import { createRandom } from "../../worlds/random.ts";

it.each(LAWS)("intervals hold the truth: $name", (law) => {
  // Forty histories: enough to notice an interval that is nowhere near, and the same ones each time.
  const { mass, flows, histories } = coverageOf(law, 28, 40, createRandom(5));
  expect(histories).toBe(40);
  expect(mass).toBeGreaterThanOrEqual(0.95);
  expect(flows).toBeGreaterThanOrEqual(0.9);
});

it("a history in which everything was seen has nothing hidden", () => {
  const law = {
    name: "daily",
    draw: () => [1, 2, 3].map((bundle) => ({ chance: 1, connections: 7, bundle })),
  };
  expect(coverageOf(law, 20, 3, createRandom(1))).toMatchObject({
    mass: 1,
    flows: 1,
    edges: 1,
    truth: 0,
  });
});
