/** What may be asked of flows: text becomes values, and what is wrong is told with its place and how it is written. */
import { describe, expect, it } from "vitest";
import { formatSelector } from "@bulkhead/model";
import {
  publishedSchemas,
  readAddresses,
  readPorts,
  readProtocol,
  readSelector,
  readVerdict,
  routes,
  type Read,
} from "../src/index.ts";

function valueOf<T>(read: Read<T>): T {
  if ("error" in read) throw new Error(read.error);
  return read.value;
}

function problemOf(read: Read<unknown>): readonly [string, string] {
  if (!("error" in read)) throw new Error(`expected a problem, got ${String(read.value)}`);
  return [read.error, read.help];
}

describe("reading", () => {
  it("takes verdicts in any case", () => {
    expect(["DROPPED", "Audit", "forwarded"].map((text) => valueOf(readVerdict(text)))).toEqual([
      "dropped",
      "audit",
      "forwarded",
    ]);
  });

  it("takes addresses and prefixes of both families", () => {
    expect(valueOf(readAddresses("10.0.0.7"))).toEqual({
      family: 4,
      first: 0x0a000007n,
      last: 0x0a000007n,
    });
    expect(valueOf(readAddresses("10.0.0.0/24"))).toMatchObject({ family: 4, last: 0x0a0000ffn });
    expect(valueOf(readAddresses("FD00::/8")).family).toBe(6);
  });

  it("takes a port without protocol for every protocol with ports, and none else", () => {
    expect(valueOf(readPorts("53")).map(({ protocol }) => protocol)).toEqual([6, 17, 132, 33, 136]);
    expect(valueOf(readPorts("8000-8100/udp"))).toEqual([
      { protocol: 17, first: 8000, last: 8100 },
    ]);
    expect(valueOf(readPorts("icmp/echo-request"))).toEqual([
      { protocol: 1, first: 2048, last: 2303 },
    ]);
    expect(valueOf(readPorts("gre"))).toEqual([{ protocol: 47, first: 0, last: 65_535 }]);
  });

  it("takes protocols by name in any case, and by number", () => {
    expect(["TCP", "icmpv6", "proto-47"].map((text) => valueOf(readProtocol(text)))).toEqual([
      6, 58, 47,
    ]);
  });

  it.each<readonly [string, Read<unknown>, string, string]>([
    ["a selector cut short", readSelector("app in (web"), "at character 12", "write it like"],
    ["a colon", readSelector("app:web"), "`app:web`: ", "did you mean `app=web`?"],
    ["a label's origin", readSelector("k8s:app=web"), "at character", "did you mean `app=web`?"],
    ["no selector", readSelector(" "), "selects all", "write it like"],
    ["a name", readAddresses("web"), "neither an address nor a prefix", "10.0.0.0/8"],
    ["host bits", readAddresses("10.0.0.7/8"), "`10.0.0.7/8`", "`10.0.0.0/8` or `10.0.0.7`?"],
    ["no protocol", readProtocol("tpc"), "`tpc` is not a protocol", "icmpv6"],
    ["no port", readPorts("99999"), "ports are 1 to 65535", "5432/tcp"],
    ["a named port", readPorts("http/tcp"), "not a port by number", "5432/tcp"],
    ["all ports", readPorts("all"), "not a port by number", "5432/tcp"],
    ["no verdict", readVerdict("denied"), "`denied` is not a verdict", "rejected"],
  ])("refuses %s", (_, read, error, help) => {
    const [told, helped] = problemOf(read);
    expect(told).toContain(error);
    expect(helped).toContain(help);
  });
});

describe("the query of flows and edges", () => {
  const { request } = routes.edges;

  it("reads what a query string holds", () => {
    const query = request.parse({
      fromLabel: "app=web,tier!=test;tier in (b,a)",
      toIp: "10.0.0.0/8,fd00::1",
      toFqdn: "*.Example.com.,db",
      protocol: "tcp,UDP",
      port: "53/udp,5432/tcp",
      verdict: "DROPPED,audit",
      first: "3",
    });
    expect(query.fromLabel?.map(formatSelector)).toEqual(["app=web,tier!=test", "tier in (a,b)"]);
    expect(query.toIp?.map(({ family }) => family)).toEqual([4, 6]);
    expect(query).toMatchObject({
      toFqdn: ["*.example.com", "db"],
      protocol: [6, 17],
      port: [
        { protocol: 17, first: 53, last: 53 },
        { protocol: 6, first: 5432, last: 5432 },
      ],
      verdict: ["dropped", "audit"],
      first: 3,
      limit: 0,
    });
  });

  it("tells everything that is wrong at once, with help", () => {
    const parsed = request.safeParse({
      label: "app in web;=",
      ip: "web",
      fqdn: "a b",
      protocol: "tpc",
      port: "x",
      verdict: "gone",
    });
    const told = parsed.error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    expect(told).toHaveLength(7);
    expect(told).toContainEqual(
      expect.stringMatching(/^label: `app in web`: .*, at character 8 \(write it like/),
    );
  });

  it("is published with every filter", () => {
    const { properties } = publishedSchemas().flows.request as { properties: object };
    expect(Object.keys(properties)).toEqual(
      expect.arrayContaining([
        "fromLabel",
        "toLabel",
        "label",
        "ip",
        "toFqdn",
        "protocol",
        "first",
        "follow",
      ]),
    );
  });
});
