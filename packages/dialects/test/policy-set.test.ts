import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Block, Rule } from "@bulkhead/model";
import { buildPolicySet, parseFiles, printResources, STAGES } from "../src/index.ts";
import { manifest } from "./arbitrary.ts";

const NOW = Date.UTC(2030, 0, 1);

const native = (kind: string, name: string, spec: string, namespace = "shop"): string =>
  `apiVersion: bulkhead.dev/v1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: ${spec}\n`;

const build = (...documents: readonly string[]) => buildIn("enforce", ...documents);
const buildIn = (mode: "audit" | "enforce", ...documents: readonly string[]) => {
  const { resources, diagnostics } = parseFiles([
    { name: "x.yaml", text: documents.join("---\n") },
  ]);
  expect(diagnostics).toEqual([]);
  return buildPolicySet(resources, { now: NOW, strict: false, mode });
};

const blocksOf = (built: ReturnType<typeof build>): readonly Block[] =>
  built.set.stages.flatMap(({ blocks }) => blocks);
const rulesOf = (built: ReturnType<typeof build>): readonly Rule[] =>
  blocksOf(built).flatMap(({ rules }) => rules);
const stagesWithBlocks = (built: ReturnType<typeof build>): readonly string[] =>
  built.set.stages.filter(({ blocks }) => blocks.length > 0).map(({ id }) => id);

const withoutSource = <T extends object>(value: T): unknown => ({ ...value, source: undefined });

describe("stages", () => {
  test("stand in this order, each with its mode, its end, and where `pass` goes", () => {
    expect(
      STAGES.map(({ id, mode, endIfApplied, onPass }) => [id, mode, endIfApplied, onPass]),
    ).toEqual([
      ["emergency", "firstMatch", "pass", "metadata"],
      ["metadata", "firstMatch", "pass", "guardrail"],
      ["guardrail", "firstMatch", "pass", "exception"],
      ["exception", "firstMatch", "pass", "application"],
      ["application", "denyOverrides", "deny", "baseline"],
      ["baseline", "firstMatch", "pass", null],
    ]);
  });

  test.each([
    ["emergency", false],
    ["guardrail", false],
    ["application", true],
    ["baseline", false],
  ])("a Policy of tier %s lives there, and isolates: %s", (tier, isolates) => {
    const built = build(
      native(
        "Policy",
        "p",
        `{tier: ${tier}, subject: app=db, ingress: [{from: [app=web], ports: [80]}]}`,
      ),
    );
    expect(stagesWithBlocks(built)).toEqual([tier]);
    expect(blocksOf(built).map((block) => block.isolates)).toEqual([isolates]);
  });

  test("an Exception lives in its own stage at both ends, allows, and isolates nothing", () => {
    const built = build(
      native(
        "Exception",
        "e",
        "{from: app=a, to: app=b, ports: [22], owner: me, reason: fire, expires: 2030-01-02T00:00:00Z}",
      ),
    );
    expect(stagesWithBlocks(built)).toEqual(["exception"]);
    const blocks = blocksOf(built);
    expect(blocks.map(({ direction, isolates }) => [direction, isolates])).toEqual([
      ["egress", false],
      ["ingress", false],
    ]);
    expect(rulesOf(built).map(({ action, expiresAt }) => [action, expiresAt])).toEqual([
      ["allow", Date.UTC(2030, 0, 2)],
      ["allow", Date.UTC(2030, 0, 2)],
    ]);
    expect(blocks[0]?.policy).toEqual({
      kind: "Exception",
      namespace: "shop",
      name: "e",
      owner: "me",
      reason: "fire",
    });
  });
});

