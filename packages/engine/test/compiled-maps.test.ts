/** What the compiler puts into the maps, entry by entry: no more than is needed, and nothing that moves without a cause. */
import { describe, expect, it } from "vitest";
import { ICMP, TCP, UDP } from "@bulkhead/model";
import { db, compiled, onDb, mapText } from "./compiled.ts";
import {
  any,
  block,
  chosen,
  cidr,
  everyPort,
  inventory,
  nativeSet,
  policySet,
  rule,
  tcp,
  workload,
} from "./small-sets.ts";

describe("maps", () => {
  it("hold an exact entry only where the default says something else", () => {
    const result = compiled(onDb([rule("allow", [chosen("shop:app=web")], [tcp(5432)])]));
    expect(mapText(result)).toEqual({
      exact: [
        "10.0.0.1: 6/0-5431 drop by db, 6/5432-5432 allow by db/0, 6/5433-65535 drop by db, else drop by db",
      ],
      ranges: [],
      default: "else drop by db",
    });
    expect(result.capacity).toEqual({
      subjects: 2,
      classes: 1,
      rows: 2,
      exactEntries: 1,
      rangeEntries: 0,
      overlayEntries: 0,
      intervals: 5,
    });
  });

  it("hold ranges where prefixes tell the world apart, neighbours with equal rows merged", () => {
    const result = compiled(
      onDb([
        rule("allow", [cidr("192.0.2.0/26"), cidr("192.0.2.64/26"), cidr("2001:db8::/33")]),
        rule("deny", [cidr("192.0.2.200/32")]),
        rule("allow", [cidr("192.0.2.128/25", { except: ["192.0.2.129/32"] })]),
      ]),
    );
    expect(mapText(result)).toEqual({
      exact: [],
      ranges: [
        "192.0.2.0-192.0.2.127: else allow by db/0",
        "192.0.2.128-192.0.2.128: else allow by db/2",
        "192.0.2.130-192.0.2.199: else allow by db/2",
        "192.0.2.200-192.0.2.200: else drop by db/1",
        "192.0.2.201-192.0.2.255: else allow by db/2",
        "2001:db8::-2001:db8:7fff:ffff:ffff:ffff:ffff:ffff: else allow by db/0",
      ],
      default: "else drop by db",
    });
  });

  it("hold an exact entry for a workload inside a range that is not meant for it", () => {
    const result = compiled(onDb([rule("allow", [cidr("10.0.0.0/24")])]));
    expect(mapText(result)).toEqual({
      exact: [
        "10.0.0.1: else drop by db",
        "10.0.0.2: else drop by db",
        "10.0.0.3: else drop by db",
      ],
      ranges: ["10.0.0.0-10.0.0.255: else allow by db/0"],
      default: "else drop by db",
    });
  });

  it("hold an exact entry for a workload with an address of a group, where the world's row is its own", () => {
    const world = { kind: "entity" as const, entity: "world" as const };
    const odd = workload("shop/odd", "224.0.0.9", { app: "odd" });
    const set = onDb([rule("allow", [world, chosen("shop:app=odd")])]);
    const { exact } = mapText(compiled(set, [db], inventory([odd, db])));
    expect(exact).toContain("224.0.0.9: else allow by db/0");
  });

  it("hold what a prefix says of a group's addresses, which are not the world's", () => {
    const world = { kind: "entity" as const, entity: "world" as const };
    const mdns = { kind: "range" as const, protocol: UDP, first: 5353, last: 5353 };
    const rules = [
      rule("allow", [world], [tcp(443)]),
      rule("allow", [cidr("224.0.0.0/8")], [mdns]),
    ];
    const set = nativeSet({ application: [block("out", "egress", "shop:app=db", rules)] });
    const { ranges, default: elsewhere } = mapText(compiled(set));
    expect(ranges).toEqual([
      "224.0.0.0-224.255.255.255: 17/0-5352 drop by out, 17/5353-5353 allow by out/1, 17/5354-65535 drop by out, else drop by out",
      "225.0.0.0-239.255.255.255: else drop by out",
      "255.255.255.255-255.255.255.255: else drop by out",
      "ff00::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff: else drop by out",
    ]);
    expect(elsewhere).toMatch(/^6\/0-442 drop by out, 6\/443-443 allow by out\/0/);
  });

  it("hold none for a workload inside a range that is meant for it", () => {
    const result = compiled(
      onDb([rule("allow", [cidr("10.0.0.0/24", { matchesWorkloads: true })])]),
    );
    expect(mapText(result).exact).toEqual([]);
  });

  it("leave the host out of ingress where the node is exempt, and only there", () => {
    const set = onDb([rule("allow", [any])]);
    const shut = [rule("deny", [{ kind: "entity" as const, entity: "host" as const }])];
    const strict = policySet(onDb([...shut, rule("allow", [any])]).stages, { nodeExempt: false });
    expect(mapText(compiled(onDb([...shut, rule("allow", [any])]))).exact).toEqual([]);
    expect(mapText(compiled(strict)).exact).toEqual(["10.0.0.254: else drop by db/0"]);
    const out = nativeSet({ application: [block("out", "egress", "shop:app=db", shut)] });
    expect(mapText(compiled(out)).exact).toEqual(["10.0.0.254: else drop by out/0"]);
    expect(compiled(set).policy.profile).toEqual({ nodeExempt: true, hairpinExempt: true });
  });

  it("put all of it into one row where all is treated alike", () => {
    const blocks = Array.from({ length: 200 }, (_, i) =>
      block(`p${i}`, "ingress", "shop:app=db", [rule("allow", [any], [tcp(i * 10, i * 10 + 14)])]),
    );
    const { policy, capacity } = compiled(nativeSet({ application: blocks }));
    expect(policy.rows).toHaveLength(1);
    expect(capacity).toMatchObject({ classes: 1, exactEntries: 0, rangeEntries: 0 });
  });

  it("merge ports of one decision, and list no protocol that says what the others say", () => {
    const result = compiled(
      onDb([
        rule("allow", [any], [tcp(1, 10), tcp(11, 20), { kind: "protocol", protocol: ICMP }]),
        rule("deny", [any], [tcp(0), { kind: "protocol", protocol: UDP }]),
        rule("deny", [any], [everyPort], { id: "rest", enforce: "on" }),
      ]),
    );
    // A deny of everything overrides every allow here: nothing but two rules' denies is left.
    expect(mapText(result).default).toBe(
      "6/0-0 drop by db/1, 6/1-65535 drop by rest, 17/0-65535 drop by db/1, else drop by rest",
    );
    const allowed = compiled(
      onDb([rule("allow", [any], [tcp(1, 10), tcp(11, 20), { kind: "protocol", protocol: ICMP }])]),
    );
    expect(mapText(allowed).default).toBe(
      "1/0-65535 allow by db/0, 6/0-0 drop by db, 6/1-20 allow by db/0, 6/21-65535 drop by db, else drop by db",
    );
  });
});

