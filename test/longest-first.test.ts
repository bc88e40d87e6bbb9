/** What is said to take long is there. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { LONGEST } from "../scripts/longest-first.ts";

it("every file that is to begin first exists", () => {
  const root = join(import.meta.dirname, "..");
  expect(LONGEST.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});
