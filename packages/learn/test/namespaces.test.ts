import { formatSelector } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { suggest } from "../src/index.ts";
import { edge, inventoryOf, SHOP, workload } from "./shop.ts";
import { asideOf, rulesOf } from "./told.ts";

describe("namespaces and labels", () => {
  it("gives rules across namespaces their own names", () => {
    const all = [...SHOP, workload("prometheus", 90, { app: "prometheus" }, "ops")];
    const known = inventoryOf(all);
    const scrape = edge("ops/prometheus", "web", "9100/tcp", {}, 4, all);
    expect(rulesOf([scrape], known)).toEqual([
      "shop/ops-prometheus-to-web: ops: app=prometheus → shop: app=web 9100/tcp",
    ]);
    expect(suggest([scrape], known).isolations.map((one) => one.namespace)).toEqual([
      "ops",
      "shop",
    ]);
    expect(suggest([scrape], known, { namespaces: ["shop"] }).isolations).toHaveLength(1);
  });

  it("never isolates who cannot be named, and never allows them by silence", () => {
    const all = [...SHOP, workload("mystery", 91, {})];
    const known = inventoryOf(all);
    const edges = [
      edge("web", "db", "5432/tcp"),
      edge("mystery", "db", "5432/tcp", {}, 4, all),
      edge("mystery", "203.0.113.1", "80/tcp", {}, 4, all),
    ];
    const { isolations, exempt } = suggest(edges, known);
    expect(isolations.map((one) => formatSelector(one.selector))).toEqual(["app"]);
    expect(asideOf(edges, known)).toEqual(["unlabelled: shop/mystery → shop/db 5432"]);
    expect(exempt.map((item) => item.reason)).toEqual(["unlabelled"]);
  });

  it("leaves workloads on their machine's address to the host", () => {
    const all = SHOP.map((one) => (one.name === "db" ? { ...one, hostNetwork: true } : one));
    expect(asideOf([edge("web", "db", "5432/tcp")], inventoryOf(all))).toEqual([
      "host-network: shop/web → shop/db 5432",
    ]);
  });

  it("says nothing about a namespace that was silent", () => {
    const all = [...SHOP, workload("idle", 92, { app: "idle" }, "attic")];
    const { isolations } = suggest([edge("web", "db", "5432/tcp")], inventoryOf(all));
    expect(isolations.map((one) => one.namespace)).toEqual(["shop"]);
  });
});
