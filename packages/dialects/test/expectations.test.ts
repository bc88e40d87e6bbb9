/** What Kubernetes' manifests tell of what is to come: CronJobs, and destinations in the environment and in ConfigMaps. */
import { expect, test } from "vitest";
import { buildPolicySet, expectationsOf, parseFiles } from "../src/index.ts";

const read = (text: string) => {
  const parsed = parseFiles([{ name: "shop.yaml", text }], { strangers: "left" });
  const { inventory } = buildPolicySet(parsed.resources, {
    now: 0,
    strict: false,
    mode: "enforce",
  });
  const found = expectationsOf(parsed.resources, inventory.workloads);
  return { ...parsed, ...found };
};

const CRON_JOB = `apiVersion: batch/v1
kind: CronJob
metadata: { name: invoices, namespace: shop, creationTimestamp: "2026-01-02T03:04:05Z" }
spec:
  schedule: "0 3 1 * *"
  timeZone: Europe/Berlin
  jobTemplate:
    spec:
      template:
        metadata: { labels: { app: invoices } }
        spec:
          containers:
            - name: run
              env:
                - { name: DATABASE_URL, value: "postgres://app:hunter2@db:5432/shop" }
                - { name: DB_PASSWORD, value: hunter2 }
                - { name: API_KEY, valueFrom: { secretKeyRef: { name: api, key: key } } }
                - { name: QUEUE, valueFrom: { configMapKeyRef: { name: settings, key: queue_url } } }
status: { lastScheduleTime: "2026-11-01T02:00:00Z" }
`;

const CONFIG_MAP = `apiVersion: v1
kind: ConfigMap
metadata: { name: settings, namespace: shop }
data:
  queue_url: amqp://user:hunter2@mq:5672/
  cache_host: redis
  app.properties: |
    # the rest
    mail.url=smtp://mail.example.com
    mail.password=hunter2:25
`;

test("a CronJob is a schedule of the workload that its pods are", () => {
  const { schedules } = read(CRON_JOB);
  expect(schedules).toEqual([
    {
      name: "CronJob shop/invoices",
      kind: "cronjob",
      expression: "0 3 1 * *",
      timeZone: "Europe/Berlin",
      workload: "shop/invoices",
      labels: { app: "invoices" },
      namespace: "shop",
      lastRun: Date.parse("2026-11-01T02:00:00Z"),
      since: Date.parse("2026-01-02T03:04:05Z"),
    },
  ]);
});

test("one that is suspended is told as such, and an old one's zone stands before its schedule", () => {
  const { schedules } = read(
    CRON_JOB.replace('"0 3 1 * *"', '"CRON_TZ=Asia/Tokyo 0 3 * * *"').replace(
      "timeZone: Europe/Berlin",
      "suspend: true",
    ),
  );
  expect(schedules[0]).toMatchObject({
    expression: "0 3 * * *",
    timeZone: "Asia/Tokyo",
    suspended: true,
  });
});

test("a template that nobody filled in is no mistake of a policy's", () => {
  const { schedules, resources, diagnostics } = read(
    CRON_JOB.replace('"0 3 1 * *"', "{ a: b }").replace("timeZone: Europe/Berlin", "suspend: [1]"),
  );
  expect(resources).toHaveLength(1);
  expect(schedules).toEqual([]);
  expect(diagnostics).toEqual([]);
});

test("destinations come with the place that says so, and never with a value", () => {
  const { dependencies, resources } = read(`${CRON_JOB}---\n${CONFIG_MAP}`);
  expect(dependencies).toEqual([
    {
      workload: "shop/invoices",
      namespace: "shop",
      host: "db",
      port: 5432,
      scheme: "postgresql",
      place: "environment DATABASE_URL",
    },
    {
      workload: "shop/invoices",
      namespace: "shop",
      host: "mq",
      port: 5672,
      scheme: "amqp",
      place: "ConfigMap shop/settings queue_url",
    },
  ]);
  expect(JSON.stringify(resources)).not.toContain("hunter2");
});

test("a container that takes all of a ConfigMap has all that it names", () => {
  const all = CRON_JOB.replace(
    "              env:",
    "              envFrom:\n                - configMapRef: { name: settings }\n              env:",
  );
  const { dependencies } = read(`${all}---\n${CONFIG_MAP}`);
  expect(dependencies.map(({ host, port, place }) => `${host}:${port} ${place}`)).toEqual([
    "db:5432 environment DATABASE_URL",
    "mq:5672 ConfigMap shop/settings queue_url",
    "redis:undefined ConfigMap shop/settings cache_host",
    "mail.example.com:25 ConfigMap shop/settings app.properties line 2",
  ]);
});

test("a ConfigMap that names no destination says nothing about the network", () => {
  const { resources, diagnostics } = read(
    "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x }\ndata: { color: blue }\n",
  );
  expect(resources).toEqual([]);
  expect(diagnostics.map(({ code }) => code)).toEqual(["BH0401"]);
});
