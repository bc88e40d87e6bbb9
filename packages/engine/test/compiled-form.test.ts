/** What the compiler puts into the maps, entry by entry: no more than is needed, and nothing that moves without a cause. */
import { describe, expect, it } from "vitest";
import {
  NOWHERE,
  ICMP,
  TCP,
  UDP,
  type Block,
  type HostPolicy,
  type MapSet,
  type PolicyMap,
  type PolicySet,
  type Row,
  type Workload,
} from "@bulkhead/model";
import { compile, type CompileResult } from "../src/index.ts";
import { endpointOf } from "./worlds.ts";
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
  stage,
  T0,
  tcp,
  workload,
} from "./small-sets.ts";

const web = workload("shop/web", "10.0.0.1", { app: "web" });
const db = workload("shop/db", ["10.0.0.2", "fd00::2"], { app: "db" });
const cache = workload("shop/cache", "10.0.0.3", { app: "cache" });
const world = inventory([web, db, cache], ["10.0.0.254"]);

function compiled(set: PolicySet, local: readonly Workload[] = [db], all = world): CompileResult {
  return compile(set, all, { now: T0, revision: 7, endpoints: local.map(endpointOf) });
}

/** One application block on db's ingress. */
function onDb(rules: Parameters<typeof block>[3], more: Partial<Block> = {}): PolicySet {
  return nativeSet({ application: [block("db", "ingress", "shop:app=db", rules, more)] });
}

function onlyMap(maps: MapSet): PolicyMap {
  expect(maps.maps).toHaveLength(1);
  return maps.maps[0]!;
}

/** `tcp 80-80 allow by rule/id, else drop by block/id`. */
function rowText({ policy, cookies }: CompileResult, id: string): string {
  const names = new Map(cookies.map(({ cookie, rule: name }) => [cookie, name]));
  const row: Row = policy.rows.find((one) => one.id === id)!;
  const say = ({ verdict, cookie }: Row["others"]) =>
    `${verdict} by ${cookie === "00000000" ? "default" : names.get(cookie)}`;
  const parts = row.protocols.flatMap(({ protocol, intervals }) =>
    intervals.map(({ first, last, decision }) => `${protocol}/${first}-${last} ${say(decision)}`),
  );
  return [...parts, `else ${say(row.others)}`].join(", ");
}

function mapText(result: CompileResult, map = onlyMap(result.policy.live)) {
  return {
    exact: map.exact.map(([address, row]) => `${address}: ${rowText(result, row)}`),
    ranges: map.ranges.map(([first, last, row]) => `${first}-${last}: ${rowText(result, row)}`),
    default: rowText(result, map.defaultRow),
  };
}

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

