import { formatPort, formatSelector, type Edge, type SuggestedPeer } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { suggest, type SuggestOptions } from "../src/index.ts";
import {
  edge,
  intruderEdges,
  inventoryOf,
  SHOP,
  shopEdges,
  silent,
  USERS,
  workload,
} from "./shop.ts";

const inventory = inventoryOf();

function peer(value: SuggestedPeer): string {
  if (value.kind === "host") return "host";
  if (value.kind === "networkSet") return `set ${value.name}`;
  return `${value.namespace}: ${formatSelector(value.selector)}`;
}

function rulesOf(
  edges: readonly Edge[],
  known = inventory,
  options?: SuggestOptions,
): readonly string[] {
  return suggest(edges, known, options).rules.map((rule) => {
    const ports = rule.ports.map((port) => formatPort(port.protocol, port.port)).join(" ");
    return `${rule.namespace}/${rule.name}${rule.rare ? " (rare)" : ""}: ${peer(rule.from)} → ${peer(rule.to)} ${ports}`;
  });
}

function asideOf(edges: readonly Edge[], known = inventory): readonly string[] {
  return suggest(edges, known).setAside.map(
    ({ edge: one, reason }) =>
      `${reason}: ${one.source.name} → ${one.destination.name} ${one.port}`,
  );
}

describe("the shop", () => {
  it("needs few rules, none of which names a copy or the intruder", () => {
    const rules = rulesOf([...shopEdges(), ...intruderEdges()]);
    expect(rules).toEqual([
      "shop/checkout-to-world: shop: app=checkout → set shop/outside-of-checkout 8443/tcp",
      "shop/clients-to-cache: shop: app in (checkout,storefront) → shop: app=cache 6379/tcp",
      "shop/clients-to-db: shop: app in (checkout,storefront) → shop: app=db 5432/tcp",
      "shop/clients-to-dns: shop: app in (checkout,metrics,report,storefront,users,web) → shop: app=dns 53/udp",
      "shop/metrics-to-checkout: shop: app=metrics → shop: app=checkout 9100/tcp",
      "shop/metrics-to-storefront: shop: app=metrics → shop: app=storefront 9100/tcp",
      "shop/metrics-to-web: shop: app=metrics → shop: app=web 8088/tcp",
      "shop/storefront-to-checkout: shop: app=storefront → shop: app=checkout 8081/tcp",
      "shop/users-to-web: shop: app=users → shop: app=web 80/tcp",
      "shop/web-to-storefront: shop: app=web → shop: app=storefront 8080/tcp",
      "shop/report-to-cache (rare): shop: app=report → shop: app=cache 6379/tcp",
      "shop/report-to-db (rare): shop: app=report → shop: app=db 5432/tcp",
    ]);
  });

  it("isolates the whole namespace, the intruder included", () => {
    const { isolations } = suggest([...shopEdges(), ...intruderEdges()], inventory);
    expect(isolations).toEqual([
      { name: "default-deny", namespace: "shop", selector: { requirements: [] }, workloads: 11 },
    ]);
  });

  it("sets every edge of the intruder aside, answered or not, and says why", () => {
    const edges = intruderEdges();
    const { setAside, flagged } = suggest([...shopEdges(), ...edges], inventory);
    expect(setAside.length).toBe(edges.length);
    expect(new Set(setAside.map((item) => item.reason))).toEqual(
      new Set(["scan", "flagged-source"]),
    );
    expect(flagged).toEqual([
      {
        name: "shop/intruder",
        address: "10.0.0.66",
        level: "scanner",
        targets: 42,
        unanswered: 36,
        since: 1_000_000,
      },
    ]);
  });

  it("names the namespace for DNS only when all of it asks", () => {
    const asking = [...USERS, "report", "db", "cache", "intruder"];
    const all = asking.map((name) => edge(name, "dns", "53/udp"));
    expect(rulesOf(all)).toEqual(["shop/clients-to-dns: shop:  → shop: app=dns 53/udp"]);
    const [silentOne, ...others] = all;
    expect(silentOne?.source.name).toBe("shop/users");
    expect(rulesOf(others)[0]).toContain("app in (");
  });
});

