/** How much a policy needs of each map, told in words where it is too much. */
import { TIMED_LISTS, createRegistry, planTables, tablesOf } from "@bulkhead/datapath";
import type { EbpfMapId, EbpfTables } from "@bulkhead/datapath";
import type { HostPolicy } from "@bulkhead/model";
import type { Capacity } from "../driver.ts";

/** Entries of each map, as `bpf/include/maps.h` has them. */
export const MAP_ROOM = {
  subjects: 65_536,
  peers: 1_048_576,
  ranges4: 1_048_576,
  ranges6: 1_048_576,
  cells: 1_048_576,
  rows: 16_384,
  ports: 1_048_576,
  portRanges: 1_048_576,
  timed4: 65_536,
  timed6: 65_536,
  timedLists: 16_384,
  locals: 65_536,
  resolvers: 256,
  classes: 65_536,
  decisions: 65_536,
} as const satisfies Partial<Record<EbpfMapId, number>>;

/** Lists that go on so often that the kernel does not follow. */
const endless = ({ lists }: EbpfTables): boolean => {
  const length = (number: number): number =>
    number === 0 ? 0 : 1 + length(lists.get(number)?.next ?? 0);
  return [...lists.keys()].some((number) => length(number) > TIMED_LISTS);
};

export const roomFor = (policy: HostPolicy, limit: number): Capacity => {
  const registry = createRegistry();
  const tables = tablesOf(policy, registry, null);
  const { prepare } = planTables(null, tables, 0, registry, { boot: 0n, wall: 0 });
  const needed = Map.groupBy(prepare, ({ map }) => map);
  const entries = prepare.length;
  return {
    entries,
    problems: [
      ...(entries > limit ? [`the policy needs ${entries} entries, the limit is ${limit}`] : []),
      // Half of it, so that all of it can be replaced at once.
      ...Object.entries(MAP_ROOM).flatMap(([map, room]) => {
        const count = needed.get(map as EbpfMapId)?.length ?? 0;
        return count * 2 > room
          ? [`the policy needs ${count} entries of ${map}, the limit is ${room / 2}`]
          : [];
      }),
      ...(endless(tables) ? ["more time-bound decisions about one address than are followed"] : []),
    ],
  };
};
