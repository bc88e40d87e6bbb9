/** What conditions, callers, data planes and waypoints mean, each by itself (istio.io, "Authorization Policy" and "Conditions"). */
import { NODES_NAMESPACE } from "@bulkhead/model";
import { describe, expect, test } from "vitest";
import {
  AMBIENT,
  authorization,
  build,
  inMesh,
  namespace,
  object,
  peersOf,
  pod,
  prefix,
  SIDECARS,
} from "./world.ts";

const ANY = [[{ kind: "any" }]];
const at = (podIP: string, name: string, spec: object = {}, more: object = {}) =>
  JSON.stringify({ ...(JSON.parse(pod(name, spec, more)) as object), status: { podIP } });

describe("stages", () => {
  test("CUSTOM is asked before DENY, DENY before ALLOW, and a waypoint before the workload's own proxy", () => {
    const { set } = build([SIDECARS, authorization({ rules: [{}] })]);
    const mesh = set.stages.filter(({ plane }) => plane === "mesh");
    expect(mesh.map(({ id, mode, endIfApplied }) => [id, mode, endIfApplied])).toEqual([
      ["istio/tls", "firstMatch", "pass"],
      ["istio/waypoint-custom", "denyOverrides", "pass"],
      ["istio/waypoint-deny", "denyOverrides", "pass"],
      ["istio/waypoint-allow", "firstMatch", "pass"],
      ["istio/custom", "denyOverrides", "pass"],
      ["istio/deny", "denyOverrides", "pass"],
      ["istio/allow", "anyAllow", "deny"],
    ]);
  });

  test.each([
    ["ALLOW", "istio/allow", true],
    ["DENY", "istio/deny", false],
    ["AUDIT", "istio/deny", false],
  ])("only an ALLOW isolates: %s", (action, stage, isolates) => {
    const { set } = build([SIDECARS, authorization({ action, rules: [{}] })]);
    const { blocks } = set.stages.find(({ id }) => id === stage)!;
    expect(blocks[0]).toMatchObject({ isolates, direction: "ingress" });
  });

  test("each standing in the mesh has a block of its own name", () => {
    expect(build([AMBIENT, authorization({ rules: [{}] })]).blocks.map(({ id }) => id)).toEqual([
      "AuthorizationPolicy/shop/p#ingress",
      "AuthorizationPolicy/shop/p#ingress@ambient",
    ]);
  });

  test("at a waypoint an ALLOW passes on, and whatever no policy allows is denied after all of them", () => {
    const target = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "w" };
    const policy = authorization({ targetRefs: [target], rules: [{}] });
    const { set } = build([AMBIENT, policy]);
    const { blocks } = set.stages.find(({ id }) => id === "istio/waypoint-allow")!;
    expect(
      blocks.map(({ id, order, isolates, rules }) => [
        id,
        order,
        isolates,
        rules.map(({ action }) => action),
      ]),
    ).toEqual([
      ["AuthorizationPolicy/shop/p#ingress@0.1", [0], false, ["pass"]],
      ["AuthorizationPolicy/shop/p#ingress@0.1@rest", [1], false, ["deny"]],
    ]);
  });
});