describe("evidence", () => {
  it("of a batch job that runs rarely is enough, and is marked", () => {
    const once = { connections: 1, established: 1, bytes: 5_000, packets: 20, windows: 1 };
    expect(rulesOf([edge("report", "db", "5432/tcp", once)])).toEqual([
      "shop/report-to-db (rare): shop: app=report → shop: app=db 5432/tcp",
    ]);
  });

  it("of a long-lived connection counts before its bytes are known", () => {
    const pool = { connections: 1, established: 1, bytes: 0, packets: 0, windows: 1 };
    expect(rulesOf([edge("checkout", "db", "5432/tcp", pool)])).toHaveLength(1);
  });

  it("of a connection from before anybody looked is enough, and not rare", () => {
    const before = { connections: 0, established: 0, bytes: 500_000, packets: 5_000, windows: 0 };
    expect(rulesOf([edge("checkout", "db", "5432/tcp", before)])).toEqual([
      "shop/checkout-to-db: shop: app=checkout → shop: app=db 5432/tcp",
    ]);
    const failure = { ...before, failed: 1, bytes: 60 };
    expect(asideOf([edge("checkout", "db", "5432/tcp", failure)])).toEqual([
      "failed: shop/checkout → shop/db 5432",
    ]);
  });

  it("is none in a connect that was never answered", () => {
    expect(asideOf([edge("web", "db", "5432/tcp", silent())])).toEqual([
      "failed: shop/web → shop/db 5432",
    ]);
  });

  it("is none in a single handshake without a word, but a health check is a habit", () => {
    const shake = { connections: 1, established: 1, bytes: 7 * 52 + 16, packets: 7, windows: 1 };
    expect(asideOf([edge("web", "db", "5432/tcp", shake)])).toEqual([
      "one-off: shop/web → shop/db 5432",
    ]);
    const habit = { connections: 30, established: 30, bytes: 30 * 380, packets: 210, windows: 30 };
    expect(rulesOf([edge("web", "db", "5432/tcp", habit)])).toHaveLength(1);
  });

  it("of one copy speaks for the others of its role", () => {
    const { accepted, rules } = suggest(
      [edge("storefront-1", "db", "5432/tcp"), edge("storefront-2", "db", "5432/tcp", silent())],
      inventory,
    );
    expect(accepted).toHaveLength(2);
    expect(rules[0]?.evidence).toMatchObject({ edges: 2, connections: 41, failed: 1 });
  });

  it("is none in what was denied or forged when it was seen", () => {
    expect(
      asideOf([
        edge("web", "db", "5432/tcp", { verdict: "dropped", rule: "Policy/shop/db#ingress" }),
        edge("web", "cache", "6379/tcp", { verdict: "rejected" }),
        edge("users", "db", "5432/tcp", { verdict: "spoofed" }),
      ]),
    ).toEqual([
      "spoofed: shop/users → shop/db 5432",
      "denied: shop/web → shop/cache 6379",
      "denied: shop/web → shop/db 5432",
    ]);
  });

  it("counts audited traffic: it was forwarded", () => {
    expect(rulesOf([edge("web", "db", "5432/tcp", { verdict: "audit" })])).toHaveLength(1);
  });

  it("of workloads that have gone is kept, by the labels they had", () => {
    const gone = edge("report", "db", "5432/tcp");
    const without = inventoryOf(SHOP.filter((one) => one.name !== "report"));
    expect(rulesOf([gone], without)).toEqual([
      "shop/report-to-db: shop: app=report → shop: app=db 5432/tcp",
    ]);
  });
});

