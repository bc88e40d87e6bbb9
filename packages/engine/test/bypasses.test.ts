/**
 * Ways in which enforcement of policies was bypassed in the field, as far as the engine can stand against them. Each
 * test names where it happened.
 */
import { describe, expect, it } from "vitest";
import {
  canonicalHostPolicy,
  TCP,
  type FlowQuery,
  type Inventory,
  type PolicySet,
} from "@bulkhead/model";
import { compile, decide, indexInventory, lookup } from "../src/index.ts";
import { endpointOf } from "./worlds.ts";
import {
  any,
  block,
  chosen,
  cidr,
  everyPort,
  inventory,
  nativeSet,
  rule,
  T0,
  tcp,
  workload,
} from "./small-sets.ts";

const LIVE = { now: T0, view: "live" } as const;

function flow(source: string, destination: string, port = 80): FlowQuery {
  return { source, destination, protocol: TCP, port };
}

/** Decides, and holds the compiled form to it on the way. */
function verdict(set: PolicySet, world: Inventory, query: FlowQuery): string {
  const said = decide(set, indexInventory(world), query, LIVE).verdict;
  const looked = lookup(compiled(set, world), "live", query, T0).verdict;
  return said === looked ? said : `decide says ${said}, the compiled form ${looked}`;
}

function compiled(set: PolicySet, world: Inventory) {
  const endpoints = world.workloads.filter(({ hostNetwork }) => !hostNetwork).map(endpointOf);
  return compile(set, world, { now: T0, revision: 1, endpoints }).policy;
}

const web = workload("shop/web", "10.0.0.1", { app: "web" });
const db = workload("shop/db", "10.0.0.2", { app: "db" });

