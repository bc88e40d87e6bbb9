import { type Edge } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { suggest } from "../src/index.ts";
import { edge } from "./shop.ts";
import { inventory, rulesOf } from "./told.ts";

describe("ends without a name of their own", () => {
  const nameless = (one: Edge): Edge => ({
    ...one,
    source: { ...one.source, workload: "default/ns-1", name: "default/ns-1", labels: {} },
  });

  it("are who owns their address now", () => {
    const before = nameless(edge("web", "db", "5432/tcp"));
    const outside: Edge = {
      ...edge("report", "db", "5432/tcp"),
      source: { address: "10.0.0.17", name: "world", labels: {} },
    };
    expect(rulesOf([before, outside])).toEqual([
      "shop/clients-to-db-5432: shop: app in (report,web) → shop: app=db 5432/tcp",
    ]);
  });

  it("keep the labels they had when they had some", () => {
    const before = nameless(edge("web", "db", "5432/tcp"));
    const old: Edge = { ...before, source: { ...before.source, labels: { app: "old" } } };
    expect(rulesOf([old])).toEqual([
      "shop/default-old-to-db: default: app=old → shop: app=db 5432/tcp",
    ]);
  });

  it("are whom the name that they were found by was declared to be, at whatever address and with whatever labels", () => {
    const declared = { ...inventory, foundAs: new Map([["default/ns-1", "shop/web"]]) };
    const before = edge("web", "db", "5432/tcp");
    const found = (address: string, labels = {}): Edge => ({
      ...before,
      source: { ...before.source, address, workload: "default/ns-1", name: "default/ns-1", labels },
    });
    for (const one of [found("10.0.9.9"), found("10.0.9.9", { unit: "web.service" })]) {
      const { rules, unlabelled, formerNames } = suggest([one], declared);
      expect(rules.map(({ evidence }) => evidence.samples)).toEqual([["shop/web → shop/db"]]);
      expect(unlabelled).toEqual([]);
      expect(formerNames).toEqual([{ before: "default/ns-1", now: "shop/web" }]);
      const elsewhere = suggest([one], declared, { namespaces: ["crm"] });
      expect(elsewhere.formerNames).toEqual([]);
    }
  });

  it("are not taken for another while somebody bears their name", () => {
    const [web] = inventory.workloads;
    const taken = {
      ...inventory,
      workloads: [
        ...inventory.workloads,
        { ...web!, id: "default/ns-1", addresses: [], labels: {} },
      ],
      foundAs: new Map([["default/ns-1", "shop/web"]]),
    };
    const { unlabelled, formerNames } = suggest([nameless(edge("web", "db", "5432/tcp"))], taken);
    expect({ unlabelled, formerNames }).toEqual({ unlabelled: ["default/ns-1"], formerNames: [] });
  });

  it("are listed when nobody owns their address", () => {
    const stranger = nameless(edge("web", "db", "5432/tcp"));
    const { unlabelled } = suggest(
      [{ ...stranger, source: { ...stranger.source, address: "10.0.7.7" } }],
      inventory,
    );
    expect(unlabelled).toEqual(["default/ns-1"]);
  });
});
