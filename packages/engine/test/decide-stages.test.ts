/** From stage to stage and plane to plane, and what does not act: staged things and expired ones. */
import { describe, expect, it } from "vitest";
import { ask, ingress, one } from "./asked.ts";
import { any, block, everyPort, policySet, rule, stage, T0, tcp } from "./small-sets.ts";

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