describe("Policy", () => {
  test("a section that is present isolates, even empty; an absent one does not exist", () => {
    const built = build(native("Policy", "p", "{subject: app=db, egress: []}"));
    expect(
      blocksOf(built).map(({ id, direction, isolates, rules }) => [id, direction, isolates, rules]),
    ).toEqual([["Policy/shop/p#egress", "egress", true, []]]);
  });

  test("allow and every port are what a rule means when it does not say", () => {
    const [rule] = rulesOf(
      build(native("Policy", "p", "{subject: app=db, ingress: [{from: [app=web]}]}")),
    );
    expect(rule).toMatchObject({ action: "allow", ports: [{ kind: "all" }] });
  });

  test("order is the priority, and 1000 without one", () => {
    const built = build(
      native("Policy", "b", "{tier: guardrail, subject: app=db, ingress: []}"),
      native("Policy", "c", "{tier: guardrail, priority: 5000, subject: app=db, ingress: []}"),
      native("Policy", "a", "{tier: guardrail, priority: 1, subject: app=db, ingress: []}"),
    );
    expect(blocksOf(built).map(({ id, order }) => [id, order])).toEqual([
      ["Policy/shop/a#ingress", [1]],
      ["Policy/shop/b#ingress", [1000]],
      ["Policy/shop/c#ingress", [5000]],
    ]);
  });

  test("namespaces of subject and peers: the resource's own, a named one, all, or by labels", () => {
    const built = build(
      native(
        "Policy",
        "p",
        `{subject: {selector: app=db, namespace: other}, ingress: [{from: [app=web, {selector: "", namespace: "*"}, {selector: "", namespaceSelector: team=a}], ports: [80]}]}`,
      ),
    );
    const [block] = blocksOf(built);
    expect(block?.subject).toMatchObject({ namespaces: { kind: "named", name: "other" } });
    expect(block?.rules[0]?.peers).toMatchObject([
      { namespaces: { kind: "named", name: "shop" } },
      { namespaces: { kind: "all" } },
      { namespaces: { kind: "selected" } },
    ]);
  });

  test("places are where the section and the rule stand", () => {
    const text = native(
      "Policy",
      "p",
      "\n  subject: app=db\n  ingress:\n    - from: [app=web]\n      ports: [80]",
    );
    const [block] = blocksOf(build(text));
    expect([block?.source.line, block?.source.column]).toEqual([7, 5]);
    expect([block?.rules[0]?.source.line, block?.rules[0]?.source.column]).toEqual([7, 7]);
  });

  test("owner and reason are carried to the answer", () => {
    const built = build(
      native("Policy", "p", "{subject: app=db, ingress: [], owner: dba, reason: audit 7}"),
    );
    expect(blocksOf(built)[0]?.policy).toMatchObject({ owner: "dba", reason: "audit 7" });
  });
});

