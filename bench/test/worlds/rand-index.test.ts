import { expect, it } from "vitest";
import { adjustedRandIndex } from "../../worlds/rand-index.ts";

/** Things in each cell of a table of two sortings, row by row. */
const fromTable = (table: readonly (readonly number[])[]): readonly [string[], string[]] => {
  const [rows, columns]: [string[], string[]] = [[], []];
  for (const [row, cells] of table.entries()) {
    for (const [column, count] of cells.entries()) {
      rows.push(...Array.from({ length: count }, () => `u${row}`));
      columns.push(...Array.from({ length: count }, () => `v${column}`));
    }
  }
  return [rows, columns];
};

it("gives what Yeung and Ruzzo work out by hand for ten things (Details of the Adjusted Rand index, 2001, table 1)", () => {
  // 7 pairs together in both, 13 and 14 in each, of 45: (7 - 13·14/45) / (13.5 - 13·14/45).
  const [one, other] = fromTable([
    [1, 1, 0],
    [1, 2, 1],
    [0, 0, 4],
  ]);
  expect(adjustedRandIndex(one, other)).toBeCloseTo(0.3126, 4);
});

it.each([
  ["the same by other names", ["a", "a", "b", "b"], ["x", "x", "y", "y"], 1],
  [
    "one split in two (scikit-learn's manual gives 0.57)",
    ["a", "a", "b", "c"],
    ["a", "a", "b", "b"],
    4 / 7,
  ],
  ["worse than chance (the manual: -0.5)", ["a", "a", "b", "b"], ["a", "b", "a", "b"], -0.5],
  ["everything apart against two halves", ["a", "b", "c", "d"], ["a", "a", "b", "b"], 0],
  ["everything together in both", ["a", "a", "a"], ["b", "b", "b"], 1],
])("%s", (_name, one, other, index) => {
  expect(adjustedRandIndex(one, other)).toBeCloseTo(index, 10);
  expect(adjustedRandIndex(other, one)).toBeCloseTo(index, 10);
});
