/**
 * What the reference says, case by case: expectations come from the common form's description, not from running it. The
 * compiled maps are held to every case on the way.
 */
import { describe, expect, it } from "vitest";
import { ICMP, SCTP, TCP, UDP, type FlowQuery, type PolicySet, type Stage } from "@bulkhead/model";
import { decide, indexInventory, type View } from "../src/index.ts";
import { holdCompiledTo } from "./agreement.ts";
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
  T0,
  tcp,
  workload,
} from "./small-sets.ts";

const named = [
  { name: "http", protocol: TCP, port: 8080 },
  { name: "http", protocol: TCP, port: 8081 },
  { name: "dns", protocol: UDP, port: 53 },
  { name: "admin", protocol: TCP, port: 9000 },
];
const web = workload("shop/web", ["10.0.0.1", "fd00::1"], { app: "web" }, { namedPorts: named });
const db = workload("shop/db", "10.0.0.2", { app: "db" });
const ops = workload("ops/job", "10.0.0.3", { app: "job" });
const index = indexInventory(
  inventory([web, db, ops], ["10.0.0.254", "fd00::fe"], [{ name: "shop", labels: { team: "x" } }]),
);

const WORLD = "192.0.2.1";
const toWeb: FlowQuery = { source: "10.0.0.2", destination: "10.0.0.1", protocol: TCP, port: 80 };

function ask(set: PolicySet, query: Partial<FlowQuery> = {}, view: View = "live", now = T0) {
  const flow = { ...toWeb, ...query };
  const said = decide(set, index, flow, { now, view });
  holdCompiledTo(said, set, index.inventory, flow, { now, view });
  return said;
}

/** `drop rule deny/0`, `drop isolation block`, `allow default`, `allow hairpin`. */
function ingress(set: PolicySet, query: Partial<FlowQuery> = {}, view: View = "live", now = T0) {
  const { verdict, determinedBy: by } = ask(set, query, view, now).ingress;
  switch (by.kind) {
    case "rule":
      return `${verdict} ${by.rule}`;
    case "isolation":
      return `${verdict} isolation ${by.block}`;
    case "default":
      return `${verdict} default`;
    case "exemption":
      return `${verdict} ${by.exemption}`;
  }
}

/** One stage with one block for web's ingress. */
function one(mode: Stage["mode"], rules: Parameters<typeof block>[3], isolates = true): PolicySet {
  return policySet([
    stage("s", mode, [block("b", "ingress", "shop:app=web", rules, { isolates })]),
  ]);
}

describe("exemptions", () => {
  const closed = one("denyOverrides", []);

  it("exempts what no workload owns, a workload's way to itself, and the node's way in", () => {
    expect(ingress(closed, { destination: WORLD })).toBe("allow not-a-workload");
    expect(ingress(closed, { destination: "10.0.0.254" })).toBe("allow not-a-workload");
    expect(ingress(closed, { source: "10.0.0.1" })).toBe("allow hairpin");
    expect(ingress(closed, { source: "fd00::1" })).toBe("allow hairpin");
    expect(ingress(closed, { source: "10.0.0.254" })).toBe("allow node");
    expect(ingress(closed)).toBe("drop isolation b");
  });

  it("exempts neither when the profile says so", () => {
    const strict = policySet(closed.stages, { nodeExempt: false, hairpinExempt: false });
    expect(ingress(strict, { source: "10.0.0.1" })).toBe("drop isolation b");
    expect(ingress(strict, { source: "10.0.0.254" })).toBe("drop isolation b");
  });

  it("says nothing else of what is exempt", () => {
    expect(ask(closed, { source: "10.0.0.254" }).ingress).toEqual({
      direction: "ingress",
      verdict: "allow",
      determinedBy: { kind: "exemption", exemption: "node" },
      logged: [],
      ambiguous: false,
    });
  });

  it("does not exempt the way from a workload to its node", () => {
    const shut = policySet([
      stage("s", "denyOverrides", [block("b", "egress", "shop:app=web", [])]),
    ]);
    const out = ask(shut, { source: "10.0.0.1", destination: "10.0.0.254" });
    expect(out.egress).toMatchObject({ verdict: "drop", determinedBy: { kind: "isolation" } });
    expect(out.verdict).toBe("drop");
  });
});

