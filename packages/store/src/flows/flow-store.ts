/**
 * Flows as they were seen, with names and labels as they were then. Appends come in numbered batches: a batch is on
 * disk when its promise resolves, and one that is sent again changes nothing.
 */
import type { Edge, Flow, FlowVerdict } from "@bulkhead/model";

export interface FlowBatch {
  /** Names the sender's run; with `sequence` it names the batch for ever. */
  readonly boot: string;
  readonly sequence: number;
  readonly flows: readonly Flow[];
}

export interface FlowFilter {
  /** Milliseconds since the epoch; inclusive, exclusive. */
  readonly since?: number;
  readonly until?: number;
  readonly verdicts?: readonly FlowVerdict[];
  /** Either end has one of these names. */
  readonly either?: readonly string[];
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  readonly protocol?: number;
  readonly port?: number;
  /** Bulkhead's own probes too. */
  readonly probes: boolean;
  /** The newest so many. */
  readonly limit?: number;
}

export interface FlowStats {
  readonly stored: number;
  readonly oldest?: number;
  readonly newest?: number;
}

export interface Retention {
  /** Records that ended before this are forgotten. */
  readonly before: number;
  /** At most so many records are kept; the oldest go first. */
  readonly maxRecords: number;
}

export interface FlowStore {
  /** All or nothing, in one transaction. Throws StoreFullError when there is no room; the store stays usable. */
  append(batches: readonly FlowBatch[]): Promise<void>;
  /** Highest stored batch of that boot, 0 when none. */
  lastSequence(boot: string): Promise<number>;
  /** Oldest first. */
  flows(filter: FlowFilter): Promise<readonly Flow[]>;
  /** Aggregated; sorted by first sight. Labels are those of the latest record. */
  edges(filter: FlowFilter): Promise<readonly Edge[]>;
  stats(): Promise<FlowStats>;
  /** Number of records forgotten. */
  prune(retention: Retention): Promise<number>;
  close(): Promise<void>;
}
