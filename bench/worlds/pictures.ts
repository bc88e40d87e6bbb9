/** What the tables cannot show: how the estimate of the unseen follows the truth week by week, and what each method denies afterwards. */
import { FIRST_DAY, HOURS, WEEK } from "./calendar.ts";
import { always, judge } from "./judging.ts";
import { drawLogChart, type LogSeries } from "./log-chart.ts";
import { applicationAt, walk } from "./ready-walk.ts";
import { deniedShare, LEARNINGS } from "./tables.ts";
import { halfOf, METHODS } from "./trial.ts";
import { daysWithin, type World } from "./world.ts";

/** Of the world's family: the application with the most calls. */
const SHOWN = "shop";
const AHEAD_DAYS = 4 * WEEK;
const AIM = { at: 0.0005, text: "aim: 0.05 %" };

export function drawUnseen(world: World): string {
  const { weeks } = walk(world, world.days - AHEAD_DAYS, true);
  const own = weeks.flatMap(({ day, all }) =>
    all.filter(({ subject }) => subject.name === SHOWN).map((readiness) => ({ day, readiness })),
  );
  const estimate: LogSeries = {
    name: "estimate, 95 %",
    points: own.map(({ day, readiness }) => [day / WEEK, readiness.unseen.flows]),
    band: own.map(({ day, readiness: { unseen } }) => [
      day / WEEK,
      unseen.flowsInterval.low,
      unseen.flowsInterval.high,
    ]),
  };
  const truth: LogSeries = {
    name: "came in the next 4 weeks",
    points: own.map(({ day }) => [day / WEEK, newShare(world, SHOWN, day)]),
  };
  return drawLogChart([estimate, truth], {
    title: `Connections on edges never seen before (application ${SHOWN})`,
    y: "share of the application's connections",
    least: -7,
    most: -1,
    aim: AIM,
  });
}

/** Of an application's needed connections in the next weeks: the share of needs that were not seen before. New programs are left out. */
export function newShare(world: World, application: string, day: number): number {
  const first = new Map<string, number>();
  for (const { need, days } of world.tracks) {
    first.set(need, Math.min(first.get(need) ?? Infinity, days[0]?.day ?? Infinity));
  }
  let [all, unseen] = [0, 0];
  for (const track of world.tracks) {
    const { source, destination, purpose, need, days, bornAt } = track;
    const isOwn =
      applicationAt(source) === application || applicationAt(destination) === application;
    if (purpose !== "needed" || !isOwn || bornAt >= day * HOURS) continue;
    const count = daysWithin(days, FIRST_DAY + day, FIRST_DAY + day + AHEAD_DAYS).reduce(
      (sum, one) => sum + one.connections,
      0,
    );
    all += count;
    if ((first.get(need) ?? Infinity) >= FIRST_DAY + day) unseen += count;
  }
  return all === 0 ? 0 : unseen / all;
}

export function drawFalseDenies(world: World): string {
  const half = halfOf(world);
  const series = METHODS.map((method): LogSeries => {
    const learned = method.learn(world, half);
    const points: [number, number][] = [];
    for (let day = half; day + WEEK <= world.days; day += WEEK) {
      const verdicts = judge(world, always(learned, half), day, day + WEEK);
      points.push([day / WEEK, deniedShare(verdicts, LEARNINGS)]);
    }
    return { name: method.name, points };
  });
  return drawLogChart(series, {
    title: "Falsely denied, week by week, of what half a year had taught",
    y: `share of needed connections (${world.family}, seed ${world.seed})`,
    least: -6,
    most: 0,
    aim: AIM,
  });
}