describe("subjects", () => {
  it("are the local addresses that something asks about, sorted", () => {
    const { policy } = compiled(onDb([]), [web, db]);
    const [map] = policy.live.maps;
    expect(policy.live.subjects).toEqual({
      egress: [],
      ingress: [
        ["10.0.0.2", map!.classId],
        ["fd00::2", map!.classId],
      ],
    });
    expect(compiled(onDb([]), [web]).policy.live).toEqual({
      subjects: { egress: [], ingress: [] },
      maps: [],
      overlay: [],
    });
  });

  it("are all local addresses where the default denies", () => {
    const set = policySet([], { default: "deny" });
    const result = compiled(set, [web]);
    expect(result.policy.live.subjects.egress).toHaveLength(1);
    expect(result.policy.live.maps.map(({ direction }) => direction)).toEqual([
      "egress",
      "ingress",
    ]);
    expect(mapText(result, result.policy.live.maps[0])).toEqual({
      exact: [],
      ranges: [],
      default: "else drop by default",
    });
  });

  it("judge an address that two workloads claim by both, and say so", () => {
    const span = { file: "inventory.yaml", line: 7, column: 3 };
    const thief = { ...workload("shop/aaa", "10.0.0.2", { app: "thief" }), source: span };
    const result = compiled(
      nativeSet({
        application: [
          block("db", "ingress", "shop:app=db", [rule("allow", [any], [tcp(1, 5)])]),
          block("thief", "ingress", "shop:app=thief", [rule("allow", [any], [tcp(4, 9)])]),
        ],
      }),
      [db],
      inventory([thief, db]),
    );
    const { ingress } = result.policy.live.subjects;
    expect(ingress.map(([address]) => address)).toEqual(["10.0.0.2", "fd00::2"]);
    const shared = result.policy.live.maps.find(({ classId }) => classId === ingress[0]![1]);
    expect(mapText(result, shared).default).toBe(
      "6/0-3 drop by thief, 6/4-5 allow by thief/0, 6/6-9 drop by db, 6/10-65535 drop by thief, else drop by thief",
    );
    expect(result.diagnostics).toMatchObject([
      {
        code: "BH0602",
        message: "address `10.0.0.2` is claimed by `shop/aaa`, `shop/db`",
        span,
        help: "until one of them gives it up, what any of them would be denied is denied",
      },
    ]);
    const nowhere = compiled(onDb([]), [db], inventory([{ ...thief, source: undefined }, db]));
    expect(nowhere.diagnostics).toMatchObject([{ span: NOWHERE }]);
  });

  it("share a class when the same blocks select them, and keep it when rules change", () => {
    const set = (rules: Parameters<typeof block>[3]) =>
      nativeSet({ application: [block("all", "ingress", "shop:", rules)] });
    const before = compiled(set([rule("allow", [any])]), [web, db, cache]).policy.live;
    const after = compiled(set([rule("deny", [cidr("192.0.2.0/24")])]), [web, db, cache]).policy
      .live;
    expect(onlyMap(before).classId).toBe(onlyMap(after).classId);
    expect(onlyMap(before).classId).toMatch(/^[0-9a-f]{16}$/);
    const other = compiled(onDb([rule("allow", [any])])).policy.live;
    expect(onlyMap(other).classId).not.toBe(onlyMap(before).classId);
  });
});

describe("the shadow", () => {
  const staged = { enforce: "staged" as const };

  it("has entries only for subjects to whom it says something else", () => {
    const set = nativeSet({
      application: [
        block("db", "ingress", "shop:app=db", []),
        block("web", "ingress", "shop:app=web", [], staged),
        block("out", "egress", "shop:app=db", [rule("allow", [any], [tcp(1)], staged)]),
      ],
    });
    const { live, shadow } = compiled(set, [web, db, cache]).policy;
    expect(live.subjects.ingress.map(([address]) => address)).toEqual(["10.0.0.2", "fd00::2"]);
    expect(live.subjects.egress.map(([address]) => address)).toEqual(["10.0.0.2", "fd00::2"]);
    expect(shadow.subjects.ingress.map(([address]) => address)).toEqual(["10.0.0.1"]);
    expect(shadow.subjects.egress.map(([address]) => address)).toEqual(["10.0.0.2", "fd00::2"]);
    expect(shadow.maps).toHaveLength(2);
  });

  it("is empty where what is staged changes nothing", () => {
    const same = nativeSet({
      application: [
        block("db", "ingress", "shop:app=db", [
          rule("allow", [any]),
          rule("allow", [any], [everyPort], staged),
        ]),
        block("web", "ingress", "shop:app=web", [], { ...staged, isolates: false }),
      ],
    });
    const { shadow } = compiled(same, [web, db]).policy;
    expect(shadow).toEqual({ subjects: { egress: [], ingress: [] }, maps: [], overlay: [] });
  });

  it("has entries for a subject that it denies one thing only: a peer, a prefix, a port, for a while", () => {
    const denies = (...draft: Parameters<typeof rule>) =>
      compiled(onDb([rule(...draft)], { ...staged, isolates: false }), [db]).policy.shadow.subjects
        .ingress.length;
    expect(denies("deny", [chosen("shop:app=web")])).toBe(2);
    expect(denies("deny", [cidr("192.0.2.0/24")])).toBe(2);
    expect(denies("deny", [any], [tcp(1)])).toBe(2);
    expect(denies("deny", [chosen("shop:app=web")], [tcp(1)], { expiresAt: T0 + 1 })).toBe(2);
    expect(denies("deny", [chosen("shop:app=nobody")])).toBe(0);
  });

  it("shows a staged allow that changes only what determined it", () => {
    const set = nativeSet({
      application: [
        block("z", "ingress", "shop:app=db", [rule("allow", [any])]),
        block("a", "ingress", "shop:app=db", [rule("allow", [any])], staged),
      ],
    });
    const result = compiled(set);
    expect(mapText(result).default).toBe("else allow by z/0");
    expect(mapText(result, onlyMap(result.policy.shadow)).default).toBe("else allow by a/0");
  });
});

