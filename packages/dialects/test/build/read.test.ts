/** What comes of all objects together where no flow shows it: who is there, what is guarded, what contradicts what. */
import { describe, expect, test } from "vitest";
import type { Cidr } from "@bulkhead/model";
import { prefixPeers } from "../../src/build/prefix-peers.ts";
import { buildPolicySet, parseFiles, type BuildOptions } from "../../src/index.ts";

const text = (
  apiVersion: string,
  kind: string,
  name: string,
  spec: unknown,
  namespace: string | undefined = "shop",
) => JSON.stringify({ apiVersion, kind, metadata: { name, namespace }, spec });
const ours = (kind: string, name: string, spec: unknown, namespace?: string) =>
  text("bulkhead.dev/v1", kind, name, spec, namespace);
const build = (texts: readonly string[], options: Partial<BuildOptions> = {}) => {
  const parsed = parseFiles(texts.map((one, at) => ({ name: `${at}`, text: one })));
  const built = buildPolicySet(parsed.resources, {
    now: 0,
    strict: false,
    mode: "enforce",
    target: "desk",
    ...options,
  });
  const all = [...parsed.diagnostics, ...built.diagnostics];
  const said = all.map(({ code, message }) => `${code} ${message}`);
  const ids = (stage: string) =>
    built.set.stages.find(({ id }) => id === stage)?.blocks.map(({ id }) => id) ?? [];
  return { ...built, said, ids, all };
};

test("a workload that is declared twice is told where first", () => {
  const workloads = [
    { name: "a", netns: "a" },
    { name: "a", unit: "b.service" },
  ];
  const { all } = build([ours("Inventory", "i", { workloads })]);
  expect(all.map(({ message, help }) => [message, help])).toEqual([
    ["workload `shop/a` is declared twice", expect.stringMatching(/^first at 0:1:\d+$/)],
  ]);
});

test("a port of a workload has the protocol it says", () => {
  const ports = [
    { name: "dns", port: 53, protocol: "udp" },
    { name: "sql", port: 5432 },
  ];
  const { inventory } = build([
    ours("Inventory", "i", { workloads: [{ name: "a", netns: "a", ports }] }),
  ]);
  expect(inventory.workloads[0]?.namedPorts).toEqual([
    { name: "dns", protocol: 17, port: 53 },
    { name: "sql", protocol: 6, port: 5432 },
  ]);
});

describe("sockets of a workload", () => {
  const socketsOf = (sockets: unknown) =>
    build([ours("Inventory", "i", { workloads: [{ name: "a", unit: "a.service", sockets }] })])
      .inventory.workloads[0]?.sockets;

  test("every address of a family, or of both", () => {
    expect(socketsOf([{ port: 53, protocol: "udp", address: "0.0.0.0" }])).toEqual([
      { family: 4, protocol: 17, port: 53 },
    ]);
    expect(socketsOf([{ port: 53, address: "::" }])).toEqual([
      { family: 6, protocol: 6, port: 53 },
    ]);
    expect(socketsOf([{ port: 53 }])).toEqual([
      { family: 4, protocol: 6, port: 53 },
      { family: 6, protocol: 6, port: 53 },
    ]);
  });

  test("one address, whatever its family, and in the order of ports", () => {
    expect(
      socketsOf([
        { port: 443, address: "2001:db8::1" },
        { port: 80, address: "192.0.2.1" },
      ]),
    ).toEqual([
      { address: "192.0.2.1", family: 4, protocol: 6, port: 80 },
      { address: "2001:db8::1", family: 6, protocol: 6, port: 443 },
    ]);
  });
});

test("only control groups lie in one another: neither containers, nor units that are named by paths like them", () => {
  const bound = (...workloads: readonly object[]) =>
    build([
      ours("Inventory", "i", {
        workloads: workloads.map((one, at) => ({ name: `w${at}`, ...one })),
      }),
    ]).said;
  expect(bound({ unit: "/a.slice" }, { unit: "/a.slice/b.service" })).toEqual([
    "BH0108 `/a.slice/b.service` and `/a.slice` lie in one another",
  ]);
  expect(bound({ unit: "/a.slice/b.service" }, { unit: "/a.slice" })).toEqual([
    "BH0108 `/a.slice` and `/a.slice/b.service` lie in one another",
  ]);
  expect(bound({ unit: "/a.slice" }, { unit: "/a.slice-b" })).toEqual([]);
  expect(bound({ unit: "/a" }, { netns: "/a/b" })).toEqual([]);
  expect(bound({ netns: "/a" }, { unit: "/a/b" })).toEqual([]);
});

