/** How long flows are kept: by default, as it was said, and never history for less long than the flows it is of. */
import { expect, it } from "vitest";
import { DAY_MS } from "@bulkhead/model";
import { readRetention, retentionAt } from "../src/flows/retention.ts";

it("keeps single flows for weeks, and days of edges for years", () => {
  const now = 1000 * DAY_MS;
  expect(retentionAt(now, readRetention(null))).toMatchObject({
    before: 970 * DAY_MS,
    daysBefore: 270 * DAY_MS,
  });
  expect(retentionAt(now, readRetention('{"flows":7,"history":400}'))).toMatchObject({
    before: 993 * DAY_MS,
    daysBefore: 600 * DAY_MS,
  });
  expect(retentionAt(now, { flows: 90, history: 30 }).daysBefore).toBe(910 * DAY_MS);
  expect(() => readRetention('{"flows":0,"history":400}')).toThrow("flows");
});
