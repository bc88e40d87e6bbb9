/** The small machines that the compiler is made of, each by itself. */
import { describe, expect, it } from "vitest";
import { parseIp, rangeToCidrs, cidrRange, type Block, type Cidr } from "@bulkhead/model";
import { segmentAt, subtractRanges, sweepRanges } from "../src/compile/address-sweep.ts";
import { ClassMap } from "../src/compile/class-map.ts";
import { classProgram } from "../src/compile/class-program.ts";
import { assignCookies, DecisionTable } from "../src/compile/decision-table.ts";
import { cellsOf, cutCells } from "../src/compile/port-cells.ts";
import { PeerTable } from "../src/compile/peer-table.ts";
import { RowTable } from "../src/compile/row-table.ts";
import { any, block, chosen, policySet, rule, stage, T0 } from "./small-sets.ts";

describe("cutCells", () => {
  it("cuts each protocol at the ends of its ranges, and keeps one cell for all others", () => {
    const cells = cutCells([
      [{ protocol: 6, first: 80, last: 90 }, "all"],
      [{ protocol: 6, first: 85, last: 65535 }],
      [{ protocol: 1, first: 0, last: 65535 }],
    ]);
    expect(cells).toEqual({
      count: 6,
      protocols: [
        { protocol: 1, offset: 0, starts: [0] },
        { protocol: 6, offset: 1, starts: [0, 80, 85, 91] },
      ],
    });
    expect(cellsOf(cells, "all")).toEqual({ first: 0, last: 5 });
    expect(cellsOf(cells, { protocol: 6, first: 80, last: 90 })).toEqual({ first: 2, last: 3 });
    expect(cellsOf(cells, { protocol: 6, first: 85, last: 65535 })).toEqual({ first: 3, last: 4 });
    expect(cellsOf(cells, { protocol: 1, first: 0, last: 65535 })).toEqual({ first: 0, last: 0 });
    expect(cutCells([])).toEqual({ count: 1, protocols: [] });
  });
});

const owned = (cidr: Cidr, owner: number) => ({ range: cidrRange(cidr), owner });
const text = (range: ReturnType<typeof cidrRange>) => rangeToCidrs(range).join("+");

describe("sweepRanges", () => {
  it("cuts overlaps into disjoint segments with all their owners", () => {
    const segments = sweepRanges([
      owned("10.0.0.0/8", 2),
      owned("10.0.0.0/16", 0),
      owned("10.0.0.0/16", 0),
      owned("10.1.0.0/16", 1),
      owned("::/127", 3),
      owned("255.255.255.255/32", 4),
    ]);
    expect(segments.map(({ owners, ...range }) => [text(range), owners])).toEqual([
      ["10.0.0.0/16", [0, 2]],
      ["10.1.0.0/16", [1, 2]],
      [
        rangeToCidrs({ ...cidrRange("10.0.0.0/8"), first: parseIp("10.2.0.0")!.value }).join("+"),
        [2],
      ],
      ["255.255.255.255/32", [4]],
      ["::/127", [3]],
    ]);
    expect(sweepRanges([])).toEqual([]);
  });

  it("leaves gaps where nobody owns anything", () => {
    const segments = sweepRanges([owned("10.0.0.0/32", 1), owned("10.0.0.2/32", 1)]);
    expect(segments.map(text)).toEqual(["10.0.0.0/32", "10.0.0.2/32"]);
  });
});