test("two rules that say the same have a name each; and where any namespace will do, no label is asked for", () => {
  const rule = { from: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: "b" } } }] };
  const spec = { podSelector: {}, ingress: [rule, rule, rule] };
  const { set } = build([text("networking.k8s.io/v1", "NetworkPolicy", "p", spec)]);
  const rules = set.stages.flatMap(({ blocks }) => blocks.flatMap((block) => block.rules));
  expect(new Set(rules.map(({ id }) => id)).size).toBe(3);
  expect(rules[0]?.peers).toEqual([
    {
      kind: "workloads",
      namespaces: { kind: "all" },
      selector: { requirements: [{ key: "app", operator: "In", values: ["b"] }] },
    },
  ]);
});

describe("what an Inventory says of the machine", () => {
  const profile = (...machines: readonly object[]) => {
    const texts = machines.map((machine, at) => ours("Inventory", `i${at}`, { machine }));
    return build(texts).set.profile;
  };
  test("switches that are set one way, the other, or not at all", () => {
    const usual = profile({});
    for (const name of ["nodeExempt", "hairpinExempt"] as const) {
      expect(profile({ [name]: true })).toEqual({ ...usual, [name]: true });
      expect(profile({ [name]: false })).toEqual({ ...usual, [name]: false });
      expect(profile({ [name]: true }, { [name]: false })[name]).toBe(false);
      expect(profile({ [name]: false }, { [name]: true })[name]).toBe(false);
    }
  });

  test("resolvers by address, then by port, each once", () => {
    const { dns } = profile(
      { dns: ["10.0.0.2", "10.0.0.1:5353", "10.0.0.1"] },
      { dns: ["10.0.0.1", "9.0.0.1"] },
    );
    expect(dns?.map(({ address, port }) => `${address} ${port}`)).toEqual([
      "9.0.0.1 53",
      "10.0.0.1 53",
      "10.0.0.1 5353",
      "10.0.0.2 53",
    ]);
  });
});

test("a test of ICMP asks for an echo, unless it says a type", () => {
  const asked = (port: string) => {
    const tests = [{ from: "a", to: "b", port, expect: "allow" }];
    return build([ours("PolicyTest", "t", { tests })]).tests.map((one) => [one.protocol, one.port]);
  };
  expect(asked("icmp")).toEqual([[1, 8 * 256]]);
  expect(asked("icmpv6")).toEqual([[58, 128 * 256]]);
});

test("sockets that were borrowed and accepted are said of the binding", () => {
  const bound = (more: object) =>
    build([ours("Inventory", "i", { workloads: [{ name: "a", unit: "a.service", ...more }] })])
      .inventory.bindings;
  const binding = { workload: "shop/a", kind: "unit", name: "a.service" };
  expect(bound({ borrowedSockets: "accepted" })).toEqual([
    { ...binding, borrowedSockets: "accepted" },
  ]);
  expect(bound({})).toEqual([binding]);
  expect(bound({})[0]).not.toHaveProperty("borrowedSockets");
});

