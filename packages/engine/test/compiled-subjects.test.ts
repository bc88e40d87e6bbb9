/** Whom compiled maps judge, by which class, and to whom the shadow says something else. */
import { describe, expect, it } from "vitest";
import { NOWHERE } from "@bulkhead/model";
import { web, db, cache, compiled, onDb, onlyMap, mapText } from "./compiled.ts";
import {
  any,
  block,
  chosen,
  cidr,
  everyPort,
  inventory,
  nativeSet,
  policySet,
  workload,
  rule,
  T0,
  tcp,
} from "./small-sets.ts";

describe("subjects", () => {
  it("are the local addresses that something asks about, sorted", () => {
    const { policy } = compiled(onDb([]), [web, db]);
    const [map] = policy.live.maps;
    expect(policy.live.subjects).toEqual({
      egress: [],
      ingress: [
        ["10.0.0.2", map!.classId],
        ["fd00::2", map!.classId],
      ],
    });
    expect(compiled(onDb([]), [web]).policy.live).toEqual({
      subjects: { egress: [], ingress: [] },
      maps: [],
      overlay: [],
    });
  });

  it("are all local addresses where the default denies", () => {
    const set = policySet([], { default: "deny" });
    const result = compiled(set, [web]);
    expect(result.policy.live.subjects.egress).toHaveLength(1);
    expect(result.policy.live.maps.map(({ direction }) => direction)).toEqual([
      "egress",
      "ingress",
    ]);
    expect(mapText(result, result.policy.live.maps[0])).toEqual({
      exact: [],
      ranges: [],
      default: "else drop by default",
    });
  });

  it("judge an address that two workloads claim by both, and say so", () => {
    const span = { file: "inventory.yaml", line: 7, column: 3 };
    const thief = { ...workload("shop/aaa", "10.0.0.2", { app: "thief" }), source: span };
    const result = compiled(
      nativeSet({
        application: [
          block("db", "ingress", "shop:app=db", [rule("allow", [any], [tcp(1, 5)])]),
          block("thief", "ingress", "shop:app=thief", [rule("allow", [any], [tcp(4, 9)])]),
        ],
      }),
      [db],
      inventory([thief, db]),
    );
    const { ingress } = result.policy.live.subjects;
    expect(ingress.map(([address]) => address)).toEqual(["10.0.0.2", "fd00::2"]);
    const shared = result.policy.live.maps.find(({ classId }) => classId === ingress[0]![1]);
    expect(mapText(result, shared).default).toBe(
      "6/0-3 drop by thief, 6/4-5 allow by thief/0, 6/6-9 drop by db, 6/10-65535 drop by thief, else drop by thief",
    );
    expect(result.diagnostics).toMatchObject([
      {
        code: "BH0602",
        message: "address `10.0.0.2` is claimed by `shop/aaa`, `shop/db`",
        span,
        help: "until one of them gives it up, what any of them would be denied is denied",
      },
    ]);
    const nowhere = compiled(onDb([]), [db], inventory([{ ...thief, source: undefined }, db]));
    expect(nowhere.diagnostics).toMatchObject([{ span: NOWHERE }]);
    const { source: _none, ...found } = { ...thief, kind: "container" as const };
    const attachment = { workload: found.id, interface: "veth9", addresses: found.addresses };
    const elsewhere = { ...db, source: span };
    const here = compiled(onDb([]), [found], {
      ...inventory([found, elsewhere]),
      attachments: [attachment],
    });
    expect(here.diagnostics[0]?.help).toBe(
      "if they are one, say so in the Inventory: give `shop/db` a `container` in the place of the address; until one of them gives it up, what any of them would be denied is denied",
    );
  });

  it("have the class of both where two that claim an address are under the same policy", () => {
    const twin = workload("shop/twin", "10.0.0.2", { app: "db" });
    const { live } = compiled(onDb([rule("allow", [any])]), [db], inventory([twin, db])).policy;
    const { classId } = onlyMap(live);
    expect(live.subjects.ingress).toEqual([
      ["10.0.0.2", classId],
      ["fd00::2", classId],
    ]);
  });

  it("share a class when the same blocks select them, and keep it when rules change", () => {
    const set = (rules: Parameters<typeof block>[3]) =>
      nativeSet({ application: [block("all", "ingress", "shop:", rules)] });
    const before = compiled(set([rule("allow", [any])]), [web, db, cache]).policy.live;
    const after = compiled(set([rule("deny", [cidr("192.0.2.0/24")])]), [web, db, cache]).policy
      .live;
    expect(onlyMap(before).classId).toBe(onlyMap(after).classId);
    expect(onlyMap(before).classId).toMatch(/^[0-9a-f]{16}$/);
    for (const rules of [[], [rule("allow", [any], [tcp(80)])]]) {
      const { live } = compiled(set(rules), [web, db, cache]).policy;
      expect(onlyMap(live).classId).toBe(onlyMap(before).classId);
    }
    const other = compiled(onDb([rule("allow", [any])])).policy.live;
    expect(onlyMap(other).classId).not.toBe(onlyMap(before).classId);
  });
});

