/**
 * Of what is known to be coming, what has been seen: did a job run while somebody looked, and is it there that an edge leads?
 */
import {
  canonicalIp,
  countHours,
  DAY_MS,
  HOUR_MS,
  TCP,
  type ConfiguredDependency,
  type Edge,
  type Schedule,
} from "@bulkhead/model";
import { readCron } from "./expectation-cron.ts";
import { isWatched, type Watched } from "./watched.ts";

/** A job that begins in the last minutes of an hour does its work in the next. */
const AT_WORK_MS = 10 * 60_000;
const DEFAULT_ZONE = "UTC";

/** Has it run, as it is now, in hours in which somebody looked? */
export function hasBeenWatched(schedule: Schedule, watched: Watched, now: number): boolean {
  const { kind, expression, timeZone, lastRun, nextRun, since } = schedule;
  const isSeen = (run: number): boolean =>
    run <= now &&
    isWatched(watched, run) &&
    (run + AT_WORK_MS > now || isWatched(watched, run + AT_WORK_MS));
  if ([lastRun, nextRun].some((run) => run !== undefined && isSeen(run))) return true;
  // A machine tells when its timers ran; of cron nobody keeps a record, and it is known to be punctual. Whether a job was there
  // before anybody knows of it is a guess.
  if (kind === "systemd-timer" || since === undefined) return false;
  const first = watchedFrom(watched, since);
  if (first === undefined) return false;
  const reader = kind === "cron" ? "crontab" : "kubernetes";
  const { runs } = readCron(expression, timeZone ?? DEFAULT_ZONE, reader);
  let run = runs?.next(Math.max(first, since) - 1);
  while (run !== undefined && run < now) {
    if (isSeen(run)) return true;
    // Runs that nobody could have seen are passed over at once.
    const hour = watchedFrom(watched, run - (run % HOUR_MS) + HOUR_MS);
    if (hour === undefined) return false;
    run = runs?.next(Math.max(run, hour - 1));
  }
  return false;
}

/** The first watched hour that begins then or later. */
function watchedFrom(watched: Watched, time: number): number | undefined {
  const day = Math.floor(time / DAY_MS);
  const after = (1 << Math.floor((time - day * DAY_MS) / HOUR_MS)) - 1;
  const today = (watched.get(day) ?? 0) & ~after;
  if (countHours(today) > 0) return day * DAY_MS + lowest(today) * HOUR_MS;
  const days = [...watched.keys()];
  const at = days.findIndex((one) => one > day);
  const next = days[at];
  return next === undefined ? undefined : next * DAY_MS + lowest(watched.get(next) ?? 0) * HOUR_MS;
}

const lowest = (mask: number): number => 31 - Math.clz32(mask & -mask);

/** Keys by which a service calls what stands behind it. */
const SERVICE_KEYS = [
  "app.kubernetes.io/name",
  "app",
  "k8s-app",
  "service",
  "com.docker.compose.service",
];

/**
 * By address, by a name that DNS had for it, or by that of a workload or its service: `db`, `db.shop`, `db.shop.svc.cluster.local`.
 * A port that is given has to be the edge's own, but for a Service of a cluster, whose ports are not its pods'.
 */
export function isTowards(
  { destination, protocol, port }: Edge,
  wanted: ConfiguredDependency,
): boolean {
  const host = wanted.host.toLowerCase().replace(/\.$/, "");
  const samePort = wanted.port === undefined || wanted.port === port;
  if (isLoopback(host)) return samePort && isLoopback(destination.address);
  if (canonicalIp(host) === destination.address) return samePort;
  // A resolver completes short names: `db` was asked for as `db.shop.svc.cluster.local`.
  const isNamed = (destination.names ?? []).some(
    (name) => name === host || name.startsWith(`${host}.`),
  );
  if (isNamed) return samePort;
  const { workload } = destination;
  if (workload === undefined) return destination.name === host && samePort;
  const home = wanted.workload.slice(0, wanted.workload.indexOf("/"));
  const [service = "", namespace = home, svc = "svc"] = host.split(".");
  const slash = workload.indexOf("/");
  if (svc !== "svc" || workload.slice(0, slash) !== namespace) return false;
  const isCalled =
    workload.slice(slash + 1) === service ||
    SERVICE_KEYS.some((key) => destination.labels[key] === service);
  return isCalled && (samePort || (host.includes(".") && protocol === TCP));
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