describe("an address that several workloads claim", () => {
  const shut = policySet([
    stage("s", "denyOverrides", [
      block("a", "ingress", "x:app=a", [rule("allow", [any], [tcp(1, 3)])]),
      block("b", "ingress", "x:app=b", [rule("allow", [any], [tcp(2, 4)])]),
      block("from", "ingress", "x:app=c", [rule("allow", [chosen("x:app=a")])]),
    ]),
  ]);
  const a = workload("x/a", ["10.1.0.1", "10.1.0.2", "10.1.0.3"], { app: "a" });
  const b = workload("x/b", ["10.1.0.2", "10.1.0.3"], { app: "b" });
  const c = workload("x/c", "10.1.0.9", { app: "c" });
  const claimed = indexInventory(inventory([a, b, c]));
  const verdict = (source: string, destination: string, port: number) =>
    decide(shut, claimed, { source, destination, protocol: TCP, port }, { now: T0, view: "live" })
      .verdict;

  it("is judged by the strictest of them, as subject and as peer", () => {
    const ports = [1, 2, 3, 4];
    expect(ports.map((port) => verdict(WORLD, "10.1.0.2", port))).toEqual([
      "drop",
      "allow",
      "allow",
      "drop",
    ]);
    expect(verdict("10.1.0.1", "10.1.0.9", 80)).toBe("allow");
    expect(verdict("10.1.0.2", "10.1.0.9", 80)).toBe("drop");
  });

  it("is judged in the compiled maps as here, with prefixes, and where one of them has no policy", () => {
    const own = workload("x/own", "10.1.0.9", { app: "own" });
    const set = policySet([
      stage("s", "firstMatch", [
        block("b", "ingress", "x:app=b", [
          rule("deny", [cidr("10.1.0.8/30", { matchesWorkloads: true })], [tcp(1)]),
          rule("allow", [cidr("10.1.0.0/16", { matchesWorkloads: true })], [tcp(1, 2)]),
        ]),
        block("c", "ingress", "x:app=c", [
          rule("allow", [any], [tcp(1)]),
          rule("reject", [cidr("10.1.0.9/32", { matchesWorkloads: true })], [tcp(2)]),
          rule("allow", [any], [tcp(2, 3)]),
        ]),
      ]),
    ]);
    const first = workload("x/a", "10.1.0.2", { app: "a" });
    const all = inventory([
      first,
      { ...b, addresses: ["10.1.0.2", "10.1.0.3"] },
      { ...c, addresses: ["10.1.0.3"] },
      own,
    ]);
    const known = indexInventory(all);
    const judged = (destination: string, port: number) => {
      const flow = { source: "10.1.0.9", destination, protocol: TCP, port };
      const said = decide(set, known, flow, { now: T0, view: "live" });
      holdCompiledTo(said, set, all, flow, { now: T0, view: "live" });
      const by = said.ingress.determinedBy;
      return `${said.verdict} ${by.kind === "rule" ? by.rule : by.kind}`;
    };
    // Shared with a workload that no policy selects: allowed where the other's policy allows.
    expect([1, 2, 3].map((port) => judged("10.1.0.2", port))).toEqual([
      "drop b/0",
      "allow default",
      "drop isolation",
    ]);
    // Shared with one that has a policy of its own.
    expect([1, 2, 3].map((port) => judged("10.1.0.3", port))).toEqual([
      "drop b/0",
      "reject c/1",
      "drop isolation",
    ]);
  });

  it("is not one workload with the permissions of both", () => {
    const set = policySet([
      stage("s", "denyOverrides", [
        block("c", "ingress", "x:app=c", [
          rule("allow", [chosen("x:role=p")], [tcp(1)]),
          rule("allow", [chosen("x:tier=q")], [tcp(2)]),
        ]),
      ]),
    ]);
    const all = inventory([
      workload("x/p", ["10.1.0.1", "10.1.0.5"], { role: "p" }),
      workload("x/q", "10.1.0.1", { tier: "q" }),
      workload("x/pq", "10.1.0.2", { role: "p", tier: "q" }),
      c,
    ]);
    const known = indexInventory(all);
    const from = (source: string) =>
      [1, 2].map((port) => {
        const flow = { source, destination: "10.1.0.9", protocol: TCP, port };
        const said = decide(set, known, flow, { now: T0, view: "live" });
        holdCompiledTo(said, set, all, flow, { now: T0, view: "live" });
        return said.verdict;
      });
    expect(from("10.1.0.5")).toEqual(["allow", "drop"]);
    expect(from("10.1.0.2")).toEqual(["allow", "allow"]);
    expect(from("10.1.0.1")).toEqual(["drop", "drop"]);
  });

  it("is nobody's own for sure, so the way there is no hairpin", () => {
    expect(verdict("10.1.0.1", "10.1.0.1", 9)).toBe("allow");
    expect(verdict("10.1.0.1", "10.1.0.2", 9)).toBe("drop");
    expect(verdict("10.1.0.3", "10.1.0.2", 9)).toBe("drop");
  });
});

