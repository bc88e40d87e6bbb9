/**
 * Who called whom in which hours of which days: the blueprint's calls between the copies that were there at the time. What an
 * auditor and an intruder add is made by `visitors.ts`.
 */
import { HOUR_MS, type EdgeDay } from "@bulkhead/model";
import { EVERY_COPY, needOf, type Blueprint, type Call, type Role } from "./blueprint.ts";
import { FIRST_DAY, HOURS, WEEK } from "./calendar.ts";
import { chooseSlots, isStandby, slotsOf, type Estate, type Phase, type Span } from "./estate.ts";
import { ratesOf, type Law } from "./law.ts";
import type { Random } from "./random.ts";

export type Purpose = "needed" | "stale" | "scan" | "intruder";

/** All connections of one phase with another on one port. */
export interface Track {
  readonly source: Phase;
  readonly destination: Phase;
  readonly protocol: number;
  readonly port: number;
  readonly purpose: Purpose;
  /** The line of the truth that it belongs to, whether that is needed or not. */
  readonly need: string;
  /** First hour of the call it belongs to, in which nobody can have seen it before. */
  readonly bornAt: number;
  /** Answered with data, with a handshake alone, or not at all. */
  readonly outcome: "data" | "empty" | "failed";
  /** Ascending; days count from the epoch. */
  readonly days: readonly EdgeDay[];
}

/** More than so many in an hour, and the hour is never without. */
const DENSE = 8;
const RELIABLE = 0.98;
/** Names and logs are needed by who only stands by, too. */
const ALWAYS_USED = [53, 3100];

export function trafficOf(blueprint: Blueprint, estate: Estate, random: Random): readonly Track[] {
  const roles = new Map(blueprint.roles.map((role) => [role.name, role]));
  const tracks: Track[] = [];
  const calls: readonly (readonly [Omit<Call, "told">, Purpose])[] = [
    ...blueprint.calls.map((call) => [call, "needed"] as const),
    ...blueprint.stale.map((call) => [{ ...call, bornInWeek: 0 }, "stale"] as const),
  ];
  for (const [call, purpose] of calls) {
    const [from, to] = [roles.get(call.from), roles.get(call.to)];
    if (from === undefined || to === undefined) throw new Error(`nobody is ${needOf(call)}`);
    tracks.push(
      ...tracksOf(call, purpose, [from, to], estate, random.fork(`call ${needOf(call)}`)),
    );
  }
  return tracks;
}

function tracksOf(
  call: Omit<Call, "told">,
  purpose: Purpose,
  [from, to]: readonly [Role, Role],
  estate: Estate,
  random: Random,
): readonly Track[] {
  const { law, protocol, port, fan } = call;
  const bornAt = call.bornInWeek * WEEK * HOURS;
  const rates = ratesOf(law, estate.hours / HOURS);
  const servers = Map.groupBy(estate.phases.get(to.name) ?? [], ({ slot }) => slot);
  const tracks: Track[] = [];
  for (const client of estate.phases.get(from.name) ?? []) {
    const standsBy = isStandby(from, client.slot);
    const always = ALWAYS_USED.includes(port);
    const works = standsBy && !always ? estate.active(from, client.slot) : whole(estate);
    const slots = chooseSlots(to, fan, random);
    const first = slots.filter((slot) => !isStandby(to, slot)).length;
    for (const slot of slots) {
      const everyCopy = fan >= EVERY_COPY;
      const serves = everyCopy ? whole(estate) : estate.active(to, slot);
      const factor = shareOf(law, everyCopy ? 1 : Math.max(1, first), [
        from,
        everyCopy ? slots.length : 1,
      ]);
      for (const server of servers.get(slot) ?? []) {
        if (server.workload !== "" && server.workload === client.workload) continue;
        const spans = within(within(within([client.span], [server.span]), works), serves);
        const later = within(spans, [[bornAt, estate.hours]]);
        if (later.length === 0) continue;
        const days =
          law.kind === "seldom"
            ? occasions(later, rates, factor, random)
            : hourly(later, rates, factor, law, random);
        if (days.length === 0) continue;
        const outcome = purpose === "stale" ? "failed" : "data";
        tracks.push({
          source: client,
          destination: server,
          protocol,
          port,
          purpose,
          need: needOf(call),
          bornAt,
          outcome,
          days,
        });
      }
    }
  }
  return tracks;
}

