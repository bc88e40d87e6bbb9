/** What is proposed keeps its name while it is the same, whatever comes beside it; and every name is one that a resource may have. */
import { describe, expect, it } from "vitest";
import type { Edge } from "@bulkhead/model";
import { suggest } from "../src/index.ts";
import { edge, inventoryOf, workload } from "./shop.ts";
import { inventory } from "./told.ts";

const namesOf = (edges: readonly Edge[]): readonly string[] =>
  suggest(edges, inventory).rules.map(({ name }) => name);
const rare = { connections: 2, established: 2, bytes: 9_000, packets: 30, windows: 2 };

describe("a rule's name", () => {
  it.each([
    [
      "other clients on another port",
      [edge("web", "db", "5432/tcp"), edge("checkout", "db", "5432/tcp")],
      [edge("web", "db", "9999/tcp"), edge("users", "db", "9999/tcp")],
    ],
    [
      "a rare port of the same two",
      [edge("web", "db", "5432/tcp")],
      [edge("web", "db", "9999/tcp", rare)],
    ],
    [
      "another purpose between the same two",
      [edge("web", "db", "5432/tcp")],
      [edge("web", "db", "22/tcp")],
    ],
    [
      "other outside addresses on another port",
      [edge("checkout", "203.0.113.1", "443/tcp")],
      [edge("checkout", "203.0.113.2", "25/tcp")],
    ],
    [
      "other targets of the same monitor",
      ["web", "db", "cache"].map((to) => edge("metrics", to, "9100/tcp")),
      ["web", "db", "cache"].map((to) => edge("metrics", to, "8088/tcp", { windows: 3 })),
    ],
  ])("is the same beside %s", (_, before, more) => {
    const names = namesOf(before);
    expect(names).toHaveLength(1);
    const after = namesOf([...before, ...more]);
    expect(after).toContain(names[0]);
    expect(new Set(after).size).toBe(after.length);
  });

  it.each([
    [
      "of the namespace",
      workload("y", 12, { app: "db", "app.kubernetes.io/part-of": "shop" }, "ops"),
    ],
    ["of a third namespace", workload("y", 12, { app: "b-db" }, "sho")],
  ])("is the same beside a group %s that could be called alike", (_, alike) => {
    const namespace = alike.namespace === "sho" ? "sho-b" : "shop";
    const all = [
      workload("x", 11, { app: "db" }, namespace),
      workload("api", 13, { app: "api" }, "ops"),
      alike,
    ];
    const first = edge(`${namespace}/x`, "ops/api", "80/tcp", {}, 4, all);
    const second = edge(alike.id, "ops/api", "81/tcp", {}, 4, all);
    const named = (edges: readonly Edge[]) =>
      suggest(edges, inventoryOf(all)).rules.map(({ name }) => name);
    const each = [...named([first]), ...named([second])];
    expect(each).toHaveLength(2);
    expect(named([first, second])).toEqual(each.toSorted());
    expect(each).toContain(`db-of-${namespace}-to-api`);
  });

  it("fits, however long its ends are called, and differs where they do", () => {
    const long = (end: string) => `${"very-".repeat(11)}long-${end}`;
    const all = [
      workload("a", 10, { app: long("a") }),
      workload("b", 11, { app: long("b") }),
      workload("db", 12, { app: "d".repeat(63) }),
    ];
    const { rules } = suggest(
      [
        edge("a", "db", "5432/tcp", {}, 4, all),
        edge("db", "a", "80/tcp", {}, 4, all),
        edge("db", "b", "81/tcp", {}, 4, all),
      ],
      inventoryOf(all),
    );
    const names = rules.map(({ name }) => name);
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(name).toMatch(/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/);
  });
});
