/**
 * Rules that ask above layer 4. Expectations come from SEMANTICS' common form: predicates of a rule are ORed, conditions in
 * one ANDed, values of one ORed; a terminal rule drops what it matches at layer 4 and its predicates do not hold.
 */
import { describe, expect, it } from "vitest";
import type { FlowQuery, Obligation, Predicate, Request, Rule, TextMatch } from "@bulkhead/model";
import { boundOf, decide, explain, isConditional, reach } from "../src/index.ts";
import { index, one, toWeb, WORLD } from "./asked.ts";
import { any, block, everyPort, policySet, rule, stage, T0, tcp } from "./small-sets.ts";

const OPTIONS = { now: T0, view: "live" } as const;
const ask = (set: ReturnType<typeof one>, query: Partial<FlowQuery> = {}) =>
  decide(set, index, { ...toWeb, ...query }, OPTIONS).ingress;

const exact = (value: string): TextMatch => ({ kind: "exact", value });
const regex = (value: string): TextMatch => ({ kind: "regex", value });
const http = (...conditions: Predicate["conditions"]): Predicate => ({ kind: "http", conditions });
const method = (...anyOf: TextMatch[]) => ({ attribute: "method" as const, anyOf, noneOf: [] });
const GET = http(method(exact("GET")));
const get = (more: Readonly<Record<string, string>> = {}): { request: Request } => ({
  request: { kind: "http", attributes: { method: "GET", path: "/", ...more } },
});
const POST: { request: Request } = {
  request: { kind: "http", attributes: { method: "POST", path: "/" } },
};
const only = (...l7: Predicate[]): Partial<Rule> => ({ l7 });

describe("a rule that asks for requests", () => {
  const set = one("denyOverrides", [rule("allow", [any], [tcp(80)], only(GET))]);

  it("decides by the request where it is told", () => {
    expect(ask(set, get())).toMatchObject({ verdict: "allow", determinedBy: { rule: "b/0" } });
    expect(ask(set, POST)).toMatchObject({
      verdict: "drop",
      determinedBy: { kind: "isolation" },
    });
    expect(ask(set, { ...get(), port: 81 }).verdict).toBe("drop");
    expect(ask(set, get()).obligations).toBe(undefined);
  });

  it("puts the condition on the connection where it is not", () => {
    const obligation: Obligation = { kind: "only", rules: ["b/0"], l7: [GET] };
    expect(ask(set)).toMatchObject({ verdict: "allow", obligations: [obligation] });
    expect(ask(set, { port: 81 })).toMatchObject({ verdict: "drop" });
    expect(ask(set, { port: 81 }).obligations).toBe(undefined);
  });

  it("holds of no other kind of request, and of an opaque connection only if it widens", () => {
    const dns: Request = { kind: "dns", attributes: { method: "GET", dns: "a.example" } };
    expect(ask(set, { request: dns }).verdict).toBe("drop");
    expect(ask(set, { request: { kind: "opaque" } }).verdict).toBe("drop");
    const widened = one("denyOverrides", [
      rule("deny", [any], [everyPort], { ...only(GET), onOpaque: "widen" }),
      rule("allow", [any]),
    ]);
    expect(ask(widened, { request: { kind: "opaque" } }).verdict).toBe("drop");
    expect(ask(widened, POST).verdict).toBe("allow");
    expect(ask(widened, get()).verdict).toBe("drop");
  });

  it("asks nothing of who may pass anyhow: an allow at layer 4 over the same ends voids it", () => {
    const voided = one("denyOverrides", [
      rule("allow", [any], [tcp(80)], only(GET)),
      rule("allow", [any], [tcp(80)]),
    ]);
    expect(ask(voided, POST).verdict).toBe("allow");
    expect(ask(voided).verdict).toBe("allow");
    expect(ask(voided).obligations).toBe(undefined);
  });

  it("that denies leaves all but what it names", () => {
    const denying = one("denyOverrides", [
      rule("deny", [any], [everyPort], only(GET)),
      rule("allow", [any]),
    ]);
    expect(ask(denying, get())).toMatchObject({ verdict: "drop", determinedBy: { rule: "b/0" } });
    expect(ask(denying, POST).verdict).toBe("allow");
    expect(ask(denying)).toMatchObject({
      verdict: "allow",
      obligations: [{ kind: "unless", rules: ["b/0"], l7: [GET] }],
    });
  });

  it("is terminal where it says so: what it does not name goes to nobody else", () => {
    const terminal = one("firstMatch", [
      rule("allow", [any], [tcp(80)], { ...only(GET), l7Mode: "terminal" }),
      rule("allow", [any]),
    ]);
    expect(ask(terminal, get()).verdict).toBe("allow");
    expect(ask(terminal, POST)).toMatchObject({ verdict: "drop", determinedBy: { rule: "b/0" } });
    expect(ask(terminal, { ...POST, port: 81 }).verdict).toBe("allow");
    expect(ask(terminal)).toMatchObject({ verdict: "allow", obligations: [{ kind: "only" }] });
    const union = one("firstMatch", [
      rule("allow", [any], [tcp(80)], only(GET)),
      rule("allow", [any]),
    ]);
    expect(ask(union, POST).verdict).toBe("allow");
  });
});

