/**
 * Calls home: to somebody outside, with next to nothing to say, in every hour of every day, and about as many each day. Days and
 * hours do not tell seconds, so that what calls several times an hour by chance looks the same: it is a reason to look, for
 * one copy alone or for what came late.
 */
import { countHours } from "@bulkhead/model";
import { purposeOf } from "../purpose.ts";
import type { Habit } from "./habits.ts";

const WHOLE_DAYS = 3;
const HOURS_A_DAY = 23;
/** Standard deviation of connections a day, to their mean. */
const STEADY = 0.1;
/** Both ways together, a connection; headers and handshakes of TLS included. */
const FEW_BYTES = 6000;

export function isBeacon({ needs, edges, days }: Habit): boolean {
  const outward = needs.every(({ destination }) => destination.kind === "address");
  if (!outward || edges.some((edge) => purposeOf(edge) !== undefined)) return false;
  const connections = edges.reduce((sum, edge) => sum + edge.connections, 0);
  const bytes = edges.reduce((sum, edge) => sum + edge.bytes, 0);
  if (connections === 0 || bytes / connections > FEW_BYTES) return false;
  // The first and the last day are hardly ever whole.
  const whole = days.slice(1, -1);
  if (whole.length < WHOLE_DAYS) return false;
  const mean = whole.reduce((sum, day) => sum + day.connections, 0) / whole.length;
  const variance =
    whole.reduce((sum, day) => sum + (day.connections - mean) ** 2, 0) / whole.length;
  return (
    whole.every(({ hours }) => countHours(hours) >= HOURS_A_DAY) &&
    Math.sqrt(variance) <= STEADY * mean
  );
}
