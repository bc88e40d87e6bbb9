/** What an update costs, clause by clause of the law: told by what it leaves alone, and by what it does not even look at. */
import { describe, expect, it } from "vitest";
import type { Block, HostPolicy, Inventory, PolicyMap, PolicySet, Workload } from "@bulkhead/model";
import {
  compile,
  createCompiler,
  indexInventory,
  reindexInventory,
  type CompileResult,
} from "../src/index.ts";
import {
  any,
  block,
  chosen,
  cidr,
  everyPort,
  inventory,
  nativeSet,
  policySet,
  rule,
  stage,
  T0,
  tcp,
  workload,
} from "./small-sets.ts";
import { endpointOf } from "./worlds.ts";

const web = workload("shop/web", "10.0.0.1", { app: "web" });
const db = workload("shop/db", "10.0.0.2", { app: "db" });
const cache = workload("shop/cache", "10.0.0.3", { app: "cache" });
const job = workload("ops/job", "10.0.0.4", { app: "job" });
const staff = [web, db, cache, job];

const onDb = block("db", "ingress", "shop:app=db", [
  rule("allow", [chosen("shop:app=web")], [tcp(5432)]),
]);
const onCache = block("cache", "ingress", "shop:app=cache", [
  rule("allow", [chosen("shop:app=web"), chosen("shop:app=db")], [tcp(6379)]),
]);
const onJob = block("job", "egress", "ops:app=job", [rule("allow", [chosen("shop:app=db")])]);
const set = nativeSet({ application: [onDb, onCache, onJob] });

/** A compiler with its world, as whoever keeps one uses it. Every answer is held to `compile`. */
function keeper(first: readonly Workload[] = staff, local: readonly Workload[] = staff) {
  const compiler = createCompiler();
  let index = indexInventory(inventory(first));
  return (
    policies: PolicySet,
    workloads: readonly Workload[] = first,
    now = T0,
    more: Partial<Inventory> = {},
  ): CompileResult => {
    const all = { ...inventory(workloads), ...more };
    index = reindexInventory(all, index);
    const options = { now, revision: 1, endpoints: local.map(endpointOf) };
    const result = compiler.update(policies, index, options);
    expect(result).toEqual(compile(policies, all, options));
    return result;
  };
}

/** `ingress db`: by direction and the first rule or block that its default row names. */
function mapsOf({ policy, cookies }: CompileResult): Map<string, PolicyMap> {
  const names = new Map(cookies.map(({ cookie, rule: name }) => [cookie, name]));
  const rows = new Map(policy.rows.map((row) => [row.id, row]));
  return new Map(
    policy.live.maps.map((map) => {
      const { cookie } = rows.get(map.defaultRow)!.others;
      return [`${map.direction} ${names.get(cookie)}`, map];
    }),
  );
}

function changedMaps(before: CompileResult, after: CompileResult): string[] {
  const old = mapsOf(before);
  const changed = [...mapsOf(after)].filter(([name, map]) => old.get(name) !== map);
  return changed.map(([name]) => name).toSorted();
}

function sharesRows(before: HostPolicy, after: HostPolicy): boolean {
  return after.rows.every(
    (row) => before.rows.every(({ id }) => id !== row.id) || before.rows.includes(row),
  );
}

/** Whoever looks into it fails. */
function sealed<T extends object>(value: T): T {
  let isSealed = false;
  const look = (target: T, name: string | symbol) => {
    if (isSealed) throw new Error(`somebody looked at ${String(name)}`);
    return Reflect.get(target, name) as unknown;
  };
  seals.push(() => (isSealed = true));
  return new Proxy(value, { get: look });
}
const seals: (() => void)[] = [];

