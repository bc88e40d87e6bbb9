import { canonicalHostPolicy, parseIp } from "@bulkhead/model";
import type { HostPolicy, MapSet, PolicyMap } from "@bulkhead/model";
import fc from "fast-check";
import { expect, test } from "vitest";
import { adopt } from "../src/ebpf/adopt.ts";
import { mapsOf } from "../src/ebpf/found-maps.ts";
import { MAP_NAMES, numberKey } from "../src/ebpf/layout.ts";
import type { MapId } from "../src/ebpf/layout.ts";
import { planTables, release } from "../src/ebpf/plan.ts";
import type { Change } from "../src/ebpf/plan.ts";
import { readTables } from "../src/ebpf/read-tables.ts";
import type { RawMaps } from "../src/ebpf/read-tables.ts";
import { createRegistry, tablesOf } from "../src/ebpf/tables.ts";
import type { Tables } from "../src/ebpf/tables.ts";
import { arbitraryHostPolicy, withoutProcesses } from "./arbitrary-policy.ts";

const NOW = 1_790_000_000_000;
const CLOCKS = { boot: 1_000_000_000_000n, wall: NOW };

/** Maps in memory, entries as bytes. */
class Maps {
  readonly #maps = new Map<MapId, Map<string, Uint8Array>>();

  write(changes: readonly Change[]): void {
    for (const { map, key, value } of changes) {
      const entries = this.#maps.get(map) ?? new Map<string, Uint8Array>();
      this.#maps.set(map, entries);
      const name = Buffer.from(key).toString("hex");
      if (value === null) entries.delete(name);
      else entries.set(name, value);
    }
  }

  /** Of a map, its entries' keys in hexadecimal. */
  of(map: MapId): Map<string, Uint8Array> {
    return this.#maps.get(map) ?? new Map();
  }

  copyOf(map: MapId): [string, Uint8Array][] {
    return [...this.of(map)];
  }

  raw(epoch: number): RawMaps {
    const all = Object.keys(MAP_NAMES).map((map) => [
      map,
      [...this.of(map as MapId)].map(([key, value]) => ({
        key: new Uint8Array(Buffer.from(key, "hex")),
        value,
      })),
    ]);
    return {
      ...(Object.fromEntries(all) as RawMaps),
      epoch: [{ key: numberKey(0), value: numberKey(epoch) }],
    };
  }
}

/** Ranges that touch and lead to one row are one to every packet. */
const joined = (ranges: PolicyMap["ranges"]): PolicyMap["ranges"] => {
  const found: [string, string, string][] = [];
  for (const [first, last, row] of ranges) {
    const previous = found.at(-1);
    const after = previous === undefined ? null : parseIp(previous[1]);
    const begins = parseIp(first);
    const touches = after?.family === begins?.family && (after?.value ?? 0n) + 1n === begins?.value;
    if (previous !== undefined && touches && previous[2] === row) previous[1] = last;
    else found.push([first, last, row]);
  }
  return found;
};

/** Without processes, and with such ranges joined. */
const plain = (policy: HostPolicy): HostPolicy => {
  const { live, shadow, canary, ...rest } = withoutProcesses(policy);
  const set = ({ maps, ...others }: MapSet): MapSet => ({
    ...others,
    maps: maps.map((map) => ({ ...map, ranges: joined(map.ranges) })),
  });
  return {
    ...rest,
    live: set(live),
    shadow: set(shadow),
    ...(canary ? { canary: { ...canary, maps: set(canary.maps) } } : {}),
  };
};

const usedRows = ({ live, shadow, canary, rows }: HostPolicy) => {
  const ids = new Set(
    [live, shadow, ...(canary ? [canary.maps] : [])].flatMap(({ maps }) =>
      maps.flatMap(({ exact, ranges, defaultRow }) => [
        ...exact.map(([, id]) => id),
        ...ranges.map(([, , id]) => id),
        defaultRow,
      ]),
    ),
  );
  return rows.filter(({ id }) => ids.has(id));
};

const policies = arbitraryHostPolicy(NOW).map(plain);

