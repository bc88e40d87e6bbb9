/** What is said of readiness, in words. */
import type { Awaited, Readiness } from "@bulkhead/model";
import { expect, test } from "vitest";
import { awaitedText, readinessLine, unseenText } from "../src/index.ts";

const WHOLE = { low: 0, high: 1 };

const after = (units: number): Readiness => ({
  subject: { kind: "group", name: "shop/web", workloads: ["shop/web-1"] },
  state: "learning",
  unseen: {
    seen: 1,
    units,
    unit: "hour",
    once: 1,
    twice: 0,
    mass: 1,
    massInterval: WHOLE,
    edges: 0,
    edgesInterval: WHOLE,
    flows: 0.5,
    flowsInterval: WHOLE,
  },
  calendar: [],
  awaited: [],
  reason: "one day was looked at, and 14 have to be",
  weakened: [],
});

test("of one unit of time nothing was estimated, of two something was", () => {
  expect(unseenText(after(0))).toBe("unknown");
  expect(unseenText(after(1), "connections")).toBe("unknown");
  expect(readinessLine(after(1))).toContain("1 edge in 1 hour; unseen unknown");
  expect(unseenText(after(2))).toBe("100 % (0–100 %)");
  expect(unseenText(after(2), "connections")).toBe("50 % (0–100 %)");
});

test("a name that brings new addresses, and what to do about it", () => {
  const changing: Awaited = {
    kind: "addresses",
    name: "api.example.com",
    protocol: 6,
    port: 443,
    addresses: 6,
    later: 5,
    days: 60,
    newest: Date.UTC(2026, 2, 28),
    flows: 0,
  };
  expect(awaitedText(changing)).toBe(
    "api.example.com:443 brings new addresses (5 in 60 days, the last on 2026-03-28): name its range with `suggest --range`, or run suggest again when it changes",
  );
  const one: Readiness = { ...after(60), state: "ready-except", awaited: [changing] };
  expect(readinessLine(one)).toContain("ready except for new addresses of api.example.com:443");
});

const doubtful: Awaited = {
  kind: "doubt",
  edge: "shop/o'brien → shop/db 5432/tcp",
  reason: "lone",
  detail: "`shop/o'brien-2` did it a few times",
  connections: 3,
  firstSeen: Date.UTC(2026, 2, 1, 4),
  lastSeen: Date.UTC(2026, 2, 28),
};

test("a doubtful edge, and the command that answers for it, as a shell takes it", () => {
  expect(awaitedText(doubtful)).toBe(
    "shop/o'brien → shop/db 5432/tcp is doubtful (lone): `shop/o'brien-2` did it a few times; 3 connections, 2026-03-01 to 2026-03-28: `bulkhead readiness --accept 'shop/o'\\''brien -> shop/db 5432/tcp'` if it is needed, `--reject` if not",
  );
  const one: Readiness = {
    ...after(60),
    state: "ready-except",
    awaited: [doubtful],
    moreDoubts: 2,
  };
  expect(readinessLine(one)).toContain(
    "ready except for a word on shop/o'brien → shop/db 5432/tcp, a word on 2 more doubtful edges: ",
  );
});

test("who told is named where imports did", () => {
  const line = readinessLine(after(60));
  const share = { edges: 1, connections: 0.8, alone: 0.2 };
  const aws = { ...share, format: "aws-vpc" } as const;
  expect(readinessLine({ ...after(60), told: [aws] })).toBe(
    `${line}; seen by import of aws-vpc only`,
  );
  expect(readinessLine({ ...after(60), told: [aws, { ...share, format: "agent" }] })).toBe(
    `${line}; of its connections told import of aws-vpc 80 % (20 % alone), our collectors 80 % (20 % alone)`,
  );
});

test("a line names every way of looking that leaves something out", () => {
  const told = readinessLine(after(60));
  expect(told).not.toContain("gcp");
  const weakened = [
    { format: "gcp-vpc", sampling: 30, aggregation: 5000, direction: "guessed" } as const,
    { format: "calico", sampling: 1, aggregation: 300_000, direction: "told" } as const,
  ];
  expect(readinessLine({ ...after(60), weakened })).toBe(
    `${told}; gcp-vpc: 1 in 30 packets, who called whom is guessed, summed over 5 s; calico: summed over 300 s`,
  );
});
