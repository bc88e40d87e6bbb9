/**
 * Counters of leaves and of what never reached one, from `nft -p -y list counters table … bulkhead`. They are
 * outside receipts: reading them says what happened, not what is configured.
 */
import type { Cookie, DecisionVerdict, Direction } from "@bulkhead/model";
import { parseLeaf } from "./names.ts";
import { TABLE_NAME } from "./ruleset.ts";
import type { Plane } from "./names.ts";

/** Packets that no rule decided, or that no log message tells of. */
export type SpecialCounter =
  | "not_syn"
  | "no_connection"
  | "live_suppressed"
  | "live_overflowed"
  | "shadow_suppressed"
  | "shadow_overflowed"
  | "spoofed"
  | "spoofed_suppressed"
  | "misdirected"
  | "unknown_port"
  | "false_source"
  | "dns_suppressed"
  | "unknown_process"
  | "untold_socket";

const SPECIAL: readonly SpecialCounter[] = [
  "not_syn",
  "no_connection",
  "live_suppressed",
  "live_overflowed",
  "shadow_suppressed",
  "shadow_overflowed",
  "spoofed",
  "spoofed_suppressed",
  "misdirected",
  "unknown_port",
  "false_source",
  "dns_suppressed",
  "unknown_process",
  "untold_socket",
];

export type CounterReading = { readonly packets: number; readonly bytes: number } & (
  | {
      readonly kind: "leaf";
      readonly plane: Plane;
      readonly direction: Direction;
      readonly verdict: DecisionVerdict;
      readonly cookie: Cookie;
    }
  | { readonly kind: "special"; readonly name: SpecialCounter }
);

const COUNTER = /\tcounter (\S+) \{\s*packets (\d+) bytes (\d+)/g;

/** Of the listing of all tables' counters, those of ours. */
export const ownCounters = (listing: string, name = TABLE_NAME): string =>
  listing
    .split(/^(?=table )/m)
    .filter((table) => new RegExp(`^table \\S+ ${name} `).test(table))
    .join("");

/** Counters of other names are not ours and left out. */
export const parseCounters = (listing: string): CounterReading[] => {
  const found: CounterReading[] = [];
  for (const [, name = "", packets, bytes] of listing.matchAll(COUNTER)) {
    const amount = { packets: Number(packets), bytes: Number(bytes) };
    const leaf = parseLeaf(name);
    const special = SPECIAL.find((known) => known === name);
    if (leaf !== null)
      found.push({
        kind: "leaf",
        plane: leaf.tree.plane,
        direction: leaf.tree.direction,
        verdict: leaf.verdict,
        cookie: leaf.cookie,
        ...amount,
      });
    else if (special !== undefined) found.push({ kind: "special", name: special, ...amount });
  }
  return found;
};

/** Readings of several tables as one: some things are counted at more than one place. */
export const sumCounters = (readings: readonly CounterReading[]): CounterReading[] => {
  const sums = new Map<string, CounterReading>();
  const leaves = readings.filter(({ kind }) => kind === "leaf");
  for (const reading of readings) {
    if (reading.kind !== "special") continue;
    const { packets = 0, bytes = 0 } = sums.get(reading.name) ?? {};
    sums.set(reading.name, {
      ...reading,
      packets: packets + reading.packets,
      bytes: bytes + reading.bytes,
    });
  }
  return [...leaves, ...sums.values()];
};