describe("a workload whose hits are known", () => {
  const twin = workload("shop/twin", "10.0.0.9", { app: "web", build: "7" });

  it("changes only the maps that hold it, by one entry, and no row", () => {
    const update = keeper();
    const before = update(set);
    const after = update(set, [...staff, twin]);
    expect(changedMaps(before, after)).toEqual(["ingress cache", "ingress db"]);
    const [old, now] = [before, after].map((result) => mapsOf(result).get("ingress db")!);
    expect(now!.exact.map(([address]) => address)).toEqual(["10.0.0.1", "10.0.0.9"]);
    expect(now!.exact[1]![1]).toBe(old!.exact[0]![1]);
    expect(after.policy.rows).toBe(before.policy.rows);
    expect(after.policy.shadow).toBe(before.policy.shadow);
    expect(update(set).policy.live).toEqual(before.policy.live);
  });

  it("is the only one whose labels are read, and no rule is read for it", () => {
    const compiler = createCompiler();
    const old = staff.map((one) => ({ ...one, labels: sealed(one.labels) }));
    const policies = {
      ...set,
      stages: set.stages.map((one) => ({ ...one, blocks: sealed(one.blocks as Block[]) })),
    };
    const options = { now: T0, revision: 1, endpoints: staff.map(endpointOf) };
    const index = indexInventory(inventory(old));
    compiler.update(policies, index, options);
    for (const seal of seals) seal();
    expect(() => old[0]!.labels["app"]).toThrow("somebody looked at app");
    const all = inventory([...old, twin]);
    const after = compiler.update(policies, reindexInventory(all, index), options);
    expect(mapsOf(after).get("ingress db")!.exact).toHaveLength(2);
  });

  it("changes nothing where it says nothing new, and all of it moves along with its address", () => {
    const update = keeper();
    const before = update(set);
    const renamed = [{ ...web, labels: { app: "web", build: "8" } }, db, cache, job];
    expect(update(set, renamed).policy.live).toBe(before.policy.live);
    const moved = update(set, [{ ...web, addresses: ["10.0.0.8"] }, db, cache, job]);
    expect(
      mapsOf(moved)
        .get("ingress db")!
        .exact.map(([address]) => address),
    ).toEqual(["10.0.0.8"]);
    expect(changedMaps(before, moved)).toEqual(["ingress cache", "ingress db"]);
  });

  it("is no longer what it was when its namespace is relabelled", () => {
    const gold = {
      kind: "workloads" as const,
      namespaces: {
        kind: "selected" as const,
        selector: { requirements: [{ key: "tier", operator: "In" as const, values: ["gold"] }] },
      },
      selector: { requirements: [] },
    };
    const policies = nativeSet({
      application: [block("db", "ingress", "shop:app=db", [rule("allow", [gold])])],
    });
    const update = keeper();
    const peers = (labels: Record<string, string>) =>
      mapsOf(update(policies, staff, T0, { namespaces: [{ name: "ops", labels }] })).get(
        "ingress db",
      )!.exact;
    expect(peers({ tier: "gold" })).toHaveLength(1);
    expect(peers({ tier: "tin" })).toHaveLength(0);
    expect(peers({ tier: "gold" })).toHaveLength(1);
  });
});

describe("new hits", () => {
  it("make an atom for the classes that treat it otherwise, and for no other", () => {
    const update = keeper([db, cache, job]);
    const before = update(set);
    const after = update(set, staff);
    expect(changedMaps(before, after)).toEqual(["ingress cache", "ingress db"]);
    expect(sharesRows(before.policy, after.policy)).toBe(true);
  });

  it("may be a prefix that only a new address lies in", () => {
    const inside = cidr("10.9.0.0/16", { matchesWorkloads: true });
    const policies = nativeSet({
      application: [
        onCache,
        block("db", "ingress", "shop:app=db", [
          rule("allow", [inside], [tcp(1)]),
          rule("allow", [cidr("10.9.0.0/16")]),
        ]),
      ],
    });
    const update = keeper();
    const before = update(policies);
    const after = update(policies, [...staff, workload("ops/far", "10.9.0.1", { app: "far" })]);
    expect(changedMaps(before, after)).toEqual(["ingress db"]);
  });
});

