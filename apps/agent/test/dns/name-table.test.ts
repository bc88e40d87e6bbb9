/** Names for each client by itself, for as long as they hold, in memory that does not grow. */
import { describe, expect, it } from "vitest";
import { NameTable, type DnsAnswer } from "../../src/dns/index.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
const web = { key: "web", addresses: ["10.0.0.2", "fd00::2"] };
const db = { key: "db", addresses: ["10.0.0.3"] };

const told = (
  name: string,
  { client = "10.0.0.2", address = "192.0.2.1", ttl = 60, at = 1000 } = {},
): DnsAnswer => ({ client, name, addresses: [{ address, ttl }], at });

function table(...answers: readonly DnsAnswer[]): NameTable {
  const names = new NameTable();
  names.setClients([web, db]);
  for (const answer of answers) names.learn(answer);
  return names;
}

describe("names", () => {
  it("are those of who asked, by any of its addresses", () => {
    const names = table(told("a.example"));
    expect(names.namesOf("10.0.0.2", "192.0.2.1", 2000, true)).toEqual(["a.example"]);
    expect(names.namesOf("fd00::2", "192.0.2.1", 2000, true)).toEqual(["a.example"]);
    expect(names.namesOf("10.0.0.3", "192.0.2.1", 2000, true)).toBeUndefined();
    expect(names.namesOf("10.0.0.2", "192.0.2.2", 2000, true)).toBeUndefined();
  });

  it("are all that hold, in order", () => {
    const names = table(told("b.example"), told("a.example"), told("b.example", { at: 1500 }));
    expect(names.namesOf("10.0.0.2", "192.0.2.1", 2000, true)).toEqual(["a.example", "b.example"]);
  });

  it("hold five minutes, or as long as the answer says, a day at most", () => {
    const at = (ttl: number, time: number) =>
      table(told("a.example", { ttl, at: 0 })).namesOf("10.0.0.2", "192.0.2.1", time, true);
    expect(at(1, 5 * MINUTE)).toEqual(["a.example"]);
    expect(at(1, 5 * MINUTE + 1)).toBeUndefined();
    expect(at(3600, 60 * MINUTE)).toEqual(["a.example"]);
    expect(at(3600, 60 * MINUTE + 1)).toBeUndefined();
    expect(at(0x7fffffff, DAY + 1)).toBeUndefined();
  });

  it("are remembered for connections that began before, unless there is a newer one", () => {
    const names = table(told("old.example", { at: 0 }));
    const asked = (begins: boolean) => names.namesOf("10.0.0.2", "192.0.2.1", 10 * MINUTE, begins);
    expect([asked(false), asked(true)]).toEqual([["old.example"], undefined]);
    names.learn(told("new.example", { at: 9 * MINUTE }));
    expect(asked(false)).toEqual(["new.example"]);
    expect(names.namesOf("10.0.0.2", "192.0.2.1", 3 * DAY, false)).toBeUndefined();
  });

  it("do not reach back before they were told", () => {
    const names = table(told("a.example", { at: 5000 }));
    expect(names.namesOf("10.0.0.2", "192.0.2.1", 4999, true)).toBeUndefined();
  });

  it("are not inherited with an address, and outlive its being away", () => {
    const names = table(told("a.example"));
    const asked = () => names.namesOf("10.0.0.2", "192.0.2.1", 2000, true);
    names.setClients([db]);
    names.setClients([web, db]);
    expect(asked()).toEqual(["a.example"]);
    names.setClients([{ key: "another", addresses: ["10.0.0.2"] }]);
    expect([asked(), names.size]).toEqual([undefined, 0]);
  });
});

describe("memory", () => {
  it("of one client is bounded: its oldest names go, and are counted", () => {
    const names = new NameTable({ perClient: 3, inAll: 100 });
    for (let index = 0; index < 5; index++)
      names.learn(told(`n${index}.example`, { address: `192.0.2.${index}` }));
    const known = [0, 1, 2, 3, 4].map((index) =>
      names.namesOf("10.0.0.2", `192.0.2.${index}`, 2000, true),
    );
    expect(known.map((one) => one !== undefined)).toEqual([false, false, true, true, true]);
    expect([names.size, names.evicted]).toEqual([3, 2]);
  });

  it("in all is bounded at the cost of who holds the most", () => {
    const names = new NameTable({ perClient: 100, inAll: 10 });
    names.learn(told("quiet.example", { client: "10.0.0.3" }));
    for (let index = 0; index < 50; index++)
      names.learn(told(`n${index}.example`, { address: `192.0.2.${index}` }));
    expect(names.size).toBe(10);
    expect(names.namesOf("10.0.0.3", "192.0.2.1", 2000, true)).toEqual(["quiet.example"]);
  });

  it("of one answer is bounded, and so are the names told of one address", () => {
    const names = new NameTable();
    const addresses = Array.from({ length: 200 }, (_, index) => ({
      address: `192.0.2.${index}`,
      ttl: 60,
    }));
    names.learn({ client: "10.0.0.2", name: "large.example", addresses, at: 0 });
    expect(names.size).toBe(64);
    for (let index = 0; index < 20; index++)
      names.learn(told(`n${index}.example`, { at: 1000 + index }));
    expect(names.namesOf("10.0.0.2", "192.0.2.1", 2000, true)).toHaveLength(8);
  });
});