describe("what tells workloads apart", () => {
  const base = { app: "db" };

  it("is any label that a peer or a subject looks at, and whose label it is", () => {
    const one = workload("shop/one", "10.0.2.1", { ...base, role: "x" });
    const two = workload("shop/two", "10.0.2.2", { ...base, zone: "x" });
    const three = workload("shop/three", "10.0.2.3", base);
    const set = onDb([
      rule("allow", [chosen("shop:role=x")], [tcp(1)]),
      rule("allow", [chosen("shop:zone=x")], [tcp(2)]),
    ]);
    const allowed = (port: number) =>
      `6/0-${port - 1} drop by db, 6/${port}-${port} allow by db/${port - 1}, 6/${port + 1}-65535 drop by db, else drop by db`;
    expect(mapText(compiled(set, [three], inventory([one, two, three]))).exact).toEqual([
      `10.0.2.1: ${allowed(1)}`,
      `10.0.2.2: ${allowed(2)}`,
    ]);
    const subjects = nativeSet({ application: [block("z", "ingress", "shop:zone=x", [])] });
    const { live } = compiled(subjects, [one, two, three], inventory([one, two, three])).policy;
    expect(live.subjects.ingress.map(([address]) => address)).toEqual(["10.0.2.2"]);
  });
});

describe("named ports", () => {
  const http = { kind: "named" as const, protocol: TCP, name: "http" };
  const one = workload(
    "shop/a",
    "10.0.1.1",
    { app: "a" },
    {
      namedPorts: [{ name: "http", protocol: TCP, port: 80 }],
    },
  );
  const two = workload(
    "shop/b",
    "10.0.1.2",
    { app: "a" },
    {
      namedPorts: [{ name: "http", protocol: TCP, port: 8080 }],
    },
  );
  const plain = workload("shop/c", "10.0.1.3", { app: "a" });
  const all = inventory([one, two, plain, db]);

  it("part the subjects of an ingress block into classes by what the name means on them", () => {
    const set = nativeSet({
      application: [block("a", "ingress", "shop:app=a", [rule("allow", [any], [http])])],
    });
    const { policy } = compiled(set, [one, two, plain], all);
    expect(policy.live.maps).toHaveLength(3);
    const unnamed = nativeSet({
      application: [block("a", "ingress", "shop:app=a", [rule("allow", [any], [tcp(80)])])],
    });
    expect(compiled(unnamed, [one, two, plain], all).policy.live.maps).toHaveLength(1);
  });

  it("of a subject do not part classes in egress", () => {
    const set = nativeSet({
      application: [block("a", "egress", "shop:app=a", [rule("allow", [chosen("shop:")], [http])])],
    });
    expect(compiled(set, [one, two, plain], all).policy.live.maps).toHaveLength(1);
  });

  it("are looked up on each peer in egress", () => {
    const set = nativeSet({
      application: [
        block("db", "egress", "shop:app=db", [rule("allow", [chosen("shop:app=a")], [http])]),
      ],
    });
    expect(mapText(compiled(set, [db], all)).exact).toEqual([
      "10.0.1.1: 6/0-79 drop by db, 6/80-80 allow by db/0, 6/81-65535 drop by db, else drop by db",
      "10.0.1.2: 6/0-8079 drop by db, 6/8080-8080 allow by db/0, 6/8081-65535 drop by db, else drop by db",
    ]);
  });
});
