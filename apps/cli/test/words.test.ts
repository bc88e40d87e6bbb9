import { expect, test } from "vitest";
import { spanSince } from "../src/ui/words.ts";

const DAY = 86_400_000;

test.each([
  [30 * DAY, "30d"],
  [30 * DAY - 4, "30d"],
  [30 * DAY + 4, "30d"],
  [3_600_000 * 3 - 9, "3h"],
  [59_996, "60s"],
])("a span of %d ms that was counted back a moment ago is told as %s", (ms, text) => {
  expect(spanSince(1_000_000, 1_000_000 + ms)).toBe(text);
});