describe("bypasses that the engine must not allow", () => {
  it("CVE-2024-47825: a broad CIDR deny holds against a narrower allow that isolates nothing", () => {
    const deny = block("deny", "egress", "shop:app=web", [rule("deny", [cidr("10.0.0.0/8")])], {
      isolates: false,
    });
    const allow = block(
      "allow",
      "egress",
      "shop:app=web",
      [rule("allow", [cidr("10.1.2.3/32")], [tcp(443)])],
      { isolates: false },
    );
    const world = inventory([web]);
    for (const application of [
      [deny, allow],
      [allow, deny],
    ]) {
      const set = nativeSet({ application });
      expect(verdict(set, world, flow("10.0.0.1", "10.1.2.3", 443))).toBe("drop");
      expect(verdict(set, world, flow("10.0.0.1", "10.1.2.4", 443))).toBe("drop");
      expect(verdict(set, world, flow("10.0.0.1", "11.0.0.1", 443))).toBe("allow");
    }
  });

  it("CVE-2025-64715: an allow from a group that resolves to nobody stays a deny, also through JSON", () => {
    const world = inventory([web, db]);
    for (const peers of [[], [chosen("shop:app=nobody")], [chosen("gone:")]]) {
      const set = nativeSet({
        application: [block("db", "ingress", "shop:app=db", [rule("allow", peers)])],
      });
      expect(verdict(set, world, flow("10.0.0.1", "10.0.0.2"))).toBe("drop");
      const again: PolicySet = JSON.parse(JSON.stringify(set));
      expect(verdict(again, world, flow("10.0.0.1", "10.0.0.2"))).toBe("drop");
    }
  });

  it("CVE-2024-7598: when a namespace's record and labels go, its policies still hold", () => {
    const byName = nativeSet({
      application: [block("lock", "ingress", "shop:", [])],
    });
    const bySelector = nativeSet({
      application: [
        block(
          "lock",
          "ingress",
          {
            ...chosen("*:"),
            namespaces: {
              kind: "selected",
              selector: {
                requirements: [
                  { key: "kubernetes.io/metadata.name", operator: "In", values: ["shop"] },
                ],
              },
            },
          },
          [],
        ),
      ],
    });
    const before = inventory([web, db], [], [{ name: "shop", labels: {} }]);
    const after = inventory([web, db], [], []);
    for (const set of [byName, bySelector]) {
      expect(verdict(set, before, flow("10.0.0.1", "10.0.0.2"))).toBe("drop");
      expect(verdict(set, after, flow("10.0.0.1", "10.0.0.2"))).toBe("drop");
    }
  });

  it("CVE-2024-42488: labels and workloads in any order of events give one compiled form", () => {
    const labels = { app: "db", tier: "back", team: "x" };
    const orders = [
      ["app", "tier", "team"],
      ["team", "tier", "app"],
      ["tier", "team", "app"],
    ] as const;
    const set = nativeSet({
      application: [
        block("db", "ingress", "shop:app=db,tier=back", [rule("allow", [chosen("shop:app=web")])]),
      ],
    });
    const texts = orders.flatMap((keys) => {
      const ordered = Object.fromEntries(keys.map((key) => [key, labels[key]]));
      const late = workload("shop/db", "10.0.0.2", ordered);
      return [inventory([late, web]), inventory([web, late])].map((world) =>
        canonicalHostPolicy({
          ...compiled(set, world),
          endpoints: [],
        }),
      );
    });
    expect(new Set(texts).size).toBe(1);
  });

  it("Cilium #16565: an address that changed hands is judged as its new owner's, in both roles", () => {
    const set = nativeSet({
      application: [
        block("db", "ingress", "shop:app=db", [rule("allow", [chosen("shop:app=web")])]),
        block("web", "egress", "shop:app=web", [rule("allow", [any])]),
      ],
    });
    const intruder = workload("shop/intruder", "10.0.0.1", { app: "other" });
    expect(verdict(set, inventory([web, db]), flow("10.0.0.1", "10.0.0.2"))).toBe("allow");
    expect(verdict(set, inventory([intruder, db]), flow("10.0.0.1", "10.0.0.2"))).toBe("drop");
    // And while both claim it, whoever came first, the old owner's permissions are nobody's.
    const both = [inventory([web, intruder, db]), inventory([intruder, web, db])];
    for (const world of both) {
      expect(verdict(set, world, flow("10.0.0.1", "10.0.0.2"))).toBe("drop");
    }
    expect(both.map((world) => indexInventory(world).contested)).toEqual([
      [{ address: "10.0.0.1", workloads: ["shop/intruder", "shop/web"] }],
      [{ address: "10.0.0.1", workloads: ["shop/intruder", "shop/web"] }],
    ]);
  });

  it("CVE-2023-39347: a workload gains nothing by labels that name a namespace", () => {
    const set = nativeSet({
      application: [
        block("db", "ingress", "shop:app=db", [rule("allow", [chosen("shop:app=web")])]),
      ],
    });
    const forged = workload("evil/web", "10.0.0.9", {
      app: "web",
      namespace: "shop",
      "kubernetes.io/metadata.name": "shop",
      "io.kubernetes.pod.namespace": "shop",
    });
    expect(verdict(set, inventory([forged, db]), flow("10.0.0.9", "10.0.0.2"))).toBe("drop");
  });

  it("GHSA-pfhr-pccp-hwmh: a namespace cannot call itself by another one's name", () => {
    const selected = {
      ...chosen("*:app=web"),
      namespaces: {
        kind: "selected" as const,
        selector: {
          requirements: [
            {
              key: "kubernetes.io/metadata.name",
              operator: "In" as const,
              values: ["shop"],
            },
          ],
        },
      },
    };
    const set = nativeSet({
      application: [block("db", "ingress", "shop:app=db", [rule("allow", [selected])])],
    });
    const forged = workload("evil/web", "10.0.0.9", { app: "web" });
    const namespaces = [{ name: "evil", labels: { "kubernetes.io/metadata.name": "shop" } }];
    const world = inventory([forged, web, db], [], namespaces);
    expect(verdict(set, world, flow("10.0.0.9", "10.0.0.2"))).toBe("drop");
    expect(verdict(set, world, flow("10.0.0.1", "10.0.0.2"))).toBe("allow");
  });

  it("GHSA-8fg8-jh2h-f2hc: only the host's own addresses are the host, in IPv6 too", () => {
    const six = workload("shop/db", ["10.0.0.2", "fd00::2"], { app: "db" });
    const set = nativeSet({ application: [block("db", "ingress", "shop:app=db", [])] });
    const world = inventory([six], ["10.0.0.254", "fd00::fe"]);
    expect(verdict(set, world, flow("fd00::fe", "fd00::2"))).toBe("allow");
    for (const outsider of ["2001:db8::1", "fd00::ff", "::1", "::"]) {
      expect(verdict(set, world, flow(outsider, "fd00::2"))).toBe("drop");
    }
  });

  it("traps 5 and 6: a workload on the host's network is neither subject nor peer by selector", () => {
    const agent = workload("shop/agent", "10.0.0.77", { app: "web" }, { hostNetwork: true });
    const set = nativeSet({
      application: [
        block("db", "ingress", "shop:app=db", [rule("allow", [chosen("shop:app=web")])]),
        block("web", "egress", "shop:app=web", []),
      ],
    });
    const world = inventory([agent, db]);
    expect(verdict(set, world, flow("10.0.0.77", "10.0.0.2"))).toBe("drop");
    expect(verdict(set, world, flow("10.0.0.77", "192.0.2.1"))).toBe("allow");
  });

  it("a workload that claims the host's address loses the host's exemption, it does not gain it", () => {
    const claimant = workload("shop/web", "10.0.0.254", { app: "web" });
    const set = nativeSet({ application: [block("db", "ingress", "shop:app=db", [])] });
    expect(verdict(set, inventory([db]), flow("10.0.0.254", "10.0.0.2"))).toBe("allow");
    expect(verdict(set, inventory([claimant, db]), flow("10.0.0.254", "10.0.0.2"))).toBe("drop");
  });

  it("a rule that nobody can evaluate is compiled into nothing: the set is refused", () => {
    const set = nativeSet({
      application: [
        block("ask", "ingress", "shop:app=db", [
          rule("custom", [any]),
          rule("allow", [any], [everyPort]),
        ]),
      ],
    });
    expect(() =>
      compile(set, inventory([web, db]), { now: T0, revision: 1, endpoints: [] }),
    ).toThrow("above layer 4");
  });
});
