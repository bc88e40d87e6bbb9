/** What the controller remembers: control-plane state in SQLite, flows in DuckDB, each behind one interface. */
export {
  openClickHouseFlowStore,
  type ClickHouseFlowOptions,
} from "./clickhouse/clickhouse-flow-store.ts";
export { openDuckDbFlowStore, type DuckDbFlowOptions } from "./flows/duckdb-flow-store.ts";
export { isInUse, openFlowFile, type OpenedFlows } from "./flows/flow-file.ts";
export { flowPages } from "./flows/flow-pages.ts";
export { endsFit, flowFits } from "./flows/flow-fits.ts";
export { REMEMBERED_RECORDS } from "./flows/record-digests.ts";
export type {
  Appended,
  Compaction,
  Exported,
  FlowBatch,
  FlowFilter,
  FlowStats,
  FlowStore,
  PortRange,
  Pruned,
  Retention,
} from "./flows/flow-store.ts";
export {
  type DriftEvent,
  type Incident,
  type IncidentKind,
  type MeasureStore,
  type Tally,
} from "./state/measures.ts";
export * from "./state/revision.ts";
export { openStateStore } from "./state/sqlite-state-store.ts";
export * from "./state/state-store.ts";
