import { describe, expect, it } from "vitest";
import { suggest } from "../src/index.ts";
import { edge, inventoryOf, SHOP, silent } from "./shop.ts";
import { asideOf, inventory, rulesOf } from "./told.ts";

describe("evidence", () => {
  it("of a batch job that runs rarely is enough, and is marked", () => {
    const once = { connections: 1, established: 1, bytes: 5_000, packets: 20, windows: 1 };
    expect(rulesOf([edge("report", "db", "5432/tcp", once)])).toEqual([
      "shop/report-to-db-5432 (rare): shop: app=report → shop: app=db 5432/tcp",
    ]);
  });

  it("of a long-lived connection counts before its bytes are known", () => {
    const pool = { connections: 1, established: 1, bytes: 0, packets: 0, windows: 1 };
    expect(rulesOf([edge("checkout", "db", "5432/tcp", pool)])).toHaveLength(1);
  });

  it("of a connection from before anybody looked is enough, and not rare", () => {
    const before = { connections: 0, established: 0, bytes: 500_000, packets: 5_000, windows: 0 };
    expect(rulesOf([edge("checkout", "db", "5432/tcp", before)])).toEqual([
      "shop/checkout-to-db: shop: app=checkout → shop: app=db 5432/tcp",
    ]);
    const failure = { ...before, failed: 1, bytes: 60 };
    expect(asideOf([edge("checkout", "db", "5432/tcp", failure)])).toEqual([
      "failed: shop/checkout → shop/db 5432",
    ]);
  });

  it("is none in a connect that was never answered", () => {
    expect(asideOf([edge("web", "db", "5432/tcp", silent())])).toEqual([
      "failed: shop/web → shop/db 5432",
    ]);
  });

  it("is none in a single handshake without a word, but a health check is a habit", () => {
    const shake = { connections: 1, established: 1, bytes: 7 * 52 + 16, packets: 7, windows: 1 };
    expect(asideOf([edge("web", "db", "5432/tcp", shake)])).toEqual([
      "one-off: shop/web → shop/db 5432",
    ]);
    const habit = { connections: 30, established: 30, bytes: 30 * 380, packets: 210, windows: 30 };
    expect(rulesOf([edge("web", "db", "5432/tcp", habit)])).toHaveLength(1);
  });

  it("of one copy speaks for the others of its role", () => {
    const { accepted, rules } = suggest(
      [edge("storefront-1", "db", "5432/tcp"), edge("storefront-2", "db", "5432/tcp", silent())],
      inventory,
    );
    expect(accepted).toHaveLength(2);
    expect(rules[0]?.evidence).toMatchObject({ edges: 2, connections: 41, failed: 1 });
  });

  it("is none in what was denied or forged when it was seen", () => {
    expect(
      asideOf([
        edge("web", "db", "5432/tcp", { verdict: "dropped", rule: "Policy/shop/db#ingress" }),
        edge("web", "cache", "6379/tcp", { verdict: "rejected" }),
        edge("users", "db", "5432/tcp", { verdict: "spoofed" }),
      ]),
    ).toEqual([
      "spoofed: shop/users → shop/db 5432",
      "denied: shop/web → shop/cache 6379",
      "denied: shop/web → shop/db 5432",
    ]);
  });

  it("counts audited traffic: it was forwarded", () => {
    expect(rulesOf([edge("web", "db", "5432/tcp", { verdict: "audit" })])).toHaveLength(1);
  });

  it("of workloads that have gone is kept, by the labels they had", () => {
    const gone = edge("report", "db", "5432/tcp");
    const without = inventoryOf(SHOP.filter((one) => one.name !== "report"));
    expect(rulesOf([gone], without)).toEqual([
      "shop/report-to-db: shop: app=report → shop: app=db 5432/tcp",
    ]);
  });
});
