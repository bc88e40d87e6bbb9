/**
 * Laws of `list` and `diff`: a list is all pairs of `decide`, the order of what it is asked about changes nothing, and a
 * difference is the symmetric difference of two lists.
 */
import { decide, type DecideOptions } from "@bulkhead/engine";
import {
  equalPorts,
  familyOf,
  formatPort,
  hasPort,
  ICMP,
  isEmptyPorts,
  parseIp,
  SCTP,
  TCP,
  UDP,
  type IpAddress,
} from "@bulkhead/model";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  connectivityOf,
  cutWorld,
  differencesOf,
  openDesk,
  pairFormats,
  pairsOf,
  WHOLE_WORLD,
  workloadName,
  type Desk,
  type Pair,
  type WorldView,
} from "../../src/desk/index.ts";
import { folder } from "./manifests.ts";

const NOW = 0;
const LIVE: DecideOptions = { now: NOW, view: "live" };
const ASKED = [
  { protocol: TCP, port: 80 },
  { protocol: TCP, port: 8080 },
  { protocol: UDP, port: 53 },
  { protocol: SCTP, port: 7050 },
  { protocol: ICMP, port: 8 * 256 },
];
const OUTSIDE = ["10.1.2.3", "10.200.0.1", "192.0.2.1", "2001:db8::5", "2600::1"];

const opened = (documents: readonly string[]): Desk => {
  const desk = openDesk(
    documents.map((text, at) => ({ name: `${at}.yaml`, text })),
    { now: NOW },
  );
  expect(desk.diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  return desk;
};

const txt = (desk: Desk, view: WorldView = cutWorld(desk.set)): string =>
  [...pairFormats.txt(pairsOf(connectivityOf(desk, NOW), view))].join("");

interface End {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
}

const holds = (name: string, { name: wanted, addresses: [address = ""] }: End): boolean => {
  // Stretches of the world hold what nobody owns, whatever their numbers.
  if (name === wanted || wanted.includes("/")) return name === wanted;
  const [, first = "", last = ""] = /^([0-9a-f.:]+)-([0-9a-f.:]+)\[External\]$/.exec(name) ?? [];
  if (first === "" || familyOf(first) !== familyOf(address)) return false;
  const value = parseIp(address)!.value;
  return parseIp(first)!.value <= value && value <= parseIp(last)!.value;
};

test("list is all pairs of decide", () => {
  fc.assert(
    fc.property(folder, (documents) => {
      const desk = opened(documents);
      const pairs = [...pairsOf(connectivityOf(desk, NOW), WHOLE_WORLD)];
      const workloads = [...desk.workloads.values()].map((one): End => ({
        name: workloadName(one),
        addresses: desk.addressesOf(one.id),
      }));
      const outside = OUTSIDE.map((address): End => ({ name: address, addresses: [address] }));
      const ends = [...workloads, ...outside];
      for (const from of ends) {
        for (const to of ends) {
          if (from === to || (outside.includes(from) && outside.includes(to))) continue;
          const listed = pairs.filter(
            ({ source, destination }) => holds(source, from) && holds(destination, to),
          );
          for (const { protocol, port } of ASKED) {
            const decided = from.addresses.some((source) =>
              to.addresses.some((destination) => {
                if (familyOf(source) !== familyOf(destination)) return false;
                const query = { source, destination, protocol, port };
                return decide(desk.set, desk.index, query, LIVE).verdict === "allow";
              }),
            );
            const told = listed.some(({ ports }) => hasPort(ports, protocol, port));
            const question = `${from.name} → ${to.name} ${formatPort(protocol, port)}`;
            expect({ question, told }).toEqual({ question, told: decided });
          }
        }
      }
    }),
    { numRuns: 30 },
  );
});

test("the order of documents and files changes nothing", () => {
  fc.assert(
    fc.property(
      folder.chain((documents) =>
        fc.tuple(
          fc.constant(documents),
          fc.shuffledSubarray([...documents], { minLength: documents.length }),
        ),
      ),
      ([documents, shuffled]) => {
        expect(txt(opened(shuffled))).toBe(txt(opened(documents)));
        expect(txt(opened([shuffled.join("---\n")]))).toBe(txt(opened(documents)));
      },
    ),
    { numRuns: 12 },
  );
});

test("cutting the world changes no line's ports, only where it ends", () => {
  fc.assert(
    fc.property(folder, (documents) => {
      const desk = opened(documents);
      const cut = cutWorld(desk.set);
      const whole: WorldView = { ...cut, sourceCuts: [], destinationCuts: [] };
      const inside = (text: string) => text.split("\n").filter((line) => !line.includes("[Ext"));
      expect(inside(txt(desk, cut))).toEqual(inside(txt(desk, whole)));
      expect(txt(desk, cut).split("\n").length).toBeGreaterThanOrEqual(
        txt(desk, whole).split("\n").length,
      );
    }),
    { numRuns: 30 },
  );
});

const covers = (
  { source, destination }: Pick<Pair, "source" | "destination">,
  from: End,
  to: End,
) => holds(source, from) && holds(destination, to);

test("diff is the symmetric difference of two lists", () => {
  fc.assert(
    fc.property(folder, folder, (one, other) => {
      const sides = [opened(one), opened(other)] as const;
      const [before, after] = sides.map((desk) => connectivityOf(desk, NOW));
      const [was, is] = [[...pairsOf(before!)], [...pairsOf(after!)]];
      const found = [...differencesOf(before!, after!)];
      const names = new Set([...before!.workloads, ...after!.workloads]);
      const outside = OUTSIDE.map((address): End => ({ name: address, addresses: [address] }));
      const ends = [...[...names].map((name): End => ({ name, addresses: [] })), ...outside];
      for (const from of ends) {
        for (const to of ends) {
          const between = <T extends Pick<Pair, "source" | "destination">>(all: readonly T[]) =>
            all.filter((pair) => covers(pair, from, to));
          const [entry, ...more] = between(found);
          expect(more).toEqual([]);
          const lists = [between(was), between(is)];
          for (const { protocol, port } of ASKED) {
            const listed = lists.map((all) =>
              all.some(({ ports }) => hasPort(ports, protocol, port)),
            );
            const told = entry && [entry.before, entry.after];
            expect(told?.map((ports) => hasPort(ports, protocol, port)) ?? listed).toEqual(listed);
            if (told === undefined) expect(listed[0]).toBe(listed[1]);
          }
        }
      }
      for (const one of found) {
        expect(equalPorts(one.before, one.after)).toBe(false);
        expect(one.kind === "added").toBe(isEmptyPorts(one.before));
        expect(one.kind === "removed").toBe(isEmptyPorts(one.after));
      }
    }),
    { numRuns: 20 },
  );
});

test("nothing differs from itself", () => {
  fc.assert(
    fc.property(folder, (documents) => {
      const [one, other] = [opened(documents), opened(documents)];
      expect([...differencesOf(connectivityOf(one, NOW), connectivityOf(other, NOW))]).toEqual([]);
    }),
    { numRuns: 20 },
  );
});
