/**
 * The tables in force: read from the kernel by whoever takes over, then remembered while this process writes them, for maps have no
 * transactions to read in. A change is prepared beside them, and comes into force by one store or is taken back whole.
 */
import { adopt, planTables, readTables, release, tablesOf } from "@bulkhead/datapath";
import type {
  Clocks,
  EbpfChange,
  EbpfPlan,
  EbpfRawMaps,
  EbpfRegistry,
  EbpfTables,
  GuardRecords,
} from "@bulkhead/datapath";
import type { HostPolicy } from "@bulkhead/model";
import { gracePeriod } from "../grace.ts";
import { readClocks } from "./kernel-maps.ts";
import type { KernelMaps } from "./kernel-maps.ts";

interface Held {
  readonly tables: EbpfTables | null;
  readonly registry: EbpfRegistry;
  readonly epoch: number;
}

export interface Prepared {
  /** Nothing is to be written. */
  readonly idle: boolean;
  commit(): Promise<void>;
  undo(): void;
}

export interface HeldTables {
  /** Reads what is there, next time. */
  forget(): void;
  /** Throws `DriverError`; then nothing is prepared. */
  prepare(policy: HostPolicy, records: () => Promise<GuardRecords | null>): Promise<Prepared>;
}

const NO_RECORDS: GuardRecords = { endpoints: [], hostAddresses: [] };

const hexOf = (map: string, key: Uint8Array): string =>
  `${map} ${Buffer.from(key).toString("hex")}`;

/** What the kernel holds beside tables that were read: of another epoch, or left behind; and deadlines anew. */
const strays = (
  raw: EbpfRawMaps,
  tables: EbpfTables,
  epoch: number,
  registry: EbpfRegistry,
  clocks: Clocks,
): EbpfChange[] => {
  const { prepare } = planTables(null, tables, 0, registry, clocks);
  const wanted = new Map(prepare.map((change) => [hexOf(change.map, change.key), change]));
  const found: EbpfChange[] = [];
  for (const [id, entries] of Object.entries(raw)) {
    const map = id as keyof EbpfRawMaps;
    if (map === "epoch" || map === "settings" || map === "decisions") continue;
    for (const { key, value } of entries) {
      if (map === "rows" && value.every((byte) => byte === 0)) continue;
      const known = wanted.get(hexOf(map, key));
      if (known === undefined) found.push({ map, key, value: null });
      // By the kernel's clock they may end at another moment than they say: somebody put the wall's right meanwhile.
      else if (map === "timedLists") found.push(known);
      else if (value.length === VERSIONED_BYTES && isAhead(value, epoch)) found.push(known);
    }
  }
  return found;
};

/** Only versioned values have this length (`bpf/include/layout.h`). */
const VERSIONED_BYTES = 12;

const isAhead = (value: Uint8Array, epoch: number): boolean =>
  Buffer.from(value).readUInt32LE(0) > epoch;

export const createHeldTables = (maps: KernelMaps, now: () => number): HeldTables => {
  let held: Held | null = null;

  const takeOver = (records: GuardRecords): Held => {
    const raw = maps.raw();
    const clocks = readClocks(now);
    const { tables, epoch } = readTables(raw, clocks);
    const registry = adopt(tables, records);
    maps.write(strays(raw, tables, epoch, registry, clocks));
    return { tables, registry, epoch };
  };

  const zeroCounters = ({ prepare }: EbpfPlan): void => {
    const counters = maps.map("counters");
    const key = Buffer.alloc(4);
    for (const { map, key: number } of prepare) {
      if (map !== "decisions") continue;
      const first = Buffer.from(number).readUInt32LE(0) * 6;
      for (let at = first; at < first + 6; at += 1) {
        key.writeUInt32LE(at);
        counters.update(key, Buffer.alloc(counters.valueBytes));
      }
    }
  };

  return {
    forget() {
      held = null;
    },
    async prepare(policy, records) {
      held ??= takeOver((await records()) ?? NO_RECORDS);
      const { tables: former, registry, epoch } = held;
      const next = tablesOf(policy, registry, former);
      const plan = planTables(former, next, epoch, registry, readClocks(now));
      const sameSettings =
        JSON.stringify(former?.settings) === JSON.stringify(next.settings) && epoch > 0;
      if (sameSettings && plan.prepare.length === 1 && plan.cleanup.length === 0)
        return { idle: true, commit: async () => undefined, undo: () => undefined };
      const undo = (): void => {
        // Read anew: what is half written is found out, not remembered.
        held = null;
        maps.write(plan.undo);
      };
      try {
        zeroCounters(plan);
        maps.write(plan.prepare);
      } catch (error) {
        undo();
        throw error;
      }
      return {
        idle: false,
        undo,
        async commit() {
          maps.storeEpoch(plan.epoch);
          held = null;
          await gracePeriod();
          maps.write(plan.cleanup);
          release(next, registry);
          held = { tables: next, registry, epoch: plan.epoch };
        },
      };
    },
  };
};