describe("routes of Gateway API", () => {
  const GROUP = "gateway.networking.k8s.io";
  const service = text("v1", "Service", "web", {
    selector: { app: "a" },
    ports: [{ port: 80 }, { port: 81, name: "b" }],
  });
  const pod = JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "a", namespace: "shop", labels: { app: "a" } },
    spec: { containers: [] },
  });
  const gateway = text(
    `${GROUP}/v1`,
    "Gateway",
    "gw",
    { listeners: [{ name: "a", port: 80, allowedRoutes: { namespaces: { from: "None" } } }] },
    "edge",
  );
  const ways = (backend: object, parent: object, ...more: readonly string[]) => {
    const spec = { parentRefs: [parent], rules: [{ backendRefs: [backend] }] };
    const route = text(`${GROUP}/v1`, "HTTPRoute", "r", spec);
    return build([service, pod, gateway, route, ...more]).waysIn.map(({ backends }) =>
      backends.map(({ port }) => port),
    );
  };
  const FREE = { name: "elsewhere" };

  test("lead to Services, and to nothing else of that name", () => {
    expect(ways({ name: "web", port: 80 }, FREE)).toEqual([[80]]);
    expect(ways({ name: "web" }, FREE)).toEqual([[80, 81]]);
    expect(ways({ name: "web", kind: "Service", group: "", port: 80 }, FREE)).toEqual([[80]]);
    expect(ways({ name: "web", kind: "Bucket", port: 80 }, FREE)).toEqual([]);
    expect(ways({ name: "web", group: "x.example", port: 80 }, FREE)).toEqual([]);
  });

  test("come through Gateways, of the namespace that is named or their own", () => {
    const to = { name: "web", port: 80 };
    expect(ways(to, { name: "gw" })).toEqual([[80]]);
    expect(ways(to, { name: "gw", namespace: "edge" })).toEqual([]);
    expect(ways(to, { name: "gw", namespace: "edge", kind: "Service", group: "" })).toEqual([]);
    expect(ways(to, { name: "free", kind: "Service" })).toEqual([]);
    expect(ways(to, { name: "free", group: "x.example" })).toEqual([]);
    expect(ways(to, { name: "free", group: GROUP, kind: "Gateway" })).toEqual([[80]]);
  });

  test("come through a Gateway that has one listener for them, whatever its others say", () => {
    const through = (parent: object, ...froms: readonly string[]) => {
      const listeners = froms.map((from, at) => ({
        name: `l${at}`,
        port: 80 + at,
        allowedRoutes: { namespaces: { from } },
      }));
      const open = text(`${GROUP}/v1`, "Gateway", "open", { listeners }, "edge");
      const to = { name: "web", port: 80 };
      return ways(to, { name: "open", namespace: "edge", ...parent }, open).length;
    };
    expect(through({}, "None", "All")).toBe(1);
    expect(through({}, "All", "Same")).toBe(1);
    expect(through({}, "None", "Same")).toBe(0);
    expect(through({ sectionName: "l0" }, "None", "All")).toBe(0);
    expect(through({ sectionName: "l1" }, "None", "All")).toBe(1);
    expect(through({ port: 80 }, "None", "All")).toBe(0);
    expect(through({ port: 81 }, "None", "All")).toBe(1);
    expect(through({})).toBe(0);
  });

  test("are granted by the namespace they lead into: to this kind, of this group, from there", () => {
    const abroad = (from: object, what: object) => {
      const grant = text(`${GROUP}/v1beta1`, "ReferenceGrant", "g", {
        from: [{ group: GROUP, kind: "HTTPRoute", namespace: "other", ...from }],
        to: [{ kind: "Service", ...what }],
      });
      const spec = {
        parentRefs: [FREE],
        rules: [{ backendRefs: [{ name: "web", namespace: "shop", port: 80 }] }],
      };
      const route = text(`${GROUP}/v1`, "HTTPRoute", "r", spec, "other");
      return build([service, pod, grant, route]).waysIn.length;
    };
    expect(abroad({}, {})).toBe(1);
    expect(abroad({}, { group: "", name: "web" })).toBe(1);
    expect(abroad({ group: "x.example" }, {})).toBe(0);
    expect(abroad({ kind: "GRPCRoute" }, {})).toBe(0);
    expect(abroad({ namespace: "else" }, {})).toBe(0);
    expect(abroad({}, { group: "x.example" })).toBe(0);
    expect(abroad({}, { kind: "Secret" })).toBe(0);
    expect(abroad({}, { name: "db" })).toBe(0);
  });
});

