/** Inclusion of policy sets that ask above layer 4: by the requests, the names, and who vouches. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
  FlowQuery,
  Peer,
  PolicySet,
  Predicate,
  Request,
  Rule,
  TextMatch,
} from "@bulkhead/model";
import { decide, includes, indexInventory, type Side } from "../src/index.ts";
import { claim, enough, failureOf } from "./check.ts";
import {
  any,
  block,
  everyPort,
  inventory,
  policySet,
  rule,
  stage,
  T0,
  tcp,
  workload,
} from "./small-sets.ts";

const OPTIONS = { now: T0, view: "live" } as const;
const index = indexInventory(
  inventory([
    workload("shop/web", "10.0.0.1", { app: "web" }),
    workload("shop/db", "10.0.0.2", { app: "db" }),
  ]),
);
const exact = (value: string): TextMatch => ({ kind: "exact", value });
const http = (method: string): Predicate => ({
  kind: "http",
  conditions: [{ attribute: "method", anyOf: [exact(method)], noneOf: [] }],
});
const name = (pattern: string): Peer => ({
  kind: "domain",
  pattern,
  regex: pattern.replaceAll(".", "\\.").replaceAll("*", "[^.]*"),
});
type Draft = ReturnType<typeof rule>;
const side = (
  ingress: readonly Draft[],
  egress: readonly Draft[] = [rule("allow", [any])],
): Side => ({
  set: policySet([
    stage("application", "denyOverrides", [
      block("in", "ingress", "shop:app=db", ingress),
      block("out", "egress", "shop:app=web", egress),
    ]),
  ]),
  index,
});
const requests = (action: Rule["action"], methods: readonly string[], more: Partial<Rule> = {}) =>
  rule(action, [any], [tcp(80)], { l7: methods.map(http), ...more });
const plain = (action: Rule["action"] = "allow") => rule(action, [any], [tcp(80)]);

describe("inclusion", () => {
  it.each<[string, Draft[], Draft[]]>([
    ["fewer requests", [requests("allow", ["GET"])], [plain()]],
    ["the same requests", [requests("allow", ["GET"])], [requests("allow", ["GET"])]],
    ["a deny of some", [plain(), requests("deny", ["PUT"])], [plain()]],
    [
      "who must prove themselves",
      [rule("allow", [any], [tcp(80)], { auth: "required" })],
      [plain()],
    ],
  ])("holds of %s, and not the other way round unless they are the same", (_what, one, other) => {
    expect(includes(side(one), side(other), OPTIONS)).toEqual({ kind: "included" });
    const back = includes(side(other), side(one), OPTIONS).kind;
    expect(back).toBe(JSON.stringify(one) === JSON.stringify(other) ? "included" : "excess");
  });

  it("names the request that makes the difference", () => {
    const one = side([requests("allow", ["GET"]), requests("allow", ["PUT"])]);
    const other = side([requests("allow", ["GET"])]);
    expect(includes(other, one, OPTIONS)).toEqual({ kind: "included" });
    expect(includes(one, other, OPTIONS)).toMatchObject({
      kind: "excess",
      hop: { packet: { port: 80, request: { kind: "http", attributes: { method: "PUT" } } } },
    });
  });

  it("tells opaque connections apart", () => {
    const one = side([requests("allow", ["GET"], { onOpaque: "widen" })]);
    const other = side([requests("allow", ["GET"])]);
    expect(includes(other, one, OPTIONS)).toEqual({ kind: "included" });
    expect(includes(one, other, OPTIONS)).toMatchObject({
      kind: "excess",
      hop: { packet: { request: { kind: "opaque" } } },
    });
  });

  it("names the name that makes the difference", () => {
    const names = (pattern: string) => [rule("allow", [name(pattern)], [tcp(443)])];
    const [one, other] = [side([], names("*.example.com")), side([], [])];
    expect(includes(other, one, OPTIONS)).toEqual({ kind: "included" });
    expect(includes(one, other, OPTIONS)).toMatchObject({
      kind: "excess",
      hop: { packet: { port: 443, names: ["a.example.com"] } },
    });
  });

  const path = (...anyOf: TextMatch[]): Predicate => ({
    kind: "http",
    conditions: [{ attribute: "path", anyOf, noneOf: [] }],
  });
  const like = (value: string): TextMatch => ({ kind: "regex", value });
  const prefix = (value: string): TextMatch => ({ kind: "prefix", value });

  it.each<[string, Predicate, Predicate]>([
    ["a longer path", path(like("/orders/.*")), path(like("/.*"))],
    ["a longer prefix", path(prefix("/orders/")), path(prefix("/"))],
    ["an expression below a prefix", path(like("/a/[0-9]+")), path(prefix("/a/"))],
    ["a text that an expression matches", path(exact("/a/7")), path(like("/a/[0-9]+"))],
    ["one of two", path(exact("/a")), path(exact("/b"), exact("/a"))],
    ["a dot that is one", path(like("/a\\.html")), path(exact("/a.html"), exact("/b"))],
    [
      "more conditions",
      { kind: "http", conditions: [...path(exact("/a")).conditions, ...http("GET").conditions] },
      http("GET"),
    ],
  ])("is plain for %s", (_what, narrow, wide) => {
    const [one, other] = [narrow, wide].map((l7) =>
      side([rule("allow", [any], [tcp(80)], { l7: [l7] })]),
    );
    expect(includes(one!, other!, OPTIONS)).toEqual({ kind: "included" });
    expect(includes(other!, one!, OPTIONS).kind).toBe("excess");
  });

  it.each<[string, Predicate, Predicate]>([
    ["a letter that may be missing", path(like("/ab?")), path(prefix("/ab"))],
    ["one or the other", path(like("/a|/b")), path(prefix("/a"))],
  ])("is no more than it seems: %s", (_what, a, b) => {
    const [one, other] = [a, b].map((l7) => side([rule("allow", [any], [tcp(80)], { l7: [l7] })]));
    expect(includes(one!, other!, OPTIONS).kind).not.toBe("included");
  });

  it("says so where it cannot be settled", () => {
    // No request can match both; but that is for whoever reads expressions to say.
    const regex = (value: string): Predicate => ({
      kind: "http",
      conditions: [{ attribute: "path", anyOf: [{ kind: "regex", value }], noneOf: [] }],
    });
    const both = [
      rule("allow", [any], [tcp(80)], { l7: [regex("/a[0-9]{3}")] }),
      rule("deny", [any], [tcp(80)], { l7: [regex("/a[0-9]{4}")] }),
    ];
    expect(includes(side([both[0]!]), side(both), OPTIONS).kind).toBe("undecided");
    const many = Array.from({ length: 12 }, (_, n) =>
      rule("allow", [any], [tcp(80)], { l7: [regex(`/${n}.*`)] }),
    );
    expect(includes(side(many), side([]), OPTIONS)).toEqual({ kind: "undecided", hop: null });
  });

  const methods = ["GET", "PUT", "POST"];
  const drafts = fc.array(
    fc
      .record({
        action: fc.constantFrom("allow" as const, "allow" as const, "deny" as const),
        ports: fc.constantFrom([tcp(80)], [tcp(80, 81)], [everyPort]),
        l7: fc.option(fc.subarray(methods, { minLength: 1, maxLength: 2 }), { nil: undefined }),
        l7Mode: fc.constantFrom("union" as const, "terminal" as const),
        onOpaque: fc.constantFrom("noMatch" as const, "widen" as const),
        auth: fc.constantFrom(undefined, undefined, undefined, "required" as const),
      })
      .map(({ action, ports, l7, l7Mode, onOpaque, auth }) =>
        rule(action, [any], ports, {
          ...(l7 === undefined ? {} : { l7: l7.map(http), l7Mode, onOpaque }),
          // No dialect has both: Antrea's requests are terminal, and only Cilium asks for authentication.
          ...(auth === undefined || l7Mode === "terminal" ? {} : { auth }),
        }),
      ),
    { maxLength: 4 },
  );

  it("agrees with the reference on every request", () => {
    const said = { included: 0, excess: 0, undecided: 0 };
    const asked: Request[] = [
      ...[...methods, "DELETE"].map((method): Request => ({
        kind: "http",
        attributes: { method },
      })),
      { kind: "tls", attributes: { sni: "a" } },
      { kind: "opaque" },
    ];
    const agrees = fc.property(drafts, drafts, (a, b) => {
      const [one, other] = [side(a), side(b)];
      const found = includes(one, other, OPTIONS);
      said[found.kind]++;
      const full = (set: PolicySet, query: FlowQuery) => {
        const { verdict, egress, ingress } = decide(set, index, query, OPTIONS);
        const kinds = [...(egress.obligations ?? []), ...(ingress.obligations ?? [])];
        return verdict === "allow" ? kinds.map(({ kind }) => kind).join() : null;
      };
      if (found.kind === "excess") {
        const { packet } = found.hop;
        const [here, there] = [full(one.set, packet), full(other.set, packet)];
        claim(here !== null && (there === null || there !== here), "no excess", packet);
        return;
      }
      if (found.kind === "undecided") return;
      for (const port of [79, 80, 81]) {
        for (const request of asked) {
          const query = { source: "10.0.0.1", destination: "10.0.0.2", protocol: 6, port, request };
          const [here, there] = [full(one.set, query), full(other.set, query)];
          const holds = here === null || there === "" || here === there;
          claim(holds, "an excess", { query, here, there });
        }
      }
    });
    expect(failureOf(agrees, 150)).toBe("");
    expect(Math.min(said.included, said.excess)).toBeGreaterThan(enough(15));
    expect(said.undecided).toBe(0);
  });
});
