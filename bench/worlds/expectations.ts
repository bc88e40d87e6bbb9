/** What somebody wrote down that is coming, as an agent or a cluster would tell it: schedules with their last and next runs, and configured destinations. */
import type { ConfiguredDependency, Schedule } from "@bulkhead/model";
import type { Call } from "./blueprint.ts";
import { HOURS } from "./calendar.ts";
import { cronOf, isDue, type Law } from "./law.ts";
import { timeOf } from "./traffic.ts";
import { isThere } from "./visitors.ts";
import type { World } from "./world.ts";

type Clocked = Call & { readonly law: Extract<Law, { kind: "clock" }> };

export function schedulesAt(world: World, hour: number): readonly Schedule[] {
  const clocked = world.blueprint.calls.filter(
    (call): call is Clocked => call.told && call.law.kind === "clock" && call.bornInWeek === 0,
  );
  return clocked.flatMap((call): readonly Schedule[] => {
    const { law, from } = call;
    const role = world.blueprint.roles.find(({ name }) => name === from);
    const phase = world.estate.phases.get(from)?.find(isThere(hour));
    const stays = role?.kind === "vm" ? phase : undefined;
    if (role === undefined || (role.kind === "vm" && stays === undefined)) return [];
    const [lastRun, nextRun] = [runBefore(law, hour), runAfter(law, hour)];
    return [
      {
        name: `${role.kind === "vm" ? "cron" : "CronJob"} ${from} ${law.clock}`,
        kind: role.kind === "vm" ? "cron" : "cronjob",
        expression: cronOf(law),
        ...(stays === undefined
          ? { namespace: role.namespace, labels: role.labels(0) }
          : { workload: stays.workload }),
        ...(lastRun === undefined ? {} : { lastRun: timeOf(lastRun) }),
        ...(nextRun === undefined ? {} : { nextRun: timeOf(nextRun) }),
      },
    ];
  });
}

const FURTHEST_DAYS = 400;

function runBefore(law: Clocked["law"], hour: number): number | undefined {
  for (let day = Math.floor(hour / HOURS); day >= 0; day--) {
    if (isDue(law.clock, day) && day * HOURS + law.hour < hour) return day * HOURS + law.hour;
  }
  return undefined;
}

function runAfter(law: Clocked["law"], hour: number): number | undefined {
  const today = Math.floor(hour / HOURS);
  for (let day = today; day < today + FURTHEST_DAYS; day++) {
    if (isDue(law.clock, day) && day * HOURS + law.hour >= hour) return day * HOURS + law.hour;
  }
  return undefined;
}

/** By the domain, the service, or the machine's own name where it is the only one. */
export function dependenciesAt(world: World, hour: number): readonly ConfiguredDependency[] {
  const roles = new Map(world.blueprint.roles.map((role) => [role.name, role]));
  return world.blueprint.calls.flatMap((call): readonly ConfiguredDependency[] => {
    const to = roles.get(call.to);
    const caller = world.estate.phases.get(call.from)?.find(isThere(hour));
    if (!call.told || call.law.kind !== "seldom" || to === undefined || caller === undefined)
      return [];
    const called = world.estate.phases.get(call.to)?.find(isThere(hour));
    const host =
      to.kind === "outside"
        ? to.name
        : to.kind === "pod"
          ? `${to.name.slice(to.name.lastIndexOf("/") + 1)}.${to.namespace}`
          : to.copies === 1
            ? called?.workload.slice(to.namespace.length + 1)
            : undefined;
    if (host === undefined) return [];
    return [
      {
        workload: caller.workload,
        host,
        port: call.port,
        place: "environment",
        namespace: caller.role.namespace,
      },
    ];
  });
}
