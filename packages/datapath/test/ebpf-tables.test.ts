import { formatIp } from "@bulkhead/model";
import type { HostPolicy, Row, RowDecision, RowInterval } from "@bulkhead/model";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { partition } from "../src/ebpf/atoms.ts";
import { Numbers } from "../src/ebpf/numbers.ts";
import { planTables, release } from "../src/ebpf/plan.ts";
import type { Change, Plan } from "../src/ebpf/plan.ts";
import { rowParts } from "../src/ebpf/row-parts.ts";
import { sweep } from "../src/ebpf/sweep.ts";
import { createRegistry, tablesOf } from "../src/ebpf/tables.ts";
import type { Tables } from "../src/ebpf/tables.ts";
import { createWider } from "../src/ebpf/wider.ts";
import { arbitraryHostPolicy } from "./arbitrary-policy.ts";

const ALLOW: RowDecision = { verdict: "allow", cookie: "0000000a" };
const DROP: RowDecision = { verdict: "drop", cookie: "0000000d" };
const REJECT: RowDecision = { verdict: "reject", cookie: "0000000e" };

describe("sweep", () => {
  test("tells apart where anything begins or stops, and says what covers each stretch", () => {
    expect(
      sweep([
        { family: 4, first: 10n, last: 20n, tag: "a" },
        { family: 6, first: 12n, last: 12n, tag: "six" },
        { family: 4, first: 15n, last: 30n, tag: "b" },
        { family: 4, first: 40n, last: 40n, tag: "c" },
      ]),
    ).toEqual([
      { family: 4, first: 10n, last: 14n, tags: ["a"] },
      { family: 4, first: 15n, last: 20n, tags: ["a", "b"] },
      { family: 4, first: 21n, last: 30n, tags: ["b"] },
      { family: 4, first: 40n, last: 40n, tags: ["c"] },
      { family: 6, first: 12n, last: 12n, tags: ["six"] },
    ]);
  });

  test("reaches the last address there is", () => {
    const last = (1n << 128n) - 1n;
    expect(sweep([{ family: 6, first: last, last, tag: 1 }])).toEqual([
      { family: 6, first: last, last, tags: [1] },
    ]);
  });
});

describe("partition", () => {
  test("addresses are of one atom exactly where all classes treat them alike", () => {
    const { peers, ranges, cells } = partition([
      { number: 1, exact: [["10.0.0.1", 7]], ranges: [["10.0.0.0", "10.0.0.255", 8]] },
      { number: 2, exact: [["10.0.0.2", 9]], ranges: [["10.0.0.0", "10.0.0.127", 9]] },
    ]);
    expect([...ranges.keys()]).toEqual(["10.0.0.0/25", "10.0.0.128/25"]);
    expect(peers.get("10.0.0.1")).not.toBe(peers.get("10.0.0.2"));
    expect(cells.get(peers.get("10.0.0.1") ?? "")).toEqual([
      { classNumber: 1, row: 7, exact: true },
      { classNumber: 2, row: 9, exact: false },
    ]);
    expect(cells.get(peers.get("10.0.0.2") ?? "")).toEqual([
      { classNumber: 2, row: 9, exact: true },
      { classNumber: 1, row: 8, exact: false },
    ]);
    expect(cells.get(ranges.get("10.0.0.128/25") ?? "")).toEqual([
      { classNumber: 1, row: 8, exact: false },
    ]);
  });
});

