/**
 * Of what is known to be coming, what has not been seen yet: jobs that never ran while somebody looked, and destinations
 * that their workload is configured with and never called.
 */
import {
  canonicalIp,
  HOUR_MS,
  DAY_MS,
  TCP,
  type Awaited,
  type ConfiguredDependency,
  type Edge,
  type EdgeHistory,
  type Schedule,
  type Watch,
} from "@bulkhead/model";
import { by } from "../order.ts";
import { ROLE_LABELS } from "../purpose.ts";
import { readCron } from "./expectation-cron.ts";

export interface AwaitedInput {
  readonly schedules: readonly Schedule[];
  readonly dependencies: readonly ConfiguredDependency[];
  /** Of accepted edges: what is set aside as a failure shows no dependency. */
  readonly histories: readonly EdgeHistory[];
  readonly watch: readonly Watch[];
  readonly now: number;
}

/** A job that begins in the last minutes of an hour does its work in the next. */
const AT_WORK_MS = 10 * 60_000;
const DEFAULT_ZONE = "UTC";

/** Those with a date first, soonest first. */
export function awaitedOf(input: AwaitedInput): readonly Awaited[] {
  const hours = watchedHours(input.watch);
  const edges = Map.groupBy(
    input.histories.map(({ edge }) => edge),
    ({ source }) => source.workload ?? "",
  );
  const schedules = input.schedules
    .filter((one) => one.suspended !== true && !hasBeenWatched(one, hours, input.now))
    .toSorted(
      by(
        ({ nextRun }) => nextRun ?? Infinity,
        ({ name }) => name,
      ),
    );
  const dependencies = input.dependencies
    .filter((one) => !(edges.get(one.workload) ?? []).some((edge) => isTowards(edge, one)))
    .toSorted(
      by(
        ({ workload }) => workload,
        ({ host }) => host,
        ({ port }) => port ?? 0,
        ({ place }) => place,
      ),
    );
  return [
    ...schedules.map((schedule): Awaited => ({ kind: "schedule", schedule })),
    ...dependencies.map((dependency): Awaited => ({ kind: "dependency", dependency })),
  ];
}

/** When each began, ascending. */
function watchedHours(watch: readonly Watch[]): readonly number[] {
  return watch
    .flatMap(({ day, hours }) =>
      Array.from({ length: 24 }, (_, hour) => hour)
        .filter((hour) => (hours & (1 << hour)) !== 0)
        .map((hour) => day * DAY_MS + hour * HOUR_MS),
    )
    .toSorted((a, b) => a - b);
}

/** Has it run, as it is now, in hours in which somebody looked? */
function hasBeenWatched(schedule: Schedule, hours: readonly number[], now: number): boolean {
  const [first] = hours;
  if (first === undefined) return false;
  const watched = new Set(hours);
  const isWatched = (time: number): boolean => watched.has(hourOf(time));
  const isSeen = (run: number): boolean =>
    isWatched(run) && (run + AT_WORK_MS > now || isWatched(run + AT_WORK_MS));
  if (schedule.lastRun !== undefined && isSeen(schedule.lastRun)) return true;
  const from = Math.max(first, schedule.since ?? first);
  const { kind, expression, timeZone } = schedule;
  if (kind === "systemd-timer") return false;
  const reader = kind === "cron" ? "crontab" : "kubernetes";
  const { runs } = readCron(expression, timeZone ?? DEFAULT_ZONE, reader);
  if (runs === undefined) return false;
  for (let run = runs.next(from - 1); run !== undefined && run < now;) {
    if (isSeen(run)) return true;
    const watchedNext = hours[firstAfter(hours, hourOf(run))];
    // Runs that nobody could have seen are passed over at once.
    if (watchedNext === undefined) return false;
    run = runs.next(Math.max(run, watchedNext - 1));
  }
  return false;
}

const hourOf = (time: number): number => time - (time % HOUR_MS);

/** Index of the first that is greater. */
function firstAfter(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

function isTowards({ destination, protocol, port }: Edge, wanted: ConfiguredDependency): boolean {
  const host = wanted.host.toLowerCase();
  const samePort = wanted.port === undefined || wanted.port === port;
  if (isLoopback(host)) return samePort && isLoopback(destination.address);
  const address = canonicalIp(host);
  if (address !== null) return samePort && destination.address === address;
  // A resolver completes short names: `db` was asked for as `db.shop.svc.cluster.local`.
  const isNamed = (destination.names ?? []).some(
    (name) => name === host || name.startsWith(`${host}.`),
  );
  if (isNamed && samePort) return true;
  const service = serviceOf(host, wanted.namespace);
  if (service === undefined || destination.workload === undefined) return false;
  const [namespace = "", name = ""] = destination.workload.split("/");
  if (service.namespace !== undefined && service.namespace !== namespace) return false;
  const isCalled =
    name === service.name || ROLE_LABELS.some((key) => destination.labels[key] === service.name);
  // A cluster's Service has ports of its own, which are not its pods'.
  return isCalled && (samePort || (service.isCluster && protocol === TCP));
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);

/** `db`, `db.shop`, `db.shop.svc`, `db.shop.svc.cluster.local`. Undefined: no name of a cluster or a network of containers. */
function serviceOf(
  host: string,
  home: string | undefined,
):
  | { readonly name: string; readonly namespace?: string | undefined; readonly isCluster: boolean }
  | undefined {
  const [name = "", namespace, svc] = host.split(".");
  if (namespace === undefined) return { name, namespace: home, isCluster: false };
  if (svc === undefined) return { name, namespace, isCluster: true };
  return svc === "svc" ? { name, namespace, isCluster: true } : undefined;
}
