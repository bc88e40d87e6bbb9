/** What the agent's main thread and the reader thread say to each other, besides the shared counters. */
import type { MessagePort } from "node:worker_threads";
import type { DnsAnswer } from "../dns/index.ts";

export interface ReaderSetup {
  readonly stats: SharedArrayBuffer;
  /** Bound to the log group by the main thread, so that a new reader goes on where the old one stopped. */
  readonly logFd: number;
  /** Joined to the DESTROY group; null when connection tracking is not available. */
  readonly eventsFd: number | null;
  /** For dumps of live connections. */
  readonly dumpFd: number | null;
  /** Bound to the group of copied DNS answers; null when it could not be. */
  readonly dnsFd: number | null;
  readonly control: MessagePort;
  readonly endpoints: EndpointAddresses;
  readonly windowMs: number;
  readonly maxKeys: number;
  readonly maxOtherSources: number;
  readonly maxConnections: number;
  readonly dumpEveryMs: number;
  /** When counting began, milliseconds since the epoch. */
  readonly since: number;
  /** What began before that was told by a collector before this one; 0 where there was none. */
  readonly toldUntil: number;
  /** Tell connections that were there before `since` once, as new. False in a reader that replaces another. */
  readonly announceExisting: boolean;
  /** Fault switch of the tests: the reader never reads. */
  readonly dead: boolean;
}

/** Six words an address: endpoint number, family bit (0 IPv4, 1 IPv6), four address words. */
export interface EndpointAddresses {
  readonly endpoints: number;
  readonly words: Uint32Array;
}

export const ENDPOINT_WORDS = 6;

/**
 * One finished window. `logged` is the number of log messages in it; `answers` is what DNS said until its end, so that
 * who looks up a name and connects at once has both in one window at the latest.
 */
export interface WindowMessage {
  readonly count: number;
  readonly keys: Uint32Array;
  readonly values: Float64Array;
  readonly logged: number;
  readonly answers: readonly DnsAnswer[];
}

/** How many windows may be under way to the main thread before the reader holds back. */
export const MAX_WINDOWS_UNDER_WAY = 8;