describe("rowParts", () => {
  const row = (intervals: readonly RowInterval[]): Row => ({
    id: "00000001",
    protocols: [{ protocol: 6, intervals }],
    others: DROP,
  });

  test("a few exceptions are compared one after the other, over the protocol's most common decision", () => {
    const { few, ports, ranges } = rowParts(
      row([
        { first: 0, last: 79, decision: REJECT },
        { first: 80, last: 80, decision: ALLOW },
        { first: 81, last: 65_535, decision: REJECT },
      ]),
      8,
    );
    expect(few).toEqual([
      { protocol: 6, first: 80, last: 80, decision: ALLOW },
      { protocol: 6, first: 0, last: 65_535, decision: REJECT },
    ]);
    expect([ports, ranges]).toEqual([[], []]);
  });

  test("more of them go to a hash by port and to prefixes", () => {
    const { few, ports, ranges } = rowParts(
      row([
        { first: 0, last: 79, decision: DROP },
        { first: 80, last: 80, decision: ALLOW },
        { first: 81, last: 999, decision: DROP },
        { first: 1000, last: 1003, decision: ALLOW },
        { first: 1004, last: 65_535, decision: DROP },
      ]),
      1,
    );
    expect(few).toEqual([]);
    expect(ports).toEqual([{ protocol: 6, first: 80, last: 80, decision: ALLOW }]);
    expect(ranges).toEqual([{ protocol: 6, port: 1000, length: 14, decision: ALLOW }]);
  });
});

test("a name keeps its number, and a number that is free is given again", () => {
  const numbers = new Numbers();
  expect([numbers.of("a"), numbers.of("b"), numbers.of("a")]).toEqual([1, 2, 1]);
  numbers.rename("a", "c");
  expect(numbers.get("a")).toBeUndefined();
  numbers.keep(new Set([2]));
  expect([numbers.of("b"), numbers.of("d"), numbers.of("e")]).toEqual([2, 1, 3]);
});

test("what is adopted out of order leaves no number to be given twice", () => {
  const numbers = new Numbers();
  numbers.adopt("z", 4);
  numbers.adopt("y", 2);
  const given = [numbers.of("a"), numbers.of("b"), numbers.of("c")];
  expect(new Set([...given, 2, 4]).size).toBe(5);
});

test("a prefix that is not there is answered by the one that holds all of it", () => {
  const wider = createWider(
    new Map([
      ["10.0.0.0/8", 1],
      ["192.168.0.0/24", 2],
      ["fd00::/16", 3],
    ]),
  );
  expect(
    ["10.1.0.0/16", "192.168.0.0/16", "192.168.0.7/32", "fd00:1::/32", "11.0.0.0/8"].map(wider),
  ).toEqual([1, 0, 2, 3, 0]);
  expect(createWider(new Map([["7 10.0.0.0/8", 1]]))("8 10.0.0.0/9")).toBe(0);
});

/** The kernel's maps as they would be: bytes by map and key. */
class StandIn {
  readonly entries = new Map<string, Uint8Array>();

  write(changes: readonly Change[]): void {
    for (const { map, key, value } of changes) {
      const name = `${map} ${Buffer.from(key).toString("hex")}`;
      if (value === null) this.entries.delete(name);
      else this.entries.set(name, value);
    }
  }

  /** Versioned entries as a packet of this epoch sees them, the others as they are. */
  at(epoch: number): Record<string, string> {
    const seen: Record<string, string> = {};
    for (const [name, value] of this.entries) {
      if (name.startsWith("settings") && Number(`0x${name.slice(9, 11)}`) !== epoch % 2) continue;
      if (!VERSIONED.test(name)) {
        seen[name] = Buffer.from(value).toString("hex");
        continue;
      }
      const words = new DataView(value.buffer, value.byteOffset);
      const number = words.getUint32(words.getUint32(0, true) <= epoch ? 8 : 4, true);
      if (number !== 0) seen[name] = `${number}`;
    }
    return seen;
  }
}

const VERSIONED = /^(subjects|peers|ranges[46]|cells|timed[46]|locals|resolvers) /;
const NOW = 1_790_000_000_000;
const CLOCKS = { boot: 1_000_000_000_000n, wall: NOW };

