/** Flow collection: start it with the datapath's log group, name the endpoints, take the records. */
export { startCollector, type Collector, type CollectorOptions } from "./collector.ts";
export type { CollectorStats } from "./stats.ts";
export { restoreAccounting } from "./accounting.ts";
export { openConnections, type FoundOpen } from "./open-connections.ts";
export type { CollectedRecord } from "./flow-records.ts";