describe("the shadow", () => {
  const staged = { enforce: "staged" as const };

  it("has entries only for subjects to whom it says something else", () => {
    const set = nativeSet({
      application: [
        block("db", "ingress", "shop:app=db", []),
        block("web", "ingress", "shop:app=web", [], staged),
        block("out", "egress", "shop:app=db", [rule("allow", [any], [tcp(1)], staged)]),
      ],
    });
    const { live, shadow } = compiled(set, [web, db, cache]).policy;
    expect(live.subjects.ingress.map(([address]) => address)).toEqual(["10.0.0.2", "fd00::2"]);
    expect(live.subjects.egress.map(([address]) => address)).toEqual(["10.0.0.2", "fd00::2"]);
    expect(shadow.subjects.ingress.map(([address]) => address)).toEqual(["10.0.0.1"]);
    expect(shadow.subjects.egress.map(([address]) => address)).toEqual(["10.0.0.2", "fd00::2"]);
    expect(shadow.maps).toHaveLength(2);
  });

  it("is empty where what is staged changes nothing", () => {
    const same = nativeSet({
      application: [
        block("db", "ingress", "shop:app=db", [
          rule("allow", [any]),
          rule("allow", [any], [everyPort], staged),
        ]),
        block("web", "ingress", "shop:app=web", [], { ...staged, isolates: false }),
      ],
    });
    const { shadow } = compiled(same, [web, db]).policy;
    expect(shadow).toEqual({ subjects: { egress: [], ingress: [] }, maps: [], overlay: [] });
  });

  it("has entries for a subject that it denies one thing only: a peer, a prefix, a port, for a while", () => {
    const denies = (...draft: Parameters<typeof rule>) =>
      compiled(onDb([rule(...draft)], { ...staged, isolates: false }), [db]).policy.shadow.subjects
        .ingress.length;
    expect(denies("deny", [chosen("shop:app=web")])).toBe(2);
    expect(denies("deny", [cidr("192.0.2.0/24")])).toBe(2);
    expect(denies("deny", [any], [tcp(1)])).toBe(2);
    expect(denies("deny", [chosen("shop:app=web")], [tcp(1)], { expiresAt: T0 + 1 })).toBe(2);
    expect(denies("deny", [chosen("shop:app=nobody")])).toBe(0);
  });

  it("has entries for an address that somebody without policy claims as well", () => {
    const thief = workload("shop/aaa", "10.0.0.2", { app: "thief" });
    const { live, shadow } = compiled(onDb([], staged), [db], inventory([thief, db])).policy;
    expect(live.subjects.ingress).toEqual([]);
    expect(shadow.subjects.ingress.map(([address]) => address)).toEqual(["10.0.0.2", "fd00::2"]);
    const settled = nativeSet({
      application: [
        block("aaa", "ingress", "shop:app=thief", [rule("allow", [any])]),
        block("db", "ingress", "shop:app=db", [], staged),
      ],
    });
    const both = compiled(settled, [db], inventory([thief, db])).policy;
    expect(both.live.subjects.ingress.map(([address]) => address)).toEqual(["10.0.0.2"]);
    expect(both.shadow.subjects.ingress).toHaveLength(2);
  });

  it("has them where several such things meet, though their numbers be equal", () => {
    const denies = (...rules: Parameters<typeof onDb>[0]) =>
      compiled(onDb(rules, { ...staged, isolates: false }), [db]).policy.shadow.subjects.ingress
        .length;
    const fromWeb = chosen("shop:app=web");
    const soon = { expiresAt: T0 + 1 };
    expect(denies(rule("deny", [fromWeb, cidr("192.0.2.0/24")]))).toBe(2);
    expect(denies(rule("deny", [fromWeb], [tcp(1)]), rule("deny", [fromWeb], [tcp(2)], soon))).toBe(
      2,
    );
    expect(denies(rule("deny", [any], [tcp(1)]), rule("deny", [fromWeb], [tcp(2)]))).toBe(2);
  });

  it("has entries where a peer that is listed in both is treated otherwise", () => {
    const set = nativeSet({
      application: [
        block("db", "ingress", "shop:app=db", [rule("allow", [chosen("shop:app=web")])]),
        block(
          "more",
          "ingress",
          "shop:app=db",
          [rule("deny", [chosen("shop:app=web")], [tcp(1)])],
          staged,
        ),
      ],
    });
    const { live, shadow } = compiled(set).policy;
    expect([live, shadow].map((maps) => onlyMap(maps).exact.length)).toEqual([1, 1]);
    expect(shadow.subjects.ingress).toHaveLength(2);
  });

  it("shows a staged allow that changes only what determined it", () => {
    const set = nativeSet({
      application: [
        block("z", "ingress", "shop:app=db", [rule("allow", [any])]),
        block("a", "ingress", "shop:app=db", [rule("allow", [any])], staged),
      ],
    });
    const result = compiled(set);
    expect(mapText(result).default).toBe("else allow by z/0");
    expect(mapText(result, onlyMap(result.policy.shadow)).default).toBe("else allow by a/0");
  });
});