describe("rule ids", () => {
  const ids = (rules: string): readonly string[] =>
    rulesOf(build(native("Policy", "p", `{subject: app=db, ingress: [${rules}]}`))).map(
      ({ id }) => id,
    );
  const one = "{from: [app=a], ports: [80]}";
  const two = "{from: [app=b], ports: [80]}";

  test("a name is used as it is", () => {
    expect(ids("{name: web, from: [app=web]}")).toEqual(["Policy/shop/p#ingress/web"]);
  });
  test("without a name the id follows from what the rule says, not from where it stands", () => {
    const [first, second] = ids(`${one}, ${two}`);
    expect(ids(`${two}, ${one}`)).toEqual([second, first]);
    expect(ids(two)).toEqual([second]);
    expect(first).toMatch(/^Policy\/shop\/p#ingress\/r-[0-9a-f]{8}$/);
  });
  test("another spelling of the same rule is the same rule", () => {
    expect(
      ids("{from: [{selector: {matchLabels: {app: a}}}], ports: [80/tcp], action: allow}"),
    ).toEqual(ids(one));
  });
  test("the same rule twice has two ids", () => {
    const [first, second] = ids(`${one}, ${one}`);
    expect(second).toBe(`${first}-2`);
  });
  test("editing a NetworkSet renames no rule", () => {
    const withSet = (cidrs: string): readonly string[] =>
      rulesOf(
        build(
          native("NetworkSet", "office", `{cidrs: [${cidrs}]}`),
          native(
            "Policy",
            "p",
            "{subject: app=db, ingress: [{from: [{networkSet: office}], ports: [80]}]}",
          ),
        ),
      ).map(({ id }) => id);
    expect(withSet("192.0.2.0/24")).toEqual(withSet("192.0.2.0/24, 198.51.100.0/24"));
  });
});

describe("Intent", () => {
  const ends = (from: string, to: string) =>
    blocksOf(build(native("Intent", "i", `{from: ${from}, to: ${to}, ports: [443]}`))).map(
      ({ direction, isolates, rules }) => [
        direction,
        isolates,
        rules.map(({ peers }) => peers.map(({ kind }) => kind)),
      ],
    );

  test("becomes both ends, both isolating", () => {
    expect(ends("app=a", "app=b")).toEqual([
      ["egress", true, [["workloads"]]],
      ["ingress", true, [["workloads"]]],
    ]);
  });
  test("an end that is no workload gets no block", () => {
    expect(ends("app=a", "{cidr: 203.0.113.0/24}")).toEqual([["egress", true, [["cidr"]]]]);
    expect(ends("{entity: world}", "app=b")).toEqual([["ingress", true, [["entity"]]]]);
    expect(ends("{any: true}", "app=b")).toEqual([["ingress", true, [["any"]]]]);
  });
});

describe("modes", () => {
  const staged = (mode: "audit" | "enforce", own: string): readonly string[] => {
    const built = buildIn(
      mode,
      native("Policy", "p", `{subject: app=db, ${own} ingress: [{from: [app=web], ports: [80]}]}`),
    );
    return [
      ...blocksOf(built).map((one) => one.enforce),
      ...rulesOf(built).map((one) => one.enforce),
    ];
  };
  test("on only when the set is applied to enforce and the resource does not hold back", () => {
    expect(staged("enforce", "")).toEqual(["on", "on"]);
    expect(staged("enforce", "mode: enforce,")).toEqual(["on", "on"]);
    expect(staged("enforce", "mode: audit,")).toEqual(["staged", "staged"]);
    expect(staged("audit", "")).toEqual(["staged", "staged"]);
    expect(staged("audit", "mode: enforce,")).toEqual(["staged", "staged"]);
  });
});

describe("expiry", () => {
  test("an expired resource takes no part; one that will expire says when", () => {
    const policy = (expires: string) =>
      native(
        "Policy",
        "p",
        `{subject: app=db, ingress: [{from: [app=web], ports: [80]}], expires: ${expires}}`,
      );
    expect(blocksOf(build(policy("2030-01-01T00:00:00Z")))).toEqual([]);
    const built = build(policy("2030-01-01T00:00:01Z"));
    expect([blocksOf(built)[0]?.expiresAt, rulesOf(built)[0]?.expiresAt]).toEqual([
      NOW + 1000,
      NOW + 1000,
    ]);
  });
});

describe("NetworkSet", () => {
  const peers = (...documents: readonly string[]) => rulesOf(build(...documents))[0]?.peers;
  const using = (name: string) =>
    native(
      "Policy",
      "p",
      `{subject: app=db, ingress: [{from: [{networkSet: ${name}}], ports: [80]}]}`,
    );
  const set = (cidr: string, namespace: string) =>
    native("NetworkSet", "office", `{cidrs: [${cidr}]}`, namespace);
  const cidr = (text: string) => [{ kind: "cidr", cidr: text, except: [], matchesWorkloads: true }];

  test("is looked for in the own namespace, then in default; with a namespace only there", () => {
    const all = [
      set("10.0.0.0/8", "shop"),
      set("10.1.0.0/16", "default"),
      set("10.2.0.0/16", "other"),
    ];
    expect(peers(...all, using("office"))).toEqual(cidr("10.0.0.0/8"));
    expect(peers(...all.slice(1), using("office"))).toEqual(cidr("10.1.0.0/16"));
    expect(peers(...all, using("other/office"))).toEqual(cidr("10.2.0.0/16"));
  });
  test("may be declared after its use", () => {
    expect(peers(using("office"), set("10.0.0.0/8", "shop"))).toEqual(cidr("10.0.0.0/8"));
  });
});

describe("PolicyTest", () => {
  test("names are completed, addresses made canonical, each asks one port", () => {
    const { tests } = build(
      native(
        "PolicyTest",
        "t",
        `{tests: [{name: n, from: web, to: other/db, port: 5432, expect: deny}, {from: "2001:DB8::1", to: web, port: icmpv6, expect: allow}, {from: web, to: db, port: icmp/3, expect: allow}]}`,
      ),
    );
    expect(tests.map(withoutSource)).toEqual([
      {
        name: "n",
        from: { kind: "workload", workload: "shop/web" },
        to: { kind: "workload", workload: "other/db" },
        protocol: 6,
        port: 5432,
        expect: "deny",
      },
      {
        name: "PolicyTest/shop/t: 2001:DB8::1 → web",
        from: { kind: "address", address: "2001:db8::1" },
        to: { kind: "workload", workload: "shop/web" },
        protocol: 58,
        port: 32768,
        expect: "allow",
      },
      {
        name: "PolicyTest/shop/t: web → db",
        from: { kind: "workload", workload: "shop/web" },
        to: { kind: "workload", workload: "shop/db" },
        protocol: 1,
        port: 768,
        expect: "allow",
      },
    ]);
  });
});

describe("the set as a whole", () => {
  test("does not depend on the order of resources", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(manifest, {
          selector: ({ kind, metadata }) =>
            `${kind}/${metadata.namespace ?? "default"}/${metadata.name}`,
          maxLength: 6,
        }),
        fc.array(fc.nat(), { minLength: 6, maxLength: 6 }),
        (resources, weights) => {
          const shuffled = resources
            .map((one, i) => ({ one, weight: weights[i] ?? 0 }))
            .toSorted((a, b) => a.weight - b.weight)
            .map(({ one }) => one);
          const set = (list: typeof resources) => {
            const files = list.map((one, i) => ({ name: `${i}`, text: printResources([one]) }));
            const built = buildPolicySet(parseFiles(files).resources, {
              now: NOW,
              strict: false,
              mode: "enforce",
            });
            return JSON.stringify(built.set, (key, value: unknown) =>
              key === "source" ? undefined : value,
            );
          };
          expect(set(shuffled)).toBe(set(resources));
        },
      ),
    );
  });

  test("ids are unique in it", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(manifest, {
          selector: ({ kind, metadata }) =>
            `${kind}/${metadata.namespace ?? "default"}/${metadata.name}`,
          maxLength: 6,
        }),
        (resources) => {
          const built = buildPolicySet(
            parseFiles([{ name: "x", text: printResources(resources) }]).resources,
            {
              now: NOW,
              strict: false,
              mode: "audit",
            },
          );
          const ids = built.set.stages.flatMap(({ blocks }) =>
            blocks.flatMap(({ id, rules }) => [id, ...rules.map((rule) => rule.id)]),
          );
          expect(new Set(ids).size).toBe(ids.length);
        },
      ),
    );
  });
});
