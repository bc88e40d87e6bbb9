/** HostPolicy → nftables text, and the kernel's listing → HostPolicy. Text only; pure and browser-safe. */
export { bindDevices, boundDevices, withoutDevices } from "./absent-devices.ts";
export {
  bindProcesses,
  commonBindings,
  hasProcesses,
  judgesProcesses,
  namedCgroups,
  rebindProcesses,
  sameBindings,
} from "./bindings.ts";
export type { Bindings } from "./bindings.ts";
export { DEFAULT_LIMITS, checkCapacity, usageOf } from "./capacity.ts";
export type { Limits, Usage } from "./capacity.ts";
export { DEADLINE_TOLERANCE, compareRulesets } from "./compare.ts";
export { ownCounters, parseCounters, sumCounters } from "./counters.ts";
export type { CounterReading, SpecialCounter } from "./counters.ts";
export {
  MAP_NAMES,
  MAP_SIZES,
  NO_DECISION,
  TIMED_LISTS,
  adopt,
  createRegistry,
  mapsOf,
  numberKey,
  planTables,
  readTables,
  release,
  splitDecision,
  tablesOf,
} from "./ebpf/index.ts";
export type {
  Change as EbpfChange,
  FoundMaps as EbpfFoundMaps,
  FoundTables as EbpfFoundTables,
  RawMaps as EbpfRawMaps,
  Clocks,
  MapId as EbpfMapId,
  Plan as EbpfPlan,
  Registry as EbpfRegistry,
  Tables as EbpfTables,
} from "./ebpf/index.ts";
export { EXEMPTIONS } from "./frame.ts";
export { GUARDS_NAME, readGuards, renderGuards } from "./guards.ts";
export type { GuardRecords } from "./guards.ts";
export { knownPorts } from "./known-ports.ts";
export {
  DNS_PREFIX,
  NFLOG_DNS_GROUP,
  NFLOG_GROUP,
  NO_COOKIE,
  formatLogPrefix,
  formatProcessNote,
  parseLogPrefix,
  parseProcessNote,
} from "./log-prefix.ts";
export type { LogPrefix, ProcessNote } from "./log-prefix.ts";
export { diffNft, parseListings, readNft, renderNft } from "./nft.ts";
export type { Listings, RenderOptions } from "./nft.ts";
export { formatMarker, isOwner, parseMarker } from "./owner.ts";
export type { Before, Marker } from "./owner.ts";
export type { Links } from "./parse-listing.ts";
export { parseListing } from "./parse-listing.ts";
export { printRuleset } from "./print.ts";
export { QUIET_SIZE } from "./quiet.ts";
export { effectiveAt, readRuleset } from "./read-back.ts";
export type { ReadBack } from "./read-back.ts";
export { renderRuleset } from "./render.ts";
export { beforeLettingGo } from "./rollout-steps.ts";
export { TABLE_FAMILIES, TABLE_NAME, withComment } from "./ruleset.ts";
export type { Ruleset, Table, TableFamily } from "./ruleset.ts";
export { planUpdate } from "./update.ts";
export type { Update } from "./update.ts";
export { currentVersions } from "./versions.ts";
export type { Versions } from "./versions.ts";
export { checkHostPolicy } from "./validate.ts";
