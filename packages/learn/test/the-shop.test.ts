import { describe, expect, it } from "vitest";
import { suggest } from "../src/index.ts";
import { edge, intruderEdges, shopEdges, USERS } from "./shop.ts";
import { inventory, rulesOf } from "./told.ts";

describe("the shop", () => {
  it("needs few rules, none of which names a copy or the intruder", () => {
    const rules = rulesOf([...shopEdges(), ...intruderEdges()]);
    expect(rules).toEqual([
      "shop/checkout-to-world-8443: shop: app=checkout → set shop/outside-of-checkout-8443 8443/tcp",
      "shop/clients-to-cache-6379: shop: app in (checkout,storefront) → shop: app=cache 6379/tcp",
      "shop/clients-to-db-5432: shop: app in (checkout,storefront) → shop: app=db 5432/tcp",
      "shop/clients-to-dns-udp-53: shop: app in (checkout,metrics,report,storefront,users,web) → shop: app=dns 53/udp",
      "shop/metrics-to-checkout: shop: app=metrics → shop: app=checkout 9100/tcp",
      "shop/metrics-to-storefront: shop: app=metrics → shop: app=storefront 9100/tcp",
      "shop/metrics-to-web: shop: app=metrics → shop: app=web 8088/tcp",
      "shop/storefront-to-checkout: shop: app=storefront → shop: app=checkout 8081/tcp",
      "shop/users-to-web: shop: app=users → shop: app=web 80/tcp",
      "shop/web-to-storefront: shop: app=web → shop: app=storefront 8080/tcp",
      "shop/report-to-cache-6379 (rare): shop: app=report → shop: app=cache 6379/tcp",
      "shop/report-to-db-5432 (rare): shop: app=report → shop: app=db 5432/tcp",
    ]);
  });

  it("isolates the whole namespace, the intruder included", () => {
    const { isolations } = suggest([...shopEdges(), ...intruderEdges()], inventory);
    expect(isolations).toEqual([
      { name: "default-deny", namespace: "shop", selector: { requirements: [] }, workloads: 11 },
    ]);
  });

  it("sets every edge of the intruder aside, answered or not, and says why", () => {
    const edges = intruderEdges();
    const { setAside, flagged } = suggest([...shopEdges(), ...edges], inventory);
    expect(setAside.length).toBe(edges.length);
    expect(new Set(setAside.map((item) => item.reason))).toEqual(
      new Set(["scan", "flagged-source"]),
    );
    expect(flagged).toEqual([
      {
        name: "shop/intruder",
        address: "10.0.0.66",
        level: "scanner",
        targets: 42,
        unanswered: 36,
        since: 1_000_000,
      },
    ]);
  });

  it("names the namespace for DNS only when all of it asks", () => {
    const asking = [...USERS, "report", "db", "cache", "intruder"];
    const all = asking.map((name) => edge(name, "dns", "53/udp"));
    expect(rulesOf(all)).toEqual(["shop/clients-to-dns-udp-53: shop:  → shop: app=dns 53/udp"]);
    const [silentOne, ...others] = all;
    expect(silentOne?.source.name).toBe("shop/users");
    expect(rulesOf(others)[0]).toContain("app in (");
  });
});
