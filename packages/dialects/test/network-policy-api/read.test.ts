/** Cluster-wide policies where no flow shows what they come to: their stages, peers of later versions, and who disagrees with whom. */
import { describe, expect, test } from "vitest";
import { buildPolicySet, parseFiles } from "../../src/index.ts";

const policy = (name: string, spec: object) =>
  JSON.stringify({
    apiVersion: "policy.networking.k8s.io/v1alpha2",
    kind: "ClusterNetworkPolicy",
    metadata: { name },
    spec: { tier: "Admin", priority: 1, subject: { namespaces: {} }, ...spec },
  });
const buildIn = (mode: "audit" | "enforce", ...texts: readonly string[]) => {
  const { resources, diagnostics } = parseFiles(texts.map((text, at) => ({ name: `${at}`, text })));
  const options = { now: 0, strict: false, mode, target: "desk" } as const;
  const built = buildPolicySet(resources, options);
  const said = [...diagnostics, ...built.diagnostics].map(({ code }) => code);
  const all = [...diagnostics, ...built.diagnostics];
  return { ...built, said, all };
};
const build = (...texts: readonly string[]) => buildIn("enforce", ...texts);
const accept = (...from: readonly object[]) => [{ action: "Accept", from }];
const OPEN = accept({ namespaces: {} });

test("Admin is asked before NetworkPolicy, Baseline after it, and what neither decides goes on", () => {
  const networkPolicy = JSON.stringify({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "p", namespace: "shop" },
    spec: { podSelector: {} },
  });
  const { set } = build(
    policy("a", { ingress: OPEN }),
    policy("b", { tier: "Baseline", ingress: OPEN }),
    networkPolicy,
  );
  const stages = set.stages.filter(({ blocks }) => blocks.length > 0);
  expect(
    stages.map(({ id, mode, plane, endIfApplied }) => [id, mode, plane, endIfApplied]),
  ).toEqual([
    ["admin", "firstMatch", "net", "pass"],
    ["application", "denyOverrides", "net", "deny"],
    ["admin-baseline", "firstMatch", "net", "pass"],
  ]);
});

describe("peers", () => {
  const read = (peer: object, direction: "ingress" | "egress" = "ingress") => {
    const ends = direction === "ingress" ? "from" : "to";
    const { all } = build(policy("p", { [direction]: [{ action: "Accept", [ends]: [peer] }] }));
    return all.map(({ code, message, help }) => [code, message, help]);
  };
  const CLOSED = "an accept matches nothing; a deny or a pass denies everything";

  test("of a version to come close the rule", () => {
    expect(read({ services: {} })).toEqual([
      ["BH0407", "nobody here knows peers by `services`: the rule fails closed", CLOSED],
    ]);
    expect(read({})).toEqual([["BH0407", "a peer without a field: the rule fails closed", CLOSED]]);
  });

  test("that are misspelled, or another direction's, are mistakes", () => {
    expect(read({ namespace: {} })).toEqual([
      ["BH0102", "unknown field `namespace`", "did you mean `namespaces`?"],
    ]);
    for (const field of ["nodes", "networks", "domainNames"])
      expect(read({ [field]: {} })).toEqual([
        ["BH0102", `unknown field \`${field}\``, "peers of other rules have it"],
      ]);
  });

  test("have one field, and what is null is none", () => {
    expect(read({ namespaces: {}, services: null })).toEqual([]);
    expect(read({ namespaces: {}, services: {} })).toEqual([
      [
        "BH0109",
        "`namespaces` and `services` exclude each other",
        "a peer has one field; make it two",
      ],
    ]);
    expect(read({ namespaces: {}, networks: [] }, "egress")[0]?.[0]).toBe("BH0109");
  });

  test("nobody knows are in a rule that denies everybody", () => {
    const rule = (action: string) => {
      const protocols = [{ tcp: { destinationPort: { number: 80 } } }];
      const { set } = build(
        policy("p", {
          ingress: [{ action, from: [{ namespaces: {} }, { services: {} }], protocols }],
        }),
      );
      const {
        action: done,
        peers,
        ports: of,
      } = set.stages.flatMap(({ blocks }) => blocks)[0]!.rules[0]!;
      return [done, peers, of];
    };
    const EVERYTHING = ["deny", [{ kind: "any" }], [{ kind: "all" }]];
    expect(rule("Deny")).toEqual(EVERYTHING);
    expect(rule("Pass")).toEqual(EVERYTHING);
    expect(rule("Accept").slice(0, 2)).toEqual(["allow", []]);
  });
});

describe("policies of one priority", () => {
  const labelled = (app: string) => ({
    subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app } } } },
    ingress: OPEN,
  });
  const inTeam = (team: string) => ({
    subject: { namespaces: { matchLabels: { team } } },
    ingress: OPEN,
  });
  const told = (one: object, other: object) =>
    build(policy("a", one), policy("b", other)).said.filter((code) => code === "BH0408").length;

  test("are told of where both may mean the same pod in the same direction", () => {
    expect(told({ ingress: OPEN }, { ingress: OPEN })).toBe(1);
    expect(told(labelled("x"), labelled("x"))).toBe(1);
    expect(told(labelled("x"), inTeam("x"))).toBe(1);
    expect(told({ ingress: OPEN }, { ingress: OPEN, priority: 2 })).toBe(0);
    expect(told({ ingress: OPEN }, { ingress: OPEN, tier: "Baseline" })).toBe(0);
    expect(told(labelled("x"), labelled("y"))).toBe(0);
    expect(told(inTeam("x"), inTeam("y"))).toBe(0);
    const egress = [{ action: "Accept", to: [{ namespaces: {} }] }];
    expect(told({ ingress: OPEN }, { egress })).toBe(0);
    expect(told({ egress }, { egress })).toBe(1);
  });

  test("each is told of the first that it may meet", () => {
    const { all } = build(...["a", "b", "c"].map((name) => policy(name, { ingress: OPEN })));
    const ties = all.filter(({ code }) => code === "BH0408");
    expect(ties.map(({ message, help }) => [message, help])).toEqual(
      ["b", "c"].map((name) => [
        `\`${name}\` has priority 1 in tier \`Admin\`, as \`a\` has`,
        "the other is at 0:1:1; where both match, any of the two may decide",
      ]),
    );
  });
});

test("rules are called by their names where each has its own", () => {
  const named = (name: string | undefined) => ({
    ...OPEN[0],
    ...(name === undefined ? {} : { name }),
  });
  const { set } = build(
    policy("p", { ingress: [named("web"), named("web"), named(""), named(undefined)] }),
  );
  const ids = set.stages
    .flatMap(({ blocks }) => blocks)[0]!
    .rules.map(({ id }) => id.replace("ClusterNetworkPolicy/p#ingress/", ""));
  expect(ids[0]).toBe("web");
  expect(new Set(ids).size).toBe(4);
  for (const id of ids.slice(1)) expect(id).toMatch(/^r-[0-9a-f]+/);
});

test("in audit nothing is in force", () => {
  const of = (mode: "audit" | "enforce") =>
    buildIn(mode, policy("p", { ingress: OPEN })).set.stages.flatMap(({ blocks }) =>
      blocks.flatMap((one) => [one.enforce, ...one.rules.map(({ enforce }) => enforce)]),
    );
  expect(of("audit")).toEqual(["staged", "staged"]);
  expect(of("enforce")).toEqual(["on", "on"]);
});
