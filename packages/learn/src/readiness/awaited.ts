/**
 * What is known to be coming by name and has not been seen: jobs by the clock that did not run while anybody looked, and
 * destinations that somebody is configured with and never called. Each is told of once it concerns a subject.
 */
import {
  AGENT_ORIGIN,
  formatsOf,
  matches,
  type Awaited,
  type ConfiguredDependency,
  type FlowFormat,
  type Schedule,
} from "@bulkhead/model";
import { applicationOf } from "../applications.ts";
import { push } from "../order.ts";
import { hasBeenWatched, isTowards } from "./expectation-awaited.ts";
import { groupName, type Level, type Placing, type Subject } from "./subjects.ts";
import type { Watched, Watchers } from "./watched.ts";

/** When it comes, milliseconds since the epoch; absent: nobody can tell. */
export function dateOf(awaited: Awaited): number | undefined {
  return awaited.kind === "schedule" ? awaited.schedule.nextRun : undefined;
}

/** Names of subjects, and what each waits for. Who is nobody's known is told of by his own name. */
export function awaitedBy(
  schedules: readonly Schedule[],
  dependencies: readonly ConfiguredDependency[],
  placing: Placing,
  watchers: Watchers,
  level: Level,
  now: number,
): ReadonlyMap<string, readonly Awaited[]> {
  const awaited = new Map<string, Awaited[]>();
  const told = new Map(
    schedules.length === 0
      ? []
      : placing.subjects.map((one) => [one.subject.name, tellersOf(one)] as const),
  );
  const wait = (name: string, one: Awaited): void => {
    push(awaited, name, one);
  };
  for (const schedule of schedules) {
    const coming = new Map<Watched, Schedule | undefined>();
    for (const name of whose(schedule, placing, level)) {
      const watched = watchers.of(told.get(name) ?? OURS);
      if (!coming.has(watched)) coming.set(watched, comingOf(schedule, watched, now));
      const own = coming.get(watched);
      if (own !== undefined) wait(name, { kind: "schedule", schedule: own });
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

/** Who was never seen is where the job was found: before our own collectors. */
const OURS: ReadonlySet<FlowFormat> = new Set([AGENT_ORIGIN.format]);

function tellersOf({ edges }: Subject): ReadonlySet<FlowFormat> {
  const told = new Set<FlowFormat>();
  for (const same of edges.values()) {
    for (const { edge } of same) for (const format of formatsOf(edge)) told.add(format);
  }
  return told.size === 0 ? OURS : told;
}

/**
 * Undefined where it ran while somebody looked, since what it needs was seen then, and where it is switched off. A date gone by
 * is none.
 */
function comingOf(schedule: Schedule, watched: Watched, now: number): Schedule | undefined {
  if (schedule.suspended === true || hasBeenWatched(schedule, watched, now)) return undefined;
  const { nextRun, ...rest } = schedule;
  return nextRun === undefined || nextRun <= now ? rest : schedule;
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
  return sent.some(({ edge }) => isTowards(edge, dependency));
}
