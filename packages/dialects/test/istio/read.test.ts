/** What Istio's policies come to where no flow shows it: names of rules, callers by identity and place, targets, ages. */
import { matches, type Workload } from "@bulkhead/model";
import { describe, expect, test } from "vitest";
import {
  object,
  build,
  namespace,
  pod,
  SIDECARS,
  AMBIENT,
  authorization,
  peersOf,
  prefix,
  inMesh,
} from "./world.ts";

describe("callers by their addresses", () => {
  const at = (source: object, ...values: readonly string[]) =>
    peersOf({ rules: [{ from: [{ source }], when: [{ key: "source.ip", values }] }] });

  test("at every place that is asked for: the narrower of two, whichever comes first", () => {
    const both = [[prefix("10.1.0.0/16")]];
    expect(at({ ipBlocks: ["10.0.0.0/8"] }, "10.1.0.0/16")).toEqual(both);
    expect(at({ ipBlocks: ["10.1.0.0/16"] }, "10.0.0.0/8")).toEqual(both);
    expect(at({ ipBlocks: ["10.1.0.0/16"] }, "10.1.0.0/16")).toEqual(both);
    expect(at({ ipBlocks: ["10.1.0.0/16"] }, "10.2.0.0/16")).toEqual([]);
    expect(at({ notIpBlocks: ["10.1.0.0/16"] }, "10.0.0.0/8")).toEqual([
      [prefix("10.0.0.0/8", "10.1.0.0/16")],
    ]);
  });

  test("and by their identities: those who have them, at their own addresses", () => {
    const web = pod("web", { serviceAccountName: "web" });
    const both = { ipBlocks: ["10.0.0.0/8"], serviceAccounts: ["shop/web"] };
    const status = { podIP: "10.1.0.1" };
    const there = JSON.stringify({ ...(JSON.parse(web) as object), status });
    expect(peersOf({ rules: [{ from: [{ source: both }] }] }, there)).toEqual([
      [prefix("10.1.0.1/32")],
    ]);
    const bare = pod("web");
    const here = JSON.stringify({ ...(JSON.parse(bare) as object), status });
    const usual = { ipBlocks: ["10.0.0.0/8"], serviceAccounts: ["shop/default"] };
    expect(peersOf({ rules: [{ from: [{ source: usual }] }] }, here)).toEqual([
      [prefix("10.1.0.1/32")],
    ]);
  });
});

describe("callers by their identities", () => {
  const by = (source: object) => peersOf({ rules: [{ from: [{ source }] }] });

  test("named in full they hold whether or not anybody is there, in the order of their names", () => {
    const named = (...principals: readonly string[]) => by({ principals });
    expect(
      named("cluster.local/ns/b/sa/y", "cluster.local/ns/a/sa/z", "cluster.local/ns/a/sa/x"),
    ).toEqual([[inMesh("a", "x", "z"), inMesh("b", "y")]]);
  });

  test.each([
    "example.org/ns/a/sa/x",
    "cluster.local/namespace/a/sa/x",
    "cluster.local/ns/a/account/x",
    "cluster.local/ns/a/sa/x/y",
  ])("%s is nobody's here", (principal) => {
    expect(by({ principals: [principal] })).toEqual([]);
  });

  test("a namespace is meant whole where nothing else is asked", () => {
    expect(by({ namespaces: ["b", "a"] })).toEqual([[inMesh("a"), inMesh("b")]]);
    expect(by({ namespaces: ["b", "a"], notNamespaces: ["b"] })).toEqual([[inMesh("a")]]);
    expect(by({ serviceAccounts: ["a/x"] })).toEqual([[inMesh("a", "x")]]);
    expect(by({ serviceAccounts: ["x"] })).toEqual([[inMesh("shop", "x")]]);
  });
});