describe("conditions", () => {
  const l7 = (rule: object) => {
    const { blocks } = build([SIDECARS, authorization({ rules: [rule] })]);
    return blocks[0]!.rules[0]!.l7;
  };
  const exact = (value: string) => ({ kind: "exact", value });

  test.each([
    ["request.headers[X-User]", "http", "header:x-user"],
    ["request.auth.principal", "http", "request-principal"],
    ["request.auth.audiences", "http", "claim:aud"],
    ["request.auth.presenter", "http", "claim:azp"],
    ["request.auth.claims[iss]", "http", "claim:iss"],
    ["request.auth.claims[a][b]", "http", "claim:a.b"],
    ["connection.sni", "tls", "sni"],
  ])("%s", (key, kind, attribute) => {
    expect(l7({ when: [{ key, values: ["a"] }] })).toEqual([
      { kind, conditions: [{ attribute, anyOf: [exact("a")], noneOf: [] }] },
    ]);
    expect(l7({ when: [{ key, notValues: ["b"] }] })).toEqual([
      { kind, conditions: [{ attribute, anyOf: [], noneOf: [exact("b")] }] },
    ]);
  });

  test("an address before any proxy is a prefix, and can be asked of any connection", () => {
    const cidr = (value: string) => ({ kind: "cidr", value });
    const conditions = [
      { attribute: "remote-ip", anyOf: [cidr("10.0.0.0/8")], noneOf: [cidr("10.0.0.1/32")] },
    ];
    const when = [{ key: "remote.ip", values: ["10.0.0.0/8"], notValues: ["10.0.0.1"] }];
    expect(l7({ when })).toEqual([{ kind: "any", conditions }]);
    const source = { remoteIpBlocks: ["10.0.0.0/8"], notRemoteIpBlocks: ["10.0.0.1"] };
    expect(l7({ from: [{ source }] })).toEqual([{ kind: "any", conditions }]);
  });

  test("with a request beside it, all of them are asked of HTTP", () => {
    const when = [
      { key: "connection.sni", values: ["a"] },
      { key: "request.headers[a]", values: ["b"] },
    ];
    expect(l7({ when })?.map(({ kind, conditions }) => [kind, conditions.length])).toEqual([
      ["http", 2],
    ]);
  });

  test.each([
    "x.request.auth.claims[a]",
    "request.auth.claims[a]b",
    "request.auth.claims",
    "x.request.headers[a]",
    "request.headers[a]b",
    "request.headers[a][b]",
    "xsource.ip",
    "toString",
  ])("%s is no key", (key) => {
    const { said } = build([
      SIDECARS,
      authorization({ rules: [{ when: [{ key, values: ["a"] }] }] }),
    ]);
    expect(said).toEqual(["BH0105"]);
  });

  test("a judge outside may be asked about ports, addresses and headers", () => {
    const rules = [
      {
        when: [
          { key: "destination.port", values: ["80"] },
          { key: "destination.ip", values: ["10.0.0.0/8"] },
          { key: "source.ip", values: ["10.0.0.0/8"] },
          { key: "request.headers[a]", values: ["b"] },
        ],
      },
    ];
    const policy = authorization({ action: "CUSTOM", provider: { name: "opa" }, rules });
    expect(build([SIDECARS, policy]).said).toEqual([]);
  });
});

