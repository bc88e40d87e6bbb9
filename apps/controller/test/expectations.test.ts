/** What is known to be coming, from files and from agents: whose it is, when it comes, since when it is as it is. */
import { expect, test } from "vitest";
import { parseFiles } from "@bulkhead/dialects";
import type { ExpectedHere, FoundSchedule } from "@bulkhead/wire";
import { createExpectations } from "../src/expectation/expectations.ts";
import { NOTHING_DECLARED } from "../src/world/declared.ts";
import { buildWorld, NO_SURROUNDINGS } from "../src/world/world.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");

const CRON_JOB = `apiVersion: batch/v1
kind: CronJob
metadata: { name: invoices, namespace: shop }
spec:
  schedule: "0 3 1 * *"
  jobTemplate: { spec: { template: { metadata: { labels: { app: invoices } } } } }
`;

const WORLD = buildWorld(NOTHING_DECLARED, {
  ...NO_SURROUNDINGS,
  endpoints: [
    {
      kind: "netns",
      name: "web",
      containerLabels: {},
      interface: "veth1",
      ifindex: 4,
      mac: "02:00:00:00:00:01",
      addresses: ["10.0.0.2"],
      netnsPath: "/run/netns/web",
      listeners: [],
    },
  ],
  processes: [
    {
      cgroup: "/system.slice/cron.service",
      form: "service",
      unit: "cron.service",
      sockets: [],
    },
  ],
});

function keeper(stored: string | null = null, text = "", now = NOW) {
  const saved: string[] = [];
  const { resources } = parseFiles([{ name: "a.yaml", text }]);
  const expectations = createExpectations({
    now: () => now,
    resources: () => resources,
    world: () => WORLD,
    stored,
    save: (one) => void saved.push(one),
  });
  return { ...expectations, saved };
}

const here = (schedules: readonly FoundSchedule[], more: Partial<ExpectedHere> = {}) => ({
  timeZone: "Europe/Berlin",
  schedules,
  dependencies: [],
  problems: [],
  ...more,
});

test("a CronJob of the files in force has its next run, and the time when it was first known", () => {
  const first = keeper(null, CRON_JOB);
  expect(first.schedules()).toEqual([
    {
      name: "CronJob shop/invoices",
      kind: "cronjob",
      expression: "0 3 1 * *",
      timeZone: "UTC",
      labels: { app: "invoices" },
      namespace: "shop",
      nextRun: Date.parse("2026-12-01T03:00:00Z"),
      since: NOW,
    },
  ]);
  first.schedules();
  expect(first.saved).toHaveLength(1);
  const later = NOW + 86_400_000;
  expect(keeper(first.saved[0], CRON_JOB, later).schedules()[0]?.since).toBe(NOW);
  const edited = CRON_JOB.replace("0 3 1", "0 4 1");
  expect(keeper(first.saved[0], edited, later).schedules()[0]?.since).toBe(later);
});

test("a machine's jobs are its units', in its own zone", () => {
  const { told, schedules } = keeper();
  const cron = { kind: "cron", expression: "30 6 * * *", unit: "cron.service", since: 5 } as const;
  const timer = { kind: "systemd-timer", expression: "monthly", unit: "backup.service" } as const;
  told(
    "box",
    here([
      { name: "cron /etc/crontab line 3", ...cron },
      { name: "timer backup.timer", ...timer },
    ]),
  );
  expect(schedules()).toEqual([
    {
      name: "cron /etc/crontab line 3",
      kind: "cron",
      expression: "30 6 * * *",
      timeZone: "Europe/Berlin",
      node: "box",
      workload: "host/cron.service",
      nextRun: Date.parse("2026-11-21T05:30:00Z"),
      since: 5,
    },
    expect.objectContaining({
      name: "timer backup.timer",
      node: "box",
      workload: "host/backup.service",
      namespace: "host",
    }),
  ]);
  told("box", here([]));
  expect(schedules()).toEqual([]);
});

test("what cannot be read is told, and nobody waits for it", () => {
  const { told, schedules, problems } = keeper(null, CRON_JOB.replace("0 3 1 * *", "99 3 1 * *"));
  told("box", here([], { problems: ["/etc/crontab line 9: its times cannot be read"] }));
  expect(schedules()).toEqual([]);
  expect(problems()).toEqual([
    expect.stringMatching(/^CronJob shop\/invoices: `99 3 1 \* \*` cannot be read: /),
    "box: /etc/crontab line 9: its times cannot be read",
  ]);
});

test("a dependency is whose unit or link it was found at; who has gone depends on nothing", () => {
  const { told, dependencies } = keeper();
  const at = { host: "db", port: 5432, place: "environment DATABASE_URL" };
  told(
    "box",
    here([], {
      dependencies: [
        { owner: { kind: "unit", cgroup: "/system.slice/cron.service" }, ...at },
        { owner: { kind: "endpoint", interface: "veth1" }, ...at },
        { owner: { kind: "endpoint", interface: "veth1" }, ...at, host: "localhost" },
        { owner: { kind: "endpoint", interface: "veth9" }, ...at },
      ],
    }),
  );
  expect(dependencies()).toEqual([
    { ...at, workload: "host/cron.service", namespace: "host" },
    { ...at, workload: "default/web", namespace: "default" },
  ]);
});

test("however often somebody writes a crontab anew, since when others are as they are stays known", () => {
  const [stored = ""] = [keeper(null, CRON_JOB, NOW - 86_400_000)].flatMap((one) => {
    one.schedules();
    return one.saved;
  });
  const known = keeper(stored, CRON_JOB);
  const since = () => known.schedules().find(({ kind }) => kind === "cronjob")?.since;
  for (let round = 0; round < 4; round += 1) {
    const lines = Array.from({ length: 2000 }, (_, at): FoundSchedule => ({
      name: `cron x line ${at} of ${round}`,
      kind: "cron",
      expression: "@reboot",
      since: NOW,
    }));
    known.told("here", here(lines));
    known.schedules();
  }
  expect(since()).toBe(NOW - 86_400_000);
});
