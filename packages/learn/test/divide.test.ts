import { DAY_MS, type Edge } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { groupByCommunication, type Member } from "../src/index.ts";
import { edge } from "./shop.ts";

const DAYS = 60;

/** Stations that share a server of records, names and logs; what else they do is told. */
interface Told {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  /** Days on which it was seen, from the first to before the second. */
  readonly days?: readonly [number, number];
}

const SERVERS = ["records-1", "records-2", "records-3", "names", "logs"];

function seen({ from, to, port, days: [first, last] = [0, DAYS] }: Told): Edge {
  const made = edge("web-1", "db", `${port}/tcp`);
  const end = (name: string) => ({
    address: `10.0.0.${[...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 65_521, 7)}`,
    workload: `ward/${name}`,
    name: `ward/${name}`,
    labels: {},
  });
  return {
    ...made,
    source: end(from),
    destination: end(to),
    connections: 1000,
    established: 1000,
    windows: 1000,
    firstSeen: first * DAY_MS,
    lastSeen: last * DAY_MS,
  };
}

/** `life`: when each is there, all the time where it is not said. */
function rolesOf(
  stations: readonly string[],
  more: readonly Told[],
  life: (station: string) => readonly [number, number] = () => [0, DAYS],
): readonly string[] {
  const usual = stations.flatMap((from): readonly Told[] => [
    ...SERVERS.slice(0, 3).map((to) => ({ from, to, port: 443, days: life(from) })),
    { from, to: "names", port: 53, days: life(from) },
    { from, to: "logs", port: 3100, days: life(from) },
  ]);
  const all = [...usual, ...more];
  const names = new Set(all.flatMap(({ from, to }) => [from, to]));
  const members = [...names].map((name): Member => ({
    id: `ward/${name}`,
    namespace: "ward",
    labels: {},
  }));
  const { roles } = groupByCommunication(all.map(seen), members);
  return roles
    .map(({ members: own }) => own.map((id) => id.slice(5)).filter((id) => stations.includes(id)))
    .filter((own) => own.length > 0)
    .map((own) => own.join(" "))
    .toSorted();
}

const stationsOf = (wards: number, each: number): readonly string[] =>
  Array.from({ length: wards * each }, (_, at) => `s${Math.floor(at / each)}${at % each}`);

describe("what some have, and the others could have had", () => {
  const six = stationsOf(1, 6);
  const backup = (of: readonly string[], days?: readonly [number, number]): readonly Told[] =>
    of.map((to) => ({ from: "backup", to, port: 8400, ...(days === undefined ? {} : { days }) }));

  it("parts a role whose one half is backed up every night, and the other never", () => {
    expect(rolesOf(six, backup(six.slice(0, 3)))).toEqual(["s00 s01 s02", "s03 s04 s05"]);
  });

  it("parts nobody because of one or two: a leader, an intruder", () => {
    expect(rolesOf(six, backup(six.slice(0, 2)))).toEqual([six.join(" ")]);
    expect(rolesOf(six, backup(six.slice(0, 4)))).toEqual([six.join(" ")]);
  });

  it("parts nobody who was not there at the time", () => {
    const early = (one: string): readonly [number, number] =>
      six.indexOf(one) < 3 ? [0, 29] : [31, DAYS];
    expect(rolesOf(six, backup(six.slice(0, 3), [0, 29]), early)).toEqual([six.join(" ")]);
  });
});

describe("peers of their own", () => {
  const prints = (stations: readonly string[], printers: number): readonly Told[] =>
    stations.map((from, at) => ({
      from,
      to: `printer-${Math.floor((at * printers) / stations.length)}`,
      port: 9100,
    }));

  it("parts stations of four wards, each of which keeps to its printer", () => {
    const stations = stationsOf(4, 3);
    expect(rolesOf(stations, prints(stations, 4))).toEqual(
      [0, 3, 6, 9].map((at) => stations.slice(at, at + 3).join(" ")),
    );
  });

  it("takes one of two or three for a choice among copies", () => {
    const stations = stationsOf(3, 3);
    expect(rolesOf(stations, prints(stations, 3))).toEqual([stations.join(" ")]);
  });

  it("parts nobody where some use those of others, too", () => {
    const stations = stationsOf(4, 3);
    const bridges = [0, 3, 6].map((at) => ({
      from: stations[at] ?? "",
      to: `printer-${at / 3 + 1}`,
      port: 9100,
    }));
    expect(rolesOf(stations, [...prints(stations, 4), ...bridges])).toEqual([stations.join(" ")]);
  });

  it("parts no generations, who never met the others' peers", () => {
    const stations = stationsOf(4, 3);
    const life = (one: string): readonly [number, number] => {
      const at = Math.floor(stations.indexOf(one) / 3) * 15;
      return [at, at + 15];
    };
    const told = prints(stations, 4).map((one) => ({ ...one, days: life(one.from) }));
    expect(rolesOf(stations, told, life)).toEqual([stations.join(" ")]);
  });
});
