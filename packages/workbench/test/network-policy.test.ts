import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { decide, indexInventory } from "@bulkhead/engine";
import type { Block, Inventory, Workload } from "@bulkhead/model";
import { buildPolicySet, parseFiles } from "@bulkhead/dialects";

const NOW = 0;

const read = (spec: unknown, namespace = "shop") => {
  const text = stringify({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "p", namespace },
    spec,
  });
  const { resources, diagnostics } = parseFiles([{ name: "np.yaml", text }]);
  const built = buildPolicySet(resources, { now: NOW, strict: false, mode: "enforce" });
  return { built, codes: [...diagnostics, ...built.diagnostics].map(({ code }) => code) };
};

const blocks = (spec: unknown): readonly Block[] =>
  read(spec).built.set.stages.flatMap((stage) => stage.blocks);

const block = (spec: unknown, direction: "ingress" | "egress"): Block => {
  const found = blocks(spec).find((one) => one.direction === direction);
  if (found === undefined) throw new Error(`no ${direction} block`);
  return found;
};

const pod = (id: string, address: string, extra: Partial<Workload> = {}): Workload => {
  const [namespace = "", name = ""] = id.split("/");
  return {
    id,
    namespace,
    name,
    kind: "pod",
    labels: { app: name },
    addresses: [address],
    namedPorts: [],
    hostNetwork: false,
    ...extra,
  };
};

const WEB = pod("shop/web", "10.0.0.1");
const DB = pod("shop/db", "10.0.0.2", { namedPorts: [{ name: "sql", protocol: 6, port: 5432 }] });
const DB2 = pod("shop/db2", "10.0.0.3", {
  labels: { app: "db" },
  namedPorts: [{ name: "sql", protocol: 6, port: 5433 }],
});
const OTHER = pod("other/web", "10.0.0.4");
const NODE = pod("shop/agent", "192.0.2.10", { hostNetwork: true, labels: { app: "web" } });
const inventory: Inventory = {
  workloads: [WEB, DB, DB2, OTHER, NODE],
  namespaces: [
    { name: "shop", labels: { team: "a", "kubernetes.io/metadata.name": "shop" } },
    { name: "other", labels: { team: "b", "kubernetes.io/metadata.name": "other" } },
  ],
  hostAddresses: ["192.0.2.10"],
};
const index = indexInventory(inventory);
const WORLD = "203.0.113.7";

const allows = (
  spec: unknown,
  source: string,
  destination: string,
  port = 80,
  protocol = 6,
): boolean =>
  decide(
    read(spec).built.set,
    index,
    { source, destination, protocol, port },
    { now: NOW, view: "live" },
  ).verdict === "allow";

const [web, db, db2, other] = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
const appDb = { matchLabels: { app: "db" } };
const appWeb = { matchLabels: { app: "web" } };

describe("trap 1: selectors as subject and as peer", () => {
  test("`podSelector: {}` as subject is the whole namespace, and no other", () => {
    const spec = { podSelector: {}, policyTypes: ["Ingress"] };
    expect([allows(spec, web, db), allows(spec, db, web), allows(spec, web, other)]).toEqual([
      false,
      false,
      true,
    ]);
  });
  test("`podSelector` alone as a peer is the policy's own namespace", () => {
    const spec = { podSelector: appDb, ingress: [{ from: [{ podSelector: appWeb }] }] };
    expect([allows(spec, web, db), allows(spec, other, db)]).toEqual([true, false]);
  });
  test("with `namespaceSelector` in the same item both must hold", () => {
    const spec = (team: string) => ({
      podSelector: appDb,
      ingress: [{ from: [{ podSelector: appWeb, namespaceSelector: { matchLabels: { team } } }] }],
    });
    expect([
      allows(spec("b"), other, db),
      allows(spec("b"), web, db),
      allows(spec("a"), web, db),
    ]).toEqual([true, false, true]);
  });
  test("separate items are alternatives", () => {
    const spec = {
      podSelector: appDb,
      ingress: [
        {
          from: [
            { podSelector: { matchLabels: { app: "nobody" } } },
            { namespaceSelector: { matchLabels: { team: "b" } } },
          ],
        },
      ],
    };
    expect([allows(spec, other, db), allows(spec, web, db)]).toEqual([true, false]);
  });
  test("the empty `namespaceSelector` is every namespace, and still not the world", () => {
    const spec = { podSelector: appDb, ingress: [{ from: [{ namespaceSelector: {} }] }] };
    expect([allows(spec, web, db), allows(spec, other, db), allows(spec, WORLD, db)]).toEqual([
      true,
      true,
      false,
    ]);
  });
  test("a name label of the namespace can be selected", () => {
    const spec = {
      podSelector: appDb,
      ingress: [
        {
          from: [
            { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "other" } } },
          ],
        },
      ],
    };
    expect([allows(spec, other, db), allows(spec, web, db)]).toEqual([true, false]);
  });
});

