/** What is probed: every rule that can be, every boundary between unlike groups, over both families; the rest is said to be skipped. */
import { describe, expect, it } from "vitest";
import { planProbes, type PlanOptions, type ProbePlan } from "../src/probes/probe-plan.ts";
import { buildWorld } from "../src/world/world.ts";
import { POLICY } from "./lab.ts";
import {
  endpoint,
  INVENTORY,
  NOW,
  reading,
  service,
  SHOP,
  shop,
  surroundings,
} from "./fixtures.ts";

function plan(text: string, more: Partial<PlanOptions> = {}): ProbePlan {
  const { reading: read, world } = shop([{ name: "p.yaml", text }]);
  return planProbes({ set: read.set, world, seen: [], now: NOW, ...more });
}

const words = (probes: ProbePlan, purpose: string) =>
  probes
    .filter(({ view }) => view.purpose === purpose)
    .map(
      (one) =>
        `${one.view.from} ${one.view.to} ${one.view.protocol}/${one.view.port} ${one.view.source.includes(":") ? 6 : 4} ${one.view.expected}${"skipped" in one ? " skipped" : ""}`,
    );

describe("rules", () => {
  it("tries each allowing rule over both families, once for both its ends", () => {
    expect(words(plan(POLICY.text), "rule")).toEqual([
      "shop/web shop/db 6/5432 4 pass",
      "shop/web shop/db 6/5432 6 pass",
    ]);
  });

  it("tries a denying rule as something that must not pass", () => {
    const deny = `apiVersion: bulkhead.dev/v1\nkind: Policy\nmetadata: { name: no, namespace: shop }\nspec:\n  tier: guardrail\n  subject: app=db\n  ingress:\n    - { action: deny, from: [app=evil], ports: [22/tcp] }\n`;
    expect(words(plan(deny), "rule")).toContain("shop/evil shop/db 6/22 4 blocked");
  });

  it("says of a rule that nobody can try that it is skipped", () => {
    const nobody = POLICY.text.replace("from: app=web", "from: app=nobody");
    const rules = plan(nobody).filter(({ view }) => view.purpose === "rule");
    expect(rules.length).toBeGreaterThan(0);
    expect(rules.every((one) => "skipped" in one)).toBe(true);
  });

  const about = (subject: string, section: string) =>
    `apiVersion: bulkhead.dev/v1\nkind: Policy\nmetadata: { name: p, namespace: shop }\nspec: { subject: ${subject}, ${section} }\n`;

  it.each([
    [
      "from outside",
      about("app=web", "ingress: [{ from: [{ entity: world }], ports: [80/tcp] }]"),
      { from: "world", to: "its subject" },
      /which nothing here can make: try 80\/tcp from world; `bulkhead observe --from world`/,
    ],
    [
      "from a prefix",
      about("app=web", "ingress: [{ from: [{ cidr: 203.0.113.0/24 }], ports: [80/tcp, 443/tcp] }]"),
      { from: "203.0.113.0/24", to: "its subject" },
      /try 80\/tcp, 443\/tcp from 203\.0\.113\.0\/24;/,
    ],
    [
      "to a prefix of which nobody is known",
      about("app=web", "egress: [{ to: [{ cidr: 203.0.113.0/24 }], ports: [443/tcp] }]"),
      { from: "its subject", to: "203.0.113.0/24" },
      /^no address of its peers is known to answer/,
    ],
    [
      "of nobody attached",
      about("app=nobody", "ingress: [{ from: [app=web], ports: [80/tcp] }]"),
      { from: "its peer", to: "its subject" },
      /^none of the workloads it is about is attached here/,
    ],
    [
      "of workloads that are not there",
      about("app=web", "ingress: [{ from: [app=nobody], ports: [80/tcp] }]"),
      { from: "its peer", to: "its subject" },
      /^nobody attached here can try it.*`bulkhead explain`/,
    ],
  ])("says why it cannot try a rule %s", (_, text, view, reason) => {
    const skipped = plan(text).flatMap((one) => ("skipped" in one ? [one] : []));
    expect(skipped).toMatchObject([{ view, skipped: expect.stringMatching(reason) }]);
  });

  it("covers a rule that another one overlaps", () => {
    const twice = `${POLICY.text}---\n${POLICY.text.split("---")[0]?.replace("web-db", "web-db-again")}`;
    expect(plan(twice).filter((one) => "skipped" in one)).toEqual([]);
  });

  it("probes nothing while everything is only audited", () => {
    const { reading: read, world } = shop([POLICY], "audit");
    expect(planProbes({ set: read.set, world, seen: [], now: NOW })).toEqual([]);
  });

  it("tries the outside address that a rule names", () => {
    const out = `apiVersion: bulkhead.dev/v1\nkind: NetworkSet\nmetadata: { name: bank, namespace: shop }\nspec: { cidrs: [203.0.113.20/32] }\n---\napiVersion: bulkhead.dev/v1\nkind: Intent\nmetadata: { name: pay, namespace: shop }\nspec: { from: app=web, to: { networkSet: bank }, ports: [443/tcp] }\n`;
    expect(words(plan(out), "rule")).toEqual(["shop/web 203.0.113.20 6/443 4 pass"]);
  });
});

