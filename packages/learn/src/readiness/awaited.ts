/**
 * What is known to be coming by name and has not been seen: jobs by the clock that did not run while anybody looked, and
 * destinations that somebody is configured with and never called. Each is told of once it concerns a subject.
 */
import type { Awaited, ConfiguredDependency, Edge, Schedule } from "@bulkhead/model";
import { matches } from "@bulkhead/model";
import { applicationOf } from "../applications.ts";
import { groupName, type Level, type Placing } from "./subjects.ts";
import { isWatched, type Watched } from "./watched.ts";

/** When it comes, milliseconds since the epoch; absent: nobody can tell. */
export function dateOf(awaited: Awaited): number | undefined {
  return awaited.kind === "schedule" ? awaited.schedule.nextRun : undefined;
}

/** Names of subjects, and what each waits for. Who is nobody's known is told of by his own name. */
export function awaitedBy(
  schedules: readonly Schedule[],
  dependencies: readonly ConfiguredDependency[],
  placing: Placing,
  watched: Watched,
  level: Level,
  now: number,
): ReadonlyMap<string, readonly Awaited[]> {
  const awaited = new Map<string, Awaited[]>();
  const wait = (name: string, one: Awaited): void => {
    const list = awaited.get(name);
    if (list === undefined) awaited.set(name, [one]);
    else list.push(one);
  };
  for (const schedule of schedules) {
    const coming = comingOf(schedule, watched, now);
    if (coming === undefined) continue;
    for (const name of whose(schedule, placing, level)) {
      wait(name, { kind: "schedule", schedule: coming });
    }
  }
  for (const dependency of dependencies) {
    if (wasCalled(dependency, placing)) continue;
    wait(nameAt(dependency.workload, placing, level), { kind: "dependency", dependency });
  }
  return new Map(
    [...awaited].map(([name, list]) => [
      name,
      list.toSorted((a, b) => (dateOf(a) ?? Infinity) - (dateOf(b) ?? Infinity) || 0),
    ]),
  );
}

/** Undefined where it ran while somebody looked: what it needs was seen then. A date gone by is none. */
function comingOf(schedule: Schedule, watched: Watched, now: number): Schedule | undefined {
  const { nextRun, lastRun, ...rest } = schedule;
  const due = nextRun !== undefined && nextRun <= now ? nextRun : undefined;
  if ([lastRun, due].some((run) => run !== undefined && run <= now && isWatched(watched, run))) {
    return undefined;
  }
  return {
    ...rest,
    ...(lastRun === undefined ? {} : { lastRun }),
    ...(nextRun === undefined || due !== undefined ? {} : { nextRun }),
  };
}

function whose(schedule: Schedule, placing: Placing, level: Level): readonly string[] {
  const { workload, labels, namespace, node } = schedule;
  if (workload !== undefined) return [nameAt(workload, placing, level)];
  const nobody = namespace ?? node ?? "cluster";
  if (labels === undefined || namespace === undefined) return [nobody];
  if (level === "application") return [applicationOf({ namespace, labels })];
  if (level === "group") {
    const group = placing.grouping.groups.find(
      (one) => one.namespace === namespace && matches(one.selector, labels),
    );
    return [group === undefined ? nobody : groupName(group)];
  }
  const alike = [...placing.members.values()].filter(
    (member) =>
      member.namespace === namespace &&
      Object.entries(labels).every(([key, value]) => member.labels[key] === value),
  );
  return alike.length === 0 ? [nobody] : alike.map(({ id }) => id);
}

function nameAt(workload: string, { members, grouping }: Placing, level: Level): string {
  const member = members.get(workload);
  if (level === "workload" || member === undefined) return workload;
  if (level === "application") return applicationOf(member);
  const group = grouping.groupOf.get(workload);
  return group === undefined ? workload : groupName(group);
}

function wasCalled(dependency: ConfiguredDependency, placing: Placing): boolean {
  const group = placing.grouping.groupOf.get(dependency.workload);
  const sent = group === undefined ? [] : (placing.sent.get(group.id) ?? []);
  const namespace = dependency.workload.slice(0, dependency.workload.indexOf("/"));
  return sent.some(({ edge }) => leadsTo(edge, dependency, namespace));
}

/** Keys by which a service calls what stands behind it. */
const SERVICE_KEYS = [
  "app.kubernetes.io/name",
  "app",
  "k8s-app",
  "service",
  "com.docker.compose.service",
];

/**
 * Is it there that the edge leads? By address, by a name that DNS had for it, or by that of a workload or its service:
 * `db`, `db.shop`, `db.shop.svc.cluster.local`. A port that is given has to be the edge's own.
 */
function leadsTo(
  { destination, port }: Edge,
  dependency: ConfiguredDependency,
  namespace: string,
): boolean {
  if (dependency.port !== undefined && dependency.port !== port) return false;
  const host = dependency.host.toLowerCase().replace(/\.$/, "");
  if (host === destination.address) return true;
  if (destination.names?.some((name) => name === host || name.startsWith(`${host}.`)) === true) {
    return true;
  }
  const { workload } = destination;
  if (workload === undefined) return destination.name === host;
  const [service = "", space = namespace] = host.split(".");
  const slash = workload.indexOf("/");
  if (workload.slice(0, slash) !== space) return false;
  return (
    workload.slice(slash + 1) === service ||
    SERVICE_KEYS.some((key) => destination.labels[key] === service)
  );
}
