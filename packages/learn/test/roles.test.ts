import { DAY_MS } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { groupByCommunication, type Roles } from "../src/index.ts";
import {
  adjustedRandIndex,
  dice,
  Estate,
  farm,
  NOISY,
  QUIET,
  services,
  tenants,
  type Planted,
} from "./planted.ts";

const found = ({ members, edges }: Planted): Roles => groupByCommunication(edges, members);
const partition = ({ roleOf }: Roles): ReadonlyMap<string, string> =>
  new Map([...roleOf].map(([id, role]) => [id, role.name]));
const index = (planted: Planted): number =>
  adjustedRandIndex(planted.truth, partition(found(planted)));
const median = (values: readonly number[]): number | undefined =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const told = ({ roles }: Roles): readonly string[] =>
  roles.map(({ name, members }) => `${name}: ${members.map((id) => id.slice(4)).join(" ")}`);

describe("roles from communication", () => {
  const FAMILIES = {
    "tenants behind one entrance": (seed: number, noise = NOISY) => tenants(seed, 8, noise),
    "a batch farm": (seed: number, noise = NOISY) => farm(seed, 60, noise),
    "services on one port": (seed: number, noise = NOISY) => services(seed, 16, noise),
  };
  for (const [name, make] of Object.entries(FAMILIES)) {
    it(`finds ${name} where every edge was seen`, () => {
      const found = [1, 2, 3, 4, 5].map((seed) => index(make(seed, QUIET).planted()));
      expect(Math.min(...found), found.join(" ")).toBeGreaterThanOrEqual(0.9);
      expect(median(found), found.join(" ")).toBe(1);
    });

    it(`finds ${name} where every twelfth edge is missing, and half of them have one too many`, () => {
      for (const seed of [1, 2, 3, 4, 5]) {
        expect(index(make(seed).planted()), `seed ${seed}`).toBeGreaterThanOrEqual(0.9);
      }
    });
  }

  it("does not depend on the order of edges or members", () => {
    const { members, edges } = tenants(7, 4).planted();
    const random = dice(3);
    const shuffled = edges
      .map((edge) => ({ edge, at: random() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ edge }) => edge);
    expect(groupByCommunication(shuffled, members.toReversed())).toEqual(
      groupByCommunication(edges, members),
    );
  });

  it("is not glued together by what everybody does", () => {
    const estate = new Estate(1, QUIET)
      .role("a", 2)
      .role("b", 2)
      .role("names", 1)
      .role("metrics", 1);
    estate.calls("a", "203.0.113.1", 5432).calls("b", "203.0.113.2", 6379);
    // Nameless addresses are anybody: their ports are what is left.
    estate
      .all("names", 53, 17)
      .all("metrics", 9100)
      .calls("metrics", "a", 9100)
      .calls("metrics", "b", 9100);
    expect(index(estate.planted())).toBe(1);
  });

  it("takes members of one cluster that all talk to each other for one", () => {
    const estate = new Estate(1, QUIET).role("node", 5).role("app", 3);
    estate.calls("node", "node", 7000).calls("app", "node", 9042);
    expect(told(found(estate.planted()))).toEqual([
      "cassandra: h0000 h0001 h0002 h0003 h0004",
      "client-of-cassandra: h0005 h0006 h0007",
    ]);
  });

  it("says what its members have in common, and how many of them", () => {
    const estate = new Estate(1, QUIET).role("web", 2).role("db", 1);
    estate.calls("203.0.113.9", "web", 443).calls("web", "db", 5432);
    expect(found(estate.planted()).roles.map(({ name, evidence }) => ({ name, evidence }))).toEqual(
      [
        {
          name: "postgresql",
          evidence: [
            { direction: "offers", protocol: 6, port: 5432, peer: "web-in-front", members: 1 },
          ],
        },
        {
          name: "web-in-front",
          evidence: [
            { direction: "offers", protocol: 6, port: 443, peer: "203.0.113.9", members: 2 },
            { direction: "uses", protocol: 6, port: 5432, peer: "postgresql", members: 2 },
          ],
        },
      ],
    );
  });

  it("calls a role by the name that others look up, and tells two of a kind apart by whom they are for", () => {
    const estate = new Estate(1, QUIET)
      .role("orders", 2)
      .role("carts", 2)
      .role("o-db", 1)
      .role("c-db", 1);
    estate.role("front", 2).calls("front", "orders", 8080).calls("front", "carts", 8080);
    estate.calls("orders", "o-db", 5432).calls("carts", "c-db", 5432);
    const { members, edges } = estate.planted();
    const names: Record<string, string> = {
      "vms/h0000": "orders.shop.svc",
      "vms/h0001": "orders.shop.svc",
      "vms/h0002": "carts.shop.svc",
      "vms/h0003": "carts.shop.svc",
    };
    const looked = edges.map((edge) => {
      const name = names[edge.destination.workload ?? ""];
      return name === undefined
        ? edge
        : { ...edge, destination: { ...edge.destination, names: [name] } };
    });
    expect(told(groupByCommunication(looked, members))).toEqual([
      "carts: h0002 h0003",
      "client-of-carts: h0006 h0007",
      "orders: h0000 h0001",
      "postgresql-for-carts: h0005",
      "postgresql-for-orders: h0004",
    ]);
  });

  it("keeps the name that most of it had before, whoever joins or leaves", () => {
    const { members, edges } = tenants(5, 3).planted();
    const before = groupByCommunication(edges, members);
    const former = partition(before);
    const gone = new Set(
      before.roles.flatMap((role) => (role.members.length > 2 ? role.members[0]! : [])),
    );
    const later = groupByCommunication(
      edges.filter(
        ({ source, destination }) =>
          !gone.has(source.workload ?? "") && !gone.has(destination.workload ?? ""),
      ),
      members.filter(({ id }) => !gone.has(id)),
      { former },
    );
    for (const [id, role] of later.roleOf) expect(role.name, id).toBe(former.get(id));
  });

  it("says who was silent, and does not listen to what was refused or to a scanner", () => {
    const estate = new Estate(1, QUIET)
      .role("app", 2)
      .role("db", 1)
      .role("silent", 1)
      .role("scanner", 1);
    estate.calls("app", "db", 5432);
    estate.add("vms/h0003", "vms/h0002", 5432, 6, { established: 0, failed: 40 });
    for (let port = 1; port < 30; port += 1) {
      estate.add("vms/h0004", "vms/h0002", port, 6, { established: 0, failed: 1, connections: 1 });
    }
    estate.add("vms/h0004", "vms/h0002", 5432);
    const roles = found(estate.planted());
    expect(roles.quiet).toEqual(["vms/h0003", "vms/h0004"]);
    expect(told(roles)).toEqual(["client-of-postgresql: h0000 h0001", "postgresql: h0002"]);
  });

  it("does not make another role of who calls many strangers a few times in a hundred days", () => {
    const long = { firstSeen: 0, lastSeen: 100 * DAY_MS, windows: 9000 };
    const estate = new Estate(1, QUIET).role("web", 4).role("app", 4);
    for (let n = 0; n < 6; n += 1) estate.role(`other-${n}`, 1);
    for (const web of [0, 1, 2, 3]) {
      for (const app of [4, 5, 6, 7]) estate.add(`vms/h000${web}`, `vms/h000${app}`, 8080, 6, long);
    }
    for (let n = 0; n < 5; n += 1) {
      const [one, next] = [n + 8, n + 9].map((at) => `vms/h${String(at).padStart(4, "0")}`);
      estate.add(one!, next!, 7000 + n, 6, long);
      estate.add("vms/h0000", next!, 7000 + n, 6, { ...long, windows: 12 });
    }
    const { roleOf } = found(estate.planted());
    expect(roleOf.get("vms/h0000")?.members).toHaveLength(4);
  });

  /** Workers of so many queues: inputs of their own, and everything else together. */
  const queues = (...workers: readonly number[]): Estate => {
    const estate = new Estate(1, QUIET);
    for (const [at, count] of workers.entries()) estate.role(`worker-${at}`, count);
    estate.role("store", 4).role("queue", 1);
    for (const at of workers.keys()) {
      estate.role(`inputs-${at}`, 2).calls(`worker-${at}`, `inputs-${at}`, 9000);
      estate.calls(`worker-${at}`, "store", 9000).calls(`worker-${at}`, "queue", 6445);
    }
    return estate;
  };

  it("tells workers apart that share nearly everything, where each queue has inputs of its own", () => {
    expect(index(queues(110, 110, 110, 110, 110).planted())).toBe(1);
  });

  it("tells workers apart where the inputs of one queue look like the store", () => {
    expect(index(queues(260, 260, 260, 260, 400).planted())).toBeGreaterThan(0.99);
  });

  it("takes for one who came after the other, and never could have met its peers", () => {
    const before = { firstSeen: 0, lastSeen: 50 * DAY_MS, windows: 900 };
    const after = { firstSeen: 50 * DAY_MS, lastSeen: 100 * DAY_MS, windows: 900 };
    const estate = new Estate(1, QUIET)
      .role("x", 240)
      .role("old", 2)
      .role("new", 2)
      .role("store", 6);
    const name = (at: number): string => `vms/h${String(at).padStart(4, "0")}`;
    for (let at = 0; at < 240; at += 1) {
      const [life, inputs] = at < 120 ? [before, 240] : [after, 242];
      for (const peer of [inputs, inputs + 1, 244, 245, 246, 247, 248, 249])
        estate.add(name(at), name(peer), 9000, 6, life);
    }
    expect(found(estate.planted()).roleOf.get(name(0))?.members).toHaveLength(240);
  });

  it("keeps namespaces apart", () => {
    const { members, edges } = new Estate(1, QUIET)
      .role("app", 4)
      .role("db", 1)
      .calls("app", "db", 5432)
      .planted();
    const apart = members.map((member, at) => ({
      ...member,
      namespace: at === 0 ? "other" : "vms",
    }));
    expect(groupByCommunication(edges, apart).roles.map(({ members: own }) => own.length)).toEqual([
      1, 3, 1,
    ]);
  });
});