describe("trap 2: what is empty and what is absent", () => {
  test("`ingress: [{}]` allows everything", () => {
    expect(allows({ podSelector: appDb, ingress: [{}] }, WORLD, db)).toBe(true);
  });
  test.each([[{ from: [] }], [{ from: null }], [{ ports: [] }], [{ from: [], ports: [] }]])(
    "the rule %j allows everything",
    (rule) => {
      expect(allows({ podSelector: appDb, ingress: [rule] }, WORLD, db)).toBe(true);
    },
  );
  test.each([
    [{ ingress: [] }],
    [{}],
    [{ ingress: null }],
    [{ policyTypes: ["Ingress"] }],
    [{ policyTypes: [] }],
  ])("%j isolates ingress and allows nothing", (rest) => {
    const spec = { podSelector: appDb, ...rest };
    expect([allows(spec, web, db), allows(spec, db, web)]).toEqual([false, true]);
  });
  test("an egress section adds Egress to the default types", () => {
    const spec = { podSelector: appDb, egress: [{ to: [{ podSelector: appWeb }] }] };
    expect(blocks(spec).map(({ direction }) => direction)).toEqual(["egress", "ingress"]);
    expect([allows(spec, db, web), allows(spec, db, other), allows(spec, web, db)]).toEqual([
      true,
      false,
      false,
    ]);
  });
  test("an empty one does not, as the API server defaults it, and that is said", () => {
    expect(blocks({ podSelector: {}, egress: [] }).map(({ direction }) => direction)).toEqual([
      "ingress",
    ]);
    expect(read({ podSelector: {}, egress: [] }).codes).toEqual(["BH0404"]);
  });
  test("only what `policyTypes` says is isolated, whatever sections there are", () => {
    const spec = {
      podSelector: appDb,
      policyTypes: ["Egress"],
      ingress: [{ from: [{ podSelector: appWeb }] }],
    };
    expect([allows(spec, other, db), allows(spec, db, web)]).toEqual([true, false]);
    expect(read(spec).codes).toEqual(["BH0404"]);
  });
  test("an absent `podSelector` selects the whole namespace", () => {
    expect(allows({ policyTypes: ["Ingress"] }, web, db)).toBe(false);
  });
});