describe("an edited policy", () => {
  const edited = (port: number) =>
    nativeSet({
      application: [
        { ...onDb, rules: onDb.rules.map((one) => ({ ...one, ports: [tcp(port)] })) },
        onCache,
        onJob,
      ],
    });

  it("makes new maps of the classes that it selects, and leaves all others the same objects", () => {
    const update = keeper();
    const before = update(set);
    const after = update(edited(5433));
    expect(changedMaps(before, after)).toEqual(["ingress db"]);
    expect(sharesRows(before.policy, after.policy)).toBe(true);
    expect(changedMaps(before, update(set))).toEqual(["ingress db"]);
  });

  it("is not taken for another, though several are edited at once", () => {
    const on = (app: string, port: number) =>
      block(app, "ingress", `shop:app=${app}`, [rule("allow", [any], [tcp(port)])]);
    const update = keeper();
    const sets = [
      [on("db", 1), on("cache", 2), on("web", 3)],
      [on("db", 4), on("cache", 5), on("web", 3)],
      [on("db", 6), on("cache", 2), on("web", 7)],
    ];
    const opened = sets.map((application) => {
      const { policy } = update(nativeSet({ application }));
      return policy.rows
        .flatMap(({ protocols }) => protocols.flatMap(({ intervals }) => intervals[1]!.first))
        .toSorted();
    });
    expect(opened).toEqual([
      [1, 2, 3],
      [3, 4, 5],
      [2, 6, 7],
    ]);
  });

  it("splits atoms where it looks at what nothing looked at before, and leaves maps alone that do not care", () => {
    const two = workload("shop/web2", "10.0.0.9", { app: "web", build: "8" });
    const update = keeper([...staff, two]);
    const before = update(set);
    const finer = block("finer", "ingress", "shop:app=db", [
      rule(
        "deny",
        [chosen("shop:build=8"), cidr("10.0.0.0/30", { matchesWorkloads: true })],
        [tcp(1)],
      ),
    ]);
    const after = update(nativeSet({ application: [onDb, onCache, onJob, finer] }));
    const same = [...mapsOf(before)].filter(([, map]) => after.policy.live.maps.includes(map));
    expect(same.map(([name]) => name).toSorted()).toEqual(["egress job", "ingress cache"]);
  });

  it("changes no map by a line that moves, and tells the new place", () => {
    const tied = (line: number) =>
      nativeSet({
        guardrail: ["allow" as const, "deny" as const].map((action) => {
          const one = block(action, "ingress", "shop:app=db", [rule(action, [any])], {
            isolates: false,
          });
          return {
            ...one,
            rules: one.rules.map((all) => ({ ...all, source: { ...all.source, line } })),
          };
        }),
      });
    const update = keeper();
    const before = update(tied(1));
    const after = update(tied(9));
    expect(after.policy.live).toBe(before.policy.live);
    expect(after.diagnostics.map(({ span }) => span.line)).toEqual([9]);
  });

  it("tells a disagreement only while somebody is there whom it concerns", () => {
    const tied = nativeSet({
      guardrail: ["allow" as const, "deny" as const].map((action) =>
        block(action, "ingress", "shop:app=db", [rule(action, [chosen("ops:app=job")])], {
          isolates: false,
        }),
      ),
    });
    const update = keeper(staff, [web, db, cache]);
    expect(update(tied).diagnostics).toHaveLength(1);
    expect(update(tied, [web, db, cache]).diagnostics).toEqual([]);
    expect(update(tied).diagnostics).toHaveLength(1);
  });

  it("that moves to another stage is another one, though it says the same", () => {
    const both = block("x", "ingress", "shop:app=db", [rule("allow", [any]), rule("deny", [any])]);
    const update = keeper();
    const verdict = (policies: PolicySet) => update(policies).policy.rows[0]!.others.verdict;
    expect(verdict(nativeSet({ guardrail: [both] }))).toBe("allow");
    expect(verdict(nativeSet({ application: [both] }))).toBe("drop");
  });

  it("takes nobody's cookie: where two names collide, the one that sorts first has it", () => {
    // Two ids with one 32-bit hash.
    const [first, second] = ["14hrn8d/13", "17pp1zn/4"];
    const named = (...ids: string[]) =>
      nativeSet({ application: ids.map((id) => block(id, "ingress", "shop:app=db", [])) });
    const update = keeper();
    const before = update(named(second!));
    const both = update(named(second!, first!));
    expect(both.cookies).toHaveLength(2);
    expect(both.policy.rows[0]!.others.cookie).toBe(before.policy.rows[0]!.others.cookie);
  });
});