describe("subtractRanges", () => {
  const left = (from: Cidr, ...holes: Cidr[]) =>
    subtractRanges(cidrRange(from), holes.map(cidrRange)).map(text);

  it("takes holes out of the middle, both ends, and the whole", () => {
    expect(left("10.0.0.0/30", "10.0.0.1/32")).toEqual(["10.0.0.0/32", "10.0.0.2/31"]);
    expect(left("10.0.0.0/30", "10.0.0.0/32")).toEqual(["10.0.0.1/32+10.0.0.2/31"]);
    expect(left("10.0.0.0/30", "10.0.0.3/32")).toEqual(["10.0.0.0/31+10.0.0.2/32"]);
    expect(left("10.0.0.0/30", "10.0.0.0/24")).toEqual([]);
    expect(left("10.0.0.0/30", "10.0.0.1/32", "10.0.0.2/32")).toEqual([
      "10.0.0.0/32",
      "10.0.0.3/32",
    ]);
  });

  it("is not touched by what lies beside it or in the other family", () => {
    expect(left("10.0.0.4/30", "10.0.0.0/30", "10.0.0.8/30", "::/0")).toEqual(["10.0.0.4/30"]);
    expect(left("::/126", "0.0.0.0/0")).toEqual(["::/126"]);
  });
});

describe("segmentAt", () => {
  const places = ["10.0.0.1", "10.0.0.5", "10.0.0.9", "::1", "::9"].map((address) =>
    parseIp(address)!,
  );
  const found = (...ranges: Parameters<typeof sweepRanges>[0]) =>
    places.map((place) => segmentAt(sweepRanges(ranges), place)?.owners);

  it("finds the segment of each address, ends included", () => {
    expect(found(owned("10.0.0.5/32", 1), owned("10.0.0.8/31", 2), owned("::8/126", 3))).toEqual([
      undefined,
      [1],
      [2],
      undefined,
      [3],
    ]);
  });

  it("does not mix the families up", () => {
    const none = undefined;
    expect(found(owned("::/120", 1))).toEqual([none, none, none, [1], [1]]);
    expect(found(owned("10.0.0.0/24", 1))).toEqual([[1], [1], [1], none, none]);
    expect(found()).toEqual([none, none, none, none, none]);
    // Each lies below every IPv4 address, taken as a number.
    const small = (["::8/126", "::100/120", "::200/120", "::300/120"] as const).map((cidr, i) =>
      owned(cidr, 2 + i),
    );
    expect(found(owned("10.0.0.0/24", 1), ...small)).toEqual([[1], [1], [1], none, [2]]);
  });
});

describe("ClassMap", () => {
  it("disagrees from the first row in which rules of one priority do", () => {
    const on = (id: string, action: "allow" | "deny") =>
      block(id, "ingress", "shop:", [rule(action, [any])]);
    const disagrees = (...blocks: readonly Block[]) => {
      const set = policySet([stage("s", "firstMatch", blocks)]);
      const decisions = new DecisionTable(assignCookies(set));
      const program = { set, direction: "ingress" as const, blocks, resolve: () => [], decisions };
      const rows = new RowTable(decisions);
      const context = { peers: new PeerTable(), now: T0, decisions, rows };
      return new ClassMap([classProgram(program)], context).disagrees;
    };
    expect(disagrees(on("a", "allow"))).toBe(false);
    expect(disagrees(on("a", "allow"), on("b", "allow"))).toBe(false);
    expect(disagrees(on("a", "allow"), on("b", "deny"))).toBe(true);
  });
});

describe("PeerTable", () => {
  it("gives one number to what says the same, one after the other", () => {
    const peers = new PeerTable();
    const numbers = ["shop:app=web", "shop:", "shop:app=web", "*:app=web", "shop:"].map(
      (text) => peers.intern(chosen(text)).number,
    );
    expect(numbers).toEqual([0, 1, 0, 2, 1]);
    expect(peers.size).toBe(3);
    expect(peers.intern(chosen("shop:")).peer).toEqual(chosen("shop:"));
  });

  it("reads a peer once", () => {
    let reads = 0;
    const peer = new Proxy(chosen("shop:app=web"), {
      get: (target, name) => {
        reads++;
        return Reflect.get(target, name) as unknown;
      },
    });
    const peers = new PeerTable();
    const first = peers.intern(peer);
    const readsOfFirst = reads;
    expect(peers.intern(peer)).toBe(first);
    expect(reads).toBe(readsOfFirst);
    expect(reads).toBeGreaterThan(0);
  });
});