describe("both ends", () => {
  it("takes egress's verdict when it denies, else ingress's", () => {
    const set = policySet([
      stage("s", "firstMatch", [
        block("in", "ingress", "shop:app=web", [rule("reject", [any])]),
        block("out", "egress", "shop:app=db", [rule("deny", [any])]),
      ]),
    ]);
    expect(ask(set).verdict).toBe("drop");
    expect(ask(set, { source: WORLD }).verdict).toBe("reject");
    expect(ask(set, { source: WORLD, destination: WORLD }).verdict).toBe("allow");
    expect(ask(set).egress.direction).toBe("egress");
    expect(ask(set).ingress.direction).toBe("ingress");
  });
});

describe("firstMatch", () => {
  it("takes the first rule of the first block, whatever comes later", () => {
    const set = policySet([
      stage("s", "firstMatch", [
        block("later", "ingress", "shop:", [rule("deny", [any])], { order: [10] }),
        block(
          "sooner",
          "ingress",
          "shop:",
          [rule("allow", [any], [tcp(80)]), rule("reject", [any])],
          { order: [9, 5] },
        ),
      ]),
    ]);
    expect(ingress(set)).toBe("allow sooner/0");
    expect(ingress(set, { port: 81 })).toBe("reject sooner/1");
    expect(ask(set).ingress.ambiguous).toBe(false);
  });

  it("compares orders element by element, and a shorter one comes first", () => {
    const deny = (order: number[]) =>
      block("deny", "ingress", "shop:", [rule("deny", [any])], { order });
    const allow = (order: number[]) =>
      block("allow", "ingress", "shop:", [rule("allow", [any])], { order });
    const first = (a: number[], b: number[]) =>
      ingress(policySet([stage("s", "firstMatch", [deny(a), allow(b)])]));
    expect(first([1, 2], [1, 1])).toBe("allow allow/0");
    expect(first([1, 1], [1])).toBe("allow allow/0");
    expect(first([1], [1, 1])).toBe("drop deny/0");
    expect(first([2], [10])).toBe("drop deny/0");
    expect(first([10], [2, 7])).toBe("allow allow/0");
  });

  it("records logs before the match and none after, and audit decides nothing", () => {
    const set = one("firstMatch", [
      rule("log", [any]),
      rule("audit", [any]),
      rule("log", [any], [tcp(443)]),
      rule("allow", [any]),
      rule("log", [any]),
    ]);
    expect(ask(set).ingress).toMatchObject({ verdict: "allow", logged: ["b/0"] });
    expect(ask(set, { port: 443 }).ingress.logged).toEqual(["b/0", "b/2"]);
  });

  it("records no log after a match at the very first rule, and is sure where nothing matches", () => {
    const set = one("firstMatch", [rule("allow", [any], [tcp(80)]), rule("log", [any])]);
    expect(ask(set).ingress).toMatchObject({ verdict: "allow", logged: [], ambiguous: false });
    expect(ask(set, { port: 81 }).ingress).toMatchObject({
      verdict: "drop",
      logged: ["b/1"],
      ambiguous: false,
    });
  });

  it("keeps the logs of blocks that did not decide", () => {
    const set = policySet([
      stage("s", "firstMatch", [
        block("a", "ingress", "shop:", [rule("log", [any])], { order: [1] }),
        block("b", "ingress", "shop:", [rule("allow", [any])], { order: [2] }),
      ]),
    ]);
    expect(ask(set).ingress).toMatchObject({ verdict: "allow", logged: ["a/0"] });
  });

  describe("blocks of equal order", () => {
    const pair = (a: Parameters<typeof block>[3], b: Parameters<typeof block>[3], swap = false) => {
      const blocks = [
        block("a", "ingress", "shop:", a, { order: [3, 1] }),
        block("b", "ingress", "shop:", b, { order: [3, 1] }),
        block("c", "ingress", "shop:", [rule("deny", [any])], { order: [3, 2] }),
      ];
      return policySet([stage("s", "firstMatch", swap ? blocks.toReversed() : blocks)]);
    };

    it("takes the stricter and says that it was ambiguous: deny, reject, pass, allow", () => {
      const actions = ["deny", "reject", "pass", "allow"] as const;
      const verdicts = { deny: "drop", reject: "reject", pass: "allow", allow: "allow" } as const;
      for (const [i, strict] of actions.entries()) {
        for (const lax of actions.slice(i + 1)) {
          for (const swap of [false, true]) {
            const set = pair([rule(lax, [any])], [rule(strict, [any])], swap);
            const { verdict, ambiguous, determinedBy } = ask(set).ingress;
            expect([strict, lax, verdict, ambiguous]).toEqual([
              strict,
              lax,
              verdicts[strict],
              true,
            ]);
            expect(determinedBy).toMatchObject(
              strict === "pass" ? { kind: "default" } : { kind: "rule", rule: "b/0" },
            );
          }
        }
      }
    });

    it("agrees without ambiguity, and names the first by id", () => {
      for (const swap of [false, true]) {
        const set = pair([rule("allow", [any])], [rule("allow", [any])], swap);
        expect(ingress(set)).toBe("allow a/0");
        expect(ask(set).ingress.ambiguous).toBe(false);
      }
    });

    it("lets each block find its own first match", () => {
      const set = pair(
        [rule("allow", [any], [tcp(80)]), rule("deny", [any])],
        [rule("allow", [any])],
      );
      expect(ingress(set)).toBe("allow a/0");
      expect(ask(set).ingress.ambiguous).toBe(false);
      expect(ingress(set, { port: 81 })).toBe("drop a/1");
      expect(ask(set, { port: 81 }).ingress.ambiguous).toBe(true);
    });
  });
});