describe("rules", () => {
  test("have a name each, and say what they are about", () => {
    const spec = { rules: [{ to: [{ operation: { ports: ["80"] } }] }] };
    const { blocks } = build([SIDECARS, authorization(spec)]);
    const [block] = blocks;
    expect(block?.id).toBe("AuthorizationPolicy/shop/p#ingress");
    const [rule, rest] = block!.rules;
    expect(rule?.id).toMatch(/^AuthorizationPolicy\/shop\/p#ingress\/r-[0-9a-f]+$/);
    expect(rest).toMatchObject({
      id: "AuthorizationPolicy/shop/p#ingress/not-tcp",
      description: "a mesh looks at TCP only",
      peers: [{ kind: "any" }],
    });
  });

  test("what cannot be seen stops an ALLOW and widens a DENY", () => {
    const opaque = (action: string, operation: object = { methods: ["GET"] }) => {
      const spec = { action, rules: [{ to: [{ operation }] }] };
      const { blocks } = build([SIDECARS, authorization(spec)]);
      const { l7, onOpaque } = blocks[0]!.rules[0]!;
      return [l7?.[0]?.kind, onOpaque];
    };
    expect(opaque("ALLOW")).toEqual(["http", "noMatch"]);
    expect(opaque("DENY")).toEqual(["http", "widen"]);
    expect(opaque("DENY", { ports: ["80"] })).toEqual([undefined, undefined]);
  });

  test.each([
    ["hosts", "host", "a.example"],
    ["methods", "method", "GET"],
    ["paths", "path", "/a"],
    ["notHosts", "host", "a.example"],
    ["notMethods", "method", "GET"],
    ["notPaths", "path", "/a"],
  ])("%s are asked of HTTP", (field, attribute, value) => {
    const { blocks } = build([
      SIDECARS,
      authorization({ rules: [{ to: [{ operation: { [field]: [value] } }] }] }),
    ]);
    const [predicate] = blocks[0]!.rules[0]!.l7 ?? [];
    expect(predicate?.kind).toBe("http");
    const [condition] = predicate?.conditions ?? [];
    const [some, none] = field.startsWith("not") ? [0, 1] : [1, 0];
    expect([condition?.attribute, condition?.anyOf.length, condition?.noneOf.length]).toEqual([
      attribute,
      some,
      none,
    ]);
  });

  test.each([
    ["/a/{*}/b", []],
    ["/a/{**}", []],
    ["/{*}/{**}/", []],
    ["/a/", []],
    ["/a//{*}", ["BH0105"]],
    ["/{**}/{*}", ["BH0105"]],
    ["/{**}/{**}", ["BH0105"]],
    ["a/{*}", ["BH0105"]],
    ["/a{*}", ["BH0105"]],
    ["/{*}b", ["BH0105"]],
  ])("the path %s", (path, expected) => {
    const { said } = build([
      SIDECARS,
      authorization({ rules: [{ to: [{ operation: { paths: [path] } }] }] }),
    ]);
    expect(said).toEqual(expected);
  });

  test("whose request it is, is asked of HTTP", () => {
    const source = { requestPrincipals: ["a/b"] };
    const { blocks } = build([SIDECARS, authorization({ rules: [{ from: [{ source }] }] })]);
    expect(blocks[0]!.rules[0]!.l7).toEqual([
      {
        kind: "http",
        conditions: [
          { attribute: "request-principal", anyOf: [{ kind: "exact", value: "a/b" }], noneOf: [] },
        ],
      },
    ]);
  });

  test("in audit nothing is in force", () => {
    const texts = [
      SIDECARS,
      authorization({ rules: [{}] }),
      object("PeerAuthentication", { mtls: { mode: "STRICT" } }),
    ];
    const of = (mode: "audit" | "enforce") =>
      build(texts, { mode }).blocks.flatMap((one) => [
        one.enforce,
        ...one.rules.map((it) => it.enforce),
      ]);
    expect(new Set(of("audit"))).toEqual(new Set(["staged"]));
    expect(new Set(of("enforce"))).toEqual(new Set(["on"]));
  });

  test("without a spec a policy permits nothing over TCP", () => {
    const { blocks, said } = build([SIDECARS, authorization(undefined)]);
    expect(said).toEqual([]);
    expect(blocks.map(({ rules }) => rules.map(({ id }) => id.split("/").at(-1)))).toEqual([
      ["not-tcp"],
      ["not-tcp"],
    ]);
  });
});

describe("rules that a ztunnel never applies", () => {
  const asking = (metadata?: object, more: object = {}) =>
    authorization(
      { ...more, action: "DENY", rules: [{ to: [{ operation: { methods: ["GET"] } }] }] },
      metadata,
    );
  test("are told of where somebody of the policy's own is behind one", () => {
    expect(build([AMBIENT, pod("a"), asking()]).said).toEqual(["BH0308"]);
    expect(build([SIDECARS, pod("a"), asking()]).said).toEqual([]);
    const bank = namespace("bank", {});
    expect(build([AMBIENT, bank, pod("a"), asking({ namespace: "bank" })]).said).toEqual([]);
    expect(build([AMBIENT, pod("a"), asking({ namespace: "istio-system" })]).said).toEqual([
      "BH0308",
    ]);
    const others = { selector: { matchLabels: { app: "b" } } };
    expect(build([AMBIENT, pod("a"), asking({}, others)]).said).toEqual([]);
  });
});

describe("targets", () => {
  const pods = (...namespaces: readonly string[]) =>
    namespaces.map((one) => pod("a", {}, { namespace: one, labels: { app: "a" } }));
  /** Workloads that any block of the policy is for. */
  const guarded = (target: object, texts: readonly string[], metadata?: object) => {
    const policy = authorization({ targetRefs: [target], rules: [{}] }, metadata);
    const { blocks, inventory } = build([...texts, policy]);
    const isIn = ({ namespace: of, labels }: Workload) =>
      blocks.some(
        ({ subject }) =>
          subject.kind === "workloads" &&
          (subject.namespaces.kind === "all" ||
            (subject.namespaces.kind === "named" && subject.namespaces.name === of)) &&
          matches(subject.selector, labels),
      );
    return inventory.workloads.filter(isIn).map(({ id }) => id);
  };
  const GATEWAY = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "w" };
  const user = (name: string, labels: object) =>
    namespace(name, { "istio.io/dataplane-mode": "ambient", ...labels });

  test("a Gateway stands for its own pods, and for those who use it as a waypoint", () => {
    const texts = [
      user("shop", { "istio.io/use-waypoint": "w" }),
      user("other", { "istio.io/use-waypoint": "w" }),
      user("far", { "istio.io/use-waypoint": "w", "istio.io/use-waypoint-namespace": "shop" }),
      user("none", { "istio.io/use-waypoint": "none", "istio.io/use-waypoint-namespace": "shop" }),
      user("else", { "istio.io/use-waypoint": "x", "istio.io/use-waypoint-namespace": "shop" }),
      ...pods("shop", "other", "far", "none", "else"),
      pod("w", {}, { labels: { "gateway.networking.k8s.io/gateway-name": "w" } }),
      pod("free", {}, { labels: { "istio.io/use-waypoint": "none" } }),
    ];
    expect(guarded(GATEWAY, texts)).toEqual(["shop/a", "far/a", "shop/w"]);
  });

  test("a class of them, in the root namespace, for whoever uses any", () => {
    const target = {
      group: "gateway.networking.k8s.io",
      kind: "GatewayClass",
      name: "istio-waypoint",
    };
    const texts = [
      user("shop", { "istio.io/use-waypoint": "w" }),
      user("none", { "istio.io/use-waypoint": "none" }),
      user("plain", {}),
      ...pods("shop", "none", "plain"),
    ];
    expect(guarded(target, texts, { namespace: "istio-system" })).toEqual(["shop/a"]);
    expect(guarded(target, texts)).toEqual([]);
  });

  test("a Service for whom it leads to, and nobody where it has no selector", () => {
    const target = { kind: "Service", group: "", name: "s" };
    const service = (spec: object) => object("Service", spec, { name: "s" }, "v1");
    const texts = [AMBIENT, ...pods("shop", "other"), pod("b")];
    expect(guarded(target, [...texts, service({ selector: { app: "a" } })])).toEqual(["shop/a"]);
    expect(guarded(target, [...texts, service({})])).toEqual([]);
    expect(guarded(target, texts)).toEqual([]);
  });
});