test("a policy is read back from the maps whatever was there before, and nothing differs", () => {
  fc.assert(
    fc.property(fc.array(policies, { minLength: 1, maxLength: 3 }), (list) => {
      const registry = createRegistry();
      const kernel = new Maps();
      let former: Tables | null = null;
      list.forEach((policy, epoch) => {
        const next: Tables = tablesOf(policy, registry, former);
        const plan = planTables(former, next, epoch, registry, CLOCKS);
        kernel.write(plan.prepare);
        kernel.write(plan.cleanup);
        release(next, registry);
        former = next;
        const found = readTables(kernel.raw(epoch + 1), CLOCKS);
        expect(found.differences).toEqual([]);
        const { maps, differences } = mapsOf(found.tables, NOW);
        expect(differences).toEqual([]);
        expect(JSON.parse(canonicalHostPolicy({ ...policy, ...maps }))).toEqual(
          JSON.parse(canonicalHostPolicy({ ...policy, rows: usedRows(policy) })),
        );
      });
    }),
    { numRuns: 100 },
  );
});

test("what a stranger changes is a difference, or another policy", () => {
  const [policy] = fc.sample(
    policies.filter(({ live }) => live.maps.length > 1 && live.subjects.egress.length > 0),
    { numRuns: 1, seed: 7 },
  );
  if (policy === undefined) throw new Error("no policy");
  const registry = createRegistry();
  const kernel = new Maps();
  kernel.write(planTables(null, tablesOf(policy, registry, null), 0, registry, CLOCKS).prepare);
  const said = (maps: Maps): string => {
    const found = readTables(maps.raw(1), CLOCKS);
    const { maps: read, differences } = mapsOf(found.tables, NOW);
    return [
      canonicalHostPolicy({ ...policy, ...read }),
      ...found.differences,
      ...differences,
    ].join();
  };
  const before = said(kernel);
  const unseen: string[] = [];
  for (const map of ["subjects", "peers", "cells", "rows", "classes", "decisions"] as const) {
    const entries = kernel.of(map);
    for (const [key, value] of kernel.copyOf(map)) {
      entries.delete(key);
      if (said(kernel) === before) unseen.push(`${map} ${key} taken away`);
      entries.set(key, value);
      const other = value.slice();
      const at = map === "subjects" || map === "peers" || map === "cells" ? 8 : 0;
      other[at] = (other[at] ?? 0) ^ 1;
      entries.set(key, other);
      if (said(kernel) === before) unseen.push(`${map} ${key} changed`);
      entries.set(key, value);
    }
  }
  expect(unseen).toEqual([]);
  expect(said(kernel)).toBe(before);
});

test("another process takes over every number: the same policy is nothing to be written, and the next one is right", () => {
  fc.assert(
    fc.property(policies, policies, policies, (before, policy, next) => {
      const registry = createRegistry();
      const kernel = new Maps();
      const first = tablesOf(before, registry, null);
      kernel.write(planTables(null, first, 0, registry, CLOCKS).prepare);
      const second = tablesOf(policy, registry, first);
      const plan = planTables(first, second, 1, registry, CLOCKS);
      kernel.write(plan.prepare);
      kernel.write(plan.cleanup);
      const { tables } = readTables(kernel.raw(2), CLOCKS);
      const heir = adopt(tables, policy);
      const again = planTables(tables, tablesOf(policy, heir, tables), 2, heir, CLOCKS);
      expect(again.prepare.map(({ map }) => map)).toEqual(["settings"]);
      expect(again.cleanup).toEqual([]);
      const third = tablesOf(next, heir, tables);
      const on = planTables(tables, third, 2, heir, CLOCKS);
      kernel.write(on.prepare);
      kernel.write(on.cleanup);
      const found = readTables(kernel.raw(3), CLOCKS);
      const { maps, differences } = mapsOf(found.tables, NOW);
      expect([...found.differences, ...differences]).toEqual([]);
      expect(canonicalHostPolicy({ ...next, ...maps })).toEqual(
        canonicalHostPolicy({ ...next, rows: usedRows(next) }),
      );
    }),
    { numRuns: 40 },
  );
});
