/** How one stage chooses among the rules that match, and what isolation denies when none does. */
import { describe, expect, it } from "vitest";
import { WORLD, ask, ingress, one } from "./asked.ts";
import { any, block, policySet, rule, stage, tcp } from "./small-sets.ts";

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