describe("denyOverrides", () => {
  it("takes the strictest match of all blocks, whatever their order", () => {
    const set = policySet([
      stage("s", "denyOverrides", [
        block("a", "ingress", "shop:", [rule("allow", [any]), rule("log", [any])], { order: [1] }),
        block("b", "ingress", "shop:", [rule("reject", [any], [tcp(80, 81)])], { order: [2] }),
        block("c", "ingress", "shop:", [rule("deny", [any], [tcp(80)])], { order: [3] }),
      ]),
    ]);
    expect(ingress(set)).toBe("drop c/0");
    expect(ingress(set, { port: 81 })).toBe("reject b/0");
    expect(ingress(set, { port: 82 })).toBe("allow a/0");
    expect(ask(set).ingress).toMatchObject({ ambiguous: false, logged: ["a/1"] });
  });

  it("is not led astray by a log that comes first", () => {
    const set = one("denyOverrides", [rule("log", [any]), rule("allow", [any])]);
    expect(ask(set).ingress).toMatchObject({ verdict: "allow", logged: ["b/0"] });
    expect(ingress(set)).toBe("allow b/1");
  });

  it("gives an outside judge that cannot be asked the force of a deny", () => {
    expect(ingress(one("denyOverrides", [rule("allow", [any]), rule("custom", [any])]))).toBe(
      "drop b/1",
    );
  });
});

