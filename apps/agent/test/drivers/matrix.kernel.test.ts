/**
 * Every cell of attachment × family × protocol × verdict on a real kernel, for every driver: no cell is empty, none is skipped, none
 * is wrong. `make matrix` writes what was seen to docs/driver-matrix.md.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { CELLS, cellName, createMatrixLab, fillMatrix } from "./matrix.ts";
import type { MatrixLab } from "./matrix.ts";
import { onEveryDriver } from "./on-every-driver.ts";

let place: MatrixLab;
beforeAll(() => {
  place = createMatrixLab();
});
afterAll(() => place?.close());

onEveryDriver((under) => {
  test("attachment × family × protocol × verdict", async () => {
    const driver = under.create(place.lab);
    const filled = await fillMatrix(place, driver);
    await driver.remove();
    const wrong = filled.filter(({ right }) => !right);
    expect(wrong.map((cell) => `${cellName(cell)}: ${cell.seen}`)).toEqual([]);
    expect(filled.map(cellName).toSorted()).toEqual(CELLS.map(cellName).toSorted());
  });
});
