import {
  formatDiagnostic,
  type Edge,
  type Inventory,
  type Labels,
  type Workload,
} from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { lintLabels } from "../../src/labels/index.ts";

function workload(name: string, labels: Labels, over: Partial<Workload> = {}): Workload {
  return {
    id: `shop/${name}`,
    namespace: "shop",
    name,
    kind: "netns",
    labels,
    addresses: [],
    namedPorts: [],
    hostNetwork: false,
    ...over,
  };
}

const estate = (workloads: readonly Workload[]): Inventory => ({
  workloads,
  namespaces: [],
  hostAddresses: [],
});

function edge(inventory: Inventory, from: string, to: string, port: number): Edge {
  const end = (name: string) => {
    const found = inventory.workloads.find((one) => one.name === name);
    return found === undefined
      ? { address: name, name: "world", labels: {} }
      : { address: `10.0.0.${name}`, workload: found.id, name: found.id, labels: found.labels };
  };
  return {
    source: end(from),
    destination: end(to),
    protocol: 6,
    port,
    verdict: "forwarded",
    connections: 40,
    established: 40,
    failed: 0,
    bytes: 80_000,
    packets: 400,
    firstSeen: 1000,
    lastSeen: 2000,
    windows: 30,
  };
}

function told(
  workloads: readonly Workload[],
  calls: readonly (readonly [string, string, number])[] = [],
): readonly string[] {
  const inventory = estate(workloads);
  const edges = calls.map(([from, to, port]) => edge(inventory, from, to, port));
  return lintLabels(inventory, edges).map(
    ({ code, message, help }) => `${code} ${message}${help === undefined ? "" : ` | ${help}`}`,
  );
}

const checkouts = (count: number): readonly Workload[] =>
  Array.from({ length: count }, (_, at) => workload(`c${at}`, { app: "checkout" }));

