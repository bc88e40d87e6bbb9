/** Known addresses by what tells them apart, and what moves when the inventory or the policy changes: no more than that. */
import { describe, expect, it } from "vitest";
import type { Cidr, Peer, Workload } from "@bulkhead/model";
import { AtomTable, type Atom, type Moves } from "../src/compile/atom-table.ts";
import { IdentityTable } from "../src/compile/identity-table.ts";
import { PeerTable } from "../src/compile/peer-table.ts";
import { indexInventory, reindexInventory } from "../src/index.ts";
import { cidr, inventory, workload } from "./small-sets.ts";

type CidrPeer = Extract<Peer, { kind: "cidr" }>;

const web = workload("shop/web", "10.0.0.1", { app: "web" });
const web2 = workload("shop/web2", "10.0.0.9", { app: "web" });
const db = workload("shop/db", ["10.0.0.2", "fd00::2"], { app: "db" });

function tables(...prefixes: readonly Cidr[]) {
  const identities = new IdentityTable({ labelKeys: ["app"], namespaceKeys: [], portNames: [] });
  const atoms = new AtomTable(new PeerTable());
  let index = indexInventory(inventory([]));
  const cut = (...cidrs: readonly Cidr[]) =>
    atoms.adoptPrefixes(cidrs.map((one) => cidr(one) as CidrPeer));
  cut(...prefixes);
  const move = (workloads: readonly Workload[], all = false): Moves => {
    index = reindexInventory(inventory(workloads), index);
    const renamed = identities.adopt(index);
    return atoms.update(index, identities, all || renamed);
  };
  return { atoms, identities, cut, move };
}

/** `10.0.0.1 10.0.0.9: - > 1`. */
function told({ places, groups }: Moves): string[] {
  const name = (atom: Atom | undefined) => (atom === undefined ? "-" : `${atom.number}`);
  return groups.map(({ before, after, members }) => {
    const addresses = members.map((position) => places[position]!.address).join(" ");
    return `${addresses}: ${name(before)} > ${name(after)}`;
  });
}

describe("atoms", () => {
  it("are made once for all who are alike, and all that is known comes at first", () => {
    const { atoms, move } = tables();
    const moves = move([web, db, web2]);
    expect(told(moves)).toEqual([
      "10.0.0.1 10.0.0.9: - > 0",
      "10.0.0.2 fd00::2: - > 1",
      "10.0.0.254: - > 2",
    ]);
    expect(moves.places.map(({ address }) => address)).toEqual([
      "10.0.0.1",
      "10.0.0.2",
      "10.0.0.9",
      "10.0.0.254",
      "fd00::2",
    ]);
    expect(told(atoms.whole())).toEqual(told(moves));
    expect(atoms.whole()).toBe(atoms.whole());
    expect(atoms.given).toBe(3);
    expect(atoms.atoms.map(({ isHost }) => isHost)).toEqual([false, false, false, true, false]);
  });

  it("lose and gain only who goes, comes or is another", () => {
    const { move } = tables();
    move([web, db]);
    expect(told(move([web, db]))).toEqual([]);
    expect(told(move([web, db, web2]))).toEqual(["10.0.0.9: - > 0"]);
    expect(told(move([db, web2]))).toEqual(["10.0.0.1: 0 > -"]);
    expect(told(move([db]))).toEqual(["10.0.0.9: 0 > -"]);
    expect(told(move([{ ...db, labels: { app: "web" } }]))).toEqual(["10.0.0.2 fd00::2: 1 > 0"]);
    expect(told(move([{ ...db, labels: { app: "new" } }]))).toEqual(["10.0.0.2 fd00::2: 0 > 3"]);
    expect(told(move([{ ...db, labels: { app: "new", other: "x" } }]))).toEqual([]);
  });

  it("are known again by their text, also where every place is looked at", () => {
    const { move } = tables();
    move([web, db]);
    expect(told(move([web, db], true))).toEqual([]);
    expect(told(move([{ ...web }, { ...db }]))).toEqual([]);
  });

  it("are others where several claim an address", () => {
    const { move } = tables();
    move([web, db]);
    const thief = workload("shop/thief", "10.0.0.1", { app: "db" });
    expect(told(move([web, db, thief]))).toEqual(["10.0.0.1: 0 > 3"]);
    expect(told(move([web, db]))).toEqual(["10.0.0.1: 3 > 0"]);
  });

  it("do not take a first and a twelfth for an eleventh and a second", () => {
    // Numbered as they come, by address; who comes first by id is named first.
    const crowd = Array.from({ length: 12 }, (_, i) => {
      const shared = [0, 11].includes(i) ? ["10.0.1.1"] : [1, 10].includes(i) ? ["10.0.1.2"] : [];
      const name = i === 10 ? "a" : `b${i + 10}`;
      return workload(`shop/${name}`, [`10.0.0.${i + 1}`, ...shared], { app: name });
    });
    const { atoms, move } = tables();
    move(crowd);
    const [one, other] = atoms.atoms.slice(13);
    expect(one!.identities.map(({ number }) => number)).toEqual([1, 12]);
    expect(other!.identities.map(({ number }) => number)).toEqual([11, 2]);
    expect(one).not.toBe(other);
  });

  it("are cut by prefixes, and a prefix that holds nobody moves nobody", () => {
    const { cut, move } = tables("10.0.0.0/30");
    expect(told(move([web, db, web2]))).toEqual([
      "10.0.0.1: - > 0",
      "10.0.0.2: - > 1",
      "10.0.0.9: - > 2",
      "10.0.0.254: - > 3",
      "fd00::2: - > 4",
    ]);
    expect(cut("10.0.0.0/30")).toBe(false);
    expect(cut("10.0.0.0/30", "192.168.0.0/16")).toBe(true);
    expect(told(move([web, db, web2], true))).toEqual([]);
    expect(cut("192.168.0.0/16")).toBe(true);
    expect(told(move([web, db, web2], true))).toEqual(["10.0.0.1: 0 > 2", "10.0.0.2: 1 > 4"]);
  });

  it("can be had for who has no address", () => {
    const { atoms, identities, move } = tables("10.0.0.0/30");
    move([web, web2]);
    const bare = atoms.bare(identities.of(web));
    expect(bare).toBe(atoms.atoms[1]);
    expect(bare).toMatchObject({ isHost: false, prefixes: [] });
    expect(atoms.atoms[0]!.prefixes).toHaveLength(1);
    const held = tables("10.0.0.0/30");
    held.move([web]);
    const alone = held.atoms.bare(held.identities.of(web));
    expect(held.atoms.atoms).not.toContain(alone);
    expect(alone).toMatchObject({ isHost: false, prefixes: [] });
  });

  it("are all new where other labels count", () => {
    const { atoms, move } = tables();
    move([web, web2]);
    const other = new IdentityTable({ labelKeys: [], namespaceKeys: [], portNames: [] });
    const index = indexInventory(inventory([web, web2]));
    other.adopt(index);
    expect(told(atoms.update(index, other, false))).toEqual([
      "10.0.0.1 10.0.0.9: 0 > 2",
      "10.0.0.254: 1 > 3",
    ]);
    const finer = new IdentityTable({ labelKeys: ["app"], namespaceKeys: [], portNames: [] });
    finer.adopt(index);
    expect(told(atoms.update(index, finer, false))).toEqual([
      "10.0.0.1 10.0.0.9: 2 > 4",
      "10.0.0.254: 3 > 5",
    ]);
  });
});
