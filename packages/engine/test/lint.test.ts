/** What is said about a rule is true of every flow: without those that are called needless, nothing is decided otherwise. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  EVERYTHING,
  type Block,
  type Peer,
  type PolicySet,
  type Rule,
  type Stage,
} from "@bulkhead/model";
import { decide, findRules, indexInventory, type RuleFindingKind } from "../src/index.ts";
import { claim, enough, failureOf } from "./check.ts";
import { aimed, flowsArbitrary, NOW, worldArbitrary } from "./worlds.ts";

const REMOVABLE: readonly RuleFindingKind[] = ["never", "shadowed", "redundant", "contradicted"];

function withoutRules(set: PolicySet, rules: ReadonlySet<Rule>): PolicySet {
  return {
    ...set,
    stages: set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.map((block) => ({
        ...block,
        rules: block.rules.filter((rule) => !rules.has(rule)),
      })),
    })),
  };
}

describe("findings about rules", () => {
  it("what is shadowed, redundant, contradicted or never matches decides nothing, alone or together", () => {
    const seen = new Map<RuleFindingKind, number>();
    const property = fc.property(worldArbitrary, flowsArbitrary, (world, samples) => {
      const found = findRules(world.set, NOW).filter(({ kind }) => REMOVABLE.includes(kind));
      if (found.length === 0) return;
      for (const { kind } of found) seen.set(kind, (seen.get(kind) ?? 0) + 1);
      const index = indexInventory(world.inventory);
      const smaller = [found, ...found.map((one) => [one])].map((some) =>
        withoutRules(world.set, new Set(some.map(({ rule }) => rule))),
      );
      for (const flow of aimed(world.inventory, samples)) {
        for (const view of ["live", "shadow"] as const) {
          for (const now of [NOW, NOW + 1000]) {
            const before = decide(world.set, index, flow, { now, view }).verdict;
            for (const [at, set] of smaller.entries()) {
              const after = decide(set, index, flow, { now, view }).verdict;
              const which = found[at - 1] ?? found;
              claim(before === after, `${before} became ${after}`, { flow, view, now, which });
            }
          }
        }
      }
    });
    expect(failureOf(property, 150)).toBe("");
    for (const kind of REMOVABLE) expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(enough(3));
  });

  it("of a copy of a rule, one is found to be needless", () => {
    let copies = 0;
    const property = fc.property(worldArbitrary, fc.nat(), ({ set }, pick) => {
      const rules = set.stages.flatMap(({ blocks }) => blocks.flatMap((one) => one.rules));
      const candidates = rules.filter(
        ({ action, auth, l7Mode }) =>
          action !== "log" && action !== "audit" && auth === undefined && l7Mode !== "terminal",
      );
      const original = candidates[pick % Math.max(1, candidates.length)];
      if (original === undefined) return;
      const doubled: PolicySet = {
        ...set,
        stages: set.stages.map((stage) => ({
          ...stage,
          blocks: stage.blocks.map((block) => ({
            ...block,
            rules: block.rules.flatMap((rule) =>
              rule === original ? [rule, { ...rule, id: `${rule.id}/again` }] : [rule],
            ),
          })),
        })),
      };
      const inForce = (end: number | undefined) => end === undefined || end > NOW;
      const home = set.stages
        .flatMap(({ blocks }) => blocks)
        .find((one) => one.rules.includes(original))!;
      const stage = set.stages.find(({ blocks }) => blocks.includes(home))!;
      if (!inForce(original.expiresAt) || !inForce(home.expiresAt)) return;
      if (stage.mode === "anyAllow" && original.action !== "allow") return;
      const said = findRules(doubled, NOW).filter(({ kind }) => REMOVABLE.includes(kind));
      const about = said.some(
        ({ rule }) => rule.id === original.id || rule.id === `${original.id}/again`,
      );
      claim(about, "a copy passes unseen", { original, block: home.id });
      copies += 1;
    });
    expect(failureOf(property, 200)).toBe("");
    expect(copies).toBeGreaterThan(enough(50));
  });
});

const span = { file: "p.yaml", line: 1, column: 1 };
const pods = (key: string, ...values: string[]): Peer => ({
  kind: "workloads",
  namespaces: { kind: "named", name: "shop" },
  selector: { requirements: [{ key, operator: "In", values }] },
});
const tcp = (first: number, last = first) => ({ kind: "range" as const, protocol: 6, first, last });

function rule(id: string, peers: readonly Peer[], over: Partial<Rule> = {}): Rule {
  return { id, source: span, action: "allow", peers, ports: [tcp(80)], enforce: "on", ...over };
}

function setOf(mode: Stage["mode"], ...blocks: readonly (readonly Rule[])[]): PolicySet {
  const made = blocks.map((rules, at): Block => ({
    id: `b${at}`,
    source: span,
    subject: {
      kind: "workloads",
      namespaces: { kind: "named", name: "shop" },
      selector: EVERYTHING,
    },
    direction: "ingress",
    order: [at],
    isolates: mode !== "firstMatch",
    enforce: "on",
    rules,
    policy: { kind: "Policy", namespace: "shop", name: `b${at}` },
  }));
  return {
    stages: [
      {
        id: "s",
        plane: "net",
        mode,
        blocks: made,
        endIfApplied: mode === "firstMatch" ? "pass" : "deny",
        onPass: null,
      },
    ],
    profile: { nodeExempt: true, hairpinExempt: true, default: "allow" },
  };
}

const kinds = (set: PolicySet) =>
  findRules(set, NOW).map(({ kind, rule: { id }, by }) => [
    kind,
    id,
    ...by.map((one) => one.rule.id),
  ]);

describe("findings about rules, one by one", () => {
  it("two rules together shadow a third that neither holds alone", () => {
    const three = [
      rule("a", [pods("app", "web")]),
      rule("b", [pods("app", "api")]),
      rule("c", [pods("app", "web", "api")]),
    ];
    expect(kinds(setOf("firstMatch", three))).toEqual([["shadowed", "c", "a", "b"]]);
    expect(kinds(setOf("denyOverrides", three))).toEqual([["redundant", "c", "a", "b"]]);
  });

  it("a rule that an earlier one denies whole is contradicted", () => {
    const deny = rule("no", [{ kind: "any" }], { action: "deny", ports: [{ kind: "all" }] });
    expect(kinds(setOf("firstMatch", [deny], [rule("yes", [pods("app", "web")])]))).toEqual([
      ["contradicted", "yes", "no"],
    ]);
    expect(kinds(setOf("denyOverrides", [rule("yes", [pods("app", "web")])], [deny]))).toEqual([
      ["contradicted", "yes", "no"],
    ]);
  });

  it("an allow before a deny of more is no shadow's", () => {
    const deny = rule("no", [{ kind: "any" }], { action: "deny" });
    expect(kinds(setOf("firstMatch", [rule("yes", [pods("app", "web")])], [deny]))).toEqual([]);
  });

  it("says the same later, with nothing between: redundant; with a deny of some of it between: needed", () => {
    const narrow = rule("narrow", [pods("app", "web")]);
    const wide = rule("wide", [{ kind: "any" }]);
    const between = rule("between", [pods("tier", "front")], { action: "deny" });
    expect(kinds(setOf("firstMatch", [narrow], [wide]))).toEqual([["redundant", "narrow", "wide"]]);
    expect(kinds(setOf("firstMatch", [narrow], [between], [wide]))).toEqual([]);
  });

  it("trap 9: a rule of layer 4 beside one that asks for requests voids it", () => {
    const get = {
      kind: "http" as const,
      conditions: [
        {
          attribute: "method" as const,
          anyOf: [{ kind: "exact" as const, value: "GET" }],
          noneOf: [],
        },
      ],
    };
    const asking = rule("asks", [pods("app", "web")], { l7: [get] });
    expect(kinds(setOf("denyOverrides", [asking], [rule("open", [{ kind: "any" }])]))).toEqual([
      ["voided", "asks", "open"],
    ]);
    const elsewhere = rule("open", [{ kind: "any" }], { ports: [tcp(81)] });
    expect(kinds(setOf("denyOverrides", [asking], [elsewhere]))).toEqual([]);
  });

  it("what holds a range of addresses less its exception does not hold the exception", () => {
    const cidr = (cidr: `${string}/${number}`, ...except: `${string}/${number}`[]): Peer => ({
      kind: "cidr",
      cidr,
      except,
      matchesWorkloads: false,
    });
    const most = rule("most", [cidr("10.0.0.0/8", "10.1.0.0/16")]);
    expect(kinds(setOf("denyOverrides", [rule("in", [cidr("10.2.0.0/16")]), most]))).toEqual([
      ["redundant", "in", "most"],
    ]);
    expect(kinds(setOf("denyOverrides", [rule("out", [cidr("10.1.2.0/24")]), most]))).toEqual([]);
  });

  it("what is gone tomorrow shadows nothing that stays", () => {
    const soon = rule("soon", [{ kind: "any" }], { expiresAt: NOW + 1 });
    expect(kinds(setOf("denyOverrides", [rule("stays", [pods("app", "web")]), soon]))).toEqual([]);
  });

  it("a label that must be two things is never matched", () => {
    const both: Peer = {
      kind: "workloads",
      namespaces: { kind: "all" },
      selector: {
        requirements: [
          { key: "a", operator: "In", values: ["x"] },
          { key: "a", operator: "NotIn", values: ["x"] },
        ],
      },
    };
    expect(kinds(setOf("denyOverrides", [rule("none", [both])]))).toEqual([["never", "none"]]);
  });

  it("rules of equal order that disagree are ambiguous where they meet", () => {
    const set = setOf(
      "firstMatch",
      [rule("yes", [pods("app", "web")])],
      [rule("no", [pods("tier", "front")], { action: "deny" })],
    );
    const level = {
      ...set,
      stages: set.stages.map((stage) => ({
        ...stage,
        blocks: stage.blocks.map((block) => ({ ...block, order: [5] })),
      })),
    };
    expect(kinds(level)).toEqual([["ambiguous", "no", "yes"]]);
    expect(kinds(set)).toEqual([]);
  });
});
