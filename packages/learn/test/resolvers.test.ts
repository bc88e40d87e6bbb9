/** Who asks for names: one rule a resolver, whoever asks it, and however it is asked. */
import { describe, expect, it } from "vitest";
import type { Edge, Labels, Workload } from "@bulkhead/model";
import { suggest } from "../src/index.ts";
import { edge as edgeOf, inventoryOf, SHOP, silent, workload } from "./shop.ts";
import { rulesOf } from "./told.ts";

const unit = (name: string, labels: Labels = {}): Workload => ({
  ...workload(name, 1, { "bulkhead.dev/unit": name, ...labels }, "host"),
  kind: "process",
  addresses: [],
});
const service = (app: string): Workload => unit(`${app}.service`, { app });
const ALL = [
  ...SHOP,
  ...["nginx", "feed", "mail", "resolved", "unbound"].map(service),
  unit("run-r1.service"),
  unit("user-1000.slice", { "bulkhead.dev/user": "ann" }),
];
const KNOWN = inventoryOf(ALL);
const edge = (from: string, to: string, port: string, over: Partial<Edge> = {}): Edge =>
  edgeOf(from, to, port, over, 4, ALL);
const ONCE = { connections: 1, windows: 1 };
const told = (edges: readonly Edge[]) => rulesOf(edges, KNOWN);
const AT = "203.0.113.1";
const setsOf = (edges: readonly Edge[]) =>
  suggest(edges, KNOWN).networkSets.map(({ namespace, name, cidrs }) => [
    `${namespace}/${name}`,
    ...cidrs,
  ]);

describe("a resolver outside", () => {
  const asked = [
    edge("host/nginx.service", AT, "53/udp"),
    edge("host/feed.service", AT, "53/udp", ONCE),
    edge("host/mail.service", AT, "53/tcp"),
  ];

  it("has one set and one rule for all that ask it, with the evidence of each", () => {
    expect(told(asked)).toEqual([
      "host/dns-at-203.0.113.1: host: app in (feed,mail,nginx) → set host/dns-at-203.0.113.1 53/tcp 53/udp",
    ]);
    expect(setsOf(asked)).toEqual([["host/dns-at-203.0.113.1", "203.0.113.1/32"]]);
    const [rule] = suggest(asked, KNOWN).rules;
    expect(rule?.purpose).toBe("dns");
    expect(rule?.parts.map(({ name, rare }) => [name, rare])).toEqual([
      ["host/feed → host/dns-at-203.0.113.1", true],
      ["host/mail → host/dns-at-203.0.113.1", false],
      ["host/nginx → host/dns-at-203.0.113.1", false],
    ]);
  });

  it("keeps the name of its rule, whoever else asks, and whatever else is asked", () => {
    const names = (edges: readonly Edge[]) => suggest(edges, KNOWN).rules.map(({ name }) => name);
    expect(names(asked.slice(1, 2))).toEqual(["dns-at-203.0.113.1"]);
    expect(names([...asked, edge("host/nginx.service", "2001:db8::1", "53/udp")])).toEqual([
      "dns-at-2001-db8-0-1",
      "dns-at-203.0.113.1",
    ]);
    expect(names([...asked, edge("host/run-r1.service", AT, "53/udp")])).toEqual([
      "dns-at-203.0.113.1",
      "dns-at-203.0.113.1-by-unit",
    ]);
    expect(names([...asked, edge("web", AT, "53/udp")])).toEqual(Array(2).fill(names(asked)[0]));
  });

  it("is allowed to nobody who did not ask it, nor another one to whoever did", () => {
    const edges = [
      ...asked,
      edge("host/nginx.service", "198.51.100.8", "53/udp"),
      edge("host/resolved.service", AT, "53/udp", silent()),
      edge("host/user-1000.slice", AT, "53/udp"),
    ];
    expect(told(edges)).toEqual([
      "host/dns-at-198.51.100.8: host: app=nginx → set host/dns-at-198.51.100.8 53/udp",
      "host/dns-at-203.0.113.1: host: app in (feed,mail,nginx) → set host/dns-at-203.0.113.1 53/tcp 53/udp",
    ]);
  });

  it("is still one of many for who asks everybody: that is a person's to say", () => {
    const many = Array.from({ length: 12 }, (_, at) =>
      edge("host/unbound.service", `198.51.100.${at}`, "53/udp"),
    );
    expect(told([...many, ...asked])).toHaveLength(1);
    expect(suggest(many, KNOWN).setAside.map(({ reason }) => reason)).toEqual(
      Array(12).fill("world"),
    );
  });

  it("is the same once its set is in force, and flows bear its name", () => {
    const name = "host/dns-at-203.0.113.1";
    const later = asked.map((one) => ({ ...one, destination: { ...one.destination, name } }));
    expect(told(later)).toEqual(told(asked));
    expect(setsOf(later)).toEqual(setsOf(asked));
  });
});

describe("a resolver of the machine", () => {
  it("is left open, and who asks it has one rule at its own end", () => {
    const edges = [
      edge("host/nginx.service", "host/resolved.service", "53/udp"),
      edge("host/feed.service", "host/resolved.service", "53/udp", ONCE),
      edge("host/mail.service", "host/resolved.service", "53/tcp", ONCE),
      edge("host/user-1000.slice", "host/resolved.service", "53/udp"),
      edge("203.0.113.50", "host/resolved.service", "5355/tcp"),
      edge("host/resolved.service", AT, "53/udp"),
    ];
    expect(told(edges)).toEqual([
      "host/dns-at-203.0.113.1: host: app=resolved → set host/dns-at-203.0.113.1 53/udp",
      "host/dns-at-resolved: host: app in (feed,mail,nginx) → host: app=resolved 53/tcp 53/udp",
    ]);
    const { rules, isolations, setAside } = suggest(edges, KNOWN);
    expect(rules.map(({ only }) => only)).toEqual([undefined, "egress"]);
    // It answers whoever was quiet until now, and asks whom it was seen to ask.
    expect(isolations.map(({ name, directions }) => [name, directions])).toEqual(
      ["feed", "mail", "nginx", "resolved"].map((app) => [`default-deny-${app}`, ["egress"]]),
    );
    expect(setAside.map(({ edge: one, reason }) => [reason, one.source.name])).toEqual([
      ["people", "host/user-1000.slice"],
      ["resolver", "world"],
    ]);
  });

  it("is none that never answered, nor one whom only others than the machine's processes ask", () => {
    const isolated = (edges: readonly Edge[]) =>
      suggest(edges, KNOWN).isolations.flatMap(({ name, namespace, directions = [] }) =>
        namespace === "host" ? [`${name} ${directions.join(" ")}`] : [],
      );
    const serves = edge("web", "host/unbound.service", "53/udp");
    expect(isolated([serves])).toEqual(["default-deny-unbound ingress"]);
    const tried = edge("host/nginx.service", "host/unbound.service", "53/udp", silent());
    expect(isolated([serves, tried])).toEqual(["default-deny-unbound ingress"]);
  });
});