describe("the overlay", () => {
  const until = (ms: number) => ({ expiresAt: T0 + ms });
  const overlayText = (result: CompileResult, maps: MapSet = result.policy.live) => {
    const names = new Map(result.cookies.map(({ cookie, rule: name }) => [cookie, name]));
    return maps.overlay.map(
      ({ peer, protocol, ports, decision, deadline }) =>
        `${peer.join("-")} ${protocol}/${ports.join("-")} ${decision.verdict} by ${names.get(decision.cookie)} +${deadline - T0}`,
    );
  };

  it("holds the allow of an Exception while it lasts; beneath lies what follows", () => {
    const set = nativeSet({
      exception: [
        block(
          "look",
          "ingress",
          "shop:app=db",
          [rule("allow", [chosen("shop:app=web")], [tcp(5432)], until(1000))],
          { isolates: false, ...until(1000) },
        ),
      ],
      application: [block("db", "ingress", "shop:app=db", [])],
    });
    const result = compiled(set);
    expect(overlayText(result)).toEqual(["10.0.0.1-10.0.0.1 6/5432-5432 allow by look/0 +1000"]);
    expect(mapText(result)).toEqual({ exact: [], ranges: [], default: "else drop by db" });
    expect(result.nextChangeAt).toBe(T0 + 1000);
    expect(result.capacity.overlayEntries).toBe(1);
  });

  it("covers whole stretches of addresses, with holes where another decision holds", () => {
    const set = onDb([
      rule("allow", [{ kind: "entity", entity: "world" }], [tcp(443)], until(5)),
      rule("deny", [cidr("192.0.2.0/24")]),
    ]);
    expect(overlayText(compiled(set))).toEqual([
      "0.0.0.0-10.0.0.0 6/443-443 allow by db/0 +5",
      "10.0.0.4-192.0.1.255 6/443-443 allow by db/0 +5",
      "192.0.3.0-255.255.255.255 6/443-443 allow by db/0 +5",
      "::-fd00::1 6/443-443 allow by db/0 +5",
      "fd00::3-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 6/443-443 allow by db/0 +5",
    ]);
  });

  it("takes known addresses into a stretch that says the same, and leaves single ones single", () => {
    const everybody = onDb([rule("allow", [any], [tcp(443)], until(5))]);
    expect(overlayText(compiled(everybody))).toEqual([
      "0.0.0.0-255.255.255.255 6/443-443 allow by db/0 +5",
      "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 6/443-443 allow by db/0 +5",
    ]);
    const some = onDb([rule("allow", [chosen("shop:")], [tcp(443)], until(5))]);
    expect(overlayText(compiled(some))).toEqual([
      "10.0.0.1-10.0.0.1 6/443-443 allow by db/0 +5",
      "10.0.0.2-10.0.0.2 6/443-443 allow by db/0 +5",
      "10.0.0.3-10.0.0.3 6/443-443 allow by db/0 +5",
      "fd00::2-fd00::2 6/443-443 allow by db/0 +5",
    ]);
  });

  it("does not take a small IPv6 address for an IPv4 one", () => {
    const six = workload("shop/six", "::5", { app: "web" });
    const set = onDb([rule("allow", [chosen("shop:app=web")], [tcp(443)], until(5))]);
    expect(overlayText(compiled(set, [db], inventory([six, db])))).toEqual([
      "::5-::5 6/443-443 allow by db/0 +5",
    ]);
  });

  it("spells out all protocols where every port is meant", () => {
    const { policy } = compiled(
      onDb([
        rule("allow", [chosen("shop:app=web")], [everyPort], until(5)),
        rule("deny", [any], [tcp(80)]),
      ]),
    );
    const protocols = policy.live.overlay.map(({ protocol }) => protocol);
    expect(new Set(protocols).size).toBe(256);
    const ofTcp = policy.live.overlay.filter(({ protocol }) => protocol === TCP);
    expect(ofTcp.map(({ ports }) => ports)).toEqual([
      [0, 79],
      [81, 65535],
    ]);
  });

  it("ends at the first of several changes, and lies on the strictest of what follows", () => {
    // allowed until +10, then rejected until +20, then allowed for ever: never allowed in between.
    const set = nativeSet({
      emergency: [
        block("e", "ingress", "shop:app=db", [rule("allow", [any], [tcp(80)], until(10))], {
          isolates: false,
        }),
      ],
      guardrail: [
        block("g", "ingress", "shop:app=db", [rule("reject", [any], [tcp(80)], until(20))], {
          isolates: false,
        }),
      ],
      application: [block("db", "ingress", "shop:app=db", [rule("allow", [any])])],
    });
    const result = compiled(set);
    expect(new Set(overlayText(result).map((text) => text.split(" ").slice(1).join(" ")))).toEqual(
      new Set(["6/80-80 allow by e/0 +10"]),
    );
    expect(mapText(result).default).toBe(
      "6/0-79 allow by db/0, 6/80-80 reject by g/0, 6/81-65535 allow by db/0, else allow by db/0",
    );
    expect(result.nextChangeAt).toBe(T0 + 10);
  });

  it("denies all along where an allow lies between two denials", () => {
    // Only a new compilation opens it at +10.
    const set = nativeSet({
      emergency: [
        block("e", "ingress", "shop:app=db", [rule("deny", [any], [tcp(80)], until(10))], {
          isolates: false,
        }),
      ],
      guardrail: [
        block("g", "ingress", "shop:app=db", [rule("allow", [any], [tcp(80)], until(20))], {
          isolates: false,
        }),
      ],
      application: [block("db", "ingress", "shop:app=db", [rule("deny", [any])])],
    });
    const texts = overlayText(compiled(set));
    expect(new Set(texts.map((text) => text.split(" ").slice(1).join(" ")))).toEqual(
      new Set(["6/80-80 drop by e/0 +10"]),
    );
  });

  it("follows a block that will stop isolating, on the minute for the protocols that people use", () => {
    const result = compiled(onDb([], until(30)));
    expect(mapText(result).default).toBe(
      [1, 6, 17, 58, 132].map((protocol) => `${protocol}/0-65535 allow by default, `).join("") +
        "else drop by db",
    );
    expect(overlayText(result)).toEqual(
      ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"].flatMap((peer) =>
        [1, 6, 17, 58, 132].map((protocol) => `${peer} ${protocol}/0-65535 drop by db +30`),
      ),
    );
  });

  /** Guardrails on db's ingress, in the order given. */
  const guardrails = (...rules: Parameters<typeof block>[3]) =>
    rules.map((one, i) =>
      block(`g${i}`, "ingress", "shop:app=db", [one], { isolates: false, order: [i] }),
    );
  const lock = block("db", "ingress", "shop:app=db", []);
  const everywhere = (result: CompileResult) => [
    ...new Set(overlayText(result).map((text) => text.slice(text.indexOf(" ") + 1))),
  ];

  it("lies on the strictest of all that follows, not on what follows first", () => {
    const set = nativeSet({
      guardrail: guardrails(
        rule("allow", [any], [tcp(80)], until(10)),
        rule("allow", [any], [tcp(80)], until(20)),
        rule("reject", [any], [tcp(80)], until(30)),
      ),
      application: [lock],
    });
    const result = compiled(set);
    expect(everywhere(result)).toEqual(["6/80-80 allow by g0/0 +10"]);
    expect(mapText(result).default).toBe("else drop by db");
  });

  it("lies on the first of several that are equally strict", () => {
    const set = nativeSet({
      guardrail: guardrails(
        rule("allow", [any], [tcp(80)], until(10)),
        rule("deny", [any], [tcp(80)], until(20)),
      ),
      application: [lock],
    });
    expect(mapText(compiled(set)).default).toBe(
      "6/0-79 drop by db, 6/80-80 drop by g1/0, 6/81-65535 drop by db, else drop by db",
    );
  });

  it("ends for each port when something changes there, whatever ends elsewhere before", () => {
    const set = nativeSet({
      guardrail: guardrails(
        rule("allow", [any], [tcp(80)], until(20)),
        rule("allow", [any], [tcp(80, 81)], until(10)),
        rule("reject", [any], [tcp(90)], until(20)),
      ),
      application: [lock],
    });
    expect(everywhere(compiled(set))).toEqual([
      "6/80-80 allow by g0/0 +20",
      "6/81-81 allow by g1/0 +10",
      "6/90-90 reject by g2/0 +20",
    ]);
  });

  it("keeps a denial to its own end, though something else ends before", () => {
    const set = nativeSet({
      guardrail: guardrails(
        rule("deny", [any], [tcp(80)], until(20)),
        rule("deny", [any], [tcp(99)], until(10)),
      ),
    });
    const result = compiled(set);
    expect(everywhere(result)).toEqual(["6/80-80 drop by g0/0 +20", "6/99-99 drop by g1/0 +10"]);
    expect(mapText(result).default).toBe("else allow by default");
  });

  it("makes one piece of neighbouring ports with one decision and one end, and only of these", () => {
    const set = nativeSet({
      guardrail: guardrails(
        rule("allow", [any], [tcp(1, 10), tcp(11, 20)], until(5)),
        rule("allow", [any], [tcp(21, 30), tcp(32, 40)], until(5)),
      ),
      application: [lock],
    });
    expect(everywhere(compiled(set))).toEqual([
      "6/1-20 allow by g0/0 +5",
      "6/21-30 allow by g1/0 +5",
      "6/32-40 allow by g1/0 +5",
    ]);
  });

  it("needs no piece where what is now comes back for good, and parts one decision by its ends", () => {
    // A pass hides g until +10; the lock itself ends at +20.
    const set = policySet([
      stage(
        "a",
        "firstMatch",
        [
          block("pass", "ingress", "shop:app=db", [rule("pass", [any], [tcp(80, 81)], until(10))], {
            isolates: false,
          }),
        ],
        { onPass: "c" },
      ),
      stage("b", "firstMatch", [
        block(
          "g",
          "ingress",
          "shop:app=db",
          [rule("allow", [any], [tcp(80)], until(15)), rule("reject", [any], [tcp(81)])],
          { isolates: false },
        ),
      ]),
      stage("c", "denyOverrides", [
        block(
          "deny",
          "ingress",
          "shop:app=db",
          [rule("deny", [any], [tcp(79, 80)]), rule("deny", [any], [tcp(81, 82)], until(20))],
          { isolates: false },
        ),
      ]),
    ]);
    const result = compiled(set);
    expect(everywhere(result)).toEqual([
      "6/81-81 drop by deny/1 +10",
      "6/82-82 drop by deny/1 +20",
    ]);
    expect(mapText(result).default).toBe(
      "6/0-78 allow by default, 6/79-80 drop by deny/0, 6/81-81 reject by g/1, 6/82-65535 allow by default, else allow by default",
    );
  });

  it("does not spell out every protocol where only who denies changes", () => {
    const set = nativeSet({
      guardrail: guardrails(rule("deny", [any], [everyPort], until(10))),
      application: [lock],
    });
    const result = compiled(set);
    expect(everywhere(result)).toEqual(
      [1, 6, 17, 58, 132].map((protocol) => `${protocol}/0-65535 drop by g0/0 +10`),
    );
    expect(mapText(result).default).toBe(
      [1, 6, 17, 58, 132].map((protocol) => `${protocol}/0-65535 drop by db, `).join("") +
        "else drop by g0/0",
    );
  });

  it("is there for the shadow too", () => {
    const set = onDb([
      rule("allow", [chosen("shop:app=web")], [tcp(1)], { enforce: "staged", ...until(9) }),
    ]);
    const result = compiled(set);
    expect(result.policy.live.overlay).toEqual([]);
    expect(overlayText(result, result.policy.shadow)).toEqual([
      "10.0.0.1-10.0.0.1 6/1-1 allow by db/0 +9",
    ]);
  });
});

