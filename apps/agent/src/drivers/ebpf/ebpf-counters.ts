/** What the maps count, in the words of the contract: by deciding rule, plane, direction and verdict, and what no rule decided. */
import { readTables } from "@bulkhead/datapath";
import type { Clocks, CounterReading, SpecialCounter } from "@bulkhead/datapath";
import type { Direction, HostPolicy, MapSet, RowDecision } from "@bulkhead/model";
import { perCpuValues } from "../../bpf/index.ts";
import type { BpfMap, BpfObject } from "../../bpf/index.ts";
import type { KernelMaps } from "./kernel-maps.ts";

const PLANES = ["live", "shadow", "canary"] as const;
const DIRECTIONS = ["egress", "ingress"] as const;

/** As `enum stray` of `bpf/include/events.h` counts them. */
const STRAYS: readonly SpecialCounter[] = [
  "no_connection",
  "not_syn",
  "false_source",
  "live_suppressed",
  "live_overflowed",
];

const sum = (map: BpfMap, value: Buffer, at: number): number =>
  perCpuValues(map, value).reduce((total, one) => total + Number(one.readBigUInt64LE(at)), 0);

/** Decisions that the plane can come to in this direction. */
const decisionsOf = (
  { rows }: HostPolicy,
  set: MapSet | undefined,
  direction: Direction,
): RowDecision[] => {
  const used = new Set(
    (set?.maps ?? [])
      .filter((map) => map.direction === direction)
      .flatMap(({ exact, ranges, defaultRow }) => [
        ...exact.map(([, id]) => id),
        ...ranges.map(([, , id]) => id),
        defaultRow,
      ]),
  );
  return [
    ...rows
      .filter(({ id }) => used.has(id))
      .flatMap(({ others, protocols }) => [
        others,
        ...protocols.flatMap(({ intervals }) => intervals.map(({ decision }) => decision)),
      ]),
    ...(set?.overlay ?? [])
      .filter((entry) => entry.direction === direction)
      .map(({ decision }) => decision),
  ];
};

export const readCounters = (
  object: BpfObject,
  maps: KernelMaps,
  policy: HostPolicy,
  clocks: Clocks,
): CounterReading[] => {
  const { tables } = readTables(maps.raw(), clocks);
  const counters = maps.map("counters");
  const key = Buffer.alloc(4);
  const found: CounterReading[] = [];
  PLANES.forEach((plane, planeAt) =>
    DIRECTIONS.forEach((direction, directionAt) => {
      const set = { live: policy.live, shadow: policy.shadow, canary: policy.canary?.maps }[plane];
      const verdicts = new Map(
        decisionsOf(policy, set, direction).map(({ cookie, verdict }) => [cookie, verdict]),
      );
      for (const [number, cookie] of tables.decisions) {
        const verdict = verdicts.get(cookie);
        if (verdict === undefined) continue;
        key.writeUInt32LE(number * 6 + planeAt * 2 + directionAt);
        const value = counters.lookup(key) ?? Buffer.alloc(counters.valueBytes);
        found.push({
          kind: "leaf",
          plane,
          direction,
          verdict,
          cookie,
          packets: sum(counters, value, 0),
          bytes: sum(counters, value, 8),
        });
      }
    }),
  );
  const strays = object.map("bh_strays");
  STRAYS.forEach((name, at) => {
    key.writeUInt32LE(at);
    const value = strays.lookup(key) ?? Buffer.alloc(strays.valueBytes);
    found.push({ kind: "special", name, packets: sum(strays, value, 0), bytes: 0 });
  });
  return found;
};
