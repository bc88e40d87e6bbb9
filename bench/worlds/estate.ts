/**
 * From a blueprint to what runs: every copy of every role through time, with the names, addresses and labels that it bears
 * from one hour to another. Deploys replace pods, elastic copies come and go, labels are renamed, mistyped or forgotten.
 */
import type { Labels } from "@bulkhead/model";
import { EVERY_COPY, type Blueprint, type Call, type Role, type RoleName } from "./blueprint.ts";
import { HOURS, WEEK } from "./calendar.ts";
import { isDue } from "./law.ts";
import type { Random } from "./random.ts";

/** From the first to before the second hour of the world. */
export type Span = readonly [from: number, until: number];

/** One copy of a role as long as nothing of it changes. */
export interface Phase {
  readonly role: Role;
  readonly slot: number;
  /** `namespace/name`; what is relabelled keeps it. Empty for an outside address. */
  readonly workload: string;
  readonly labels: Labels;
  /** Its own in all of the world, so that any two phases can be told apart by it. */
  readonly address: string;
  readonly span: Span;
  /** Are its labels others than they were meant to be? */
  readonly drifted: boolean;
}

export interface Estate {
  readonly hours: number;
  /** By role, in order of slots, then of time. */
  readonly phases: ReadonlyMap<RoleName, readonly Phase[]>;
  /** When a copy does its work: a first one is down for a while, and its standby up. */
  active(role: Role, slot: number): readonly Span[];
}

interface Drift {
  /** Absent: all of them. */
  readonly slot?: number;
  readonly span: Span;
  readonly change: (labels: Labels) => Labels;
}

export const slotsOf = (role: Role): number => role.copies + role.standbys + role.elastic;

export const isStandby = (role: Role, slot: number): boolean =>
  slot >= role.copies && slot < role.copies + role.standbys;

export function buildEstate(blueprint: Blueprint, days: number, random: Random): Estate {
  const hours = days * HOURS;
  const addresses = { inside: 0, outside: 0 };
  const nextAddress = (role: Role): string => {
    // 198.18.0.0/15 is nobody's (RFC 2544).
    if (role.kind === "outside") {
      const at = ++addresses.outside;
      return `198.${18 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}`;
    }
    const at = ++addresses.inside;
    return `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`;
  };
  const phases = new Map<RoleName, Phase[]>();
  const failovers = new Map<RoleName, readonly Span[]>();
  for (const role of blueprint.roles) {
    const own = random.fork(`estate ${role.name}`);
    failovers.set(role.name, failoversOf(role, hours, own.fork("failovers")));
    const drifts = driftsOf(role, blueprint.drift, hours, own.fork("drift"));
    const deploys = deploysOf(role, hours, own.fork("deploys"));
    const runs = role.kind === "job" ? runsOf(role, blueprint.calls, days) : [];
    const made: Phase[] = [];
    const count = role.kind === "job" ? 1 : slotsOf(role);
    for (let slot = 0; slot < count; slot++) {
      const alive =
        role.kind === "job" ? runs : aliveOf(role, slot, hours, own.fork(`elastic ${slot}`));
      made.push(
        ...phasesOf({
          role,
          slot,
          alive,
          drifts,
          deploys,
          random: own.fork(`names ${slot}`),
          nextAddress,
        }),
      );
    }
    phases.set(role.name, made);
  }
  return {
    hours,
    phases,
    active(role, slot) {
      const down = failovers.get(role.name) ?? [];
      if (isStandby(role, slot)) return down;
      return slot === 0 ? gapsOf(down, hours) : [[0, hours]];
    },
  };
}

function phasesOf(input: {
  readonly role: Role;
  readonly slot: number;
  readonly alive: readonly Span[];
  readonly drifts: readonly Drift[];
  readonly deploys: readonly number[];
  readonly random: Random;
  readonly nextAddress: (role: Role) => string;
}): readonly Phase[] {
  const { role, slot, alive, drifts, deploys, random, nextAddress } = input;
  const own = drifts.filter((drift) => drift.slot === undefined || drift.slot === slot);
  const stays = role.kind === "vm" ? nameOf(role, slot, random) : undefined;
  // Copies are replaced one after the other; the outside changes one address at a time.
  const shift = role.kind === "outside" ? slot * WEEK * HOURS : slot;
  const cuts = [...deploys.map((hour) => hour + shift), ...own.flatMap(({ span }) => span)];
  return alive.flatMap(([from, until]) => {
    const inside = cuts.filter((hour) => hour > from && hour < until);
    const edges = [...new Set([from, ...inside, until])].toSorted((a, b) => a - b);
    return edges.slice(0, -1).map((start, at): Phase => {
      const drift = own.findLast(({ span }) => span[0] <= start && start < span[1]);
      const meant = role.labels(slot);
      const pod = role.kind === "pod" || role.kind === "job";
      const hash = random.fork(`hash ${start}`).whole(0x1000000, 0xfffffff).toString(16);
      const labels = drift === undefined ? meant : drift.change(meant);
      return {
        role,
        slot,
        workload:
          role.kind === "outside" ? "" : `${role.namespace}/${stays ?? nameOf(role, slot, random)}`,
        labels:
          pod && Object.keys(labels).length > 0 ? { ...labels, "pod-template-hash": hash } : labels,
        address: nextAddress(role),
        span: [start, edges[at + 1] ?? until],
        drifted: drift !== undefined,
      };
    });
  });
}

