import { DAY_MS, type Edge } from "@bulkhead/model";
import { expect, it } from "vitest";
import { suggest } from "../src/index.ts";
import { edge, inventoryOf, silent, workload } from "./shop.ts";

const ALL = [
  ...[1, 2, 3, 4].map((at) => workload(`web-${at}`, 10 + at, { app: "web" })),
  workload("db", 20, { app: "db" }),
  workload("vault", 21, { app: "vault" }),
];
const span = { firstSeen: DAY_MS, lastSeen: 30 * DAY_MS };
const seen = (from: string, to: string, port: string, over: Partial<Edge> = {}): Edge =>
  edge(from, to, port, { ...span, ...over }, 4, ALL);
const late = { firstSeen: 25 * DAY_MS, lastSeen: 26 * DAY_MS, windows: 2 };

const abroad = seen("web-3", "203.0.113.9", "443/tcp", late);
const EDGES = [
  ...[1, 2, 3, 4].map((at) => seen(`web-${at}`, "db", "5432/tcp")),
  seen("web-3", "vault", "8200/tcp", late),
  { ...abroad, destination: { ...abroad.destination, names: ["paste.example.com"] } },
  seen("web-1", "vault", "22/tcp", silent()),
];

const idle = (...accept: string[]) =>
  suggest(EDGES, inventoryOf(ALL), { accept }).idleAccepts.map(
    ({ text, reason = "never seen" }) => `${text}: ${reason}`,
  );

it("tells of what was accepted and nothing stands on", () => {
  const { setAside } = suggest(EDGES, inventoryOf(ALL));
  expect(setAside.flatMap(({ habit }) => habit ?? []).toSorted()).toEqual([
    "shop/web → paste.example.com 443/tcp",
    "shop/web → shop/vault 8200/tcp",
  ]);
  expect(idle("shop/web -> shop/vault 8200/tcp")).toEqual([]);
  expect(idle("shop/web-3 →  shop/vault 8200/tcp")).toEqual([]);
  expect(idle("shop/web -> paste.example.com 443/tcp")).toEqual([]);
  expect(idle("shop/web-3 -> 203.0.113.9 443/tcp")).toEqual([]);
  // Nobody doubts it, and it is proposed anyhow.
  expect(idle("shop/web -> shop/db 5432/tcp")).toEqual([]);
  expect(idle("shop/web -> shop/vault 8201/tcp", "shop/web-1 -> shop/vault 22/tcp")).toEqual([
    "shop/web -> shop/vault 8201/tcp: never seen",
    "shop/web-1 -> shop/vault 22/tcp: failed",
  ]);
});
