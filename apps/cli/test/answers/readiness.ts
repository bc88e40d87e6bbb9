/** A shop on its first morning, with a database that has been there for a quarter. */
import type { ReadinessAnswer } from "@bulkhead/api";
import { NOW } from "../call.ts";

const DAY = 86_400_000;
const LATER = Date.UTC(2026, 3, 2);

const QUARTER = {
  kind: "quarter-end",
  text: "the end of a quarter",
  next: LATER - 2 * DAY,
} as const;

export const readiness: ReadinessAnswer = {
  at: NOW,
  level: "group",
  subjects: [
    {
      subject: { kind: "group", name: "shop/cache", workloads: ["shop/cache"] },
      state: "learning",
      unseen: {
        seen: 0,
        units: 0,
        unit: "hour",
        once: 0,
        twice: 0,
        mass: 1,
        massInterval: { low: 0, high: 1 },
        edges: 0,
        edgesInterval: { low: 0, high: 0 },
        flows: 1,
        flowsInterval: { low: 0, high: 1 },
      },
      calendar: [],
      awaited: [],
      reason: "nothing was seen of it yet that a rule could rest on",
      weakened: [],
    },
    {
      subject: { kind: "group", name: "shop/checkout", workloads: ["shop/checkout-1"] },
      state: "learning",
      unseen: {
        seen: 4,
        units: 2,
        unit: "hour",
        once: 1,
        twice: 3,
        mass: 0.0204,
        massInterval: { low: 0, high: 0.743 },
        edges: 0.08,
        edgesInterval: { low: 0.002, high: 3.4 },
        flows: 0.0011,
        flowsInterval: { low: 0, high: 0.512 },
      },
      calendar: [
        { kind: "hour-of-week", text: "Saturday 00:00–Friday 07:00 UTC", next: NOW + DAY / 2 },
        QUARTER,
      ],
      awaited: [
        {
          kind: "dependency",
          dependency: {
            workload: "shop/checkout-1",
            host: "mail.example.com",
            port: 25,
            scheme: "smtp",
            place: "environment MAIL_URL",
          },
        },
      ],
      notBefore: NOW + 13 * DAY,
      reason: "one day was looked at, and 14 have to be",
      weakened: [{ format: "gcp-vpc", sampling: 10, aggregation: 60_000, direction: "told" }],
      firstSeen: NOW - DAY / 24,
      lastSeen: NOW,
    },
    {
      subject: { kind: "group", name: "shop/db", workloads: ["shop/db"] },
      state: "ready-except",
      unseen: {
        seen: 3,
        units: 80,
        unit: "day",
        once: 0,
        twice: 0,
        mass: 0,
        massInterval: { low: 0, high: 0.0467 },
        edges: 0,
        edgesInterval: { low: 0, high: 0 },
        flows: 0,
        flowsInterval: { low: 0, high: 0.0021 },
      },
      calendar: [QUARTER],
      awaited: [
        {
          kind: "schedule",
          schedule: {
            name: "timer backup.timer",
            kind: "systemd-timer",
            expression: "monthly",
            node: "edge-1",
            workload: "shop/db",
            nextRun: Date.UTC(2026, 3, 1, 3),
          },
        },
      ],
      readyAt: LATER,
      reason: "by then all that is awaited has come",
      weakened: [],
      firstSeen: NOW - 80 * DAY,
      lastSeen: NOW,
    },
    {
      subject: { kind: "group", name: "edge-1", workloads: [] },
      state: "learning",
      unseen: {
        seen: 0,
        units: 0,
        unit: "hour",
        once: 0,
        twice: 0,
        mass: 1,
        massInterval: { low: 0, high: 1 },
        edges: 0,
        edgesInterval: { low: 0, high: 12 },
        flows: 1,
        flowsInterval: { low: 0, high: 1 },
      },
      calendar: [],
      awaited: [
        {
          kind: "schedule",
          schedule: {
            name: "cron /etc/cron.daily/dpkg",
            kind: "cron",
            expression: "25 6 * * *",
            node: "edge-1",
            nextRun: Date.UTC(2026, 3, 1, 6, 25),
          },
        },
      ],
      reason: "nothing was seen of it yet that a rule could rest on",
      weakened: [],
    },
  ],
  watched: { days: 80, hours: 1901 },
  edges: 7,
  setAside: 41,
};
