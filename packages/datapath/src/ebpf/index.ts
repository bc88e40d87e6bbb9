/** HostPolicy → the entries of the eBPF maps, and the steps from one policy to the next. Bytes only; pure. */
export { adopt } from "./adopt.ts";
export { MAP_NAMES, MAP_SIZES, NO_DECISION, numberKey, splitDecision } from "./layout.ts";
export type { Clocks, MapId } from "./layout.ts";
export { mapsOf } from "./found-maps.ts";
export type { FoundMaps } from "./found-maps.ts";
export { planTables, release } from "./plan.ts";
export type { Change, Plan } from "./plan.ts";
export { readTables } from "./read-tables.ts";
export type { FoundTables, RawMaps } from "./read-tables.ts";
export { TIMED_LISTS, createRegistry, tablesOf } from "./tables.ts";
export type { Registry, Tables } from "./tables.ts";
