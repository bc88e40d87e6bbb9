/**
 * Judges what was learned by what came after: which flows that are needed it denies, and why; which of the intruder's it
 * allows; what it allows and denies of all that could be asked; and how well it knows roles.
 */
import { FIRST_DAY, HOURS } from "./calendar.ts";
import type { Phase } from "./estate.ts";
import { labelsText, type Learned } from "./method.ts";
import { adjustedRandIndex } from "./rand-index.ts";
import type { Track } from "./traffic.ts";
import { daysWithin, type World } from "./world.ts";
import { presentOn } from "./role-sorting.ts";
import { isThere } from "./visitors.ts";

/** Why something needed is denied, the first that holds. */
export const CAUSES = ["born", "drift", "address", "unseen", "refused"] as const;
export type Cause = (typeof CAUSES)[number];

export interface Verdicts {
  /** Connections that are needed, and of them those denied. */
  readonly flows: number;
  readonly denied: Readonly<Record<Cause, number>>;
  /** The same in distinct edges: pairs of copies and ports. */
  readonly edges: number;
  readonly deniedEdges: Readonly<Record<Cause, number>>;
  /** Of the auditor's edges: how many were denied. */
  readonly scans: number;
  readonly deniedScans: number;
  /** Of the intruder's edges that anybody answers. */
  readonly intrusions: number;
  readonly admitted: number;
}

/** When an end is confined: from that day of the world on; absent: never. */
export type ConfinedFrom = (
  phase: Phase,
) => { readonly day: number; readonly learned: Learned } | undefined;

export const always =
  (learned: Learned, day: number): ConfinedFrom =>
  () => ({ day, learned });

/** From day to day of the world. */
export function judge(world: World, confined: ConfinedFrom, from: number, until: number): Verdicts {
  const none = (): Record<Cause, number> => ({
    born: 0,
    drift: 0,
    address: 0,
    unseen: 0,
    refused: 0,
  });
  const [denied, deniedEdges] = [none(), none()];
  const seen = seenBefore(world);
  let [flows, edges, scans, deniedScans, intrusions, admitted] = [0, 0, 0, 0, 0, 0];
  for (const track of world.tracks) {
    const fate = fateOf(track, confined, from, until);
    if (fate === undefined) continue;
    const { judged, blocked, since } = fate;
    switch (track.purpose) {
      case "stale":
        break;
      case "scan":
        scans++;
        if (blocked === judged) deniedScans++;
        break;
      case "intruder":
        if (track.outcome === "failed") break;
        intrusions++;
        if (blocked < judged) admitted++;
        break;
      case "needed": {
        flows += judged;
        edges++;
        if (blocked === 0) break;
        const cause = causeOf(world, track, since, seen);
        denied[cause] += blocked;
        deniedEdges[cause]++;
      }
    }
  }
  return { flows, denied, edges, deniedEdges, scans, deniedScans, intrusions, admitted };
}

interface Fate {
  /** Connections while at least one end was confined, and those that were denied. */
  readonly judged: number;
  readonly blocked: number;
  /** The day before which was learned what denies it. */
  readonly since: number;
}

function fateOf(
  track: Track,
  confined: ConfinedFrom,
  from: number,
  until: number,
): Fate | undefined {
  const [out, into] = [confined(track.source), confined(track.destination)];
  const first = Math.min(out?.day ?? Infinity, into?.day ?? Infinity);
  if (first >= until) return undefined;
  const judged = connectionsWithin(track, Math.max(from, first), until);
  if (judged === 0) return undefined;
  const deniedFrom = Math.min(
    out !== undefined && !out.learned.answer(track).egress ? out.day : Infinity,
    into !== undefined && !into.learned.answer(track).ingress ? into.day : Infinity,
  );
  const blocked =
    deniedFrom < until ? connectionsWithin(track, Math.max(from, deniedFrom), until) : 0;
  return { judged, blocked, since: Math.min(deniedFrom, until) };
}

function connectionsWithin(track: Track, from: number, until: number): number {
  return daysWithin(track.days, FIRST_DAY + from, FIRST_DAY + until).reduce(
    (sum, day) => sum + day.connections,
    0,
  );
}

