/** What peers hold, ports mean and subjects select; and the inventory they are looked up in. */
import { describe, expect, it } from "vitest";
import { ICMP, SCTP, TCP, UDP, type FlowQuery } from "@bulkhead/model";
import { indexInventory } from "../src/index.ts";
import { index, WORLD, ask, ingress, one } from "./asked.ts";
import {
  any,
  block,
  chosen,
  cidr,
  everyPort,
  inventory,
  policySet,
  rule,
  stage,
  tcp,
  workload,
} from "./small-sets.ts";

describe("peers", () => {
  const from = (peer: typeof any, query: Partial<FlowQuery>) =>
    ingress(one("denyOverrides", [rule("allow", [peer])]), query) === "allow b/0";

  it("any is everybody", () => {
    expect(["10.0.0.2", WORLD, "fd00::9"].map((source) => from(any, { source }))).toEqual([
      true,
      true,
      true,
    ]);
  });

  it("workloads are chosen by namespace and labels, and nothing else is one", () => {
    expect(from(chosen("shop:app=db"), {})).toBe(true);
    expect(from(chosen("ops:app=db"), {})).toBe(false);
    expect(from(chosen("shop:app=web"), {})).toBe(false);
    expect(from(chosen("*:"), { source: "10.0.0.3" })).toBe(true);
    expect(from(chosen("*:"), { source: WORLD })).toBe(false);
    expect(from(chosen("*:"), { source: "10.0.0.254" })).toBe(false);
  });

  it("namespaces are chosen by their labels, with their name among these", () => {
    const byLabel = (key: string, value: string) => ({
      ...chosen("*:"),
      namespaces: {
        kind: "selected" as const,
        selector: { requirements: [{ key, operator: "In" as const, values: [value] }] },
      },
    });
    expect(from(byLabel("team", "x"), {})).toBe(true);
    expect(from(byLabel("team", "x"), { source: "10.0.0.3" })).toBe(false);
    expect(from(byLabel("kubernetes.io/metadata.name", "shop"), {})).toBe(true);
    expect(from(byLabel("kubernetes.io/metadata.name", "ops"), { source: "10.0.0.3" })).toBe(true);
    expect(from(byLabel("kubernetes.io/metadata.name", "ops"), {})).toBe(false);
  });

  it("a prefix holds the world's addresses up to its ends, its exceptions not, workloads only if told", () => {
    const prefix = cidr("192.0.2.0/25", { except: ["192.0.2.64/26"] });
    const hits = [
      "192.0.1.255",
      "192.0.2.0",
      "192.0.2.63",
      "192.0.2.64",
      "192.0.2.127",
      "192.0.2.128",
    ];
    expect(hits.map((source) => from(prefix, { source }))).toEqual([
      false,
      true,
      true,
      false,
      false,
      false,
    ]);
    const all = cidr("10.0.0.0/8");
    expect(from(all, {})).toBe(false);
    expect(from(all, { source: "10.0.0.99" })).toBe(true);
    expect(from({ ...all, matchesWorkloads: true } as typeof any, {})).toBe(true);
    expect(from(cidr("::/0"), { source: WORLD })).toBe(false);
    expect(from(cidr("0.0.0.0/0", { except: ["::/0"] }), { source: WORLD })).toBe(true);
  });

  it("a prefix may hold the host where the node is not exempt", () => {
    const strict = (matchesWorkloads: boolean) =>
      policySet(
        one("denyOverrides", [rule("allow", [cidr("10.0.0.0/8", { matchesWorkloads })])]).stages,
        { nodeExempt: false },
      );
    expect(ingress(strict(true), { source: "10.0.0.254" })).toBe("allow b/0");
    expect(ingress(strict(false), { source: "10.0.0.254" })).toBe("drop isolation b");
  });

  it("a prefix claims in its turn, also beside a selector", () => {
    const both = (first: Parameters<typeof rule>, second: Parameters<typeof rule>) =>
      ingress(one("firstMatch", [rule(...first), rule(...second)]));
    const all = cidr("10.0.0.0/8", { matchesWorkloads: true });
    expect(both(["deny", [chosen("shop:app=db")]], ["allow", [all]])).toBe("drop b/0");
    expect(both(["allow", [all]], ["deny", [chosen("shop:app=db")]])).toBe("allow b/0");
  });

  it("host and world are two, and no workload is either", () => {
    const out = (entity: "host" | "world") => (destination: string) =>
      ask(
        policySet([
          stage("s", "denyOverrides", [
            block("b", "egress", "shop:app=db", [rule("allow", [{ kind: "entity", entity }])]),
          ]),
        ]),
        { destination },
      ).egress.verdict;
    const ends = ["10.0.0.254", WORLD, "10.0.0.3"];
    expect(ends.map(out("host"))).toEqual(["allow", "drop", "drop"]);
    expect(ends.map(out("world"))).toEqual(["drop", "allow", "drop"]);
  });

  it("any one of several will do, and none of an empty list does", () => {
    const set = (peers: (typeof any)[]) => one("denyOverrides", [rule("allow", peers)]);
    expect(ingress(set([chosen("ops:"), chosen("shop:")]))).toBe("allow b/0");
    expect(ingress(set([]))).toBe("drop isolation b");
  });
});

