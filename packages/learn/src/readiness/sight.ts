/** Of histories that count as one edge: in how many units of time it was seen, with how many connections, and since when. */
import { countHours, type EdgeHistory } from "@bulkhead/model";
import { hoursUntil } from "./watched.ts";

export interface Sight {
  readonly days: number;
  readonly hours: number;
  readonly connections: number;
  readonly firstDay: number;
  readonly firstHour: number;
}

/** Days and hours in which any of them was seen. None where all of it is in the future. */
export function sightOf(own: readonly EdgeHistory[], now: number): readonly Sight[] {
  const hours = new Map<number, number>();
  let connections = 0;
  for (const { days } of own) {
    for (const day of days) {
      if (day.day < 0 || hoursUntil(now, day.day) === 0) continue;
      hours.set(day.day, (hours.get(day.day) ?? 0) | (day.hours & hoursUntil(now, day.day)));
      connections += Math.max(0, day.connections);
    }
  }
  if (hours.size === 0) return [];
  const firstDay = Math.min(...hours.keys());
  const mask = hours.get(firstDay) ?? 0;
  const firstHour = firstDay * 24 + (mask === 0 ? 0 : 31 - Math.clz32(mask & -mask));
  // What only went on was there all the same.
  const count = [...hours.values()].reduce((sum, one) => sum + Math.max(1, countHours(one)), 0);
  return [
    {
      days: hours.size,
      hours: count,
      connections: Math.max(connections, hours.size),
      firstDay,
      firstHour,
    },
  ];
}