describe("boundaries", () => {
  it("knocks where somebody would open", () => {
    const boundaries = words(plan(POLICY.text), "boundary");
    expect(boundaries).toEqual(
      expect.arrayContaining([
        "shop/evil shop/db 6/5432 4 blocked",
        "shop/evil shop/db 6/5432 6 blocked",
        "shop/evil shop/db 6/22 4 blocked",
        "shop/web shop/db 6/22 4 blocked",
        "shop/evil shop/web 6/80 4 blocked",
      ]),
    );
    expect(boundaries.every((text) => text.endsWith("blocked"))).toBe(true);
    expect(boundaries).not.toContain("shop/db shop/db 6/22 4 blocked");
  });

  it("lets one stand for all that are alike, and tries likes against each other", () => {
    const inventory = (count: number) =>
      `apiVersion: bulkhead.dev/v1\nkind: Inventory\nmetadata: { name: many, namespace: farm }\nspec:\n  workloads:\n${Array.from({ length: count }, (_, at) => `    - { name: w${at}, netns: w${at}, labels: { app: worker } }\n`).join("")}---\napiVersion: bulkhead.dev/v1\nkind: Policy\nmetadata: { name: shut, namespace: farm }\nspec: { subject: app=worker, ingress: [], egress: [] }\n`;
    const probes = (count: number) => {
      const read = reading([{ name: "farm.yaml", text: inventory(count) }]);
      const attached = Array.from({ length: count }, (_, at) =>
        endpoint(`w${at}`, {
          addresses: [`10.9.0.${at + 10}`],
          listeners: [{ protocol: 6, port: 80, family: 4 }],
        }),
      );
      const world = buildWorld(read.declared, surroundings(attached, { hostAddresses: [] }));
      return words(planProbes({ set: read.set, world, seen: [], now: NOW }), "boundary");
    };
    expect(probes(2)).toEqual(["farm/w0 farm/w1 6/80 4 blocked"]);
    expect(probes(50)).toEqual(probes(2));
  });

  it("counts what was left out by request as skipped", () => {
    const all = words(plan(POLICY.text), "boundary");
    const some = plan(POLICY.text, { maxBoundaries: 2 }).filter(
      ({ view }) => view.purpose === "boundary",
    );
    expect(some).toHaveLength(all.length);
    expect(some.filter((one) => "skipped" in one)).toHaveLength(all.length - 2);
  });

  it("tries only those asked for", () => {
    for (const { view } of plan(POLICY.text, { workloads: ["shop/web"] })) {
      expect([view.from, view.to]).toContain("shop/web");
    }
  });
});

describe("processes of the machine", () => {
  const socket = (port: number, address?: string) => ({
    family: 4 as const,
    protocol: 6,
    port,
    ...(address === undefined ? {} : { address }),
  });
  const UNITS = [
    service("/system.slice/front.service", { sockets: [socket(8080)] }),
    service("/system.slice/cache.service", { sockets: [socket(6379, "127.0.0.1")] }),
    service("/system.slice/idle.service"),
    service("/system.slice/idler.service"),
    service("/system.slice/idlest.service"),
    { ...service("/system.slice/feed.service"), gone: true as const },
  ];
  const about = (subject: string, section: string) =>
    `apiVersion: bulkhead.dev/v1\nkind: Policy\nmetadata: { name: ${subject}, namespace: host }\nspec: { subject: app=${subject}, ${section} }\n`;
  const planned = (...texts: string[]) => {
    const read = reading([INVENTORY, { name: "p.yaml", text: texts.join("---\n") }]);
    const world = buildWorld(read.declared, {
      ...SHOP,
      processes: UNITS,
      hostListeners: [
        { protocol: 6, port: 8080, family: 4 },
        { protocol: 6, port: 22, family: 4 },
      ],
    });
    return planProbes({ set: read.set, world, seen: [], now: NOW });
  };

  it("are called by those with a network of their own, and by one another where they wait", () => {
    const probes = planned(
      about("front", "ingress: [{ from: [{ selector: app=web, namespace: shop }] }]"),
      about("cache", "ingress: [{ from: [app=front], ports: [6379/tcp] }]"),
    );
    expect(words(probes, "rule")).toEqual([
      "host/front.service host/cache.service 6/6379 4 pass",
      "shop/web host/front.service 6/8080 4 pass",
      // It waits nowhere in this family: a socket is opened in its name.
      "shop/web host/front.service 6/6379 6 pass",
    ]);
    const near = probes.find(({ view }) => view.to === "host/cache.service" && "from" in view);
    expect(near?.view).toMatchObject({ source: "127.0.0.1", destination: "127.0.0.1" });
    const boundaries = words(probes, "boundary");
    expect(boundaries).toContain("shop/evil host/front.service 6/8080 4 blocked");
    expect(boundaries).toContain("host/idle.service host/front.service 6/8080 4 blocked");
    // It is front's, and over loopback nobody from outside comes.
    expect(boundaries.filter((one) => / host 6\/8080 /.test(one))).toEqual([]);
    expect(boundaries.filter((one) => /^shop\/\w+ host\/cache/.test(one))).toEqual([]);
    // Whom no selector tells from others, others stand for.
    expect(boundaries.filter((one) => one.startsWith("host/idlest"))).toEqual([]);
  });

  it("call from the machine's address nearest to the other, each in its own group", () => {
    const [rule] = planned(
      about(
        "front",
        "egress: [{ to: [{ selector: app=db, namespace: shop }], ports: [5432/tcp] }]",
      ),
    );
    expect(rule).toMatchObject({
      view: { from: "host/front.service", source: "10.9.0.1", destination: "10.9.0.11" },
      from: { cgroup: "/system.slice/front.service", netnsPath: "" },
    });
  });

  it("that do not run are asked for once, and for no boundary", () => {
    const probes = planned(
      about("feed", "egress: [{ to: [{ selector: app=db, namespace: shop }], ports: [5432/tcp] }]"),
    );
    expect(words(probes, "rule")).toEqual(["host/feed.service shop/db 6/5432 4 pass"]);
    expect(words(probes, "boundary").filter((one) => one.includes("feed"))).toEqual([]);
  });
});