describe("anyAllow", () => {
  it("allows by any allow, and nothing else decides", () => {
    const set = one("anyAllow", [
      rule("deny", [any]),
      rule("log", [any]),
      rule("allow", [any], [tcp(80)]),
    ]);
    expect(ingress(set)).toBe("allow b/2");
    expect(ingress(set, { port: 81 })).toBe("drop isolation b");
    expect(ask(set).ingress).toMatchObject({ logged: ["b/1"], ambiguous: false });
  });
});

describe("isolation", () => {
  it("denies what no rule allows, in its direction and for its subject only", () => {
    const set = one("denyOverrides", [rule("allow", [any], [tcp(443)])]);
    expect(ingress(set)).toBe("drop isolation b");
    expect(ingress(set, { source: "10.0.0.1", destination: "10.0.0.2" })).toBe("allow default");
    expect(ask(set, { source: "10.0.0.1", destination: WORLD }).verdict).toBe("allow");
  });

  it("comes only from blocks that isolate, and the first of these is named", () => {
    expect(ingress(one("denyOverrides", [], false))).toBe("allow default");
    const set = policySet([
      stage("s", "denyOverrides", [
        block("d", "ingress", "shop:", [], { order: [4] }),
        block("c", "ingress", "shop:", [], { order: [3] }),
        block("a", "ingress", "shop:", [], { order: [1], isolates: false }),
      ]),
    ]);
    expect(ingress(set)).toBe("drop isolation c");
  });

  it("passes where the stage says so", () => {
    const set = policySet([
      stage("a", "denyOverrides", [block("b", "ingress", "shop:", [])], {
        endIfApplied: "pass",
        onPass: "c",
      }),
      stage("b", "firstMatch", [block("no", "ingress", "shop:", [rule("deny", [any])])]),
      stage("c", "firstMatch", [block("yes", "ingress", "shop:", [rule("allow", [any])])]),
    ]);
    expect(ingress(set)).toBe("allow yes/0");
  });
});

describe("stages", () => {
  const no = stage("no", "firstMatch", [block("no", "ingress", "shop:", [rule("deny", [any])])]);

  it("go on to the next when nothing concerned the flow", () => {
    const silent = stage("a", "firstMatch", [
      block("x", "ingress", "shop:", [rule("allow", [any], [tcp(1)])], { isolates: false }),
    ]);
    expect(ingress(policySet([silent, no]))).toBe("drop no/0");
  });

  it("end with the profile's default", () => {
    expect(ingress(policySet([]))).toBe("allow default");
    expect(ingress(policySet([], { default: "deny" }))).toBe("drop default");
  });

  it("are jumped over by a pass, to its target or past the last", () => {
    const passing = (onPass: string | null) =>
      stage("a", "firstMatch", [block("p", "ingress", "shop:", [rule("pass", [any])])], { onPass });
    const yes = stage("yes", "firstMatch", [
      block("y", "ingress", "shop:", [rule("allow", [any])]),
    ]);
    expect(ingress(policySet([passing("yes"), no, yes]))).toBe("allow y/0");
    expect(ingress(policySet([passing("no"), no, yes]))).toBe("drop no/0");
    expect(ingress(policySet([passing(null), no]))).toBe("allow default");
  });

  it("cannot pass backwards, to themselves or to nowhere", () => {
    for (const onPass of ["a", "no", "elsewhere"]) {
      const bad = stage(
        "a",
        "firstMatch",
        [block("p", "ingress", "shop:", [rule("pass", [any])])],
        { onPass },
      );
      const first = stage("no", "firstMatch", []);
      expect(() => ingress(policySet([first, bad]))).toThrow(
        `stage \`a\` passes to \`${onPass}\`, which does not follow it`,
      );
    }
  });

  it("remember an ambiguity and logs that a pass left behind", () => {
    const unsure = stage(
      "a",
      "firstMatch",
      [
        block("p", "ingress", "shop:", [rule("log", [any]), rule("pass", [any])]),
        block("q", "ingress", "shop:", [rule("allow", [any])]),
      ],
      { onPass: "no" },
    );
    expect(ask(policySet([unsure, no])).ingress).toMatchObject({
      verdict: "drop",
      ambiguous: true,
      logged: ["p/0"],
    });
  });
});

