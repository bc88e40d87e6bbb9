/**
 * What is known to be coming: schedules and configured dependencies of the manifests in force. The time of the next run is
 * found when somebody asks; since when a schedule is as it is, is remembered over restarts.
 */
import { expectationsOf, type Expectations, type Resource } from "@bulkhead/dialects";
import { readCron } from "@bulkhead/learn";
import type { ConfiguredDependency, Schedule, Workload } from "@bulkhead/model";

export interface ExpectationsDeps {
  readonly now: () => number;
  readonly resources: () => readonly Resource[];
  readonly workloads: () => readonly Workload[];
  /** What was remembered. */
  readonly stored: string | null;
  readonly save: (text: string) => void;
}

export interface ExpectationKeeper {
  schedules(): readonly Schedule[];
  dependencies(): readonly ConfiguredDependency[];
}

/** kube-controller-manager's own zone, which is UTC unless somebody moved it. */
const CLUSTER_ZONE = "UTC";

export function createExpectations(deps: ExpectationsDeps): ExpectationKeeper {
  const declared = (): Expectations => expectationsOf(deps.resources(), deps.workloads());
  let since = new Map<string, number>(
    deps.stored === null ? [] : Object.entries(JSON.parse(deps.stored) as Record<string, number>),
  );

  /** One that is written anew is another. */
  function remember(schedules: readonly Schedule[]): readonly Schedule[] {
    const now = deps.now();
    const known = new Map(
      schedules.map((one) => [keyOf(one), one.since ?? since.get(keyOf(one)) ?? now]),
    );
    const isSame =
      known.size === since.size && [...known].every(([key, time]) => since.get(key) === time);
    since = known;
    if (!isSame) deps.save(JSON.stringify(Object.fromEntries(known)));
    return schedules.map((one) => ({ ...one, since: known.get(keyOf(one)) ?? now }));
  }

  return {
    schedules: () =>
      remember(declared().schedules).map((one) => withNextRun(one, CLUSTER_ZONE, deps.now())),
    dependencies: () => declared().dependencies,
  };
}

const keyOf = ({ name, expression, timeZone = "" }: Schedule): string =>
  `${name} ${expression} ${timeZone}`;

/** A line that cannot be read never runs, and nobody waits for it. */
function withNextRun(schedule: Schedule, zone: string, now: number): Schedule {
  const { expression, timeZone = zone, suspended } = schedule;
  const { runs } = readCron(expression, timeZone, "kubernetes");
  const nextRun = suspended === true ? undefined : runs?.next(now);
  return { ...schedule, timeZone, ...(nextRun === undefined ? {} : { nextRun }) };
}