describe("SCTP, whose listeners nobody lists", () => {
  const allow = (ports: string) =>
    `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: signalling, namespace: shop }
spec:
  subject: app=db
  ingress:
    - { action: allow, from: [app=web], ports: [${ports}] }
`;
  const both = (words: string): string[] => [`4 ${words}`, `6 ${words}`];
  const sctp = (probes: ProbePlan): string[] =>
    probes
      .filter(({ view }) => view.protocol === 132)
      .map(
        (one) =>
          `${one.view.source.includes(":") ? 6 : 4} ${one.view.purpose} ${one.view.from} ${one.view.to} ${one.view.port} ${one.view.expected}${"skipped" in one ? " skipped" : ""}`,
      )
      .toSorted();

  it("tries a rule where it points, and everybody else at the same door", () => {
    const probes = plan(allow("2905/sctp"));
    expect(sctp(probes)).toEqual(
      [
        ...both("boundary shop/evil shop/db 2905 blocked"),
        ...both("rule shop/web shop/db 2905 pass"),
      ].toSorted(),
    );
    expect(probes.filter((one) => "skipped" in one)).toEqual([]);
  });

  it("tries a rule about all of SCTP somewhere", () => {
    const probes = plan(allow("sctp"));
    expect(sctp(probes)).toEqual(
      [
        ...both("boundary shop/evil shop/db 9 blocked"),
        ...both("rule shop/web shop/db 9 pass"),
      ].toSorted(),
    );
    expect(probes.filter((one) => "skipped" in one)).toEqual([]);
  });

  it("tries a named port where the destination declares it, and keeps others out of it", () => {
    const inventory = `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: lab, namespace: shop }
spec:
  workloads:
    - { name: web, netns: web, labels: { app: web } }
    - { name: db, netns: db, labels: { app: db }, ports: [{ name: m3ua, port: 2905, protocol: sctp }] }
    - { name: evil, netns: evil, labels: { app: evil } }
`;
    const read = reading([
      { name: "inventory.yaml", text: inventory },
      { name: "p.yaml", text: allow("m3ua/sctp") },
    ]);
    const probes = planProbes({
      set: read.set,
      world: buildWorld(read.declared, SHOP),
      seen: [],
      now: NOW,
    });
    expect(sctp(probes)).toEqual(
      [
        ...both("boundary shop/evil shop/db 2905 blocked"),
        ...both("rule shop/web shop/db 2905 pass"),
      ].toSorted(),
    );
  });

  it("tries a rule that denies, and no door that no rule opens", () => {
    const deny = allow("2905/sctp")
      .replace("allow", "deny")
      .replace("spec:", "spec:\n  tier: guardrail");
    expect(sctp(plan(deny))).toEqual([...both("rule shop/web shop/db 2905 blocked")]);
  });
});

describe("while a rollout is under way", () => {
  const spared = (share: number) => {
    const { reading: read, world } = shop([POLICY], "enforce", { seed: 9, share });
    const probes = planProbes({ set: read.set, world, seen: [], now: NOW });
    return probes.map(({ view }) => ({ spared: view.spared === true, expected: view.expected }));
  };
  const whole = plan(POLICY.text);

  it("tries the same, and expects to pass whom the rollout does not hold for yet", () => {
    for (const share of [1, 5000, 9999]) {
      const probes = spared(share);
      expect(probes).toHaveLength(whole.length);
      for (const probe of probes) if (probe.spared) expect(probe.expected).toBe("pass");
    }
    const counts = [1, 5000, 9999].map((share) => spared(share).filter((one) => one.spared).length);
    const boundaries = whole.filter(({ view }) => view.expected === "blocked").length;
    expect([counts[0], counts[2]]).toEqual([boundaries, 0]);
    expect(counts[1]).toBeGreaterThan(0);
    expect(counts[1]).toBeLessThan(boundaries);
  });

  it("says nothing of that otherwise", () => {
    expect(whole.every(({ view }) => !("spared" in view))).toBe(true);
  });
});