test("a rule of destinations is for whoever has any address there", () => {
  const spec = { rules: [{ when: [{ key: "destination.ip", values: ["10.0.0.0/8"] }] }] };
  const at = (...ips: readonly string[]) => {
    const base = JSON.parse(pod("a")) as object;
    const status = { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) };
    const { inventory } = build([
      SIDECARS,
      JSON.stringify({ ...base, status }),
      authorization(spec),
    ]);
    return Object.keys(inventory.workloads[0]!.labels).filter((key) => key.includes("10.0.0.0"));
  };
  expect(at("10.0.0.1", "fd00::1")).toHaveLength(1);
  expect(at("10.0.0.1")).toHaveLength(1);
  expect(at("192.0.2.1", "fd00::1")).toEqual([]);
});

describe("PeerAuthentication", () => {
  const mode = (name: string, value: string, more: object = {}, created?: string) =>
    object(
      "PeerAuthentication",
      { mtls: { mode: value }, ...more },
      { name, ...(created === undefined ? {} : { creationTimestamp: created }) },
    );

  test("of two for the same workloads the oldest counts, and it is told", () => {
    const [old, young] = ["2029-01-01T00:00:00Z", "2029-06-01T00:00:00Z"];
    const { said, blocks } = build([
      SIDECARS,
      mode("a", "STRICT", {}, young),
      mode("b", "PERMISSIVE", {}, old),
    ]);
    expect(said).toEqual(["BH0308"]);
    expect(blocks.map(({ id }) => id)).toEqual(["PeerAuthentication/shop/b#ingress"]);
    const alone = build([SIDECARS, mode("a", "STRICT", {}, young)]);
    expect([alone.said, alone.blocks.length]).toEqual([[], 1]);
  });

  test("one that says nothing leaves everything as it is", () => {
    for (const spec of [undefined, {}, { mtls: {} }, { mtls: { mode: "UNSET" } }]) {
      const { said, blocks } = build([SIDECARS, object("PeerAuthentication", spec)]);
      expect([said, blocks]).toEqual([[], []]);
    }
  });

  test("rules are called after their ports, with and without a certificate", () => {
    const selecting = {
      selector: { matchLabels: { app: "a" } },
      portLevelMtls: { 80: { mode: "PERMISSIVE" }, 81: { mode: "STRICT" }, 82: {} },
    };
    const { blocks } = build([SIDECARS, mode("p", "STRICT", selecting)]);
    const [{ rules }] = blocks as [(typeof blocks)[number]];
    expect(rules.map(({ id, action }) => [id.split("#")[1], action])).toEqual([
      ["ingress/port-80", "pass"],
      ["ingress/port-81-with-certificate", "pass"],
      ["ingress/port-81", "deny"],
      ["ingress/all-with-certificate", "pass"],
      ["ingress/all", "deny"],
    ]);
  });

  test("labels: who is in the mesh, by which account, and by which policy of its own", () => {
    const own = { selector: { matchLabels: { app: "a" } } };
    const pods = [
      pod("a", { serviceAccountName: "web" }, { labels: { app: "a" } }),
      pod("b", {}, { labels: { "sidecar.istio.io/inject": "false" } }),
    ];
    const { inventory } = build([SIDECARS, ...pods, mode("p", "STRICT", own)]);
    expect(inventory.workloads.map(({ labels }) => labels)).toEqual([
      { app: "a", ":mesh": "sidecar", ":service-account": "web", ":mesh-tls": "p" },
      { "sidecar.istio.io/inject": "false", ":service-account": "default" },
    ]);
    const declared = {
      apiVersion: "bulkhead.dev/v1",
      kind: "Inventory",
      metadata: { name: "i", namespace: "shop" },
      spec: { workloads: [{ name: "vm", addresses: ["192.0.2.1"] }] },
    };
    const vm = build([SIDECARS, JSON.stringify(declared), mode("p", "DISABLE")]).inventory
      .workloads[0];
    expect(vm?.labels).toEqual({
      ":mesh": "sidecar",
      ":service-account": "default",
      ":mesh-plaintext": "all",
    });
  });
});
