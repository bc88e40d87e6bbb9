/** Outside ends by the names that DNS gave for them, by prefixes that a person said, and else by address. */
import type { Edge } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { suggest } from "../src/index.ts";
import { edge } from "./shop.ts";
import { inventory, rulesOf } from "./told.ts";

function named(from: string, address: string, port: string, ...names: string[]): Edge {
  const one = edge(from, address, port);
  return { ...one, destination: { ...one.destination, names } };
}

describe("an outside end with a name", () => {
  it("is a set of that name, which all of an application share", () => {
    const edges = [
      named("checkout", "203.0.113.20", "443/tcp", "api.example.com", "edge.example.net"),
      named("storefront-1", "203.0.113.21", "8443/tcp", "api.example.com"),
      named("checkout", "203.0.113.30", "443/tcp", "www.example.com"),
    ];
    const { networkSets } = suggest(edges, inventory);
    expect(networkSets).toMatchObject([
      {
        name: "api.example.com",
        application: "shop",
        cidrs: ["203.0.113.20/32", "203.0.113.21/32"],
        basis: { kind: "dns", name: "api.example.com", also: ["edge.example.net"] },
        addresses: 2,
        evidence: { connections: 80 },
      },
      { name: "www.example.com", cidrs: ["203.0.113.30/32"] },
    ]);
    expect(rulesOf(edges)).toEqual([
      "shop/checkout-to-api.example.com: shop: app=checkout → set shop/api.example.com 443/tcp",
      "shop/checkout-to-www.example.com: shop: app=checkout → set shop/www.example.com 443/tcp",
      "shop/storefront-to-api.example.com: shop: app=storefront → set shop/api.example.com 8443/tcp",
    ]);
  });

  it("holds many addresses, but not any number", () => {
    const of = (count: number) =>
      Array.from({ length: count }, (_, at) =>
        named("checkout", `203.0.113.${at + 1}`, "443/tcp", "cdn.example.com"),
      );
    expect(suggest(of(64), inventory).networkSets[0]?.cidrs).toHaveLength(64);
    const { networkSets, setAside } = suggest(of(65), inventory);
    expect(networkSets).toEqual([]);
    expect(setAside[0]?.detail).toBe(
      "`cdn.example.com` answered with 65 addresses: say which networks it may reach (--range)",
    );
  });

  it("that calls us is known by its address: nobody asked for its name", () => {
    const one = edge("203.0.113.9", "web", "80/tcp");
    const caller = { ...one, source: { ...one.source, names: ["bot.example.com"] } };
    expect(suggest([caller], inventory).networkSets.map(({ name }) => name)).toEqual([
      "callers-of-web-80",
    ]);
  });

  it("bears names that are names: services lose what a resource may not have, long ones are cut", () => {
    const long = `${"a".repeat(63)}.example.com`;
    const sets = suggest(
      [
        named("checkout", "203.0.113.1", "5061/tcp", "_sip._tcp.example.com"),
        named("checkout", "203.0.113.2", "443/tcp", long),
      ],
      inventory,
    );
    expect(sets.networkSets.map(({ name }) => name)).toEqual([long, "sip.tcp.example.com"]);
    const ruled = sets.rules.map(({ name }) => name);
    expect(ruled).toContain("checkout-to-sip.tcp.example.com");
    const [cut = ""] = ruled.filter((name) => name.includes("aaa"));
    expect(cut.split(".").every((part) => part.length <= 63)).toBe(true);
  });

  it("stays in its set once that is in force, with names and without", () => {
    const first = [named("checkout", "203.0.113.20", "443/tcp", "api.example.com")];
    const later = edge("checkout", "203.0.113.21", "443/tcp");
    const inForce = {
      ...later,
      destination: { ...later.destination, name: "shop/api.example.com" },
    };
    const both = [...first, inForce];
    const namedSets = new Map([["shop/api.example.com", "api.example.com"]]);
    for (const options of [{}, { namedSets }]) {
      const { networkSets, rules } = suggest(both, inventory, options);
      expect(networkSets.map(({ cidrs }) => cidrs)).toEqual([
        ["203.0.113.20/32", "203.0.113.21/32"],
      ]);
      expect(rules.map(({ name, evidence }) => [name, evidence.edges])).toEqual([
        ["checkout-to-api.example.com", 2],
      ]);
    }
  });
});

describe("a name that stands for another address by now", () => {
  const before = named("checkout", "203.0.113.20", "443/tcp", "api.example.com");
  const denied = (address: string, port = "443/tcp", name = "api.example.com"): Edge => ({
    ...named("checkout", address, port, name),
    verdict: "dropped",
    established: 0,
    failed: 40,
    bytes: 2400,
  });

  it("is followed, though the set in force denies it", () => {
    const { networkSets, accepted, setAside } = suggest(
      [before, denied("203.0.113.21")],
      inventory,
    );
    expect(networkSets.map(({ cidrs }) => cidrs)).toEqual([["203.0.113.20/32", "203.0.113.21/32"]]);
    expect(accepted).toHaveLength(2);
    expect(setAside).toEqual([]);
  });

  it("is not followed to another port, another name, or by another client", () => {
    const other = denied("203.0.113.21");
    const web = { ...other, source: edge("web", "db", "1/tcp").source };
    for (const one of [
      denied("203.0.113.21", "22/tcp"),
      denied("203.0.113.21", "443/tcp", "www.example.com"),
      web,
    ]) {
      const { networkSets, setAside } = suggest([before, one], inventory);
      expect(networkSets.map(({ cidrs }) => cidrs)).toEqual([["203.0.113.20/32"]]);
      expect(setAside.map(({ reason }) => reason)).toEqual(["denied"]);
    }
  });

  it("is not followed by who looks for something: a scanner may ask for any name", () => {
    const scan = Array.from({ length: 60 }, (_, at) =>
      denied(`203.0.113.${at + 100}`, `${at + 1}/tcp`),
    );
    const { networkSets } = suggest([before, denied("203.0.113.21"), ...scan], inventory);
    expect(networkSets.flatMap(({ cidrs }) => cidrs)).not.toContain("203.0.113.21/32");
  });
});

describe("a range", () => {
  const many = Array.from({ length: 9 }, (_, at) =>
    edge("checkout", `203.0.113.${at + 1}`, "443/tcp"),
  );

  it("is allowed as it was said, with what was seen of it", () => {
    const ranges = ["203.0.113.0/24"] as const;
    const { networkSets, setAside } = suggest(many, inventory, { ranges });
    expect(setAside).toEqual([]);
    expect(networkSets).toMatchObject([
      {
        name: "net-203-0-113-0-24",
        cidrs: ["203.0.113.0/24"],
        basis: { kind: "said", cidr: "203.0.113.0/24" },
        addresses: 9,
      },
    ]);
  });

  it("that nobody said is only told of, as narrow as what was seen", () => {
    const { networkSets, setAside } = suggest(many, inventory);
    expect(networkSets).toEqual([]);
    expect(setAside[0]?.detail).toBe(
      "leads to 9 outside addresses on this port, all of 203.0.113.0/28: say which networks it may reach (--range 203.0.113.0/28)",
    );
    const far = [...many, edge("checkout", "8.8.8.8", "443/tcp")];
    expect(suggest(far, inventory).setAside[0]?.detail).toBe(
      "leads to 10 outside addresses on this port: say which networks it may reach (--range)",
    );
  });
});