describe("trap 4: ports", () => {
  const sql = (ports: unknown) => ({ podSelector: {}, ingress: [{ ports }] });
  test("names resolve on the destination pod, each its own number", () => {
    const spec = sql([{ port: "sql" }]);
    expect([
      allows(spec, web, db, 5432),
      allows(spec, web, db, 5433),
      allows(spec, web, db2, 5433),
      allows(spec, web, db2, 5432),
      allows(spec, db, web, 5432),
    ]).toEqual([true, false, true, false, false]);
  });
  test("and with their protocol", () => {
    expect(allows(sql([{ port: "sql", protocol: "UDP" }]), web, db, 5432, 17)).toBe(false);
  });
  test("in egress too, on the peer", () => {
    const spec = {
      podSelector: appWeb,
      policyTypes: ["Egress"],
      egress: [{ to: [{ podSelector: appDb }], ports: [{ port: "sql" }] }],
    };
    expect([
      allows(spec, web, db, 5432),
      allows(spec, web, db2, 5433),
      allows(spec, web, db2, 5432),
    ]).toEqual([true, true, false]);
  });
  test("never on an ipBlock", () => {
    const spec = {
      podSelector: appWeb,
      policyTypes: ["Egress"],
      egress: [{ to: [{ ipBlock: { cidr: "0.0.0.0/0" } }], ports: [{ port: "sql" }] }],
    };
    expect([allows(spec, web, db, 5432), allows(spec, web, WORLD, 5432)]).toEqual([false, false]);
  });
  test("`endPort` is inclusive", () => {
    const spec = sql([{ port: 80, endPort: 82 }]);
    expect([79, 80, 81, 82, 83].map((port) => allows(spec, web, db, port))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });
  test("a missing protocol is TCP", () => {
    const spec = sql([{ port: 53 }]);
    expect([6, 17, 132].map((protocol) => allows(spec, web, db, 53, protocol))).toEqual([
      true,
      false,
      false,
    ]);
  });
  test("a missing port is every port of the protocol", () => {
    const spec = sql([{ protocol: "SCTP" }]);
    expect([
      allows(spec, web, db, 1, 132),
      allows(spec, web, db, 65535, 132),
      allows(spec, web, db, 1, 6),
    ]).toEqual([true, true, false]);
  });
  test("ICMP is no port: a rule with ports does not let it through, a rule without does", () => {
    expect([
      allows(sql([{ port: 80 }]), web, db, 2048, 1),
      allows(sql([]), web, db, 2048, 1),
    ]).toEqual([false, true]);
  });
});

describe("trap 5: ipBlock", () => {
  const from = (ipBlock: unknown) => ({ podSelector: appDb, ingress: [{ from: [{ ipBlock }] }] });
  test("does not hold pods, unless the build says so", () => {
    const spec = from({ cidr: "0.0.0.0/0" });
    expect([allows(spec, WORLD, db), allows(spec, web, db)]).toEqual([true, false]);
    const { resources } = parseFiles([
      {
        name: "np.yaml",
        text: stringify({
          apiVersion: "networking.k8s.io/v1",
          kind: "NetworkPolicy",
          metadata: { name: "p", namespace: "shop" },
          spec,
        }),
      },
    ]);
    const { set } = buildPolicySet(resources, {
      now: NOW,
      strict: false,
      mode: "enforce",
      ipBlockMatchesWorkloads: true,
    });
    const decision = decide(
      set,
      index,
      { source: web, destination: db, protocol: 6, port: 80 },
      { now: NOW, view: "live" },
    );
    expect(decision.verdict).toBe("allow");
  });
  test("`except` takes out of this peer and denies nothing", () => {
    const spec = {
      podSelector: appDb,
      ingress: [
        {
          from: [{ ipBlock: { cidr: "203.0.113.0/24", except: ["203.0.113.0/28"] } }],
          ports: [{ port: 80 }],
        },
        { from: [{ ipBlock: { cidr: "203.0.113.7/32" } }], ports: [{ port: 81 }] },
      ],
    };
    expect([
      allows(spec, WORLD, db, 80),
      allows(spec, "203.0.113.77", db, 80),
      allows(spec, WORLD, db, 81),
    ]).toEqual([false, true, true]);
  });
  test("IPv6 prefixes are as good", () => {
    expect(block(from({ cidr: "2001:DB8::/32" }), "ingress").rules[0]?.peers).toEqual([
      { kind: "cidr", cidr: "2001:db8::/32", except: [], matchesWorkloads: false },
    ]);
  });
});

test("trap 6: a hostNetwork pod is neither subject nor peer by selector", () => {
  const spec = { podSelector: {}, ingress: [{ from: [{ podSelector: appWeb }] }] };
  const egress = { podSelector: {}, policyTypes: ["Egress"] };
  const noNode = { ...inventory, hostAddresses: [] };
  const from = (source: string, destination: string, policy: unknown) =>
    decide(
      read(policy).built.set,
      indexInventory(noNode),
      { source, destination, protocol: 6, port: 80 },
      { now: NOW, view: "live" },
    ).verdict;
  expect(from("192.0.2.10", db, spec)).toBe("drop");
  expect(from("192.0.2.10", WORLD, egress)).toBe("allow");
});

test("trap 14: a pod reaches its own address whatever the policy says", () => {
  expect(allows({ podSelector: {}, policyTypes: ["Ingress", "Egress"] }, db, db)).toBe(true);
});

test("trap 15: what answers an allowed connection needs no rule of its own, what is opened anew does", () => {
  const spec = {
    podSelector: appDb,
    policyTypes: ["Ingress", "Egress"],
    ingress: [{ from: [{ podSelector: appWeb }] }],
  };
  expect([allows(spec, web, db), allows(spec, db, web)]).toEqual([true, false]);
});

test("the node reaches its pods whatever the policy says", () => {
  expect(allows({ podSelector: {}, policyTypes: ["Ingress"] }, "192.0.2.10", db)).toBe(true);
});

test("policies add up: what one allows, another's isolation does not take away", () => {
  const text = [
    { podSelector: {}, policyTypes: ["Ingress"] },
    { podSelector: appDb, ingress: [{ from: [{ podSelector: appWeb }] }] },
  ]
    .map((spec, i) =>
      stringify({
        apiVersion: "networking.k8s.io/v1",
        kind: "NetworkPolicy",
        metadata: { name: `p${i}`, namespace: "shop" },
        spec,
      }),
    )
    .join("---\n");
  const { set } = buildPolicySet(parseFiles([{ name: "x", text }]).resources, {
    now: NOW,
    strict: false,
    mode: "enforce",
  });
  const verdict = (source: string) =>
    decide(
      set,
      index,
      { source, destination: db, protocol: 6, port: 80 },
      { now: NOW, view: "live" },
    ).verdict;
  expect([verdict(web), verdict(other)]).toEqual(["allow", "drop"]);
});