describe("callers", () => {
  const by = (source: object, ...texts: readonly string[]) =>
    peersOf({ rules: [{ from: [{ source }] }] }, ...texts);

  test("are everybody where nobody is asked for", () => {
    expect(peersOf({ rules: [{}] })).toEqual(ANY);
    expect(peersOf({ rules: [{ to: [{ operation: { ports: ["80"] } }] }] })).toEqual(ANY);
  });

  test("who only excludes an identity means everybody without one, the nodes among them", () => {
    expect(by({ notNamespaces: ["b"] })).toEqual([
      [
        { kind: "entity", entity: "world" },
        { kind: "entity", entity: "host" },
        {
          kind: "workloads",
          namespaces: { kind: "all" },
          selector: { requirements: [{ key: ":mesh", operator: "DoesNotExist" }] },
        },
        {
          kind: "workloads",
          namespaces: { kind: "named", name: NODES_NAMESPACE },
          selector: { requirements: [] },
        },
      ],
    ]);
  });

  test("named in full must be what every other field asks for", () => {
    const principals = ["cluster.local/ns/a/sa/x"];
    expect(by({ principals, namespaces: ["a"] })).toEqual([[inMesh("a", "x")]]);
    expect(by({ principals, namespaces: ["b"] })).toEqual([]);
    expect(by({ principals, notNamespaces: ["a"] })).toEqual([]);
    expect(by({ principals, notTrustDomains: ["cluster.local"] })).toEqual([]);
  });

  test("a trust domain or a namespace beside another field names no account", () => {
    expect(by({ trustDomains: ["cluster.local"] })).toEqual([]);
    expect(by({ namespaces: ["shop"], trustDomains: ["cluster.local"] })).toEqual([]);
    const web = pod("web", { serviceAccountName: "web" });
    expect(by({ trustDomains: ["cluster.local"] }, web)).toEqual([[inMesh("shop", "web")]]);
    expect(by({ trustDomains: ["example.org"] }, web)).toEqual([]);
  });

  test("at a place are those of its workloads whose identity it is", () => {
    const texts = [
      at("10.1.0.1", "web", { serviceAccountName: "web" }),
      at("10.1.0.2", "db", { serviceAccountName: "db" }),
      at("192.0.2.1", "far", { serviceAccountName: "web" }),
    ];
    const source = { ipBlocks: ["10.0.0.0/8"], serviceAccounts: ["web"] };
    expect(by(source, ...texts)).toEqual([[prefix("10.1.0.1/32")]]);
    expect(by({ ...source, notIpBlocks: ["10.1.0.1"] }, ...texts)).toEqual([]);
    const others = { ipBlocks: ["10.0.0.0/8"], notServiceAccounts: ["shop/db"] };
    expect(by(others, ...texts)).toEqual([[prefix("10.0.0.0/8", "10.1.0.2/32")]]);
  });

  test("a place in one of several others is in them", () => {
    const rule = (values: readonly string[]) => ({
      from: [{ source: { ipBlocks: ["10.1.0.0/16"] } }],
      when: [{ key: "source.ip", values }],
    });
    expect(peersOf({ rules: [rule(["192.0.2.0/24", "10.0.0.0/8"])] })).toEqual([
      [prefix("10.1.0.0/16")],
    ]);
    expect(peersOf({ rules: [rule(["192.0.2.0/24", "10.2.0.0/16"])] })).toEqual([]);
  });

  test("of a waypoint are those whom a ztunnel captures, wherever they are asked to be", () => {
    const target = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "w" };
    const texts = [
      AMBIENT,
      at("10.1.0.1", "web"),
      at("10.1.0.2", "old", {}, { labels: { "sidecar.istio.io/inject": "true" } }),
      at("192.0.2.1", "far"),
    ];
    const peers = (rule: object) => {
      const { set } = build([...texts, authorization({ targetRefs: [target], rules: [rule] })]);
      return set.stages.find(({ id }) => id === "istio/waypoint-allow")!.blocks[0]!.rules[0]?.peers;
    };
    expect(peers({})).toEqual([
      {
        kind: "workloads",
        namespaces: { kind: "all" },
        selector: { requirements: [{ key: ":mesh", operator: "In", values: ["ambient"] }] },
      },
    ]);
    expect(peers({ from: [{ source: { ipBlocks: ["10.0.0.0/8"] } }] })).toEqual([
      prefix("10.1.0.1/32"),
    ]);
  });
});

