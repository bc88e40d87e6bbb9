/**
 * One world from its making to all its figures: everybody learns on the first half of the time and is judged on the second, and
 * once more from the days on which readiness said that an application was ready, whatever became of it afterwards.
 */
import { jaccard, TUNED } from "./baselines/jaccard.ts";
import { labels } from "./baselines/labels.ts";
import { tuples } from "./baselines/tuples.ts";
import { HOURS, WEEK } from "./calendar.ts";
import type { Family } from "./families.ts";
import {
  always,
  judge,
  pairsOf,
  rolesFound,
  type ConfinedFrom,
  type Pairs,
  type Verdicts,
} from "./judging.ts";
import type { Learned, Method } from "./method.ts";
import { ours } from "./ours.ts";
import { applicationAt, walk, type ReadyWalk } from "./ready-walk.ts";
import { sortRoles, type Sorted } from "./role-sorting.ts";
import { createWorld, historiesUntil, inventoryAt, type World } from "./world.ts";

export const METHODS: readonly Method[] = [ours, tuples, labels, jaccard];

export interface TrialOptions {
  readonly family: Family;
  readonly seed: number;
  readonly days: number;
  readonly size: number;
}

export interface MethodResult extends Pairs {
  readonly name: string;
  readonly index: number;
  readonly rulesPerWorkload: number;
  readonly verdicts: Verdicts;
  /** Learned when each application was ready, without updates since. */
  readonly afterReady: Verdicts;
  readonly afterExcept: Verdicts;
}

export interface TrialResult extends TrialOptions {
  readonly workloads: number;
  readonly edges: number;
  readonly methods: readonly MethodResult[];
  readonly roles: Sorted;
  readonly applications: number;
  /** Weeks until applications were ready, and ready but for what is named. */
  readonly ready: readonly number[];
  readonly except: readonly number[];
  readonly seconds: number;
}

export const halfOf = ({ days }: { readonly days: number }): number =>
  Math.floor(days / 2 / WEEK) * WEEK;

/** From then on too little is left to be judged on. */
const lastReady = (days: number): number => Math.floor((days * 0.6) / WEEK) * WEEK;

export function trial(options: TrialOptions): TrialResult {
  const started = performance.now();
  const world = createWorld(options.family, options);
  const half = halfOf(options);
  const workloads = inventoryAt(world, half * HOURS).workloads.length;
  const walked = walk(world, lastReady(options.days), false);
  const methods = METHODS.map((method) => resultOf(method, world, half, workloads, walked));
  return {
    ...options,
    workloads,
    edges: historiesUntil(world, options.days).length,
    methods,
    roles: sortRoles(world, half, TUNED),
    applications: walked.weeks.at(-1)?.all.length ?? 0,
    ready: [...walked.ready.values()].map((day) => day / WEEK),
    except: [...walked.except.values()].map((day) => day / WEEK),
    seconds: (performance.now() - started) / 1000,
  };
}

function resultOf(
  method: Method,
  world: World,
  half: number,
  workloads: number,
  walked: ReadyWalk,
): MethodResult {
  const learned = method.learn(world, half);
  const after = (days: ReadonlyMap<string, number>): Verdicts =>
    judge(world, whenReady(method, world, days), 0, world.days);
  return {
    name: method.name,
    ...pairsOf(world, learned, half),
    index: rolesFound(world, learned, half),
    rulesPerWorkload: learned.rules / workloads,
    verdicts: judge(world, always(learned, half), half, world.days),
    afterReady: after(walked.ready),
    afterExcept: after(walked.except),
  };
}

/** Each application is confined from its day on, by what was learned on that day. */
export function whenReady(
  method: Method,
  world: World,
  days: ReadonlyMap<string, number>,
): ConfinedFrom {
  const learned = new Map<number, Learned>();
  for (const day of new Set(days.values())) learned.set(day, method.learn(world, day));
  return (phase) => {
    const day = days.get(applicationAt(phase));
    const own = day === undefined ? undefined : learned.get(day);
    return day === undefined || own === undefined ? undefined : { day, learned: own };
  };
}
