/** What reading Antrea's objects comes to where no flow shows it: `antrea-io/antrea` `pkg/controller/networkpolicy/validate.go`. */
import { describe, expect, test } from "vitest";
import { buildPolicySet, parseFiles } from "../../src/index.ts";

const object = (kind: string, spec: unknown, name = "p") =>
  JSON.stringify({ apiVersion: "crd.antrea.io/v1beta1", kind, metadata: { name }, spec });
const build = (...texts: readonly string[]) => {
  const parsed = parseFiles(texts.map((text, at) => ({ name: `${at}`, text })));
  const options = { now: 0, strict: false, mode: "enforce", target: "desk" } as const;
  const built = buildPolicySet(parsed.resources, options);
  const said = [...parsed.diagnostics, ...built.diagnostics];
  return {
    said: said.map(({ code, message }) => `${code} ${message}`),
    stages: built.set.stages.filter(({ blocks }) => blocks.length > 0),
  };
};
const POD = [{ podSelector: {} }];
const policy = (spec: object) =>
  object("ClusterNetworkPolicy", { priority: 5, appliedTo: POD, ...spec });

describe("tiers", () => {
  test.each(["Emergency", "SecurityOps", "NetworkOps", "Platform", "Application"])(
    "%s is the name that a tier had before it was an object",
    (tier) => {
      const { said, stages } = build(policy({ tier, ingress: [{ action: "Drop" }] }));
      expect(said).toEqual([]);
      expect(stages.map(({ id }) => id)).toEqual([`antrea/${tier.toLowerCase()}`]);
    },
  );

  test("a policy of a tier that nobody declares is in none, and all that is said of it is that", () => {
    const { said, stages } = build(
      policy({ tier: "platfrom", egress: [{ action: "Allow" }], ingress: [{ action: "Allow" }] }),
    );
    expect(said).toEqual(["BH0431 no Tier `platfrom` in these files"]);
    expect(stages).toEqual([]);
  });

  test("one of a tier that cannot be is told of its tier, not of itself", () => {
    const tier = object("Tier", { priority: 251 }, "mine");
    const { said, stages } = build(tier, policy({ tier: "mine", egress: [{ action: "Allow" }] }));
    expect(said).toEqual(["BH0430 priority 251 is reserved"]);
    expect(stages).toEqual([]);
  });
});

describe("entries", () => {
  const ENTRIES: readonly (readonly [string, unknown])[] = [
    ["podSelector", {}],
    ["ipBlock", { cidr: "10.0.0.0/8" }],
    ["group", "g"],
    ["serviceAccount", { name: "a", namespace: "b" }],
    ["nodeSelector", {}],
    ["fqdn", "a.example"],
  ];
  const pairs = ENTRIES.flatMap(([one, value], at) =>
    ENTRIES.slice(at + 1).map(([other, more]) => ({
      one,
      other,
      peer: { [one]: value, [other]: more },
    })),
  );
  test.each(pairs)("$one and $other exclude each other", ({ one, other, peer }) => {
    const { said } = build(policy({ egress: [{ action: "Drop", to: [peer] }] }));
    expect(said).toEqual([`BH0109 \`${one}\` and \`${other}\` exclude each other`]);
  });
});

describe("groups", () => {
  const BLOCKS = { ipBlocks: [{ cidr: "10.0.0.0/8" }] };
  const SERVICE = { serviceReference: { name: "a", namespace: "b" } };
  const CHILDREN = { childGroups: ["a"] };
  test.each([
    [{ ...BLOCKS, ...SERVICE }, "ipBlocks", "serviceReference"],
    [{ ...BLOCKS, ...CHILDREN }, "ipBlocks", "childGroups"],
    [{ ...SERVICE, ...CHILDREN }, "serviceReference", "childGroups"],
    [{ podSelector: {}, ...SERVICE }, "podSelector", "serviceReference"],
    [{ namespaceSelector: {}, ...CHILDREN }, "namespaceSelector", "childGroups"],
    [{ podSelector: {}, namespaceSelector: {}, ...BLOCKS }, "podSelector", "ipBlocks"],
  ])("%j", (spec, one, other) => {
    const { said } = build(object("ClusterGroup", spec, "g"));
    expect(said).toEqual([`BH0109 \`${one}\` and \`${other}\` exclude each other`]);
  });
});

test("a group that is not there is one of the policy's own kind", () => {
  const of = (kind: string) => {
    const spec = {
      priority: 5,
      appliedTo: POD,
      ingress: [{ action: "Drop", from: [{ group: "g" }] }],
    };
    return build(object(kind, spec)).said;
  };
  expect(of("ClusterNetworkPolicy")).toEqual([
    "BH0432 no ClusterGroup `g` in these files: it has nobody in it",
  ]);
  expect(of("NetworkPolicy")).toEqual([
    "BH0432 no Group `default/g` in these files: it has nobody in it",
  ]);
});

describe("rules", () => {
  test.each(["", "a", "a-b_c.d", "a".repeat(63)])("a log label: `%s`", (logLabel) => {
    expect(build(policy({ ingress: [{ action: "Drop", logLabel }] })).said).toEqual([]);
  });

  test.each(["-a", "a-", "a b", "ä", "a".repeat(64)])("no log label: `%s`", (logLabel) => {
    expect(build(policy({ ingress: [{ action: "Drop", logLabel }] })).said).toEqual([
      `BH0107 \`${logLabel}\` is not a log label`,
    ]);
  });

  test("a rule's name is its own, and one without a name is called after what it says", () => {
    const namesOf = (name?: string) => {
      const rule = { action: "Drop", ...(name === undefined ? {} : { name }) };
      const { stages } = build(policy({ ingress: [rule] }));
      return stages.flatMap(({ blocks }) =>
        blocks.flatMap((block) => block.rules.map(({ id }) => id)),
      );
    };
    expect(namesOf("mine")).toEqual(["AntreaClusterNetworkPolicy/p#ingress/mine"]);
    expect(namesOf("")).toEqual(namesOf());
    expect(namesOf()).toEqual([
      expect.stringMatching(/^AntreaClusterNetworkPolicy\/p#ingress\/r-[0-9a-f]+$/),
    ]);
  });

  test("only HTTP goes with TCP alone", () => {
    const rule = (l7: object, ports: readonly object[]) =>
      build(policy({ ingress: [{ action: "Allow", l7Protocols: [l7], ports }] })).said;
    const http = "BH0430 `http` goes with TCP only";
    expect(rule({ http: {} }, [{ protocol: "UDP", port: 53 }])).toEqual([http]);
    expect(rule({ http: {} }, [{ protocol: "TCP", port: 53 }])).toEqual([]);
    expect(rule({ http: {} }, [{ protocol: "UDP" }])).toEqual([http]);
    expect(rule({ tls: {} }, [{ protocol: "UDP", port: 53 }])).toEqual([]);
  });

  test("IGMP goes with nothing but itself", () => {
    const igmp = { action: "Drop", protocols: [{ igmp: {} }] };
    const lonely = "BH0430 `igmp` goes with no peers, ports or other protocols";
    expect(build(policy({ egress: [igmp] })).said).toEqual([]);
    const beside = [
      { to: POD },
      { ports: [{ protocol: "UDP" }] },
      { protocols: [{ igmp: {} }, { icmp: {} }] },
    ];
    for (const more of beside)
      expect(build(policy({ egress: [{ ...igmp, ...more }] })).said).toEqual([lonely]);
    expect(build(policy({ ingress: [{ ...igmp, from: POD }] })).said).toEqual([lonely]);
  });
});
