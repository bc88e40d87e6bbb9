/**
 * What is known to be coming: schedules and configured dependencies of the manifests in force, and those that agents found on
 * their machines. Whose they are, and when they run next, is found when somebody asks; since when a schedule is as it is, is
 * remembered over restarts. Agents tell all again when they connect.
 */
import { expectationsOf, type Resource } from "@bulkhead/dialects";
import { readCron } from "@bulkhead/learn";
import type { ConfiguredDependency, Schedule, WorkloadId } from "@bulkhead/model";
import type { ExpectedHere, FoundDependency, FoundSchedule } from "@bulkhead/wire";
import { nameUnits, UNIT_NAMESPACE } from "../world/unit-names.ts";
import type { World } from "../world/world.ts";

export interface ExpectationsDeps {
  readonly now: () => number;
  readonly resources: () => readonly Resource[];
  readonly world: () => World;
  /** What was remembered. */
  readonly stored: string | null;
  readonly save: (text: string) => void;
}

export interface ExpectationKeeper {
  /** Replaces what this machine's agent told before. */
  told(host: string, found: ExpectedHere): void;
  schedules(): readonly Schedule[];
  dependencies(): readonly ConfiguredDependency[];
  /** What could not be read, in sentences. */
  problems(): readonly string[];
}

/** kube-controller-manager's own zone, which is UTC unless somebody moved it. */
const CLUSTER_ZONE = "UTC";

export function createExpectations(deps: ExpectationsDeps): ExpectationKeeper {
  const machines = new Map<string, ExpectedHere>();
  let since = new Map<string, number>(
    deps.stored === null ? [] : Object.entries(JSON.parse(deps.stored) as Record<string, number>),
  );

  function declared() {
    return expectationsOf(deps.resources(), deps.world().inventory.workloads);
  }

  function found(): readonly Schedule[] {
    const world = deps.world();
    const units = unitsOf(world);
    return [...machines].flatMap(([node, { timeZone, schedules }]) =>
      schedules.map((one) => ofMachine(one, node, timeZone, units)),
    );
  }

  /** One that is written anew is another. Of machines that are away nothing is forgotten. */
  function remember(schedules: readonly Schedule[]): readonly Schedule[] {
    const now = deps.now();
    const known = new Map(since);
    for (const one of schedules) {
      if (one.kind === "systemd-timer") continue;
      // What is there stays: others, however often somebody writes them anew, are forgotten first.
      known.delete(keyOf(one));
      known.set(keyOf(one), one.since ?? since.get(keyOf(one)) ?? now);
    }
    const kept = new Map([...known].slice(-MOST_REMEMBERED));
    const isSame =
      kept.size === since.size && [...kept].every(([key, time]) => since.get(key) === time);
    since = kept;
    if (!isSame) deps.save(JSON.stringify(Object.fromEntries(kept)));
    return schedules.map((one) => {
      const time = kept.get(keyOf(one));
      return time === undefined ? one : { ...one, since: time };
    });
  }

  /** What cannot be read never runs, and nobody waits for it. */
  function all(): readonly { readonly schedule: Schedule; readonly problem?: string }[] {
    const inFiles = declared().schedules.map((one) => ({
      ...one,
      timeZone: one.timeZone ?? CLUSTER_ZONE,
    }));
    return [...inFiles, ...found()].map((one) => read(one, deps.now()));
  }

  return {
    told: (host, expected) => void machines.set(host, expected),
    schedules: () =>
      remember(all().flatMap(({ schedule, problem }) => (problem === undefined ? [schedule] : []))),
    dependencies: () => {
      const world = deps.world();
      const owners = ownersOf(world);
      return [
        ...declared().dependencies,
        ...[...machines.values()].flatMap(({ dependencies }) =>
          dependencies.flatMap((one) => ofWorkload(one, owners)),
        ),
      ];
    },
    problems: () => [
      ...all().flatMap(({ schedule, problem }) =>
        problem === undefined ? [] : [`${schedule.name}: ${problem}`],
      ),
      ...[...machines].flatMap(([host, { problems }]) => problems.map((one) => `${host}: ${one}`)),
    ],
  };
}

const MOST_REMEMBERED = 5000;

const keyOf = ({ name, node = "", expression, timeZone = "" }: Schedule): string =>
  `${node} ${name} ${expression} ${timeZone}`;

function read(
  schedule: Schedule,
  now: number,
): { readonly schedule: Schedule; readonly problem?: string } {
  const { kind, expression, timeZone = CLUSTER_ZONE, suspended } = schedule;
  if (kind === "systemd-timer") return { schedule };
  const reader = kind === "cron" ? "crontab" : "kubernetes";
  const { runs, problem } = readCron(expression, timeZone, reader);
  if (problem !== undefined) return { schedule, problem };
  const nextRun = suspended === true ? undefined : runs?.next(now);
  return { schedule: nextRun === undefined ? schedule : { ...schedule, nextRun } };
}

/** Workloads of the machine by the name of their unit. */
function unitsOf({ units }: World): ReadonlyMap<string, WorkloadId> {
  return new Map(
    [...units].flatMap(([workload, processes]) =>
      processes.map(({ unit }) => [unit, workload] as const),
    ),
  );
}

function ofMachine(
  { unit, kind, ...found }: FoundSchedule,
  node: string,
  zone: string,
  units: ReadonlyMap<string, WorkloadId>,
): Schedule {
  const base = { ...found, kind, node, timeZone: found.timeZone ?? zone };
  if (unit === undefined) return base;
  const known = units.get(unit);
  if (known !== undefined) return { ...base, workload: known };
  // It never ran while we looked: this is what it will be called when it does.
  const cgroup = `/system.slice/${unit}`;
  const named = nameUnits([{ cgroup, form: "service", unit, sockets: [] }]).get(cgroup);
  return named === undefined
    ? base
    : {
        ...base,
        workload: `${named.namespace}/${named.name}`,
        labels: named.labels,
        namespace: UNIT_NAMESPACE,
      };
}

interface Owners {
  readonly byCgroup: ReadonlyMap<string, WorkloadId>;
  readonly byInterface: ReadonlyMap<string, WorkloadId>;
}

function ownersOf({ units, attachments }: World): Owners {
  return {
    byCgroup: new Map(
      [...units].flatMap(([workload, processes]) =>
        processes.map(({ cgroup }) => [cgroup, workload] as const),
      ),
    ),
    byInterface: new Map(
      [...attachments].flatMap(([workload, list]) =>
        list.map(({ discovered }) => [discovered.interface, workload] as const),
      ),
    ),
  };
}

/** Whoever has gone, or is nobody's known, depends on nothing. Loopback of another network is nobody else's. */
function ofWorkload(
  { owner, ...where }: FoundDependency,
  { byCgroup, byInterface }: Owners,
): readonly ConfiguredDependency[] {
  const workload =
    owner.kind === "unit" ? byCgroup.get(owner.cgroup) : byInterface.get(owner.interface);
  if (workload === undefined) return [];
  if (owner.kind === "endpoint" && /^(?:localhost|127\.|::1$)/.test(where.host)) return [];
  return [{ ...where, workload, namespace: workload.slice(0, workload.indexOf("/")) }];
}
