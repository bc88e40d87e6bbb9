import { formatSelector } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { groupWorkloads, PROPOSED_KEY, type Member } from "../src/index.ts";

function member(
  name: string,
  labels: Readonly<Record<string, string>>,
  namespace = "shop",
): Member {
  return { id: `${namespace}/${name}`, namespace, labels };
}

function told(members: readonly Member[]): readonly string[] {
  const { groups, ungrouped } = groupWorkloads(members);
  return [
    ...groups.map(
      (group) =>
        `${group.namespace} ${group.name}: ${formatSelector(group.selector)} = ${group.members.join(", ")}`,
    ),
    ...ungrouped.map((one) => `ungrouped ${one.id}`),
  ];
}

describe("grouping by labels", () => {
  it("puts copies of one role together and leaves names and hashes out", () => {
    const labels = (hash: string) => ({ app: "web", "pod-template-hash": hash, instance: hash });
    expect(
      told([
        member("web-1", labels("a")),
        member("web-2", labels("b")),
        member("db", { app: "db" }),
      ]),
    ).toEqual(["shop db: app=db = shop/db", "shop web: app=web = shop/web-1, shop/web-2"]);
  });

  it("prefers the recommended key, and falls back for those that lack it without catching the others", () => {
    expect(
      told([
        member("a", { "app.kubernetes.io/name": "web", app: "old" }),
        member("b", { "app.kubernetes.io/name": "db" }),
        member("c", { app: "old" }),
      ]),
    ).toEqual([
      "shop db: app.kubernetes.io/name=db = shop/b",
      "shop old: app=old,!app.kubernetes.io/name = shop/c",
      "shop web: app.kubernetes.io/name=web = shop/a",
    ]);
  });

  it("tells roles apart where one app has several", () => {
    expect(
      told([
        member("f1", { app: "shop", role: "front" }),
        member("f2", { app: "shop", role: "front" }),
        member("b1", { app: "shop", role: "back" }),
      ]),
    ).toEqual([
      "shop shop-back: app=shop,role=back = shop/b1",
      "shop shop-front: app=shop,role=front = shop/f1, shop/f2",
    ]);
  });

  it("does not split by a key that not every member bears", () => {
    expect(told([member("a", { app: "x", role: "r" }), member("b", { app: "x" })])).toEqual([
      "shop x: app=x = shop/a, shop/b",
    ]);
  });

  it("takes a house's own key when there is no customary one, unless every value differs", () => {
    expect(
      told([
        member("a", { function: "mail", serial: "1" }),
        member("b", { function: "mail", serial: "2" }),
        member("c", { function: "web", serial: "3" }),
      ]),
    ).toEqual(["shop mail: function=mail = shop/a, shop/b", "shop web: function=web = shop/c"]);
  });

  describe("by all that a house's own labels say together", () => {
    const station = (name: string, dept: string) => member(name, { dept, kind: "station" });
    const pump = (name: string, dept: string) => member(name, { dept, kind: "pump" });
    const wards = [
      station("a", "surgery"),
      station("b", "surgery"),
      pump("c", "surgery"),
      station("d", "oncology"),
      pump("e", "oncology"),
    ];

    it("tells a department's pumps from its stations", () => {
      expect(told(wards)).toEqual([
        "shop oncology-pump: dept=oncology,kind=pump = shop/e",
        "shop oncology-station: dept=oncology,kind=station = shop/d",
        "shop surgery-pump: dept=surgery,kind=pump = shop/c",
        "shop surgery-station: dept=surgery,kind=station = shop/a, shop/b",
      ]);
    });

    it("puts who lacks one of them apart, and leaves everybody else where they were", () => {
      const before = told(wards);
      expect(told([...wards, member("f", { dept: "surgery" })])).toEqual([
        ...before.slice(0, 2),
        "shop surgery: dept=surgery,!kind = shop/f",
        ...before.slice(2),
      ]);
    });

    it("heeds none that few bear, and none that numbers copies though two share a number", () => {
      const more = wards.map((one, at) =>
        member(one.id.slice(-1), {
          ...one.labels,
          number: String(Math.min(3, at)),
          ...(at === 0 || at === 2 ? { leased: "yes" } : {}),
        }),
      );
      expect(told(more)).toEqual(told(wards));
    });

    it("heeds none where a customary key says the role", () => {
      expect(
        told([
          member("a", { service: "web", kind: "x" }),
          member("b", { service: "web", kind: "y" }),
          member("c", { service: "db", kind: "y" }),
        ]),
      ).toEqual(["shop db: service=db = shop/c", "shop web: service=web = shop/a, shop/b"]);
    });
  });

  it("leaves out who has nothing but a hash", () => {
    expect(told([member("a", { "pod-template-hash": "x" }), member("b", { app: "b" })])).toEqual([
      "shop b: app=b = shop/b",
      "ungrouped shop/a",
    ]);
  });

  it("keeps namespaces apart, and names apart that would read the same", () => {
    expect(
      told([
        member("a", { app: "Web" }),
        member("b", { app: "web" }),
        member("c", { app: "web" }, "ops"),
      ]),
    ).toEqual([
      "ops web: app=web = ops/c",
      "shop web: app=Web = shop/a",
      "shop web-2: app=web = shop/b",
    ]);
  });

  it("makes no group of what no selector can say, and lets that change nobody else's", () => {
    const maker = "NGINX Docker Maintainers <docker-maint@nginx.com>";
    expect(
      told([
        member("web", { app: "web" }),
        member("db", { app: "db", role: "x" }),
        member("forged", { app: "db,role=x" }),
        member("keyed", { "z,app": "db" }),
        member("nginx-1", { maintainer: maker }),
        member("nginx-2", { maintainer: maker, duty: "edge" }),
        member("nginx-3", { maintainer: maker, [PROPOSED_KEY]: "proxy" }),
        member("both", { app: "My Shop", [PROPOSED_KEY]: "shop" }),
      ]),
    ).toEqual([
      "shop db: app=db,!bulkhead-role = shop/db",
      "shop edge: !app,!bulkhead-role,duty=edge = shop/nginx-2",
      "shop proxy: bulkhead-role=proxy = shop/nginx-3",
      "shop shop: bulkhead-role=shop = shop/both",
      "shop web: app=web,!bulkhead-role = shop/web",
      "ungrouped shop/keyed",
      "ungrouped shop/nginx-1",
      "ungrouped shop/forged",
    ]);
  });
});
