/** What explain shows: the whole way to a decision, and for each rule that did not match the first clause that failed. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ICMP,
  TCP,
  type FlowQuery,
  type Peer,
  type PolicySet,
  type PortMatch,
} from "@bulkhead/model";
import { explain, indexInventory, type Explanation } from "../src/index.ts";
import { claim, failureOf } from "./check.ts";
import { aimed, flowsArbitrary, NOW, worldArbitrary } from "./worlds.ts";
import {
  any,
  block,
  chosen,
  cidr,
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
const db = workload("shop/db", "10.0.0.2", { app: "db" });
const index = indexInventory(
  inventory([web, db], ["10.0.0.254"], [{ name: "shop", labels: { team: "x" } }]),
);
const toDb: FlowQuery = { source: "10.0.0.1", destination: "10.0.0.2", protocol: TCP, port: 5432 };

function ask(set: PolicySet, query: Partial<FlowQuery> = {}, view: "live" | "shadow" = "live") {
  return explain(set, index, { ...toDb, ...query }, { now: T0, view });
}

describe("the trace", () => {
  it("tells why all namespaces do not hold a node", () => {
    const labels = { role: "worker" };
    const node = { ...workload(":nodes/n1", "10.0.0.9", labels), kind: "node" as const };
    const own = indexInventory(inventory([web, db, node]));
    const set = nativeSet({
      application: [
        block("a", "ingress", "shop:app=db", [rule("allow", [chosen("*:")], [tcp(5432)])]),
      ],
    });
    const options = { now: T0, view: "live" } as const;
    const { ingress, smallestChange } = explain(set, own, { ...toDb, source: "10.0.0.9" }, options);
    const rules = ingress.stages.flatMap(({ blocks }) => blocks).flatMap((one) => one.rules);
    expect(rules.map(({ outcome }) => outcome)).toEqual([
      "peer: :nodes/n1 is a node, and in no namespace",
    ]);
    // Its labels are no pod's, and its place no namespace's.
    expect(smallestChange).toEqual({
      kind: "blocked",
      by: [],
      reason: "`:nodes/n1` is a node, which no selector of pods and namespaces finds",
    });
  });

  it("shows stages in order, with what came of each", () => {
    const set = nativeSet({
      guardrail: [block("g", "ingress", "shop:", [rule("pass", [any])], { isolates: false })],
      application: [block("a", "ingress", "shop:app=db", [rule("allow", [any], [tcp(1)])])],
      baseline: [block("b", "ingress", "shop:", [rule("deny", [any])], { isolates: false })],
    });
    const { ingress, egress, decision } = ask(set);
    expect(ingress.subject).toBe("shop/db");
    expect(ingress.stages.map(({ stage: name, outcome }) => `${name} ${outcome}`)).toEqual([
      "emergency next",
      "guardrail pass",
      "exception next",
      "application decided",
      "baseline not-reached",
    ]);
    expect(ingress.stages[4]!.blocks).toEqual([]);
    expect(
      egress.stages.every(({ outcome, blocks }) => outcome === "next" && blocks.length === 0),
    ).toBe(true);
    expect(decision.verdict).toBe("drop");
  });

  it("shows a jump over stages, and each plane on its own", () => {
    const set = policySet([
      stage("a", "firstMatch", [block("p", "ingress", "shop:", [rule("pass", [any])])], {
        onPass: "c",
      }),
      stage("b", "firstMatch", [block("q", "ingress", "shop:", [rule("deny", [any])])]),
      stage("c", "firstMatch", [block("r", "ingress", "shop:", [rule("allow", [any])])]),
      stage("m", "firstMatch", [block("s", "ingress", "shop:", [rule("allow", [any])])], {
        plane: "mesh",
      }),
    ]);
    expect(
      ask(set).ingress.stages.map(({ stage: name, plane, outcome }) => [name, plane, outcome]),
    ).toEqual([
      ["a", "net", "pass"],
      ["b", "net", "not-reached"],
      ["c", "net", "decided"],
      ["m", "mesh", "decided"],
    ]);
  });

  it("shows an exemption instead of stages", () => {
    expect(ask(nativeSet({}), { source: "10.0.0.254" })).toMatchObject({
      egress: { direction: "egress", exemption: "not-a-workload", stages: [] },
      ingress: { direction: "ingress", exemption: "node", stages: [] },
    });
  });

  it("shows blocks that select the subject in evaluation order, and inert ones with their reason", () => {
    const set = nativeSet({
      application: [
        block("late", "ingress", "shop:app=db", [], { order: [9] }),
        block("gone", "ingress", "shop:app=db", [rule("allow", [any])], { expiresAt: T0 }),
        block("planned", "ingress", "shop:app=db", [rule("allow", [any])], {
          enforce: "staged",
          order: [1],
        }),
        block("web", "ingress", "shop:app=web", []),
        block("out", "egress", "shop:app=db", []),
      ],
    });
    const blocks = ask(set).ingress.stages[3]!.blocks;
    expect(blocks.map(({ block: id, inert }) => [id, inert])).toEqual([
      ["gone", "expired"],
      ["planned", "staged"],
      ["late", null],
    ]);
    expect(blocks[0]!.rules[0]).toMatchObject({ matched: false, outcome: "expired" });
    expect(blocks[1]!.rules[0]).toMatchObject({ matched: false, outcome: "staged" });
    expect(blocks[2]).toMatchObject({ isolates: true, policy: { name: "late" } });
    const shadow = ask(set, {}, "shadow").ingress.stages[3]!.blocks;
    expect(shadow.map(({ inert }) => inert)).toEqual(["expired", null, null]);
    expect(shadow[1]!.rules[0]).toMatchObject({ matched: true, outcome: "matched" });
  });
});

describe("why a rule did not match", () => {
  const outcome = (
    peers: readonly Peer[],
    ports?: readonly PortMatch[],
    query: Partial<FlowQuery> = {},
  ) => {
    const set = nativeSet({
      application: [
        block("in", "ingress", "shop:app=db", [rule("allow", peers, ports)]),
        block("out", "egress", "shop:app=db", [rule("allow", peers, ports)]),
      ],
    });
    const { ingress, egress } = ask(set, query);
    const trace = query.source === "10.0.0.2" ? egress : ingress;
    return trace.stages[3]!.blocks[0]!.rules[0]!.outcome;
  };

  it("names the first clause of the first peer", () => {
    expect(outcome([])).toBe("peer: the list of peers is empty and holds nobody");
    expect(outcome([chosen("ops:")])).toBe("peer: namespace is shop, not ops");
    expect(outcome([chosen("shop:app=api")])).toBe("peer: shop/web has app=web, wanted `app=api`");
    expect(outcome([chosen("shop:app=web,tier=x")])).toBe(
      "peer: shop/web has no label tier, wanted `tier=x`",
    );
    expect(outcome([chosen("ops:"), any, any])).toBe("matched");
    expect(outcome([chosen("ops:"), chosen("ops:")])).toBe(
      "peer: namespace is shop, not ops, and so on for 1 more",
    );
    const team = {
      requirements: [{ key: "team", operator: "In" as const, values: ["y"] }],
    };
    expect(outcome([{ ...chosen("*:"), namespaces: { kind: "selected", selector: team } }])).toBe(
      "peer: namespace shop is not selected by `team=y`",
    );
  });

  it("tells workloads, host and world apart", () => {
    expect(outcome([{ kind: "entity", entity: "host" }])).toBe(
      "peer: shop/web is a workload, not the host",
    );
    expect(outcome([{ kind: "entity", entity: "host" }], undefined, { source: "192.0.2.1" })).toBe(
      "peer: 192.0.2.1 is the world, not the host",
    );
    expect(outcome([chosen("shop:")], undefined, { source: "192.0.2.1" })).toBe(
      "peer: 192.0.2.1 is no workload",
    );
    expect(outcome([cidr("10.0.0.0/8")])).toBe(
      "peer: shop/web is a workload, and this prefix means the world's addresses only",
    );
    expect(
      outcome([cidr("10.0.0.0/8")], undefined, { source: "10.0.0.2", destination: "10.0.0.254" }),
    ).toBe("peer: 10.0.0.254 is the host, and this prefix means the world's addresses only");
    expect(outcome([cidr("192.0.2.0/25")], undefined, { source: "192.0.2.200" })).toBe(
      "peer: 192.0.2.200 is not in 192.0.2.0/25",
    );
    expect(
      outcome([cidr("192.0.2.0/24", { except: ["192.0.2.1/32"] })], undefined, {
        source: "192.0.2.1",
      }),
    ).toBe("peer: 192.0.2.1 is excepted from 192.0.2.0/24");
  });

  it("names the port that was asked for and those that would do", () => {
    expect(outcome([any], [tcp(80), tcp(8000, 8100)])).toBe(
      "port: 5432/tcp is not 80/tcp, 8000-8100/tcp",
    );
    expect(outcome([any], [])).toBe("port: the list of ports is empty");
    expect(outcome([any], [tcp(80)], { protocol: ICMP, port: 8 * 256 })).toBe(
      "port: icmp/echo-request is not 80/tcp",
    );
  });

  it("says when a name cannot be looked up", () => {
    const served = workload(
      "shop/api",
      "10.0.0.3",
      {},
      {
        namedPorts: [{ name: "http", protocol: TCP, port: 5432 }],
      },
    );
    const set = nativeSet({
      application: [
        block("out", "egress", "shop:app=web", [
          rule(
            "allow",
            [cidr("10.0.0.0/8", { matchesWorkloads: true })],
            [{ kind: "named", protocol: TCP, name: "http" }],
          ),
        ]),
      ],
    });
    const query = { ...toDb, destination: "10.0.0.3" };
    const known = indexInventory(inventory([web, served]));
    const { egress } = explain(set, known, query, { now: T0, view: "live" });
    expect(egress.stages[3]!.blocks[0]!.rules[0]!.outcome).toBe(
      "port: a port name means nothing on a destination given by address",
    );
  });
});

describe("explain and decide", () => {
  it("agree: whoever decided stands in the trace as matched, in a stage that decided", () => {
    const agree = fc.property(
      worldArbitrary,
      flowsArbitrary,
      ({ set, inventory: all }, samples) => {
        const known = indexInventory(all);
        for (const query of aimed(all, samples)) {
          const found = explain(set, known, query, { now: NOW, view: "live" });
          for (const direction of ["egress", "ingress"] as const) {
            const by = found.decision[direction].determinedBy;
            const trace = found[direction];
            const deciding = trace.stages.filter(({ outcome }) => outcome === "decided");
            const about = { direction, query, by, trace };
            switch (by.kind) {
              case "exemption":
                claim(trace.exemption === by.exemption, "exemption", about);
                break;
              case "default":
                claim(deciding.length === 0 || set.profile.default === "deny", "default", about);
                break;
              case "rule":
                claim(ruleOf(deciding, by.rule)?.matched === true, "rule", about);
                break;
              case "isolation":
                claim(
                  deciding.some(({ blocks }) =>
                    blocks.some(
                      (one) => one.block === by.block && one.isolates && one.inert === null,
                    ),
                  ),
                  "isolation",
                  about,
                );
            }
          }
        }
      },
    );
    expect(failureOf(agree, 150)).toBe("");
  });
});

function ruleOf(stages: Explanation["egress"]["stages"], id: string) {
  return stages
    .flatMap(({ blocks }) => blocks)
    .flatMap(({ rules }) => rules)
    .find((one) => one.rule === id);
}