test("what is audited drops nothing, whoever's it is", () => {
  const policy = text("networking.k8s.io/v1", "NetworkPolicy", "p", {
    podSelector: {},
    policyTypes: ["Egress"],
    egress: [{}, { ports: [{ port: 53, protocol: "UDP" }] }],
  });
  const enforced = (mode: "audit" | "enforce") =>
    build([policy], { mode }).set.stages.flatMap(({ blocks }) =>
      blocks.flatMap((block) => [block.enforce, ...block.rules.map(({ enforce }) => enforce)]),
    );
  expect(new Set(enforced("audit"))).toEqual(new Set(["staged"]));
  expect(new Set(enforced("enforce"))).toEqual(new Set(["on"]));
  const rules = build([policy]).set.stages.flatMap(({ blocks }) =>
    blocks.flatMap((one) => one.rules),
  );
  const ids = rules.map(({ id }) => id).filter((id) => !id.includes("metadata"));
  expect(new Set(ids).size).toBe(2);
  for (const id of ids) expect(id).toMatch(/^NetworkPolicy\/shop\/p#egress\/r-[0-9a-f]+$/);
});

test("labels that only a cluster tells are not those of what runs here", () => {
  const calico = text("projectcalico.org/v3", "GlobalNetworkPolicy", "p", {
    serviceAccountSelector: "team == 'a'",
    types: ["Ingress"],
  });
  const account = text("v1", "ServiceAccount", "sa", undefined);
  const pod = text("v1", "Pod", "a", { serviceAccountName: "sa", containers: [] });
  const namespace = JSON.stringify({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "shop", labels: { team: "a" } },
  });
  const labels = (target: "desk" | "kernel") =>
    build([calico, account, pod, namespace], { target }).inventory.workloads[0]?.labels;
  expect(labels("kernel")).toEqual({ ":service-account": "sa" });
  expect(Object.keys(labels("desk") ?? {}).length).toBeGreaterThan(1);
});

describe("workloads of Kubernetes", () => {
  test.each([
    ["apps/v1", "Deployment"],
    ["apps/v1", "ReplicaSet"],
    ["apps/v1", "StatefulSet"],
    ["apps/v1", "DaemonSet"],
    ["batch/v1", "Job"],
    ["v1", "ReplicationController"],
    ["apps.openshift.io/v1", "DeploymentConfig"],
    ["argoproj.io/v1alpha1", "Rollout"],
  ])("%s %s makes pods", (apiVersion, kind) => {
    const template = { metadata: { labels: { app: "a" } }, spec: { containers: [] } };
    const { inventory, said } = build([text(apiVersion, kind, "a", { template })]);
    expect(said).toEqual([]);
    expect(inventory.workloads).toMatchObject([
      { id: "shop/a", kind: "pod", labels: { app: "a" }, owner: { kind, name: "a" } },
    ]);
  });

  test("one whose name the server completes is called by what is there of it", () => {
    const called = (generateName: string) => {
      const metadata = { generateName, namespace: "shop" };
      const job = { apiVersion: "batch/v1", kind: "Job", metadata, spec: { template: {} } };
      return build([JSON.stringify(job)]).inventory.workloads.map(({ id }) => id);
    };
    expect(called("job--")).toEqual(["shop/job"]);
    expect(called("my-job-")).toEqual(["shop/my-job"]);
  });
});

test("a rule has the words it was described by, and one of a set of nothing is not called without peers", () => {
  const empty = ours("NetworkSet", "none", { cidrs: [] });
  const rule = { from: [{ networkSet: "none" }], description: "as agreed" };
  const policy = ours("Policy", "p", { subject: "app=a", ingress: [rule, { from: ["app=b"] }] });
  const { set, said } = build([empty, policy]);
  expect(said).toEqual([]);
  const rules = set.stages.flatMap(({ blocks }) => blocks.flatMap((block) => block.rules));
  expect(rules.map(({ peers, description }) => [peers.length, description])).toEqual([
    [0, "as agreed"],
    [1, undefined],
  ]);
  expect(rules[1]).not.toHaveProperty("description");
});

test("whose a workload is, as it is declared", () => {
  const workloads = [
    { name: "a", netns: "a", owner: "Deployment/web" },
    { name: "b", netns: "b" },
  ];
  const { inventory, said } = build([ours("Inventory", "i", { workloads })]);
  expect(said).toEqual([]);
  expect(inventory.workloads.map(({ owner }) => owner)).toEqual([
    { kind: "Deployment", name: "web" },
    undefined,
  ]);
  expect(inventory.workloads[1]).not.toHaveProperty("owner");
});

