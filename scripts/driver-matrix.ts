// `make matrix`: fills every cell of attachment × family × protocol × verdict with real packets, for every driver, in namespaces
// of its own, and writes what was seen to docs/driver-matrix.md. Ends with 1, and writes nothing, when a cell is wrong.
import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { DRIVERS_UNDER_TEST } from "../apps/agent/test/drivers/drivers-under-test.ts";
import { matrixDocument } from "../apps/agent/test/drivers/matrix-document.ts";
import { cellName, createMatrixLab, fillMatrix } from "../apps/agent/test/drivers/matrix.ts";
import type { FilledCell } from "../apps/agent/test/drivers/matrix.ts";

const place = createMatrixLab();
const found: { readonly driver: string; readonly cells: readonly FilledCell[] }[] = [];
try {
  for (const under of DRIVERS_UNDER_TEST) {
    const driver = under.create(place.lab);
    found.push({ driver: under.name, cells: await fillMatrix(place, driver) });
    await driver.remove();
  }
} finally {
  place.close();
}
const [major, minor] = release().split(".");
const text = matrixDocument(found, `${major}.${minor}`);
const wrong = found.flatMap(({ driver, cells }) =>
  cells.filter(({ right }) => !right).map((cell) => `${driver}: ${cellName(cell)}: ${cell.seen}\n`),
);
process.stdout.write(text);
process.stderr.write(wrong.join(""));
if (wrong.length > 0) process.exitCode = 1;
else writeFileSync(join(import.meta.dirname, "..", "docs", "driver-matrix.md"), text);