describe("predicates", () => {
  const holds = (predicates: readonly Predicate[], request: Request) =>
    ask(one("denyOverrides", [rule("allow", [any], [everyPort], { l7: predicates })]), { request })
      .verdict === "allow";
  const { request } = get({ path: "/a/b", host: "Shop.example", "header:x-a": "1" });
  const path = (anyOf: TextMatch[], noneOf: TextMatch[] = []) => ({
    attribute: "path" as const,
    anyOf,
    noneOf,
  });

  it("are ORed, their conditions ANDed, their values ORed, those of the other list refused", () => {
    expect(holds([http(method(exact("PUT"))), GET], request)).toBe(true);
    expect(holds([http(method(exact("GET")), path([exact("/x")]))], request)).toBe(false);
    expect(holds([http(method(exact("PUT"), exact("GET")))], request)).toBe(true);
    expect(holds([http(path([], [exact("/a/b")]))], request)).toBe(false);
    expect(holds([http(path([], [exact("/a")]))], request)).toBe(true);
    expect(holds([http()], request)).toBe(true);
  });

  it.each<[TextMatch, boolean]>([
    [{ kind: "exact", value: "/a/b" }, true],
    [{ kind: "exact", value: "/A/b" }, false],
    [{ kind: "exact", value: "/A/b", ignoreCase: true }, true],
    [{ kind: "prefix", value: "/a" }, true],
    [{ kind: "prefix", value: "/b" }, false],
    [{ kind: "suffix", value: "/b" }, true],
    [{ kind: "suffix", value: "/a" }, false],
    [{ kind: "present" }, true],
    [regex("/a/[a-z]"), true],
    // The whole text, as in Envoy's safe_regex.
    [regex("/a"), false],
    [regex("a/b"), false],
  ])("%j", (match, expected) => {
    expect(holds([http(path([match]))], request)).toBe(expected);
  });

  it("a target is what was sent, with its query, and the path where no query is told", () => {
    const at = (value: string) =>
      one("denyOverrides", [
        rule(
          "allow",
          [any],
          [everyPort],
          only(http({ attribute: "target", anyOf: [exact(value)], noneOf: [] })),
        ),
      ]);
    expect(ask(at("/"), get()).verdict).toBe("allow");
    expect(ask(at("/"), get({ target: "/?a=b" })).verdict).toBe("drop");
    expect(ask(at("/?a=b"), get({ target: "/?a=b" })).verdict).toBe("allow");
  });

  it("an absent attribute matches nothing, and is in no list", () => {
    const absent = (anyOf: TextMatch[], noneOf: TextMatch[]) =>
      holds([http({ attribute: "header:x-b", anyOf, noneOf })], request);
    expect(absent([{ kind: "present" }], [])).toBe(false);
    expect(absent([regex(".*")], [])).toBe(false);
    expect(absent([], [regex(".*")])).toBe(true);
  });

  it("an address is in a prefix, or it is no address", () => {
    const from = (value: string) =>
      holds(
        [
          {
            kind: "any",
            conditions: [
              {
                attribute: "remote-ip",
                anyOf: [{ kind: "cidr", value: "10.0.0.0/8" }],
                noneOf: [],
              },
            ],
          },
        ],
        { kind: "http", attributes: { "remote-ip": value } },
      );
    expect(["10.1.2.3", "11.1.2.3", "10.1.2", ""].map(from)).toEqual([true, false, false, false]);
  });

  it("a long text meets an expression that would backtrack for ever elsewhere", () => {
    const long = get({ path: `${"a".repeat(50_000)}!` }).request;
    expect(holds([http(path([regex("(a+)+")]))], long)).toBe(false);
  });
});