describe("behaviour", () => {
  it("below a scan makes single windows suspicious, not habits", () => {
    const misses = [1, 2, 3].map((port) => edge("web", "db", `${port}/tcp`, silent()));
    const once = { connections: 1, established: 1, bytes: 5_000, packets: 20, windows: 1 };
    const edges = [
      ...misses,
      edge("web", "storefront-1", "8080/tcp"),
      edge("web", "cache", "6379/tcp", once),
    ];
    expect(rulesOf(edges)).toEqual([
      "shop/web-to-storefront: shop: app=web → shop: app=storefront 8080/tcp",
    ]);
    expect(asideOf(edges)).toContain("suspicious-source: shop/web → shop/cache 6379");
  });

  it("holds what may be answered yet against nobody, but for a whole scan", () => {
    const opened = { connections: 1, established: 0, failed: 0, bytes: 60, packets: 1, windows: 1 };
    const once = { connections: 1, established: 1, bytes: 5_000, packets: 20, windows: 1 };
    const open = (count: number) =>
      Array.from({ length: count }, (_, port) => edge("report", "db", `${port + 1}/tcp`, opened));
    const answered = edge("report", "cache", "6379/tcp", once);
    expect(rulesOf([answered, ...open(3)])).toEqual([
      "shop/report-to-cache (rare): shop: app=report → shop: app=cache 6379/tcp",
    ]);
    expect(asideOf([answered, ...open(3)])).toContain("pending: shop/report → shop/db 1");
    const failed = edge("report", "db", "1/tcp", silent());
    expect(asideOf([answered, failed])).toContain("failed: shop/report → shop/db 1");
    expect(rulesOf([answered, ...open(8)])).toEqual([]);
    expect(asideOf([answered, ...open(8)])).toContain(
      "flagged-source: shop/report → shop/cache 6379",
    );
  });

  it("of a program that scans only lately leaves its old habits standing", () => {
    const hour = 3_600_000;
    const habit = edge("web", "storefront-1", "8080/tcp", { firstSeen: 0, lastSeen: hour });
    const scan = Array.from({ length: 20 }, (_, port) =>
      edge("web", "db", `${port + 1}/tcp`, silent({ firstSeen: hour, lastSeen: hour })),
    );
    const fresh = edge("web", "cache", "6379/tcp", { firstSeen: hour, lastSeen: hour });
    expect(rulesOf([habit, ...scan, fresh])).toEqual([
      "shop/web-to-storefront: shop: app=web → shop: app=storefront 8080/tcp",
    ]);
  });

  it("is judged mildly by what policy stopped, which might have been answered", () => {
    const stopped = (count: number) =>
      Array.from({ length: count }, (_, port) =>
        edge("web", "db", `${port + 1}/tcp`, { ...silent(), verdict: "dropped" }),
      );
    const level = (count: number) => suggest(stopped(count), inventory).flagged[0]?.level;
    expect([3, 8, 9, 23, 24].map(level)).toEqual([
      undefined,
      undefined,
      "suspicious",
      "suspicious",
      "scanner",
    ]);
  });

  it("of a scraper with a few targets down is no scan", () => {
    const up = ["web", "checkout", "storefront-1", "storefront-2"].map((to) =>
      edge("metrics", to, "9100/tcp"),
    );
    const broken = ["db", "cache"].map((to) =>
      edge("metrics", to, "9100/tcp", silent({ windows: 20 })),
    );
    const { flagged, rules } = suggest([...up, ...broken], inventory);
    expect(flagged).toEqual([]);
    expect(rules.map((rule) => rule.name)).toEqual(["metrics-to-many"]);
  });

  it("of a scanner that shares its labels with an honest copy is reported as covered", () => {
    const honest = edge("storefront-1", "db", "5432/tcp");
    const scan = Array.from({ length: 10 }, (_, port) =>
      edge("storefront-2", "cache", `${port + 1}/tcp`, silent()),
    );
    const own = edge("storefront-2", "db", "5432/tcp");
    const { covered, setAside } = suggest([honest, own, ...scan], inventory);
    expect(covered.map((item) => item.edge)).toEqual([own]);
    expect(covered[0]?.detail).toContain("`storefront-to-db` allows it all the same");
    expect(setAside).toHaveLength(10);
  });
});