describe("time", () => {
  it("that passes an expiry changes the maps concerned", () => {
    const look = block(
      "look",
      "ingress",
      "shop:app=db",
      [rule("allow", [chosen("ops:app=job")], [tcp(22)])],
      {
        isolates: false,
        expiresAt: T0 + 1000,
      },
    );
    const policies = nativeSet({ exception: [look], application: [onDb, onCache, onJob] });
    const update = keeper();
    const before = update(policies);
    expect(before.policy.live.overlay).toHaveLength(1);
    expect(update(policies, staff, T0 + 999).policy.live).toBe(before.policy.live);
    const after = update(policies, staff, T0 + 1000);
    expect(after.policy.live.overlay).toEqual([]);
    expect(after.nextChangeAt).toBeNull();
    expect(mapsOf(after).get("ingress cache")).toBe(mapsOf(before).get("ingress cache"));
    expect(update(policies).policy.live).toEqual(before.policy.live);
  });

  it("covers whoever comes while it runs, and uncovers whoever goes", () => {
    const policies = nativeSet({
      application: [
        block("db", "ingress", "shop:app=db", [
          rule("allow", [chosen("shop:")], [tcp(1)], { expiresAt: T0 + 5 }),
          rule("allow", [cidr("10.0.0.8/31")], [tcp(2)], { expiresAt: T0 + 5 }),
        ]),
      ],
    });
    const update = keeper();
    const covered = (...workloads: Workload[]) =>
      update(policies, [...staff, ...workloads]).policy.live.overlay.map(({ peer }) =>
        peer.join("-"),
      );
    const shop = ["10.0.0.1-10.0.0.1", "10.0.0.2-10.0.0.2", "10.0.0.3-10.0.0.3"];
    expect(covered()).toEqual([...shop, "10.0.0.8-10.0.0.9"]);
    expect(covered(workload("ops/x", "10.0.0.9", { app: "x" }))).toEqual([
      ...shop,
      "10.0.0.8-10.0.0.8",
    ]);
    expect(covered(workload("shop/x", "10.0.0.5"))).toEqual([
      ...shop,
      "10.0.0.5-10.0.0.5",
      "10.0.0.8-10.0.0.9",
    ]);
    expect(covered()).toEqual([...shop, "10.0.0.8-10.0.0.9"]);
  });
});

describe("a stage that", () => {
  const both = block("x", "ingress", "shop:app=db", [rule("allow", [any]), rule("deny", [any])]);
  const verdicts = (...stages: Parameters<typeof policySet>[0][]) => {
    const update = keeper();
    return stages.map((list) =>
      update(policySet(list)).policy.rows.map(({ others }) => others.verdict),
    );
  };

  it("chooses otherwise among the same blocks makes other classes of them", () => {
    expect(
      verdicts([stage("s", "firstMatch", [both])], [stage("s", "denyOverrides", [both])]),
    ).toEqual([["allow"], ["drop"]]);
  });
});

describe("what is kept", () => {
  it("is numbered anew when too much has come and gone, and equal maps stay the same objects", () => {
    const passing = (options: Parameters<typeof createCompiler>[0]) => {
      const compiler = createCompiler(options);
      return Array.from({ length: 9 }, (_, i) => {
        const visitor = workload("shop/visitor", "10.0.0.9", { app: `visitor${i}` });
        const index = indexInventory(inventory([...staff, visitor]));
        const endpoints = staff.map(endpointOf);
        return compiler.update(set, index, { now: T0, revision: 1, endpoints }).policy;
      });
    };
    const lists = (policies: readonly HostPolicy[]) => new Set(policies.map(({ rows }) => rows));
    expect(lists(passing({})).size).toBe(1);
    const forgetful = passing({ mostNewNumbers: 1 });
    expect(lists(forgetful).size).toBe(3);
    expect(new Set(forgetful.map(({ live }) => live)).size).toBe(1);
  });
});

describe("an update that fails", () => {
  it("leaves nothing behind", () => {
    const backwards = policySet([
      stage("a", "firstMatch", [onDb]),
      stage(
        "b",
        "firstMatch",
        [block("p", "ingress", "shop:app=db", [rule("pass", [any], [everyPort])])],
        {
          onPass: "a",
        },
      ),
    ]);
    const compiler = createCompiler();
    const all = inventory(staff);
    const options = { now: T0, revision: 1, endpoints: staff.map(endpointOf) };
    const update = (policies: PolicySet) => compiler.update(policies, indexInventory(all), options);
    const before = update(set);
    expect(() => update(backwards)).toThrow("stage `b` passes to `a`");
    const after = update(set);
    expect(after).toEqual(before);
    expect(after.policy.live).not.toBe(before.policy.live);
  });
});