interface Seen {
  /** First day of the world on which a need was seen, and on which this address was seen for it. */
  need(need: string): number;
  address(need: string, address: string): number;
}

function seenBefore(world: World): Seen {
  const first = new Map<string, number>();
  for (const { need, destination, days, purpose } of world.tracks) {
    const day = (days[0]?.day ?? Infinity) - FIRST_DAY;
    if (purpose !== "needed") continue;
    for (const key of [need, `${need}\n${destination.address}`]) {
      first.set(key, Math.min(first.get(key) ?? Infinity, day));
    }
  }
  return {
    need: (need) => first.get(need) ?? Infinity,
    address: (need, address) => first.get(`${need}\n${address}`) ?? Infinity,
  };
}

function causeOf(world: World, track: Track, since: number, seen: Seen): Cause {
  const { source, destination, need } = track;
  if (track.bornAt >= since * HOURS) return "born";
  if (seen.need(need) >= since) return "unseen";
  if ([source, destination].some((end) => isRelabelled(world, end, since))) return "drift";
  if (destination.role.kind === "outside" && seen.address(need, destination.address) >= since)
    return "address";
  return "refused";
}

/** Bears other labels than it, or the copy whose place it took, bore on that day: they were changed since, or repaired. */
function isRelabelled(world: World, phase: Phase, since: number): boolean {
  if (phase.drifted && phase.span[1] > since * HOURS) return true;
  const before = world.estate.phases
    .get(phase.role.name)
    ?.find((one) => one.slot === phase.slot && isThere(since * HOURS)(one));
  return before !== undefined && labelsText(before.labels) !== labelsText(phase.labels);
}

export interface Pairs {
  readonly precision: number;
  readonly recall: number;
}

const COPIES = 3;

/**
 * Of all pairs of roles, and ports that anybody serves or tries at the second: how much of what is allowed is needed, and how
 * much of what is needed, seen or not, is allowed. A pair of which only some copies may counts by their share.
 */
export function pairsOf(world: World, learned: Learned, day: number): Pairs {
  const hour = day * HOURS;
  const copies = new Map(
    world.blueprint.roles.map((role) => [
      role.name,
      (world.estate.phases.get(role.name) ?? []).filter(isThere(hour)).slice(0, COPIES),
    ]),
  );
  const ports = Map.groupBy(
    new Map(
      world.tracks.map(({ destination, protocol, port }) => [
        `${destination.role.name} ${protocol}/${port}`,
        { to: destination.role.name, protocol, port },
      ]),
    ).values(),
    ({ to }) => to,
  );
  let [right, wrong, needed] = [0, 0, 0];
  const born = new Map(
    world.blueprint.calls.map((call) => [
      `${call.from} → ${call.to} ${call.protocol}/${call.port}`,
      call.bornInWeek * 7,
    ]),
  );
  for (const from of world.blueprint.roles) {
    const sources = from.kind === "outside" ? [] : (copies.get(from.name) ?? []);
    for (const to of world.blueprint.roles) {
      if (to.name === from.name || sources.length === 0) continue;
      for (const { protocol, port } of ports.get(to.name) ?? []) {
        let [asked, allowed] = [0, 0];
        for (const source of sources) {
          for (const destination of copies.get(to.name) ?? []) {
            const { egress, ingress } = learned.answer({ source, destination, protocol, port });
            asked++;
            if (egress && ingress) allowed++;
          }
        }
        if (asked === 0) continue;
        const bornOn = born.get(`${from.name} → ${to.name} ${protocol}/${port}`);
        if (bornOn === undefined) wrong += allowed / asked;
        else if (bornOn <= day) {
          needed++;
          right += allowed / asked;
        }
      }
    }
  }
  return {
    precision: right + wrong === 0 ? 1 : right / (right + wrong),
    recall: needed === 0 ? 1 : right / needed,
  };
}

/** How well groups are roles, of everybody who is there on that day. */
export function rolesFound(world: World, learned: Learned, day: number): number {
  const there = presentOn(world, day);
  return adjustedRandIndex(
    there.map(({ role }) => role.name),
    there.map((phase) => learned.groupOf(phase)),
  );
}
