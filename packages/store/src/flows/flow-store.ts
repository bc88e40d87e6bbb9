/**
 * Flows as they were seen, with names and labels as they were then. Appends come in numbered batches: a batch is on
 * disk when its promise resolves, and one that is sent again changes nothing.
 */
import type {
  DomainPattern,
  Edge,
  EdgeHistory,
  Flow,
  FlowVerdict,
  IpRange,
  PortInterval,
  ProtocolNumber,
  Selector,
  Watch,
} from "@bulkhead/model";

export interface FlowBatch {
  /** Names the sender's run; with `sequence` it names the batch for ever. */
  readonly boot: string;
  readonly sequence: number;
  readonly flows: readonly Flow[];
  /**
   * One for each flow, of the record that it was made of: a flow whose record is remembered is left out. The last
   * `REMEMBERED_RECORDS` are, at least, until their days are forgotten. Absent: what nobody can tell twice.
   */
  readonly digests?: readonly bigint[];
}

export interface Appended {
  /** Flows of batches that have digests: those that were there already. */
  readonly leftOut: ReadonlySet<Flow>;
}

/** A flow fits when it fits every field that is given, and it fits a list by one of its entries. `flowFits` is the law. */
export interface FlowFilter {
  /** Milliseconds since the epoch; inclusive, exclusive. */
  readonly since?: number;
  readonly until?: number;
  readonly verdicts?: readonly FlowVerdict[];
  /** Either end has one of these names. */
  readonly either?: readonly string[];
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  /** Of the labels as they were then; `eitherLabels`: those of one end, whichever. */
  readonly eitherLabels?: readonly Selector[];
  readonly fromLabels?: readonly Selector[];
  readonly toLabels?: readonly Selector[];
  readonly eitherIps?: readonly IpRange[];
  readonly fromIps?: readonly IpRange[];
  readonly toIps?: readonly IpRange[];
  /** Of the names that DNS had for the end. */
  readonly eitherNames?: readonly DomainPattern[];
  readonly fromNames?: readonly DomainPattern[];
  readonly toNames?: readonly DomainPattern[];
  readonly protocols?: readonly ProtocolNumber[];
  readonly ports?: readonly PortRange[];
  /** Bulkhead's own probes too. */
  readonly probes: boolean;
  /** The newest so many; 0 is all. */
  readonly limit?: number;
  /** The oldest so many; 0 is all. Not with `limit`. */
  readonly first?: number;
}

/** Ports of one protocol, as a flow has them: ICMP's are type*256+code. */
export interface PortRange extends PortInterval {
  readonly protocol: ProtocolNumber;
}

export interface FlowStats {
  /** Names this store among all there are, for as long as it holds what it holds; absent where it gave no answer. */
  readonly store?: string;
  /** Single flows. */
  readonly stored: number;
  readonly oldest?: number;
  readonly newest?: number;
  /** Days (since the epoch) of which there is history, first and last; absent while there is none. */
  readonly firstDay?: number;
  readonly lastDay?: number;
  /** Days of edges that were never answered and were too many to be kept as such: a scan. Their flows are there, as long as any. */
  readonly unsummed?: number;
  /** Ways in which flows came to be known that edges cannot tell apart, since there are too many; absent: none. */
  readonly sharedOrigins?: number;
  /** On disk, as far as the store can tell. */
  readonly bytes: number;
}

/** Single flows are many and soon of little use; the days of edges are few and wanted for years. */
export interface Retention {
  /** Single flows that ended before this are forgotten; their edges' days stay. */
  readonly before: number;
  /** At most so many single flows are kept; the oldest go first. */
  readonly maxRecords: number;
  /** Days of edges, and of watching, that were over before this are forgotten; nothing before it remains. */
  readonly daysBefore: number;
}

/** How many are forgotten. */
export interface Pruned {
  readonly flows: number;
  /** Days of edges: one edge on one day is one. */
  readonly days: number;
}

export interface Compaction {
  /** Days of edges that were summed anew. */
  readonly days: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

export interface Exported {
  readonly rows: number;
}

export interface FlowStore {
  /** All or nothing, in one transaction. Throws StoreFullError when there is no room; the store stays usable. */
  append(batches: readonly FlowBatch[]): Promise<Appended>;
  /** Highest stored batch of that boot, 0 when none. */
  lastSequence(boot: string): Promise<number>;
  /** Oldest first; those of one moment always in the same order. */
  flows(filter: FlowFilter): Promise<readonly Flow[]>;
  /**
   * Aggregated; sorted by first sight. Labels are those of the latest record. Of days whose single flows are forgotten,
   * times are told apart no finer than a day: such a day counts whole when any of it is asked for, and with each set of
   * labels and each name that an edge had on it.
   */
  edges(filter: FlowFilter): Promise<readonly Edge[]>;
  /**
   * The same edges in any order, a part at a time: for whoever looks at each and keeps few. Told is what was there when the
   * first part was asked for; whoever stops early ends the iteration (`return`), as `for await` does.
   */
  edgeParts(filter: FlowFilter): AsyncIterable<readonly Edge[]>;
  /** The same edges in the same order, each with its days. */
  histories(filter: FlowFilter): Promise<readonly EdgeHistory[]>;
  /** Ascending, each day once: those in which records began, in whole hours that have a part in the time asked for. */
  watch(since?: number, until?: number): Promise<readonly Watch[]>;
  /**
   * Writes what `flows` or `edges` would answer to a new Parquet file: numbers as numbers, times as timestamps of UTC,
   * labels, names, processes, origins and requests as JSON. The path is the caller's choice and must not be a stranger's.
   */
  exportTo(path: string, filter: FlowFilter, what: "flows" | "edges"): Promise<Exported>;
  stats(): Promise<FlowStats>;
  prune(retention: Retention): Promise<Pruned>;
  /**
   * Sums what can be summed, and gives back room. May be called at any time; answers are the same before and after, but for
   * what was never answered and is so much that it must be a scan: that may be left out of days that are over (`unsummed`).
   */
  compact(now: number): Promise<Compaction>;
  close(): Promise<void>;
}
