/** Histories for tests: days are counted from a Monday. */
import { DAY_MS, HOUR_MS, type Edge, type EdgeHistory, type Watch } from "@bulkhead/model";
import { edge } from "../shop.ts";

/** Monday, 5 January 2026. */
export const MONDAY = Date.UTC(2026, 0, 5) / DAY_MS;
export const ALL_DAY = 0xff_ff_ff;

/** Seen on these days after the Monday, in these hours of each, with so many connections a day. */
export function seen(
  from: string,
  to: string,
  port: string,
  days: readonly number[],
  over: Partial<Edge> & { readonly hours?: number; readonly daily?: number } = {},
): EdgeHistory {
  const { hours = ALL_DAY, daily = 1000, ...rest } = over;
  const first = Math.min(...days);
  const last = Math.max(...days);
  return {
    edge: edge(from, to, port, {
      connections: daily * days.length,
      firstSeen: (MONDAY + first) * DAY_MS,
      lastSeen: (MONDAY + last) * DAY_MS + HOUR_MS,
      ...rest,
    }),
    days: days.map((day) => ({ day: MONDAY + day, hours, connections: daily })),
  };
}

export const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

export const watching = (days: readonly number[], hours = ALL_DAY): readonly Watch[] =>
  days.map((day) => ({ day: MONDAY + day, hours }));

/** Midnight at the begin of a day, or so many hours later. */
export const at = (day: number, hour = 0): number => (MONDAY + day) * DAY_MS + hour * HOUR_MS;
