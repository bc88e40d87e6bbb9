/** What every reader of a compiled policy may rely on, whatever the policy says: sorted, disjoint, whole, nothing unused. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compareIp,
  parseIp,
  type HostPolicy,
  type MapSet,
  type OverlayEntry,
  type Row,
} from "@bulkhead/model";
import { compile } from "../src/index.ts";
import { claim, failureOf } from "./check.ts";
import { contestedWorldArbitrary, NOW } from "./worlds.ts";

function sorted<T>(list: readonly T[], compare: (a: T, b: T) => number): boolean {
  return list.every((one, i) => i === 0 || compare(list[i - 1]!, one) < 0);
}

function checkRow(row: Row): void {
  claim(
    sorted(row.protocols, (a, b) => a.protocol - b.protocol),
    "protocols unsorted",
    row,
  );
  for (const { intervals } of row.protocols) {
    claim(intervals[0]!.first === 0 && intervals.at(-1)!.last === 65535, "ports left out", row);
    for (const [i, { first, last, decision }] of intervals.entries()) {
      const previous = intervals[i - 1];
      claim(first <= last && (i === 0 || previous!.last + 1 === first), "gap or overlap", row);
      claim(JSON.stringify(previous?.decision) !== JSON.stringify(decision), "not merged", row);
    }
    const [only, ...more] = intervals;
    const redundant =
      more.length === 0 && JSON.stringify(only!.decision) === JSON.stringify(row.others);
    claim(!redundant, "a protocol that says what the others say", row);
  }
}

function checkMaps(set: MapSet, rows: ReadonlySet<string>): void {
  const classes = new Set(set.maps.map(({ classId, direction }) => `${direction} ${classId}`));
  claim(
    sorted(set.maps, (a, b) =>
      `${a.direction} ${a.classId}` < `${b.direction} ${b.classId}` ? -1 : 1,
    ),
    "maps unsorted",
  );
  const named = new Set<string>();
  for (const direction of ["egress", "ingress"] as const) {
    const table = set.subjects[direction];
    claim(
      sorted(table, ([a], [b]) => compareIp(a, b)),
      "subjects unsorted",
      table,
    );
    for (const [, classId] of table) named.add(`${direction} ${classId}`);
  }
  claim(
    named.size === classes.size && [...named].every((name) => classes.has(name)),
    "subjects and maps do not belong together",
    [...named, ...classes],
  );
  for (const map of set.maps) {
    claim(
      sorted(map.exact, ([a], [b]) => compareIp(a, b)),
      "exact unsorted",
      map,
    );
    for (const [i, [first, last]] of map.ranges.entries()) {
      claim(compareIp(first, last) <= 0, "empty range", map);
      const previous = map.ranges[i - 1];
      claim(previous === undefined || compareIp(previous[1], first) < 0, "ranges overlap", map);
    }
    const used = [
      map.defaultRow,
      ...map.exact.map(([, id]) => id),
      ...map.ranges.map(([, , id]) => id),
    ];
    claim(
      used.every((id) => rows.has(id)),
      "a row that is not there",
      map,
    );
    claim(
      map.ranges.every(([, , id]) => id !== map.defaultRow),
      "a range for nothing",
      map,
    );
  }
  for (const entries of Map.groupBy(
    set.overlay,
    (one) => `${one.direction} ${one.classId}`,
  ).values()) {
    checkOverlay(entries);
  }
  claim(
    set.overlay.every((one) => classes.has(`${one.direction} ${one.classId}`)),
    "an overlay without its map",
  );
}

function checkOverlay(entries: readonly OverlayEntry[]): void {
  claim(
    entries.every(({ deadline }) => deadline > NOW),
    "a deadline that has passed",
    entries,
  );
  for (const sameProtocol of Map.groupBy(entries, ({ protocol }) => protocol).values()) {
    for (const [i, a] of sameProtocol.entries()) {
      for (const b of sameProtocol.slice(i + 1)) {
        const [[a1, a2], [b1, b2]] = [rangeOf(a), rangeOf(b)];
        const apart =
          parseIp(a.peer[0])!.family !== parseIp(b.peer[0])!.family || a2 < b1 || b2 < a1;
        const ports = a.ports[1] < b.ports[0] || b.ports[1] < a.ports[0];
        claim(apart || ports, "overlay entries overlap", [a, b]);
      }
    }
  }
}

function rangeOf({ peer }: OverlayEntry): [bigint, bigint] {
  return [parseIp(peer[0])!.value, parseIp(peer[1])!.value];
}

function checkPolicy(policy: HostPolicy, cookies: ReadonlySet<string>): void {
  claim(
    sorted(policy.rows, (a, b) => (a.id < b.id ? -1 : 1)),
    "rows unsorted",
  );
  const rows = new Set(policy.rows.map(({ id }) => id));
  claim(rows.size === policy.rows.length, "two rows of one name");
  policy.rows.forEach(checkRow);
  checkMaps(policy.live, rows);
  checkMaps(policy.shadow, rows);
  const used = new Set(
    [...policy.live.maps, ...policy.shadow.maps].flatMap((map) => [
      map.defaultRow,
      ...map.exact.map(([, id]) => id),
      ...map.ranges.map(([, , id]) => id),
    ]),
  );
  claim(used.size === rows.size, "a row that nobody uses");
  const decisions = [
    ...policy.rows.flatMap((row) => [
      row.others,
      ...row.protocols.flatMap(({ intervals }) => intervals.map(({ decision }) => decision)),
    ]),
    ...[...policy.live.overlay, ...policy.shadow.overlay].map(({ decision }) => decision),
  ];
  claim(
    decisions.every(({ cookie }) => cookie === "00000000" || cookies.has(cookie)),
    "a cookie without a name",
  );
}

describe("a compiled policy", () => {
  it("is sorted, disjoint and whole, and holds nothing that is not used", () => {
    const holds = fc.property(contestedWorldArbitrary, ({ set, inventory, endpoints }) => {
      const { policy, cookies } = compile(set, inventory, { now: NOW, revision: 1, endpoints });
      checkPolicy(policy, new Set(cookies.map(({ cookie }) => cookie)));
    });
    expect(failureOf(holds, 120)).toBe("");
  });
});
