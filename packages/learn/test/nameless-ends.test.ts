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

  it("are listed when nobody owns their address", () => {
    const stranger = nameless(edge("web", "db", "5432/tcp"));
    const { unlabelled } = suggest(
      [{ ...stranger, source: { ...stranger.source, address: "10.0.7.7" } }],
      inventory,
    );
    expect(unlabelled).toEqual(["default/ns-1"]);
  });
});