describe("outside", () => {
  const outside = (count: number, port = "443/tcp") =>
    Array.from({ length: count }, (_, index) => edge("checkout", `203.0.113.${index + 1}`, port));

  it("a handful of addresses becomes a set of single addresses", () => {
    const { networkSets } = suggest(outside(3), inventory);
    expect(networkSets).toEqual([
      {
        name: "outside-of-checkout",
        namespace: "shop",
        cidrs: ["203.0.113.1/32", "203.0.113.2/32", "203.0.113.3/32"],
      },
    ]);
  });

  it("many addresses are a person's decision", () => {
    const { rules, setAside } = suggest(outside(9), inventory);
    expect(rules).toEqual([]);
    expect(setAside).toHaveLength(9);
    expect(setAside[0]?.detail).toContain("9 outside addresses");
  });

  it("ports with the same addresses share a set, others get their own", () => {
    const edges = [
      edge("checkout", "203.0.113.1", "443/tcp"),
      edge("checkout", "203.0.113.1", "80/tcp"),
      edge("checkout", "203.0.113.2", "25/tcp"),
    ];
    expect(rulesOf(edges)).toEqual([
      "shop/checkout-to-world-25: shop: app=checkout → set shop/outside-of-checkout 25/tcp",
      "shop/checkout-to-world-80: shop: app=checkout → set shop/outside-of-checkout-80 80/tcp 443/tcp",
    ]);
  });

  it("callers from outside are listed, too", () => {
    expect(rulesOf([edge("203.0.113.9", "web", "80/tcp")])).toEqual([
      "shop/world-to-web: set shop/callers-of-web → shop: app=web 80/tcp",
    ]);
  });

  it("a declared set keeps its name, a proposed one is proposed again", () => {
    const to = (name: string) => ({
      ...edge("checkout", "203.0.113.20", "8443/tcp"),
      destination: { address: "203.0.113.20", name, labels: {} },
    });
    expect(rulesOf([to("shop/payments")])).toEqual([
      "shop/checkout-to-payments: shop: app=checkout → set shop/payments 8443/tcp",
    ]);
    const again = suggest([to("shop/outside-of-checkout")], inventory);
    expect(again.networkSets).toHaveLength(1);
    expect(again).toEqual({
      ...suggest([to("world")], inventory),
      accepted: again.accepted,
      rules: again.rules,
    });
  });
});

describe("what needs no rule", () => {
  it.each([
    ["from-host", edge("host", "web", "80/tcp")],
    ["itself", edge("web", "web", "80/tcp")],
    ["not-a-workload", edge("203.0.113.1", "host", "22/tcp")],
    [
      "neighbour-discovery",
      { ...edge("web", "db", "0/tcp", {}, 6), protocol: 58, port: 135 * 256 },
    ],
  ])("%s", (reason, one) => {
    const { exempt, setAside, rules } = suggest([one], inventory);
    expect(exempt).toEqual([{ edge: one, reason }]);
    expect([...setAside, ...rules]).toEqual([]);
  });

  it("is no service: a response on a high port, a few pings, a broadcast", () => {
    const request = edge("web", "db", "5432/tcp");
    const answer = edge("db", "web", "49152/tcp", { windows: 2, connections: 2 });
    expect(
      asideOf([
        request,
        answer,
        edge("web", "cache", "2048/icmp", { windows: 2, connections: 2 }),
        edge("web", "224.0.0.251", "5353/udp"),
        edge("web", "255.255.255.255", "6000/udp", {
          destination: { address: "255.255.255.255", name: "broadcast", labels: {} },
        }),
      ]),
    ).toEqual([
      "ephemeral: shop/db → shop/web 49152",
      "multicast: shop/web → broadcast 6000",
      "ping: shop/web → shop/cache 2048",
      "multicast: shop/web → world 5353",
    ]);
  });

  it("keeps a service on a high port, and sets a spray of high ports aside", () => {
    expect(rulesOf([edge("web", "db", "40000/tcp")])).toHaveLength(1);
    const spray = [40_001, 40_002, 40_003, 40_004, 40_005].map((port) =>
      edge("web", "db", `${port}/tcp`, { windows: 2, connections: 2 }),
    );
    expect(new Set(asideOf(spray).map((text) => text.split(":")[0]))).toEqual(
      new Set(["ephemeral"]),
    );
  });
});

