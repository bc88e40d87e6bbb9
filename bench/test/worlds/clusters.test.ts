import { expect, it } from "vitest";
import { clusterByJaccard } from "../../worlds/baselines/clusters.ts";

const sets = (...texts: string[]): readonly ReadonlySet<string>[] =>
  texts.map((text) => new Set(text));

it("joins who shares enough, and leaves who shares nothing", () => {
  // abc and abd share 2 of 4; xyz is by itself.
  expect(clusterByJaccard(sets("abc", "abd", "xyz"), 0.5)).toEqual([0, 0, 2]);
  expect(clusterByJaccard(sets("abc", "abd", "xyz"), 0.51)).toEqual([0, 1, 2]);
});

it("takes the average over the members, not the best pair of them", () => {
  // abc ~ abcd: 3/4, joined first. Then abcde has 3/5 and 4/5 to them, 0.7 on average.
  const chain = sets("abc", "abcd", "abcde");
  expect(clusterByJaccard(chain, 0.71)).toEqual([0, 1, 1]);
  expect(clusterByJaccard(chain, 0.6)).toEqual([0, 0, 0]);
});
