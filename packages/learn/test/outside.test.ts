import { describe, expect, it } from "vitest";
import { suggest } from "../src/index.ts";
import { edge } from "./shop.ts";
import { inventory, rulesOf } from "./told.ts";

describe("outside", () => {
  const outside = (count: number, port = "443/tcp") =>
    Array.from({ length: count }, (_, index) => edge("checkout", `203.0.113.${index + 1}`, port));

  it("a handful of addresses becomes a set of single addresses", () => {
    const { networkSets } = suggest(outside(3), inventory);
    expect(networkSets).toMatchObject([
      {
        name: "outside-of-checkout-443",
        namespace: "shop",
        basis: { kind: "addresses" },
        addresses: 3,
        evidence: { connections: 120 },
        cidrs: ["203.0.113.1/32", "203.0.113.2/32", "203.0.113.3/32"],
      },
    ]);
  });

  it("many addresses are a person's decision", () => {
    const { rules, setAside } = suggest(outside(9), inventory);
    expect(rules).toEqual([]);
    expect(setAside).toHaveLength(9);
    expect(setAside[0]?.detail).toContain("9 outside addresses");
  });

  it("ports with the same addresses share a set, others get their own", () => {
    const edges = [
      edge("checkout", "203.0.113.1", "443/tcp"),
      edge("checkout", "203.0.113.1", "80/tcp"),
      edge("checkout", "203.0.113.2", "25/tcp"),
    ];
    expect(rulesOf(edges)).toEqual([
      "shop/checkout-to-world-25: shop: app=checkout → set shop/outside-of-checkout-25 25/tcp",
      "shop/checkout-to-world-80-443: shop: app=checkout → set shop/outside-of-checkout-80-443 80/tcp 443/tcp",
    ]);
  });

  it("callers from outside are listed, too", () => {
    expect(rulesOf([edge("203.0.113.9", "web", "80/tcp")])).toEqual([
      "shop/world-80-to-web: set shop/callers-of-web-80 → shop: app=web 80/tcp",
    ]);
  });

  it("a declared set keeps its name, a proposed one is proposed again", () => {
    const to = (name: string) => ({
      ...edge("checkout", "203.0.113.20", "8443/tcp"),
      destination: { address: "203.0.113.20", name, labels: {} },
    });
    expect(rulesOf([to("shop/payments")])).toEqual([
      "shop/checkout-to-payments: shop: app=checkout → set shop/payments 8443/tcp",
    ]);
    const again = suggest([to("shop/outside-of-checkout")], inventory);
    expect(again.networkSets).toHaveLength(1);
    expect(again).toEqual(suggest([to("world")], inventory));
  });
});