describe("planTables", () => {
  const random = arbitraryHostPolicy(NOW);
  const step = (
    former: Tables | null,
    policy: HostPolicy,
    epoch: number,
    registry: ReturnType<typeof createRegistry>,
  ): { next: Tables; plan: Plan } => {
    const next = tablesOf(policy, registry, former);
    return { next, plan: planTables(former, next, epoch, registry, CLOCKS) };
  };

  test("what is prepared shows nothing until its epoch, and undone leaves nothing", () => {
    fc.assert(
      fc.property(random, random, (a, b) => {
        const registry = createRegistry();
        const kernel = new StandIn();
        const first = step(null, a, 0, registry);
        kernel.write(first.plan.prepare);
        kernel.write(first.plan.cleanup);
        const before = kernel.at(1);
        const second = step(first.next, b, 1, registry);
        kernel.write(second.plan.prepare);
        const beside = kernel.at(1);
        for (const [name, value] of Object.entries(before)) expect(beside[name]).toBe(value);
        for (const name of Object.keys(beside))
          if (VERSIONED.test(name) && !/^(ranges|timed)/.test(name))
            expect(before).toHaveProperty([name]);
        kernel.write(second.plan.undo);
        const after = kernel.at(1);
        for (const name of Object.keys(after))
          if (!name.startsWith("decisions")) expect(after[name]).toBe(before[name]);
        expect(Object.keys(before).filter((name) => after[name] === undefined)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test("from whatever was there, what is there in the end is what was wanted and nothing else", () => {
    fc.assert(
      fc.property(fc.array(random, { minLength: 2, maxLength: 4 }), (policies) => {
        const registry = createRegistry();
        const kernel = new StandIn();
        let former: Tables | null = null;
        policies.forEach((policy, epoch) => {
          const { next, plan } = step(former, policy, epoch, registry);
          kernel.write(plan.prepare);
          kernel.write(plan.cleanup);
          release(next, registry);
          former = next;
          const fresh = new StandIn();
          fresh.write(planTables(null, next, epoch, registry, CLOCKS).prepare);
          const [found, wanted] = [kernel.at(epoch + 1), fresh.at(epoch + 1)];
          const known = Object.keys(found).filter((name) => !name.startsWith("decisions"));
          expect(known.toSorted()).toEqual(
            Object.keys(wanted)
              .filter((name) => !name.startsWith("decisions"))
              .toSorted(),
          );
          for (const name of Object.keys(wanted)) expect(found[name]).toBe(wanted[name]);
        });
        const plan = planTables(former, null, policies.length, registry, CLOCKS);
        kernel.write(plan.prepare);
        kernel.write(plan.cleanup);
        const left = [...kernel.entries.keys()].filter(
          (name) => !/^(decisions|settings) /.test(name),
        );
        expect(left).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test("an edit of one rule writes what it changes, however many addresses there are", () => {
    const rows = (decision: RowDecision): Row[] => [
      { id: "0000000a", protocols: [], others: DROP },
      {
        id: decision === ALLOW ? "0000000b" : "0000000c",
        protocols: [],
        others: decision,
      },
    ];
    const exact = Array.from({ length: 1000 }, (_, n) => formatIp(4, 0x0a000001n + BigInt(n)));
    const policy = (decision: RowDecision): HostPolicy => {
      const [other, own] = rows(decision) as [Row, Row];
      const none = { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] };
      return {
        revision: 1,
        endpoints: [],
        hostAddresses: [],
        live: {
          ...none,
          subjects: { egress: [["10.9.0.1", "00000001"]], ingress: [] },
          maps: [
            {
              classId: "00000001",
              direction: "egress",
              exact: exact.map((address) => [address, own.id] as const),
              ranges: [],
              defaultRow: other.id,
            },
          ],
        },
        shadow: none,
        rows: [other, own],
        profile: { nodeExempt: false, hairpinExempt: false },
      };
    };
    const registry = createRegistry();
    const first = step(null, policy(ALLOW), 0, registry);
    expect(first.plan.prepare.length).toBeGreaterThan(1000);
    const second = step(first.next, policy(REJECT), 1, registry);
    // The cookie, the settings, the row, and the cell that leads to it.
    expect(second.plan.prepare.map(({ map }) => map)).toEqual([
      "decisions",
      "settings",
      "rows",
      "cells",
    ]);
  });
});
