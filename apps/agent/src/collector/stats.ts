/** What the collector says of itself: every message that was read, delivered or lost has a number here, by name. */

export interface CollectorStats {
  /** Log messages read = delivered + overflowed + malformed + abandoned + queueDepth. */
  readonly received: number;
  /** Log messages contained in records that `onFlows` took. */
  readonly delivered: number;
  /** Log messages lost in the kernel: exact, from its sequence numbers (a loss shows when the next message comes). */
  readonly lost: number;
  /** Times the kernel reported a full receive buffer. */
  readonly overruns: number;
  /** Log messages whose flow found no room in the window's table. */
  readonly overflowed: number;
  /** Log messages of ours that held no readable packet. */
  readonly malformed: number;
  /** Messages in our group that were not ours. */
  readonly foreign: number;
  /** Log messages that died with a reader, or that `onFlows` refused. */
  readonly abandoned: number;
  /** Log messages read and not yet delivered. */
  readonly queueDepth: number;
  /** Milliseconds since the epoch; absent before the first event. */
  readonly lastEventAt?: number;
  /** False when the reader has not gone round its loop for three seconds. */
  readonly alive: boolean;
  readonly restarts: number;
  /** The fault switch in force, for the alarm list; null in normal operation. */
  readonly fault: string | null;
  /** Copies of DNS answers: all that were read, those with addresses for a name, those that are no DNS, and what was lost. */
  readonly dns: {
    /** False when the copies cannot be read: flows then come without names. */
    readonly available: boolean;
    readonly read: number;
    readonly answers: number;
    readonly malformed: number;
    readonly lost: number;
  };
  readonly connections: {
    /** False when the kernel offers no connection events: flows then come without bytes and outcomes. */
    readonly available: boolean;
    readonly events: number;
    /** Events and dump entries that concern endpoints. */
    readonly matched: number;
    /** DESTROY events lost in the kernel: exact. Their last bytes are not known. */
    readonly lost: number;
    readonly overflowed: number;
    /** Live connections that the table had no room for, counted at each dump. */
    readonly untracked: number;
    /** Connections that vanished without an event. */
    readonly orphaned: number;
    readonly tracked: number;
    readonly dumps: number;
    readonly lastDumpMs: number;
    readonly refusedSettings: readonly string[];
  };
}