function nameOf(role: Role, slot: number, random: Random): string {
  const last = role.name.slice(role.name.lastIndexOf("/") + 1);
  return role.called?.(slot) ?? `${last}-${random.whole(0x100000, 0xffffff).toString(16)}`;
}

/** Elastic copies are there for some days, and then gone for some. */
function aliveOf(role: Role, slot: number, hours: number, random: Random): readonly Span[] {
  if (slot < role.copies + role.standbys) return [[0, hours]];
  const spans: Span[] = [];
  for (let at = random.whole(0, 20) * HOURS; at < hours;) {
    const until = Math.min(hours, at + random.whole(1, 12) * HOURS);
    spans.push([at, until]);
    at = until + random.whole(2, 20) * HOURS;
  }
  return spans;
}

/** A pod for each run, from the first to the last of what it does. */
function runsOf(role: Role, calls: readonly Call[], days: number): readonly Span[] {
  const laws = calls.flatMap(({ from, law }) =>
    from === role.name && law.kind === "clock" ? [law] : [],
  );
  const spans: Span[] = [];
  for (let day = 0; day < days; day++) {
    const due = laws.filter((law) => isDue(law.clock, day));
    if (due.length === 0) continue;
    const first = Math.min(...due.map((law) => law.hour));
    const last = Math.max(...due.map((law) => law.hour + law.hours));
    spans.push([day * HOURS + first, day * HOURS + Math.min(HOURS, last)]);
  }
  return spans;
}

function deploysOf(role: Role, hours: number, random: Random): readonly number[] {
  if (role.deployEvery === 0) return [];
  const deploys: number[] = [];
  let at = random.whole(0, role.deployEvery * HOURS);
  while (at < hours) {
    deploys.push(at);
    at += Math.round(random.between(0.5, 1.5) * role.deployEvery * HOURS);
  }
  return deploys;
}

const FAILOVERS_A_YEAR = 1.5;
const HOURS_A_YEAR = 365 * HOURS;

function failoversOf(role: Role, hours: number, random: Random): readonly Span[] {
  if (role.standbys === 0) return [];
  const spans: Span[] = [];
  const rate = FAILOVERS_A_YEAR / HOURS_A_YEAR;
  let at = 0;
  for (;;) {
    at += Math.round(-Math.log(1 - random.next()) / rate);
    if (at >= hours) return spans;
    const until = Math.min(hours, at + random.whole(3, 72));
    spans.push([at, until]);
    at = until + HOURS;
  }
}

function gapsOf(spans: readonly Span[], hours: number): readonly Span[] {
  const ends = [0, ...spans.flat(), hours];
  return ends.flatMap((from, at): Span[] => (at % 2 === 0 ? [[from, ends[at + 1] ?? hours]] : []));
}

function driftsOf(role: Role, share: number, hours: number, random: Random): readonly Drift[] {
  const [key] = Object.keys(role.labels(0));
  if (key === undefined || role.kind === "job" || !random.chance((share * hours) / HOURS_A_YEAR))
    return [];
  const from = random.whole(HOURS, hours - HOURS);
  const forAWhile: Span = [from, Math.min(hours, from + random.whole(1, 6) * WEEK * HOURS)];
  const slot = random.whole(0, role.copies - 1);
  switch (random.pick(["rename", "typo", "missing"] as const)) {
    case "rename":
      return [
        { span: [from, hours], change: (labels) => ({ ...labels, [key]: `${labels[key]}-v2` }) },
      ];
    case "typo":
      return [
        {
          slot,
          span: forAWhile,
          change: (labels) => ({ ...labels, [key]: mistyped(labels[key] ?? "") }),
        },
      ];
    case "missing":
      return [
        {
          slot,
          span: forAWhile,
          change: (labels) =>
            Object.fromEntries(Object.entries(labels).filter(([one]) => one !== key)),
        },
      ];
  }
}

/** The second and third letter change places. */
const mistyped = (text: string): string =>
  `${text.slice(0, 1)}${text.slice(2, 3)}${text.slice(1, 2)}${text.slice(3)}`;

/** The slots that one caller uses of a role, by turns of who asks; those that stand in for them come beside. */
export function chooseSlots(role: Role, fan: number, random: Random): readonly number[] {
  const first = Array.from({ length: role.copies }, (_, slot) => slot);
  const elastic = Array.from({ length: role.elastic }, (_, at) => role.copies + role.standbys + at);
  if (fan >= EVERY_COPY) return Array.from({ length: slotsOf(role) }, (_, slot) => slot);
  const standbys = Array.from({ length: role.standbys }, (_, at) => role.copies + at);
  return [...random.some([...first, ...elastic], fan), ...standbys];
}