describe("data planes", () => {
  const labels = (ofNamespace: object, ofPod: object, ...more: readonly string[]) => {
    const texts = [namespace("shop", ofNamespace), pod("a", {}, { labels: ofPod }), ...more];
    const mark = namespace("marked", { "istio-injection": "enabled" });
    const { inventory } = build([mark, ...texts, authorization({ rules: [{}] })]);
    return inventory.workloads.find(({ id }) => id === "shop/a")!.labels;
  };
  const REVISION = { "istio.io/rev": "stable" };
  test.each<[object, object, string | undefined]>([
    [{}, {}, undefined],
    [{ "istio-injection": "enabled" }, {}, "sidecar"],
    [{ "istio-injection": "enabled" }, { "sidecar.istio.io/inject": "false" }, undefined],
    [{ "istio-injection": "disabled" }, { "sidecar.istio.io/inject": "true" }, "sidecar"],
    [REVISION, {}, "sidecar"],
    [{}, REVISION, "sidecar"],
    [{ ...REVISION, "istio-injection": "disabled" }, {}, undefined],
    [{ "istio.io/dataplane-mode": "ambient" }, {}, "ambient"],
    [{}, { "istio.io/dataplane-mode": "ambient" }, "ambient"],
    [{ "istio.io/dataplane-mode": "ambient" }, { "istio.io/dataplane-mode": "none" }, undefined],
  ])("a namespace with %j and a pod with %j", (ofNamespace, ofPod, plane) => {
    expect(labels(ofNamespace, ofPod)[":mesh"]).toBe(plane);
  });

  test("who is in the node's own network is in no mesh", () => {
    const { inventory } = build([
      SIDECARS,
      pod("a", { hostNetwork: true }),
      pod("b"),
      authorization({ rules: [{}] }),
    ]);
    expect(inventory.workloads.map(({ labels }) => labels[":mesh"])).toEqual([
      undefined,
      "sidecar",
    ]);
  });

  test.each<[string, readonly string[], boolean]>([
    ["source.serviceAccount", ["a"], false],
    ["source.principal", ["a"], true],
    ["source.namespace", ["a"], true],
    ["source.ip", ["10.0.0.0/8"], true],
    ["destination.port", ["80"], true],
    ["connection.sni", ["a"], false],
    ["request.headers[a]", ["b"], false],
  ])("a ztunnel knows the condition %s: %s %s", (key, values, isKnown) => {
    const policy = authorization({ action: "DENY", rules: [{ when: [{ key, values }] }] });
    expect(build([AMBIENT, pod("a"), policy]).said).toEqual(isKnown ? [] : ["BH0308"]);
  });

  test("what a waypoint has let through is asked about by a block that is named after it", () => {
    const use = { "istio.io/dataplane-mode": "ambient", "istio.io/use-waypoint": "w" };
    const texts = [namespace("shop", use), pod("a"), authorization({ rules: [{}] })];
    expect(build(texts).blocks.map(({ id }) => id)).toContain(
      "AuthorizationPolicy/shop/p#ingress@behind shop/w",
    );
  });

  test.each<[string, string, object | undefined, string]>([
    ["every port", "DISABLE", undefined, "all"],
    [
      "every port but some",
      "DISABLE",
      { 81: { mode: "STRICT" }, 80: { mode: "STRICT" } },
      "all-but_80_81",
    ],
    ["some ports", "STRICT", { 80: { mode: "DISABLE" } }, "80"],
  ])("callers come without TLS to %s", (_, mode, portLevelMtls, name) => {
    const spec = {
      selector: { matchLabels: { app: "a" } },
      mtls: { mode },
      ...(portLevelMtls === undefined ? {} : { portLevelMtls }),
    };
    const texts = [
      SIDECARS,
      pod("a", {}, { labels: { app: "a" } }),
      object("PeerAuthentication", spec),
      authorization({ rules: [{}] }),
    ];
    const { inventory, blocks } = build(texts);
    expect(inventory.workloads[0]!.labels[":mesh-plaintext"]).toBe(name);
    expect(blocks.map(({ id }) => id)).toContain(
      `AuthorizationPolicy/shop/p#ingress@plaintext-${name}`,
    );
  });

  test("a waypoint stands before nobody who has a sidecar", () => {
    const use = { "istio.io/use-waypoint": "w" };
    expect(labels({ ...use, "istio-injection": "enabled" }, {})).not.toHaveProperty([
      ":mesh-waypoint",
    ]);
    expect(labels({ ...use, "istio.io/dataplane-mode": "ambient" }, {})).toHaveProperty(
      [":mesh-waypoint"],
      "shop/w",
    );
  });

  test("where a workload is, is told of those outside the mesh as well, and of nobody else", () => {
    const when = [{ key: "destination.ip", values: ["10.0.0.0/8"] }];
    const texts = [SIDECARS, authorization({ rules: [{ when }] })];
    const of = (podIP: string) => {
      const out = at(podIP, "a", {}, { labels: { "sidecar.istio.io/inject": "false" } });
      return Object.keys(build([...texts, out]).inventory.workloads[0]!.labels);
    };
    expect(of("10.0.0.1")).toContain(":mesh-at/10.0.0.0/8");
    expect(of("192.0.2.1")).not.toContain(":mesh-at/10.0.0.0/8");
  });

  test("a PeerAuthentication that selects is of its own namespace, the root's too", () => {
    const own = { mtls: { mode: "STRICT" }, selector: { matchLabels: { app: "a" } } };
    const of = (home: string) =>
      labels(
        { "istio-injection": "enabled" },
        { app: "a" },
        object("PeerAuthentication", own, { name: "strict", namespace: home }),
      )[":mesh-tls"];
    expect(of("shop")).toBe("strict");
    expect(of("bank")).toBe(undefined);
    expect(of("istio-system")).toBe(undefined);
  });
});