describe("namespaces and labels", () => {
  it("gives rules across namespaces their own names", () => {
    const all = [...SHOP, workload("prometheus", 90, { app: "prometheus" }, "ops")];
    const known = inventoryOf(all);
    const scrape = edge("ops/prometheus", "web", "9100/tcp", {}, 4, all);
    expect(rulesOf([scrape], known)).toEqual([
      "shop/ops-prometheus-to-web: ops: app=prometheus → shop: app=web 9100/tcp",
    ]);
    expect(suggest([scrape], known).isolations.map((one) => one.namespace)).toEqual([
      "ops",
      "shop",
    ]);
    expect(suggest([scrape], known, { namespaces: ["shop"] }).isolations).toHaveLength(1);
  });

  it("never isolates who cannot be named, and never allows them by silence", () => {
    const all = [...SHOP, workload("mystery", 91, {})];
    const known = inventoryOf(all);
    const edges = [
      edge("web", "db", "5432/tcp"),
      edge("mystery", "db", "5432/tcp", {}, 4, all),
      edge("mystery", "203.0.113.1", "80/tcp", {}, 4, all),
    ];
    const { isolations, exempt } = suggest(edges, known);
    expect(isolations.map((one) => formatSelector(one.selector))).toEqual(["app"]);
    expect(asideOf(edges, known)).toEqual(["unlabelled: shop/mystery → shop/db 5432"]);
    expect(exempt.map((item) => item.reason)).toEqual(["unlabelled"]);
  });

  it("leaves workloads on their machine's address to the host", () => {
    const all = SHOP.map((one) => (one.name === "db" ? { ...one, hostNetwork: true } : one));
    expect(asideOf([edge("web", "db", "5432/tcp")], inventoryOf(all))).toEqual([
      "host-network: shop/web → shop/db 5432",
    ]);
  });

  it("says nothing about a namespace that was silent", () => {
    const all = [...SHOP, workload("idle", 92, { app: "idle" }, "attic")];
    const { isolations } = suggest([edge("web", "db", "5432/tcp")], inventoryOf(all));
    expect(isolations.map((one) => one.namespace)).toEqual(["shop"]);
  });
});

describe("ends without a name of their own", () => {
  const nameless = (one: Edge): Edge => ({
    ...one,
    source: { ...one.source, workload: "default/ns-1", name: "default/ns-1", labels: {} },
  });

  it("are who owns their address now", () => {
    const before = nameless(edge("web", "db", "5432/tcp"));
    const outside: Edge = {
      ...edge("report", "db", "5432/tcp"),
      source: { address: "10.0.0.17", name: "world", labels: {} },
    };
    expect(rulesOf([before, outside])).toEqual([
      "shop/clients-to-db: shop: app in (report,web) → shop: app=db 5432/tcp",
    ]);
  });

  it("keep the labels they had when they had some", () => {
    const before = nameless(edge("web", "db", "5432/tcp"));
    const old: Edge = { ...before, source: { ...before.source, labels: { app: "old" } } };
    expect(rulesOf([old])).toEqual([
      "shop/default-old-to-db: default: app=old → shop: app=db 5432/tcp",
    ]);
  });

  it("are listed when nobody owns their address", () => {
    const stranger = nameless(edge("web", "db", "5432/tcp"));
    const { unlabelled } = suggest(
      [{ ...stranger, source: { ...stranger.source, address: "10.0.7.7" } }],
      inventory,
    );
    expect(unlabelled).toEqual(["default/ns-1"]);
  });
});
