/** Comparisons by themselves: a sort can hide a comparison that is wrong. */
import { describe, expect, it } from "vitest";
import { compare } from "../src/order.ts";
import { compareBlocks, compareOrder, groupsOfEqualOrder } from "../src/strictness.ts";
import { block } from "./small-sets.ts";

describe("compare", () => {
  it("tells less, equal and more", () => {
    expect([compare("a", "b"), compare("b", "b"), compare("b", "a")]).toEqual([-1, 0, 1]);
    expect([compare(1n, 2n), compare(2n, 2n), compare(2n, 1n)]).toEqual([-1, 0, 1]);
    expect([compare(9, 10), compare("9", "10")]).toEqual([-1, 1]);
  });
});

describe("compareOrder", () => {
  it("goes element by element, then by length", () => {
    expect(compareOrder([], [])).toBe(0);
    expect(compareOrder([1, 2], [1, 2])).toBe(0);
    expect(compareOrder([1, 2], [1, 3])).toBe(-1);
    expect(compareOrder([2], [1, 9])).toBe(1);
    expect(compareOrder([1], [1, -5])).toBe(-1);
    expect(compareOrder([1, -5], [1])).toBe(1);
    expect(compareOrder([], [0])).toBe(-1);
  });
});

describe("compareBlocks", () => {
  const at = (id: string, ...order: number[]) => block(id, "ingress", "shop:", [], { order });

  it("goes by order, ties by id", () => {
    expect(compareBlocks(at("b", 1), at("a", 2))).toBe(-1);
    expect(compareBlocks(at("b", 1), at("a", 1))).toBe(1);
    expect(compareBlocks(at("a", 1), at("b", 1))).toBe(-1);
    expect(compareBlocks(at("a", 1), at("a", 1))).toBe(0);
  });

  it("puts neighbours of equal order into one group", () => {
    const entries = [at("a", 1), at("b", 1), at("c", 1, 0), at("d", 2)].map((one) => ({
      block: one,
    }));
    const groups = groupsOfEqualOrder(entries);
    expect(groups.map((group) => group.map((entry) => entry.block.id))).toEqual([
      ["a", "b"],
      ["c"],
      ["d"],
    ]);
    expect(groupsOfEqualOrder([])).toEqual([]);
  });
});
