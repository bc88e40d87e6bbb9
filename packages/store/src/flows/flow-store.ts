/**
 * Flows as they were seen, with names and labels as they were then. Appends come in numbered batches: a batch is on
 * disk when its promise resolves, and one that is sent again changes nothing.
 */
import type {
  DomainPattern,
  Edge,
  Flow,
  FlowVerdict,
  IpRange,
  PortInterval,
  ProtocolNumber,
  Selector,
} from "@bulkhead/model";

export interface FlowBatch {
  /** Names the sender's run; with `sequence` it names the batch for ever. */
  readonly boot: string;
  readonly sequence: number;
  readonly flows: readonly Flow[];
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