describe("linting labels by their words", () => {
  it("finds slips and other ways of writing, and says what was meant", () => {
    expect(told([...checkouts(4), workload("typo", { app: "chekout" })])).toEqual([
      "BH0740 `app=chekout` of `shop/typo` looks like `app=checkout`, which 4 others bear | bulkhead label shop/typo app=checkout",
    ]);
    expect(told([...checkouts(3), workload("big", { app: "Check_Out" })])[0]).toContain(
      "bulkhead label shop/big app=checkout",
    );
  });

  it("finds a slip that one of four makes, of short words one of five", () => {
    const slips = (meant: string, slip: string, count: number) =>
      told([
        ...Array.from({ length: count }, (_, at) => workload(`m${at}`, { app: meant })),
        workload("s", { app: slip }),
      ]).length;
    expect([slips("checkout", "chekout", 3), slips("checkout", "chekout", 2)]).toEqual([1, 0]);
    expect([slips("cart", "card", 4), slips("cart", "card", 3)]).toEqual([1, 0]);
  });

  it("finds two words for one thing, whoever bears which, and says which is usual", () => {
    const named = (words: readonly string[], key = "app") =>
      words.map((word, at) => workload(`w${at}`, { [key]: word }));
    expect(told(named(["orders-db", "orders-db", "orders-database"]))).toEqual([
      "BH0740 `app=orders-database` of `shop/w2` says the same as `app=orders-db`, which 2 others bear | bulkhead label shop/w2 app=orders-db",
    ]);
    expect(told(named(["storefront", "storefront", "store"]))).toEqual([]);
    // Of two that are as usual nobody can say which is meant.
    expect(told(named(["db", "database"]))).toEqual([
      "BH0740 `app=db` of `shop/w0` says the same as `app=database`, which another one bears",
    ]);
    expect(told(named(["prod", "prod", "production"], "environments"))).toHaveLength(1);
    expect(told([...named(["a", "b", "c"], "application"), workload("x", { app: "d" })])).toEqual([
      "BH0740 key `app` of `shop/x` looks like `application`, which 3 others bear | bulkhead label shop/x application=d app-",
    ]);
  });

  it("compares environments of all namespaces, and whatever their bearers do", () => {
    const at = (namespace: string, env: string) =>
      workload(namespace, { env }, { id: `${namespace}/web`, namespace });
    expect(told([at("a", "prod"), at("b", "prod"), at("c", "production"), at("d", "prd")])).toEqual(
      [
        "BH0740 `env=prd` of `d/web` says the same as `env=prod`, which 2 others bear | bulkhead label d/web env=prod",
        "BH0740 `env=production` of `c/web` says the same as `env=prod`, which 2 others bear | bulkhead label c/web env=prod",
      ],
    );
    expect(told([at("a", "prod"), at("b", "preprod"), at("c", "dev")])).toEqual([]);
  });

  it("takes like words for meant where many bear both, or where they are too short to tell", () => {
    const cards = [1, 2, 3].map((at) => workload(`card${at}`, { app: "cards" }));
    const carts = [1, 2, 3, 4].map((at) => workload(`cart${at}`, { app: "carts" }));
    expect(told([...cards, ...carts])).toEqual([]);
    expect(
      told([...checkouts(2), workload("a", { app: "api" }), workload("b", { app: "app" })]),
    ).toEqual([]);
  });

  it("does not take two words for one whose bearers do different things", () => {
    const all = [
      ...checkouts(4),
      workload("other", { app: "checkouts" }),
      workload("db", { app: "db" }),
    ];
    const calls = [0, 1, 2, 3].map((at) => [`c${at}`, "db", 5432] as const);
    expect(told(all)).toHaveLength(1);
    expect(told(all, [...calls, ["db", "other", 9999]])).toEqual([]);
  });

  it("finds a key that was meant to be another, once, and not as a missing one besides", () => {
    expect(told([...checkouts(5), workload("slip", { ap_p: "db" })])).toEqual([
      "BH0740 key `ap_p` of `shop/slip` looks like `app`, which 5 others bear | bulkhead label shop/slip app=db ap_p-",
    ]);
  });

  it("finds who lacks what all others bear, with its value if those who do the same bear one", () => {
    const tiers = (tier: string) => (name: string) =>
      workload(name, { app: name.slice(0, 1), tier });
    const all = [
      ...["w1", "w2", "w3"].map(tiers("front")),
      ...["d1", "d2"].map(tiers("data")),
      workload("w4", { app: "w" }),
    ];
    const message =
      "BH0741 `shop/w4` has no label `tier`, which all 5 others of its application bear";
    expect(told(all)).toEqual([message]);
    const calls = ["w1", "w2", "w3", "w4"].map((name) => [name, "d1", 5432] as const);
    expect(told(all, calls)).toContain(`${message} | bulkhead label shop/w4 tier=front`);
  });

  it("finds values that count copies", () => {
    const copies = [1, 2, 3].map((at) => workload(`web-${at}`, { app: `web-${at}` }));
    expect(told(copies)).toEqual([
      "BH0744 `app` counts copies: `web-1` and 2 more like it, each of one workload | bulkhead label shop/web-1 app=web; bulkhead label shop/web-2 app=web; bulkhead label shop/web-3 app=web",
    ]);
    expect(told([1, 2, 3].map((at) => workload(`p${at}`, { instance: `web-${at}` })))).toEqual([]);
  });

  it("points at the file that declares a workload, and leaves what a system wrote", () => {
    const source = { file: "estate.yaml", line: 7, column: 7 };
    const inventory = estate([...checkouts(4), workload("typo", { app: "chekout" }, { source })]);
    const [finding] = lintLabels(inventory, []);
    expect(formatDiagnostic(finding!)).toContain("estate.yaml:7:7: warning BH0740");
    expect(finding?.help).toBe("at estate.yaml:7:7: app=checkout");
    const system = checkouts(4).map((one) => ({
      ...one,
      labels: { "kubernetes.io/arch": "amd64" },
    }));
    expect(told([...system, workload("x", { "kubernetes.io/arch": "amd46" })])).toEqual([]);
  });

  it("is silent where all is well, obeys what is disabled, and is strict where that is wanted", () => {
    expect(told(checkouts(5))).toEqual([]);
    const inventory = estate([...checkouts(4), workload("typo", { app: "chekout" })]);
    expect(lintLabels(inventory, [], { disabled: ["BH0740"] })).toEqual([]);
    expect(lintLabels(inventory, [], { strict: true })[0]?.severity).toBe("error");
  });
});

describe("linting labels by what their bearers do", () => {
  const webs = ["w1", "w2", "w3", "w4"];
  const calls = [
    ...webs.map((name) => [name, "d1", 5432] as const),
    ...webs.map((name) => ["203.0.113.9", name, 443] as const),
  ];

  it("finds one of a role that is labelled as another", () => {
    const all = [
      ...webs.map((name) => workload(name, { app: name === "w4" ? "legacy" : "web" })),
      workload("d1", { app: "db" }),
    ];
    expect(told(all, calls)).toEqual([
      "BH0742 `shop/w4` does what 3 workloads labelled `app=web` do, and is labelled `app=legacy` | bulkhead label shop/w4 app=web",
    ]);
    expect(told(all)).toEqual([]);
  });

  it("finds one label for all, and a label for each", () => {
    const one = [...webs, "d1"].map((name) => workload(name, { app: "shop" }));
    expect(told(one, calls).map((line) => line.split(" ")[0])).toEqual(["BH0743", "BH0743"]);
    const each = [...webs, "d1"].map((name, at) => workload(name, { app: `x${"abcde"[at]}` }));
    expect(told(each, calls).map((line) => line.split(" ")[0])).toEqual(["BH0744", "BH0744"]);
  });

  it("agrees with labels that say what is seen", () => {
    const good = [
      ...webs.map((name) => workload(name, { app: "web" })),
      workload("d1", { app: "db" }),
    ];
    expect(told(good, calls)).toEqual([]);
  });
});