describe("the rest of a compilation", () => {
  it("names endpoints with their modes, sorted, their addresses sorted", () => {
    const set = nativeSet({
      application: [
        block("db", "ingress", "shop:app=db", []),
        block("web", "ingress", "shop:app=web", [], { enforce: "staged" }),
      ],
    });
    const lateName = { ...endpointOf(db), addresses: ["fd00::2", "10.0.0.2"] };
    const second = { ...endpointOf(db), interface: "veth-a", addresses: [] };
    const { policy, modes } = compile(set, world, {
      now: T0,
      revision: 7,
      endpoints: [endpointOf(web), lateName, second, endpointOf(cache)],
    });
    expect(policy.revision).toBe(7);
    expect(policy.endpoints).toEqual([
      {
        workload: "shop/cache",
        interface: "veth-cache",
        mac: "02:00:00:00:00:01",
        addresses: ["10.0.0.3"],
        mode: "observe",
      },
      {
        workload: "shop/db",
        interface: "veth-a",
        mac: "02:00:00:00:00:01",
        addresses: [],
        mode: "enforce",
      },
      {
        workload: "shop/db",
        interface: "veth-db",
        mac: "02:00:00:00:00:01",
        addresses: ["10.0.0.2", "fd00::2"],
        mode: "enforce",
      },
      {
        workload: "shop/web",
        interface: "veth-web",
        mac: "02:00:00:00:00:01",
        addresses: ["10.0.0.1"],
        mode: "audit",
      },
    ]);
    expect(modes).toEqual({ "shop/web": "audit", "shop/db": "enforce", "shop/cache": "observe" });
  });

  it("says when an endpoint's workload is unknown, and observes it", () => {
    const ghost = workload("shop/ghost", "10.0.0.9");
    const { policy, diagnostics } = compiled(onDb([]), [ghost]);
    expect(policy.endpoints).toMatchObject([{ workload: "shop/ghost", mode: "observe" }]);
    expect(policy.live.maps).toEqual([]);
    expect(diagnostics).toMatchObject([
      {
        code: "BH0601",
        severity: "warning",
        span: NOWHERE,
        help: "no policy can select it; its traffic is judged at the other end only",
        message:
          "endpoint `veth-ghost` belongs to workload `shop/ghost`, which the inventory does not know",
      },
    ]);
    expect(compiled(onDb([])).diagnostics).toEqual([]);
  });

  it("reports rules of one priority that disagree, where they meet and nowhere else", () => {
    const guardrail = (id: string, draft: ReturnType<typeof rule>, order: number[]) =>
      block(id, "ingress", "shop:app=db", [draft], { isolates: false, order });
    const set = nativeSet({
      guardrail: [
        guardrail("first", rule("deny", [any], [tcp(9)]), [1]),
        guardrail("a", rule("allow", [any], [tcp(1, 10)]), [2]),
        guardrail("b", rule("reject", [any], [tcp(10, 20)]), [2]),
        guardrail("c", rule("deny", [any], [tcp(9)]), [2]),
        guardrail("d", rule("deny", [chosen("shop:app=nobody")]), [2]),
        guardrail("e", rule("deny", [any]), [3]),
        guardrail("f", rule("deny", [any], [tcp(2)]), [2]),
      ],
    });
    const { diagnostics } = compiled(set);
    expect(diagnostics.map(({ message }) => message)).toEqual([
      "`b/0` and `a/0` have the same priority and disagree",
      "`f/0` and `a/0` have the same priority and disagree",
    ]);
    expect(diagnostics.slice(0, 1)).toEqual([
      {
        code: "BH0603",
        severity: "warning",
        span: { file: "test.yaml", line: 1, column: 1 },
        message: "`b/0` and `a/0` have the same priority and disagree",
        help: "`reject` is taken, being the stricter; to have it otherwise, give them different priorities",
      },
    ]);
  });

  it("keeps an address that a workload claims out of the host's", () => {
    const all = inventory(
      [{ ...web, addresses: ["10.0.0.254"] }],
      ["fd00::fe", "10.0.0.254", "10.0.0.253"],
    );
    expect(compiled(onDb([]), [], all).policy.hostAddresses).toEqual(["10.0.0.253", "fd00::fe"]);
  });

  it("knows the next moment at which something expires, and none that is past", () => {
    const at = (ruleEnd: number | undefined, blockEnd: number | undefined) =>
      compiled(
        onDb([rule("allow", [any], [everyPort], { expiresAt: ruleEnd })], { expiresAt: blockEnd }),
      ).nextChangeAt;
    expect(at(undefined, undefined)).toBeNull();
    expect(at(T0 + 2, T0 + 1)).toBe(T0 + 1);
    expect(at(T0 + 1, T0 + 2)).toBe(T0 + 1);
    expect(at(T0, T0 + 2)).toBe(T0 + 2);
    expect(at(T0 - 1, undefined)).toBeNull();
  });

  it("gives every rule and block a cookie of its own, sorted, the same in every set", () => {
    const first = compiled(onDb([rule("allow", [any])])).cookies;
    expect(first.map(({ rule: name }) => name).toSorted()).toEqual(["db", "db/0"]);
    expect(first.every(({ cookie }) => /^[0-9a-f]{8}$/.test(cookie))).toBe(true);
    expect(first.map(({ cookie }) => cookie)).toEqual(first.map(({ cookie }) => cookie).toSorted());
    const cookieOf = (found: typeof first, name: string) =>
      found.find((one) => one.rule === name)?.cookie;
    const second = compiled(onDb([rule("deny", [any]), rule("allow", [any])])).cookies;
    expect(cookieOf(second, "db/0")).toBe(cookieOf(first, "db/0"));
    expect(cookieOf(second, "db/1")).not.toBe(cookieOf(first, "db/0"));
  });

  it("sorts maps by direction and class, and rows by id", () => {
    const set = nativeSet({
      application: [
        block("a", "ingress", "shop:app=db", [rule("allow", [any], [tcp(1)])]),
        block("b", "egress", "shop:app=db", [rule("allow", [any], [tcp(2)])]),
        block("c", "ingress", "shop:app=web", [rule("allow", [any], [tcp(3)])]),
        block("d", "egress", "shop:app=web", [rule("allow", [any], [tcp(4)])]),
        block("e", "ingress", "shop:app=cache", [rule("allow", [any], [tcp(5)])]),
      ],
    });
    const { live, rows }: HostPolicy = compiled(set, [cache, web, db]).policy;
    const keys = live.maps.map(({ direction, classId }) => `${direction} ${classId}`);
    expect(keys).toHaveLength(5);
    expect(keys).toEqual(keys.toSorted());
    const ids = rows.map(({ id }) => id);
    expect(ids).toHaveLength(5);
    expect(ids).toEqual(ids.toSorted());
  });

  it("judges a stage of its own plane, and passes only within it", () => {
    const set = policySet([
      stage(
        "net",
        "firstMatch",
        [block("n", "ingress", "shop:app=db", [rule("pass", [any], [tcp(1)])])],
        {
          onPass: null,
        },
      ),
      stage(
        "mesh",
        "firstMatch",
        [block("m", "ingress", "shop:app=db", [rule("reject", [any], [tcp(1)])])],
        {
          plane: "mesh",
          endIfApplied: "pass",
        },
      ),
    ]);
    expect(mapText(compiled(set)).default).toBe(
      "6/0-0 drop by n, 6/1-1 reject by m/0, 6/2-65535 drop by n, else drop by n",
    );
  });
});