/** Of a caller's connections, how many go to one copy. Seldom things happen to a role, whoever of it and whomever it hits. */
function shareOf(law: Law, copies: number, [from, hit]: readonly [Role, number]): number {
  return law.kind === "seldom" ? 1 / (slotsOf(from) * copies * hit) : 1 / copies;
}

const whole = (estate: Estate): readonly Span[] => [[0, estate.hours]];

export function within(spans: readonly Span[], others: readonly Span[]): readonly Span[] {
  return spans.flatMap(([from, until]) =>
    others.flatMap((other): Span[] => {
      const [start, end] = [Math.max(from, other[0]), Math.min(until, other[1])];
      return start < end ? [[start, end]] : [];
    }),
  );
}

function hourly(
  spans: readonly Span[],
  rates: Float32Array,
  factor: number,
  law: Law,
  random: Random,
): readonly EdgeDay[] {
  const made: EdgeDay[] = [];
  let [day, hours, connections, dense] = [-1, 0, 0, 0];
  const close = (): void => {
    if (dense > 0)
      connections += Math.max(1, Math.round(dense + Math.sqrt(dense) * random.normal()));
    if (connections > 0) made.push({ day: FIRST_DAY + day, hours, connections });
    [hours, connections, dense] = [0, 0, 0];
  };
  for (const [from, until] of spans) {
    for (let hour = from; hour < until; hour++) {
      const at = Math.floor(hour / HOURS);
      if (at !== day) {
        close();
        day = at;
      }
      const rate = (rates[hour] ?? 0) * factor;
      if (rate === 0) continue;
      if (law.kind === "clock" && !random.chance(RELIABLE)) continue;
      if (rate > DENSE) {
        hours |= 1 << (hour % HOURS);
        dense += rate;
        continue;
      }
      const count = random.poisson(rate);
      if (count === 0) continue;
      hours |= 1 << (hour % HOURS);
      connections += count;
    }
  }
  close();
  return made;
}

const MOST_ON_ONE_OCCASION = 6;

function occasions(
  spans: readonly Span[],
  rates: Float32Array,
  factor: number,
  random: Random,
): readonly EdgeDay[] {
  const visits: (readonly [hour: number, connections: number])[] = [];
  for (const [from, until] of spans) {
    let expected = 0;
    for (let hour = from; hour < until; hour++) expected += (rates[hour] ?? 0) * factor;
    const count = random.poisson(expected);
    while (visits.length < count) {
      const hour = random.whole(from, until - 1);
      if ((rates[hour] ?? 0) > 0) visits.push([hour, random.whole(1, MOST_ON_ONE_OCCASION)]);
    }
  }
  return daysOf(visits);
}

/** Visits in any order as days. */
export function daysOf(
  visits: readonly (readonly [hour: number, connections: number])[],
): readonly EdgeDay[] {
  const days = new Map<number, EdgeDay>();
  for (const [hour, more] of visits) {
    const day = FIRST_DAY + Math.floor(hour / HOURS);
    const { hours = 0, connections = 0 } = days.get(day) ?? {};
    days.set(day, { day, hours: hours | (1 << (hour % HOURS)), connections: connections + more });
  }
  return [...days.values()].toSorted((a, b) => a.day - b.day);
}

/** Milliseconds since the epoch of an hour of the world. */
export const timeOf = (hour: number): number => (FIRST_DAY * HOURS + hour) * HOUR_MS;