describe("guards of metadata addresses", () => {
  const open = (to: unknown, name = "p") =>
    ours("Policy", name, { subject: "app=a", egress: [{ to }] });

  test("where a rule of another product opens everything", () => {
    const everything = text("networking.k8s.io/v1", "NetworkPolicy", "p", {
      podSelector: {},
      policyTypes: ["Egress"],
      egress: [{}],
    });
    expect(build([everything]).ids("metadata")).toEqual(["NetworkPolicy/shop/p#egress~metadata"]);
    expect(build([everything], { metadataGuard: false }).ids("metadata")).toEqual([]);
    expect(build([everything], { metadataGuard: "native" }).ids("metadata")).toEqual([]);
  });

  test("not where the machine itself is opened, and only ours when only ours are asked for", () => {
    expect(build([open([{ entity: "host" }])]).ids("metadata")).toEqual([]);
    const world = open([{ entity: "world" }]);
    const guard = ["Policy/shop/p#egress~metadata"];
    expect(build([world]).ids("metadata")).toEqual(guard);
    expect(build([world], { metadataGuard: "native" }).ids("metadata")).toEqual(guard);
  });

  test("a grant has a name that no rule can have", () => {
    const grant = open([{ cidr: "169.254.169.254/32" }], "grant");
    const { set, ids } = build([open([{ entity: "world" }]), grant]);
    expect(ids("metadata")).toEqual([
      "Policy/shop/grant#egress~metadata-grant",
      "Policy/shop/p#egress~metadata",
    ]);
    const [granting, denying] = set.stages.find(({ id }) => id === "metadata")!.blocks;
    expect(granting?.rules.map(({ id, action }) => [id, action])).toEqual([
      [expect.stringMatching(/^Policy\/shop\/grant#egress\/r-[0-9a-f]+~metadata-grant$/), "pass"],
    ]);
    expect(denying?.rules.map(({ id, action }) => [id, action])).toEqual([
      ["Policy/shop/p#egress~metadata/deny", "deny"],
    ]);
  });
});

describe("contradictions", () => {
  const both = (allowed: readonly unknown[], denied: readonly unknown[]) =>
    build([
      ours("Policy", "p", {
        tier: "guardrail",
        subject: "app=a",
        ingress: [
          { from: ["app=b"], ports: allowed },
          { action: "deny", from: ["app=b"], ports: denied },
        ],
      }),
    ]).said;
  const SAID =
    "BH0304 this rule says `deny` where another of the same tier and priority says `allow`";

  test("of ports that are the same in other words", () => {
    expect(both([80, 81], ["80-81"])).toEqual([SAID]);
    expect(both(["http/tcp", 80], [80, "http/tcp"])).toEqual([SAID]);
    expect(both([80], [81])).toEqual([]);
    expect(both(["http/tcp"], ["www/tcp"])).toEqual([]);
  });
});

test("what opens everything is told of its own direction", () => {
  const spec = { podSelector: {}, policyTypes: ["Ingress", "Egress"], ingress: [{}], egress: [{}] };
  const policy = text("networking.k8s.io/v1", "NetworkPolicy", "p", spec);
  expect(build([policy]).said).toEqual([
    "BH0403 this rule allows every port from every address",
    "BH0403 this rule allows every port to every address",
  ]);
});

test("a set of networks is that of the dialect that has it", () => {
  const calico = text("projectcalico.org/v3", "NetworkSet", "office", { nets: ["192.0.2.0/24"] });
  const policy = ours("Policy", "p", {
    subject: "app=a",
    egress: [{ to: [{ networkSet: "office" }] }],
  });
  expect(build([calico, policy]).said.map((one) => one.slice(0, 6))).toEqual(["BH0305"]);
  expect(build([calico]).networkSets).toEqual([]);
});

test("a set that is not there is told with the near one, or with where sets are declared", () => {
  const set = (name: string, namespace?: string) =>
    ours("NetworkSet", name, { cidrs: ["192.0.2.0/24"] }, namespace);
  const asked = (name: string) =>
    ours("Policy", "p", { subject: "app=a", egress: [{ to: [{ networkSet: name }] }] });
  const help = (texts: readonly string[]) => build(texts).all.map((one) => one.help);
  expect(help([set("office"), asked("ofice")])).toEqual(["did you mean `office`?"]);
  // By its name alone it is looked for at home and in `default`.
  expect(help([set("office", "shared"), asked("office")])).toEqual([
    "did you mean `shared/office`?",
  ]);
  expect(help([asked("office")])).toEqual([
    "declare it in any file given along: `kind: NetworkSet`, name `office`, namespace `shop`, with `cidrs`",
  ]);
  expect(help([set("partners"), asked("far/away")])).toEqual([
    "declare it in any file given along: `kind: NetworkSet`, name `away`, namespace `far`, with `cidrs`; there are `partners`",
  ]);
});

test("a port by name goes to no address, and only an address is told of that", () => {
  const said = (to: readonly object[] | undefined, ports: readonly object[]) => {
    const egress = [{ ...(to === undefined ? {} : { to }), ports }];
    const spec = { podSelector: {}, policyTypes: ["Egress"], egress };
    return build([text("networking.k8s.io/v1", "NetworkPolicy", "p", spec)]).said;
  };
  const [block, pods] = [{ ipBlock: { cidr: "10.0.0.0/8" } }, { podSelector: {} }];
  const [http, number] = [{ port: "http" }, { port: 80 }];
  const never = "BH0308 no address has a port called `http`: this rule never matches";
  const partly = "BH0308 no address has a port called `http`: for an `ipBlock` it allows nothing";
  expect(said([block], [http])).toEqual([never]);
  expect(said([block, pods], [http])).toEqual([partly]);
  expect(said([block], [http, number])).toEqual([partly]);
  expect(said([pods], [http])).toEqual([]);
  expect(said(undefined, [http])).toEqual([]);
  expect(said([block], [number])).toEqual([]);
});

test("a Service that stands for a name outside", () => {
  const of = (spec: object) =>
    build([text("v1", "Service", "s", spec)]).services.named("shop", "s");
  expect(of({ type: "ExternalName", externalName: "a.example" })).toMatchObject({
    externalName: "a.example",
  });
  expect(of({})).not.toHaveProperty("externalName");
});

test("nothing but a Service leads to workloads", () => {
  const pod = text("v1", "Pod", "a", { containers: [] });
  const policy = text("networking.k8s.io/v1", "NetworkPolicy", "p", { podSelector: {} });
  expect(build([pod, policy]).services.all).toEqual([]);
});

test("a test of more than one port is told how to ask about one", () => {
  const asked = (port: unknown) =>
    build([ours("PolicyTest", "t", { tests: [{ from: "a", to: "b", port, expect: "allow" }] })]);
  const { all } = asked("80-81/tcp");
  for (const port of ["80-81/tcp", "tcp", "udp", "sctp"]) expect(asked(port).tests).toEqual([]);
  expect(asked("gre").tests).toMatchObject([{ protocol: 47, port: 0 }]);
  expect(all.map(({ code, message, help }) => [code, message, help])).toEqual([
    ["BH0205", "a test asks about one port by number", "for example `port: 5432/tcp`"],
  ]);
});

describe("prefixes without exceptions", () => {
  test.each<[readonly Cidr[], readonly Cidr[], readonly (readonly [Cidr, readonly Cidr[]])[]]>([
    [["10.1.0.0/16", "11.0.0.0/8"], ["10.0.0.0/8"], [["11.0.0.0/8", []]]],
    [["10.0.0.0/8"], ["10.0.0.0/8"], []],
    [["10.0.0.0/8"], ["10.1.0.0/16", "11.0.0.0/8"], [["10.0.0.0/8", ["10.1.0.0/16"]]]],
    [["0.0.0.0/0", "::/0"], ["::/0"], [["0.0.0.0/0", []]]],
  ])("%s without %s", (cidrs, except, left) => {
    expect(prefixPeers(cidrs, except)).toEqual(
      left.map(([cidr, holes]) => ({ kind: "cidr", cidr, except: holes, matchesWorkloads: true })),
    );
  });
});
