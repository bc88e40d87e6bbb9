/** What `systemctl` prints of timers (systemctl(1), systemd.time(7), systemd 252), and what is made of it. */
import { expect, test } from "vitest";
import { readTimers, timersIn } from "../../src/expectation/systemd-timers.ts";

const LISTED = JSON.stringify([
  {
    next: 1_795_000_000_000_000,
    left: 3_600_000_000,
    last: 1_794_900_000_000_000,
    passed: 10,
    unit: "backup.timer",
    activates: "backup.service",
  },
  { next: 0, left: 0, last: 0, passed: 0, unit: "idle.timer", activates: "idle.service" },
  {
    next: 2 ** 64,
    last: 1_794_000_000_000_000,
    unit: "once.timer",
    activates: "once.service",
  },
  { next: 1, last: 1, unit: "bad name\u001b[31m", activates: "x" },
]);

const SHOWN = `Id=backup.timer
ActiveState=active
TimersCalendar={ OnCalendar=Mon,Fri *-01/2-01,03 *:30:45 ; next_elapse=Fri 2027-01-01 03:30:45 UTC }
TimersCalendar={ OnCalendar=quarterly ; next_elapse=(null) }
TimersMonotonic={ OnBootUSec=15min ; next_elapse=15min }

Id=idle.timer
ActiveState=inactive
TimersCalendar={ OnCalendar=daily ; next_elapse=n/a }

Id=once.timer
ActiveState=active
TimersMonotonic={ OnUnitActiveUSec=1w ; next_elapse=0 }
`;

const run = (_: string, args: readonly string[]) =>
  Promise.resolve(args.includes("list-timers") ? LISTED : SHOWN);

test("a timer is told with what it starts, when it did, and when it will", async () => {
  expect(await readTimers(run)).toEqual([
    {
      name: "timer backup.timer",
      kind: "systemd-timer",
      expression: "Mon,Fri *-01/2-01,03 *:30:45; quarterly; OnBootSec=15min",
      unit: "backup.service",
      lastRun: 1_794_900_000_000,
      nextRun: 1_795_000_000_000,
    },
    {
      name: "timer idle.timer",
      kind: "systemd-timer",
      expression: "daily",
      unit: "idle.service",
      suspended: true,
    },
    {
      name: "timer once.timer",
      kind: "systemd-timer",
      expression: "OnUnitActiveSec=1w",
      unit: "once.service",
      lastRun: 1_794_000_000_000,
    },
  ]);
});

test("names that no unit can have are left out, and what is no list is an error", () => {
  expect(timersIn(LISTED).map(({ unit }) => unit)).not.toContain("bad name\u001b[31m");
  expect(() => timersIn("{}")).toThrow("no list");
});

test("without timers nothing more is asked", async () => {
  expect(await readTimers(() => Promise.resolve("[]"))).toEqual([]);
});
