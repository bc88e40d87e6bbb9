/**
 * What is known to be coming: schedules and configured dependencies of the manifests in force. The time of the next run is
 * found when somebody asks.
 */
import { expectationsOf, type Expectations, type Resource } from "@bulkhead/dialects";
import { readCron } from "@bulkhead/learn";
import type { ConfiguredDependency, Schedule, Workload } from "@bulkhead/model";

export interface ExpectationsDeps {
  readonly now: () => number;
  readonly resources: () => readonly Resource[];
  readonly workloads: () => readonly Workload[];
}

export interface ExpectationKeeper {
  schedules(): readonly Schedule[];
  dependencies(): readonly ConfiguredDependency[];
}

/** kube-controller-manager's own zone, which is UTC unless somebody moved it. */
const CLUSTER_ZONE = "UTC";

export function createExpectations(deps: ExpectationsDeps): ExpectationKeeper {
  const declared = (): Expectations => expectationsOf(deps.resources(), deps.workloads());
  return {
    schedules: () => declared().schedules.map((one) => withNextRun(one, CLUSTER_ZONE, deps.now())),
    dependencies: () => declared().dependencies,
  };
}

/** A line that cannot be read never runs, and nobody waits for it. */
function withNextRun(schedule: Schedule, zone: string, now: number): Schedule {
  const { expression, timeZone = zone, suspended } = schedule;
  const { runs } = readCron(expression, timeZone, "kubernetes");
  const nextRun = suspended === true ? undefined : runs?.next(now);
  return { ...schedule, timeZone, ...(nextRun === undefined ? {} : { nextRun }) };
}
