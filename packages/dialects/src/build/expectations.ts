/** What files tell of what is to come: CronJobs, and destinations that pods are configured with. */
import type { ConfiguredDependency, Schedule, Workload } from "@bulkhead/model";
import type { PodMaker } from "../kubernetes/objects.ts";
import type { ConfigurationObject } from "../kubernetes/configuration.ts";
import { DEFAULT_NAMESPACE, type Resource } from "../resource.ts";

export interface Expectations {
  /** Without the time of the next run, which is for whoever knows the time to find. */
  readonly schedules: readonly Schedule[];
  readonly dependencies: readonly ConfiguredDependency[];
}

/** `workloads`: of the same files. Pods that their maker's files hold themselves are told by those. */
export const expectationsOf = (
  resources: readonly Resource[],
  workloads: readonly Workload[],
): Expectations => {
  const made = Map.groupBy(
    workloads.filter(({ source }) => source !== undefined),
    ({ source }) => source,
  );
  const maps = new Map(
    resources.flatMap((one): [string, ConfigurationObject][] =>
      one.dialect === "kubernetes" && one.role === "configuration"
        ? [
            [
              `${one.object.metadata.namespace ?? DEFAULT_NAMESPACE}/${one.object.metadata.name}`,
              one.object,
            ],
          ]
        : [],
    ),
  );
  const makers = resources.flatMap((one): PodMaker[] =>
    one.dialect === "kubernetes" && one.role === "pods" ? [one.object] : [],
  );
  return {
    schedules: makers.flatMap((maker) => scheduleOf(maker, made.get(maker.source)?.[0])),
    dependencies: makers.flatMap((maker) =>
      (made.get(maker.source) ?? []).flatMap((workload) => dependenciesOf(maker, workload, maps)),
    ),
  };
};

const scheduleOf = (
  { kind, metadata, facts, schedule }: PodMaker,
  workload: Workload | undefined,
): readonly Schedule[] => {
  if (schedule === undefined) return [];
  const namespace = metadata.namespace ?? DEFAULT_NAMESPACE;
  // Old servers took the zone as a part of the expression, as robfig/cron does.
  const [, zone, rest] = /^(?:CRON_)?TZ=(\S+)\s+(.*)$/s.exec(schedule.expression) ?? [];
  const timeZone = schedule.timeZone ?? zone;
  const lastRun = Date.parse(schedule.lastRun ?? "");
  const since = Date.parse(metadata.creationTimestamp ?? "");
  return [
    {
      name: `${kind} ${namespace}/${metadata.name}`,
      kind: "cronjob",
      expression: rest ?? schedule.expression,
      ...(timeZone === undefined ? {} : { timeZone }),
      ...(workload === undefined ? {} : { workload: workload.id }),
      labels: facts.labels,
      namespace,
      ...(Number.isNaN(lastRun) ? {} : { lastRun }),
      ...(Number.isNaN(since) ? {} : { since }),
      ...(schedule.suspended ? { suspended: true } : {}),
    },
  ];
};

const dependenciesOf = (
  { facts }: PodMaker,
  { id, namespace }: Workload,
  maps: ReadonlyMap<string, ConfigurationObject>,
): readonly ConfiguredDependency[] => {
  const told = facts.configuration.flatMap(({ destinations, maps: references }) => [
    ...destinations.map(({ entry, ...where }) => ({ ...where, place: `environment ${entry}` })),
    ...references.flatMap(({ name, key }) =>
      Object.entries(maps.get(`${namespace}/${name}`)?.destinations ?? {})
        .filter(([one]) => key === undefined || one === key)
        .flatMap(([one, found]) =>
          found.map(({ entry, ...where }) => ({
            ...where,
            place: `ConfigMap ${namespace}/${name} ${one}${entry === one ? "" : ` ${entry}`}`,
          })),
        ),
    ),
  ]);
  const distinct = new Map(told.map((one) => [`${one.host} ${one.port ?? ""} ${one.place}`, one]));
  return [...distinct.values()].map((one) => ({ workload: id, namespace, ...one }));
};