describe("planes", () => {
  const allow = block("allow", "ingress", "shop:", [rule("allow", [any])]);
  const deny = block("deny", "ingress", "shop:", [rule("deny", [any])]);

  it("are ANDed: what one denies the other cannot allow", () => {
    const both = (net: typeof allow, mesh: typeof allow) =>
      policySet([
        stage("net", "firstMatch", [net]),
        stage("mesh", "firstMatch", [mesh], { plane: "mesh" }),
      ]);
    expect(ingress(both(allow, deny))).toBe("drop deny/0");
    expect(ingress(both(deny, allow))).toBe("drop deny/0");
    expect(ingress(both(allow, allow))).toBe("allow allow/0");
  });

  it("name the one that spoke, and keep the default to the network", () => {
    const mesh = stage("mesh", "firstMatch", [allow], { plane: "mesh" });
    expect(ingress(policySet([mesh]))).toBe("allow allow/0");
    expect(ingress(policySet([mesh], { default: "deny" }))).toBe("drop default");
    const silent = stage("mesh", "firstMatch", [], { plane: "mesh" });
    expect(
      ingress(policySet([silent, stage("net", "firstMatch", [allow])], { default: "deny" })),
    ).toBe("allow allow/0");
  });
});

describe("staged, and expired", () => {
  it("staged blocks and rules act in the shadow only", () => {
    const set = policySet([
      stage("s", "denyOverrides", [
        block("b", "ingress", "shop:", [], { enforce: "staged" }),
        block("c", "ingress", "shop:", [rule("reject", [any], [tcp(80)], { enforce: "staged" })], {
          isolates: false,
        }),
      ]),
    ]);
    expect(ingress(set)).toBe("allow default");
    expect(ingress(set, {}, "shadow")).toBe("reject c/0");
    expect(ingress(set, { port: 81 }, "shadow")).toBe("drop isolation b");
  });

  it("a rule or block acts until the moment it expires, that moment excluded", () => {
    const brief = one("denyOverrides", [rule("allow", [any], [everyPort], { expiresAt: T0 })]);
    expect(ingress(brief, {}, "live", T0 - 1)).toBe("allow b/0");
    expect(ingress(brief, {}, "live", T0)).toBe("drop isolation b");
    const gone = policySet([
      stage("s", "denyOverrides", [block("b", "ingress", "shop:", [], { expiresAt: T0 })]),
    ]);
    expect(ingress(gone, {}, "live", T0 - 1)).toBe("drop isolation b");
    expect(ingress(gone, {}, "live", T0)).toBe("allow default");
  });

  it("the determinant names the sooner end of rule and block", () => {
    const until = (ruleEnd?: number, blockEnd?: number) =>
      ask(
        policySet([
          stage("s", "denyOverrides", [
            block(
              "b",
              "ingress",
              "shop:",
              [rule("allow", [any], [everyPort], { expiresAt: ruleEnd })],
              {
                expiresAt: blockEnd,
              },
            ),
          ]),
        ]),
      ).ingress.determinedBy;
    expect(until(T0 + 5, T0 + 7)).toMatchObject({ kind: "rule", expiresAt: T0 + 5 });
    expect(until(undefined, T0 + 7)).toMatchObject({ kind: "rule", expiresAt: T0 + 7 });
    expect(until()).not.toHaveProperty("expiresAt");
    expect(until()).toEqual({
      kind: "rule",
      stage: "s",
      policy: { kind: "Policy", namespace: "test", name: "b" },
      rule: "b/0",
      source: { file: "test.yaml", line: 1, column: 1 },
    });
    expect(ask(one("denyOverrides", [])).ingress.determinedBy).toEqual({
      kind: "isolation",
      stage: "s",
      policy: { kind: "Policy", namespace: "test", name: "b" },
      block: "b",
      source: { file: "test.yaml", line: 1, column: 1 },
    });
  });
});

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