describe("RowTable", () => {
  const decisions = new DecisionTable(new Map([["r", "0000000a"]]));
  const allow = decisions.number("allow", "r");
  const cells = cutCells([[{ protocol: 6, first: 80, last: 80 }]]);

  it("interns equal content once, and names rows by it, whatever order they came in", () => {
    const table = new RowTable(decisions);
    const one = table.intern(cells, Int32Array.of(1, allow, 1, 1));
    const plain = table.intern(cells, Int32Array.of(1, 1, 1, 1));
    expect(table.intern(cells, Int32Array.of(1, allow, 1, 1))).toBe(one);
    expect(table.intern(cutCells([]), Int32Array.of(1))).toBe(plain);
    expect(plain).not.toBe(one);
    expect(table.at(plain)).toEqual({
      protocols: [],
      others: { verdict: "drop", cookie: "00000000" },
    });
    const other = new RowTable(decisions);
    const [plainToo, oneToo] = [
      other.intern(cells, Int32Array.of(1, 1, 1, 1)),
      other.intern(cells, Int32Array.of(1, allow, 1, 1)),
    ];
    const names = table.name(new Set([one, plain]));
    const namesToo = other.name(new Set([plainToo, oneToo]));
    expect(names.ids.get(one)).toBe(namesToo.ids.get(oneToo));
    expect(names.rows).toEqual(namesToo.rows);
    expect(names.rows).toHaveLength(2);
    expect(table.name(new Set([plain])).rows).toHaveLength(1);
  });

  it("tells rows apart that differ in a port, a protocol or a decision only", () => {
    const table = new RowTable(decisions);
    const at = (protocol: number, port: number, decision: number) =>
      table.intern(
        cutCells([[{ protocol, first: port, last: port }]]),
        Int32Array.of(1, decision, 1, 1),
      );
    expect(
      new Set([at(6, 80, allow), at(6, 81, allow), at(17, 80, allow), at(6, 80, 0)]).size,
    ).toBe(4);
  });
});

describe("DecisionTable", () => {
  it("gives one number to one decision, and knows the defaults", () => {
    const table = new DecisionTable(
      new Map([
        ["a", "0000000a"],
        ["b", "0000000b"],
      ]),
    );
    const [drop, reject, allow] = [
      table.number("drop", "a"),
      table.number("reject", "a"),
      table.number("allow", "b"),
    ];
    expect(new Set([0, 1, drop, reject, allow]).size).toBe(5);
    expect(table.number("drop", "a")).toBe(drop);
    expect(table.at(allow)).toEqual({ verdict: "allow", cookie: "0000000b" });
    expect([0, 1, drop].map((number) => table.isDefault(number))).toEqual([true, true, false]);
    expect([0, 1, allow, reject].map((number) => table.allows(number))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(table.strictness(drop)).toBeLessThan(table.strictness(reject));
    expect(table.strictness(reject)).toBeLessThan(table.strictness(allow));
  });

  it("goes on under other cookies as long as nobody whom it has named is called otherwise", () => {
    const [a, b] = ["0000000a", "0000000b"];
    const table = new DecisionTable(new Map([["a", a]]));
    table.number("drop", "a");
    expect(table.adopt(new Map([["a", b]]))).toBe(false);
    expect(table.at(table.number("allow", "a")).cookie).toBe(a);
    const both = new Map([
      ["a", a],
      ["b", b],
    ]);
    expect(table.adopt(both)).toBe(true);
    const second = table.number("drop", "b");
    expect(table.at(second)).toEqual({ verdict: "drop", cookie: b });
    expect(table.adopt(new Map([["b", b]]))).toBe(true);
    expect(table.adopt(new Map([["b", a]]))).toBe(false);
    expect(table.adopt(new Map([...both, ["b", a]]))).toBe(false);
    expect(table.adopt(new Map())).toBe(true);
    expect(table.number("drop", "b")).toBe(second);
  });
});
