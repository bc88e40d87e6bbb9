/**
 * Who is not part of the applications: an auditor who scans a share of the estate every quarter, and an intruder who sits in
 * one copy of one role and calls a few others a week, gets answers, and is in no hurry. None of it is needed.
 */
import { TCP } from "@bulkhead/model";
import { needOf, type Blueprint, type Call } from "./blueprint.ts";
import { HOURS, WEEK, weekdayOf } from "./calendar.ts";
import type { Estate, Phase } from "./estate.ts";
import type { Random } from "./random.ts";
import { daysOf, type Track } from "./traffic.ts";

const SCANNED_PORTS = [21, 22, 23, 25, 80, 139, 443, 445, 1433, 3306, 3389, 5432, 6379, 8080, 9100];
const PORTS_A_HOST = 10;
const SCANNED_SHARE = 0.4;
const SCAN_EVERY = 13 * WEEK;

export function scansOf(blueprint: Blueprint, estate: Estate, random: Random): readonly Track[] {
  const auditor =
    estate.phases.get(blueprint.auditor ?? "")?.filter(({ slot }) => slot === 0) ?? [];
  const open = new Set(blueprint.calls.map(({ to, port }) => `${to} ${port}`));
  const targets = [...estate.phases.values()]
    .flat()
    .filter(({ role }) => role.kind !== "outside" && role.name !== blueprint.auditor);
  const tracks: Track[] = [];
  for (let day = random.whole(5, 12) * WEEK; day * HOURS < estate.hours; day += SCAN_EVERY) {
    const hour = day * HOURS + random.whole(1, 4);
    const source = auditor.find(isThere(hour));
    if (source === undefined) continue;
    for (const destination of targets.filter(isThere(hour))) {
      if (!random.chance(SCANNED_SHARE)) continue;
      for (const port of random.some(SCANNED_PORTS, PORTS_A_HOST)) {
        const call = { from: source.role.name, to: destination.role.name, protocol: TCP, port };
        const outcome = open.has(`${call.to} ${port}`) ? "empty" : "failed";
        const days = daysOf([[hour + random.whole(0, 2), 1]]);
        tracks.push({
          source,
          destination,
          protocol: TCP,
          port,
          purpose: "scan",
          need: needOf(call),
          bornAt: 0,
          outcome,
          days,
        });
      }
    }
  }
  return tracks;
}

export const isThere =
  (hour: number) =>
  ({ span }: Phase): boolean =>
    span[0] <= hour && hour < span[1];

const MOST_TARGETS = 10;
/** Of connections to ports that nobody listens on. */
const MISSES = 0.1;
const BY_DAY = 0.7;

/** Only what no call of the foothold's role needs: along those an intruder cannot be told apart by who calls whom. */
export function intrusionOf(
  blueprint: Blueprint,
  estate: Estate,
  random: Random,
): readonly Track[] {
  const needed = new Set(blueprint.calls.map(needOf));
  const foothold = random.pick(blueprint.footholds);
  const phases = (estate.phases.get(foothold) ?? []).filter(({ slot }) => slot === 0);
  const inside = new Set(
    blueprint.roles.filter(({ kind }) => kind === "pod" || kind === "vm").map(({ name }) => name),
  );
  const candidates = blueprint.calls
    .filter(
      ({ to, protocol, bornInWeek }) =>
        inside.has(to) && to !== foothold && protocol === TCP && bornInWeek === 0,
    )
    .map((call): Call => ({ ...call, from: foothold }))
    .filter((call) => !needed.has(needOf(call)));
  const targets = random.some(
    [...new Map(candidates.map((call) => [needOf(call), call])).values()],
    MOST_TARGETS,
  );
  const visits = new Map<
    string,
    { readonly track: Omit<Track, "days">; readonly at: [number, number][] }
  >();
  const first = random.whole(6, 16);
  for (let week = first; (week + 1) * WEEK * HOURS <= estate.hours; week++) {
    const known = targets.slice(0, 2 + Math.floor((week - first) / 4));
    for (let left = random.whole(2, 5); left > 0; left--) {
      const hour = anHourOf(week, random);
      const call = random.pick(known);
      const port = random.chance(MISSES) ? call.port + 1 : call.port;
      const source = phases.find(isThere(hour));
      const destination = (estate.phases.get(call.to) ?? []).find(isThere(hour));
      if (source === undefined || destination === undefined) continue;
      const outcome = port === call.port ? "data" : "failed";
      const track = {
        source,
        destination,
        protocol: TCP,
        port,
        purpose: "intruder",
        need: needOf({ ...call, port }),
        bornAt: 0,
        outcome,
      } as const;
      const key = `${source.address} ${destination.address} ${port}`;
      const visit = visits.get(key) ?? { track, at: [] };
      visit.at.push([hour, 1]);
      visits.set(key, visit);
    }
  }
  return [...visits.values()].map(({ track, at }) => ({ ...track, days: daysOf(at) }));
}

function anHourOf(week: number, random: Random): number {
  for (;;) {
    const day = week * WEEK + random.whole(0, WEEK - 1);
    const office = random.chance(BY_DAY);
    if (office && weekdayOf(day) >= 5) continue;
    return day * HOURS + (office ? random.whole(8, 17) : random.whole(0, HOURS - 1));
  }
}
