/**
 * What readiness costs: ninety days of a million edges among ten thousand workloads of five hundred roles, asked for each group
 * and for each workload; and with it the judgement of what is evidence, which is what a suggestion costs. The peer is one plain
 * pass over the days of all edges. Memory is the most that the process ever held, the histories included.
 */
import { acceptedHistories, assessReadiness } from "@bulkhead/learn";
import { DAY_MS, type EdgeDay, type EdgeHistory } from "@bulkhead/model";
import { inventory } from "./decide-world.ts";
import { absolute, compared, type Figure } from "./figure.ts";
import { edges, seconds } from "./suggest.ts";

const DAYS = 90;
const ROUNDS = 3;
const HABITS = 8;

/** Daily, and less and less often. */
const habits = Array.from({ length: HABITS }, (_, habit) =>
  Array.from({ length: Math.ceil(DAYS / (habit + 1)) }, (_, at): EdgeDay => ({
    day: 1 + at * (habit + 1),
    hours: 0xff_00 << (habit % 8),
    connections: 3,
  })),
);

function plainPass(histories: readonly EdgeHistory[]): number {
  let days = 0;
  for (const { days: own } of histories) for (const { hours } of own) if (hours !== 0) days += 1;
  return days;
}

export function benchReadiness(): Figure[] {
  const histories = edges(true).map((edge, at): EdgeHistory => ({
    edge,
    days: habits[at % HABITS]!,
  }));
  const watch = Array.from({ length: DAYS }, (_, at) => ({ day: 1 + at, hours: 0xff_ff_ff }));
  const asked = {
    histories,
    watch,
    inventory,
    schedules: [],
    dependencies: [],
    now: DAY_MS * (DAYS + 1),
  };
  const [groups, workloads, plain]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    plain.push(seconds(() => plainPass(histories)));
    groups.push(seconds(() => assessReadiness({ ...asked, level: "group" }).length));
    workloads.push(seconds(() => assessReadiness({ ...asked, level: "workload" }).length));
  }
  const judged = seconds(() => acceptedHistories(histories, inventory).length);
  return [
    absolute("readiness/500 groups from 1M edges of 90 days", "s", groups, { atMost: 10 }),
    compared("readiness/500 groups from 1M edges", "s", groups, "one plain pass", plain),
    absolute("readiness/10k workloads from 1M edges of 90 days", "s", workloads, { atMost: 10 }),
    absolute("readiness/what is evidence, of 1M edges", "s", [judged], { atMost: 20 }),
    absolute("readiness/most memory", "MB", [process.resourceUsage().maxRSS / 1000]),
  ];
}
