/**
 * One format of recorded flows. A reader is fed bytes as they come and hands out what they tell; nothing in them is fatal
 * and nothing is dropped in silence. Readers hold no more than one unfinished record and tables of bounded size.
 */
import type { Flow, FlowFormat, FlowOrigin } from "@bulkhead/model";

/** Given as a problem is found: where, what, and the beginning of what was there. */
export interface Malformed {
  /** Line of a text, or record of a binary file; from 1. */
  readonly place: number;
  readonly problem: string;
  readonly quote: string;
}

export interface FlowSink {
  /**
   * Ends that the source does not name bear their address as name, and no workload: the taker names them as they were at that time,
   * where it knows. Sums are as the source gives them, not multiplied by its sampling.
   * `turned`: the record was of packets from the flow's destination to its source; told by sources that sum each way by itself.
   */
  flow(flow: Flow, turned?: boolean): void;
  malformed(problem: Malformed): void;
  /** Well-formed, but no flow: `l7 answer`, `arp`, `NODATA`. Counted by what it is. */
  other(what: string): void;
  /** Events that the exporter itself says it lost. */
  lost(events: number): void;
}

export interface FlowReader {
  /** Any bytes, cut anywhere. */
  push(bytes: Uint8Array): void;
  /** What was begun and not finished is malformed. */
  end(): void;
  /** As far as is known by now; complete after `end`. */
  readonly origin: FlowOrigin;
}

export interface ReadOptions {
  /** When what tells no time is taken to have been seen (a listing of connections): milliseconds since the epoch. */
  readonly at?: number;
  /** Name of the flow store that is read into: what bears it came out of that store, and is no news there. */
  readonly store?: string;
}

export interface FlowFormatReader {
  readonly name: FlowFormat;
  /** `AWS VPC flow logs, version 2 to 5, text`. */
  readonly title: string;
  /** Does a file that begins so look like this? Given at most 64 KiB, decompressed. */
  recognises(head: Uint8Array): boolean;
  open(sink: FlowSink, options?: ReadOptions): FlowReader;
}