describe("ports", () => {
  const open = (ports: Parameters<typeof rule>[2], query: Partial<FlowQuery>) =>
    ingress(one("denyOverrides", [rule("allow", [any], ports)]), query) === "allow b/0";

  it("a range includes both its ends, of its own protocol", () => {
    const range = [tcp(80, 82)];
    expect([79, 80, 81, 82, 83].map((port) => open(range, { port }))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
    expect(open(range, { protocol: UDP, port: 81 })).toBe(false);
    expect(open(range, { protocol: SCTP, port: 81 })).toBe(false);
  });

  it("a protocol is all of its ports; all is everything; an empty list is nothing", () => {
    const icmp = [{ kind: "protocol" as const, protocol: ICMP }];
    expect(open(icmp, { protocol: ICMP, port: 8 * 256 })).toBe(true);
    expect(open(icmp, {})).toBe(false);
    expect(open([everyPort], { protocol: 47, port: 0 })).toBe(true);
    expect(open([], {})).toBe(false);
    expect(open([tcp(1), tcp(80)], {})).toBe(true);
  });

  it("a name is looked up on the destination, with its protocol: every port that bears it", () => {
    const http = [{ kind: "named" as const, protocol: TCP, name: "http" }];
    expect([80, 8080, 8081, 8082, 9000].map((port) => open(http, { port }))).toEqual([
      false,
      true,
      true,
      false,
      false,
    ]);
    expect(open(http, { protocol: UDP, port: 8080 })).toBe(false);
    expect(open([{ kind: "named", protocol: TCP, name: "dns" }], { port: 53 })).toBe(false);
  });

  it("a name means nothing on a destination given by prefix or entity, also beside one given by selector", () => {
    const http = { kind: "named" as const, protocol: TCP, name: "http" };
    const out = (peers: (typeof any)[], ports: Parameters<typeof rule>[2], port = 8080) =>
      ask(
        policySet([
          stage("s", "denyOverrides", [
            block("b", "egress", "shop:app=db", [rule("allow", peers, ports)]),
          ]),
        ]),
        { port },
      ).egress.verdict;
    const prefix = cidr("10.0.0.0/8", { matchesWorkloads: true });
    expect(out([chosen("shop:app=web")], [http])).toBe("allow");
    expect(out([any], [http])).toBe("allow");
    expect(out([prefix], [http])).toBe("drop");
    expect(out([prefix, chosen("ops:")], [http])).toBe("drop");
    expect(out([prefix, chosen("shop:")], [http])).toBe("allow");
    expect(out([prefix], [http, tcp(8080)])).toBe("allow");
    expect(out([chosen("shop:app=web")], [http], 80)).toBe("drop");
  });

  it("a name on the subject's own side may go with a prefix", () => {
    const http = [{ kind: "named" as const, protocol: TCP, name: "http" }];
    const set = one("denyOverrides", [rule("allow", [cidr("192.0.2.0/24")], http)]);
    expect(ingress(set, { source: WORLD, port: 8080 })).toBe("allow b/0");
    expect(ingress(set, { source: WORLD, port: 80 })).toBe("drop isolation b");
  });

  it("nobody owns a world address, so a name never means one of its ports", () => {
    const http = [{ kind: "named" as const, protocol: TCP, name: "http" }];
    const set = policySet([
      stage("s", "denyOverrides", [
        block("b", "egress", "shop:app=db", [rule("allow", [any], http)]),
      ]),
    ]);
    expect(ask(set, { destination: WORLD, port: 8080 }).verdict).toBe("drop");
  });
});

describe("subjects", () => {
  it("are all workloads, or those chosen; never an address without an owner", () => {
    const all = policySet([
      stage("s", "denyOverrides", [block("b", "ingress", { kind: "all-workloads" }, [])]),
    ]);
    expect(ingress(all, { source: WORLD, destination: "10.0.0.3" })).toBe("drop isolation b");
    expect(ingress(all, { destination: WORLD })).toBe("allow not-a-workload");
  });
});

describe("indexInventory", () => {
  it("sorts what it knows: IPv4 before IPv6, then by value", () => {
    expect(index.known.map(({ address }) => address)).toEqual([
      "10.0.0.1",
      "10.0.0.2",
      "10.0.0.3",
      "10.0.0.254",
      "fd00::1",
      "fd00::fe",
    ]);
  });

  it("refuses an address that is none", () => {
    expect(() => index.at("10.0.0.300")).toThrow("not an IP address: `10.0.0.300`");
    expect(() => indexInventory(inventory([workload("a/b", "nonsense")]))).toThrow("nonsense");
  });

  it("counts an address that a workload lists twice once, and a workload listed twice once", () => {
    const twice = workload("shop/web", ["10.0.0.1", "10.0.0.1"]);
    const found = indexInventory(inventory([twice, { ...twice, labels: { app: "later" } }]));
    expect(found.contested).toEqual([]);
    expect(found.workloads.get("shop/web")).toBe(twice);
  });
});
