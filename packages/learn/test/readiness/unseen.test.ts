/** The estimators, by what their authors publish, and by histories whose truth is known. */
import { expect, test } from "vitest";
import { coverageDeficit, hiddenEdges, togetherOf, unseenOf } from "../../src/index.ts";

/**
 * Spiders on girdled and on logged plots, as published with `iNEXT` (Hsieh, Ma & Chao, "A Quick Introduction to iNEXT via
 * Examples": `DataInfo(spider)` and `ChaoRichness(spider)`; data of Sackett et al. 2011): species, singletons, doubletons,
 * individuals; coverage, estimate and its interval.
 */
test.each([
  [26, 12, 4, 168, 0.9289, 43.893, 30.511, 96.971],
  [37, 14, 4, 252, 0.9446, 61.403, 43.502, 128.583],
])("spiders: %i species, %i once", (seen, once, twice, total, coverage, estimate, low, high) => {
  const hidden = hiddenEdges({ seen, once, twice, total, units: total });
  expect(1 - coverageDeficit(once, twice, total, total)).toBeCloseTo(coverage, 4);
  expect(seen + hidden.edges).toBeCloseTo(estimate, 3);
  expect(seen + hidden.interval.low).toBeCloseTo(low, 3);
  expect(seen + hidden.interval.high).toBeCloseTo(high, 3);
});

test("cottontails caught on 18 days, by the formula of Chao 1987 (Biometrics 43, section 4): 43 once, 16 twice, 76 in all", () => {
  const { edges } = hiddenEdges({ seen: 76, once: 43, twice: 16, total: 142, units: 18 });
  // Published without the factor 17/18 that is given later for so few occasions: 133.8 animals.
  expect(76 + (edges * 18) / 17).toBeCloseTo(133.8, 1);
});

test("nothing seen once: some rule of three, never certainty", () => {
  const { mass, massInterval } = unseenOf(Array<number>(10).fill(30), 30, { together: 1 });
  expect(mass).toBe(0);
  expect(massInterval.low).toBe(0);
  expect(massInterval.high).toBeGreaterThan(3 / 300);
  expect(massInterval.high).toBeLessThan(4 / 300);
});

test("all seen once: nobody knows how much there is", () => {
  const { mass, massInterval, edgesInterval } = unseenOf(Array<number>(8).fill(1), 30);
  expect(mass).toBeGreaterThan(0.8);
  expect(massInterval.high).toBe(1);
  expect(edgesInterval.high).toBeGreaterThan(20);
});

test.each([
  [[], 0],
  [[], 30],
  [[1, 1, 1], 1],
  [[Number.NaN, 0, -4], 3],
  [[2], Number.NaN],
])("of %j in %d units nothing is said but that all may be missing", (incidences, units) => {
  const { mass, massInterval } = unseenOf(incidences, units);
  expect(mass).toBe(1);
  expect(massInterval).toEqual({ low: 0, high: 1 });
});

test("more incidences than units are a mistake of who counted, not a discovery", () => {
  expect(unseenOf([99, 2], 10)).toEqual(unseenOf([10, 2], 10));
});

test("a sample of one packet in so many widens what may be missing", () => {
  const whole = unseenOf(Array<number>(20).fill(30), 30);
  const sampled = unseenOf(Array<number>(20).fill(30), 30, { sampling: 10 });
  expect(sampled.massInterval.high).toBeCloseTo(whole.massInterval.high * 10, 6);
  expect(sampled.flowsInterval.high).toBeGreaterThan(whole.flowsInterval.high);
});

test("connections that rare edges have are what unseen ones would have", () => {
  const busy = unseenOf([30, 30, 30, 2, 2, 1], 30, { connections: [1e6, 1e6, 1e6, 4, 4, 2] });
  expect(busy.mass).toBeGreaterThan(0.005);
  expect(busy.flows).toBeLessThan(1e-6);
  expect(busy.flowsInterval.high).toBeLessThan(1e-4);
});

test("edges that came together count as one that came", () => {
  expect(togetherOf([0, 0, 0, 0])).toBe(3);
  expect(togetherOf([0, 4, 9, 12, 13, 17, 20])).toBeLessThan(2);
  expect(togetherOf([0, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4])).toBeGreaterThan(8);
});

/** mulberry32: the same histories each time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const LAWS: Readonly<Record<string, (index: number, of: number) => number>> = {
  uniform: () => 0.05,
  zipf: (index) => 1 / (index + 1),
  "heavy tail": (index) => 1 / Math.sqrt(index + 1),
  "common or hardly ever": (index, of) => (index < of * 0.7 ? 0.98 : 0.02),
  "all but certain": () => 0.99,
};

test.each(
  Object.keys(LAWS).flatMap((law) =>
    [1, 3].flatMap((cluster) =>
      [10, 60].flatMap((edges) => [3, 14, 60].map((units) => ({ law, cluster, edges, units }))),
    ),
  ),
)(
  "intervals hold the truth: $law, $edges edges, $cluster at once, $units units",
  ({ law, cluster, edges, units }) => {
    const draw = random(edges * 1000 + units * 10 + cluster);
    const chance = Array.from({ length: edges }, (_, index) =>
      LAWS[law]!(index - (index % cluster), edges),
    );
    const histories = 200;
    let [held, heldByFlows] = [0, 0];
    for (let history = 0; history < histories; history++) {
      const weight = chance.map(() => Math.ceil(Math.exp(draw() * 5)));
      const counts = chance.map(() => 0);
      const firsts = chance.map(() => -1);
      for (let unit = 0; unit < units; unit++) {
        let at = 0;
        for (let index = 0; index < edges; index++) {
          if (index % cluster === 0) at = draw();
          if (at >= chance[index]!) continue;
          counts[index]!++;
          if (firsts[index] === -1) firsts[index] = unit;
        }
      }
      const share = (weigh: (index: number) => number): number => {
        const of = (hidden: boolean): number =>
          chance.reduce(
            (sum, one, index) => sum + (hidden && counts[index]! > 0 ? 0 : one * weigh(index)),
            0,
          );
        return of(true) / of(false);
      };
      const { massInterval, flowsInterval } = unseenOf(counts, units, {
        connections: counts.map((count, index) => count * weight[index]!),
        together: togetherOf(firsts.filter((unit) => unit >= 0)),
      });
      const truth = share(() => 1);
      if (massInterval.low <= truth && truth <= massInterval.high) held++;
      const carried = share((index) => weight[index]!);
      if (flowsInterval.low <= carried && carried <= flowsInterval.high) heldByFlows++;
    }
    expect(held / histories).toBeGreaterThanOrEqual(0.95);
    expect(heldByFlows / histories).toBeGreaterThanOrEqual(0.95);
  },
);
