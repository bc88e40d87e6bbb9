/** How long flows are kept: single ones for weeks, and the days of their edges for years, as somebody with the right said last. */
import { retentionSchema, type RetentionDays } from "@bulkhead/api";
import { DAY_MS } from "@bulkhead/model";
import type { Retention } from "@bulkhead/store";

const DEFAULT: RetentionDays = { flows: 30, history: 730 };
/** Whatever their age: the disk is somebody else's, too. */
const MAX_FLOWS = 20_000_000;

/** `stored`: as it was saved. */
export function readRetention(stored: string | null): RetentionDays {
  return stored === null ? DEFAULT : retentionSchema.parse(JSON.parse(stored));
}

export function retentionAt(now: number, { flows, history }: RetentionDays): Retention {
  return {
    before: now - flows * DAY_MS,
    maxRecords: MAX_FLOWS,
    daysBefore: now - Math.max(flows, history) * DAY_MS,
  };
}