describe("what else a decision may depend on", () => {
  it("a proof of who the ends are", () => {
    const set = one("denyOverrides", [rule("allow", [any], [everyPort], { auth: "required" })]);
    expect(ask(set)).toMatchObject({
      verdict: "allow",
      obligations: [{ kind: "auth", rules: ["b/0"] }],
    });
    const either = one("denyOverrides", [
      rule("allow", [any], [everyPort], { auth: "required" }),
      rule("allow", [any], [everyPort], { auth: "disabled" }),
    ]);
    expect(ask(either).obligations).toBe(undefined);
  });

  it("a proof that one rule asks for is asked on behalf of all that let the flow through", () => {
    const wide = rule("allow", [any], [everyPort], { auth: "required" });
    const narrow = rule("allow", [any], [tcp(80)]);
    expect(ask(one("denyOverrides", [wide, narrow])).obligations).toMatchObject([{ kind: "auth" }]);
    expect(ask(one("anyAllow", [wide, narrow])).obligations).toBe(undefined);
    const free = { isolates: false } as const;
    const open = policySet([
      stage("s", "denyOverrides", [block("b", "ingress", "shop:", [wide], free)]),
    ]);
    expect(ask(open).obligations).toMatchObject([{ kind: "auth" }]);
  });

  it("a judge outside", () => {
    const set = one("denyOverrides", [rule("allow", [any]), rule("custom", [any])]);
    expect(ask(set)).toMatchObject({
      verdict: "allow",
      determinedBy: { rule: "b/0" },
      obligations: [{ kind: "external", rules: ["b/1"] }],
    });
    expect(ask(set, get()).obligations).toMatchObject([{ kind: "external" }]);
  });

  it("several of them at once, over all planes", () => {
    const set = policySet([
      stage("net", "denyOverrides", [
        block("n", "ingress", "shop:", [rule("allow", [any], [everyPort], { auth: "required" })]),
      ]),
      stage(
        "mesh",
        "anyAllow",
        [block("m", "ingress", "shop:", [rule("allow", [any], [everyPort], only(GET))])],
        { plane: "mesh" },
      ),
    ]);
    expect(ask(set).obligations?.map(({ kind, rules }) => [kind, ...rules])).toEqual([
      ["only", "m/0"],
      ["auth", "n/0"],
    ]);
    expect(ask(set, POST)).toMatchObject({ verdict: "drop", determinedBy: { stage: "mesh" } });
  });
});

describe("domains", () => {
  const set = policySet([
    stage("s", "denyOverrides", [
      block("b", "egress", "shop:app=web", [
        rule("allow", [{ kind: "domain", pattern: "*.example", regex: "[-a-z0-9_]+\\.example" }]),
      ]),
    ]),
  ]);
  const out = (query: Partial<FlowQuery>) =>
    decide(set, index, { ...toWeb, source: "10.0.0.1", destination: WORLD, ...query }, OPTIONS)
      .egress.verdict;

  it("hold the world's addresses that such a name is told to stand for", () => {
    expect(out({ names: ["other", "api.example"] })).toBe("allow");
    expect(out({ names: ["a.b.example"] })).toBe("drop");
    expect(out({})).toBe("drop");
  });

  it("never hold a workload, whatever it is called", () => {
    expect(out({ destination: "10.0.0.2", names: ["api.example"] })).toBe("drop");
  });

  it("are named when they fail", () => {
    const query = { ...toWeb, source: "10.0.0.1", destination: WORLD };
    const { egress } = explain(set, index, query, OPTIONS);
    expect(egress.stages[0]?.blocks[0]?.rules[0]?.outcome).toBe(
      "peer: 192.0.2.1 is not told to be `*.example`",
    );
  });
});

describe("the bounds of a set", () => {
  const set = one("denyOverrides", [
    rule("allow", [any], [tcp(80)], only(GET)),
    rule("allow", [any], [tcp(443)]),
    rule("deny", [any], [tcp(443)], only(GET)),
  ]);
  const ports = (bound: ReturnType<typeof one>) =>
    reach(bound, index, T0)
      .filter(({ to }) => to.kind === "workloads" && to.workloads.includes("shop/web"))
      .flatMap((one) => one.ports.byProtocol.flatMap(({ intervals }) => intervals))
      .map(({ first }) => first);

  it("are the set itself where nothing depends on requests", () => {
    const plain = one("denyOverrides", [rule("allow", [any])]);
    expect(isConditional(plain)).toBe(false);
    expect(boundOf(plain, "worst")).toBe(plain);
  });

  it("say what some request gets, and what every request gets", () => {
    expect(isConditional(set)).toBe(true);
    expect(new Set(ports(boundOf(set, "best")))).toEqual(new Set([80, 443]));
    expect(new Set(ports(boundOf(set, "worst")))).toEqual(new Set());
    expect(new Set(ports(set))).toEqual(new Set([80, 443]));
  });

  it("ask for proof as decisions do, also where one rule excuses from it", () => {
    const proven = one("denyOverrides", [
      rule("allow", [any], [everyPort], { auth: "required" }),
      rule("allow", [any], [tcp(80)]),
      rule("allow", [any], [tcp(443)], { auth: "disabled" }),
    ]);
    const worst = boundOf(proven, "worst");
    for (const port of [80, 443, 8080]) {
      const { verdict, obligations } = ask(proven, { port });
      expect(verdict).toBe("allow");
      expect(ask(worst, { port }).verdict).toBe(obligations === undefined ? "allow" : "drop");
    }
    expect(ask(worst, { port: 443 }).verdict).toBe("allow");
    expect(isConditional(worst)).toBe(false);
  });

  it("explain tells a rule whose request is another one", () => {
    const { ingress } = explain(set, index, { ...toWeb, ...POST }, OPTIONS);
    expect(ingress.stages[0]?.blocks[0]?.rules.map(({ outcome }) => outcome)).toEqual([
      "request: it is not one that the rule names",
      "port: 80/tcp is not 443/tcp",
      "port: 80/tcp is not 443/tcp",
    ]);
  });
});
