/**
 * Flow records on their way to the controller. Batches stay until the controller has them on disk, so that neither a
 * lost connection nor a killed controller loses any; when too many wait, the oldest go, and every record that goes is counted.
 * Only so many batches are on their way at once: a controller that is slow to store must not fill our memory.
 */
import type { ObservedRecord } from "@bulkhead/wire";

export interface OutboxBatch {
  readonly sequence: number;
  readonly records: readonly ObservedRecord[];
}

const WINDOW = 64;

export class FlowOutbox {
  readonly #maxRecords: number;
  readonly #batches: OutboxBatch[] = [];
  #waiting = 0;
  #sequence = 0;
  #sent = 0;
  #lost = 0;

  constructor(maxRecords: number) {
    this.#maxRecords = maxRecords;
  }

  /** Connections (and denials) in records that were given up. */
  get lost(): number {
    return this.#lost;
  }

  get depth(): number {
    return this.#waiting;
  }

  add(records: readonly ObservedRecord[]): void {
    this.#sequence += 1;
    this.#batches.push({ sequence: this.#sequence, records });
    this.#waiting += records.length;
    while (this.#waiting > this.#maxRecords && this.#batches.length > 1) {
      const given = this.#batches.shift();
      if (given === undefined) break;
      this.#waiting -= given.records.length;
      for (const record of given.records) this.#lost += record.connections;
    }
  }

  /** When the oldest record that waits began; undefined when none does. */
  get oldest(): number | undefined {
    return this.#batches[0]?.records.reduce(
      (oldest, { start }) => Math.min(oldest, start),
      Number.POSITIVE_INFINITY,
    );
  }

  stored(sequence: number): void {
    while (this.#batches.length > 0) {
      const first = this.#batches[0];
      if (first === undefined || first.sequence > sequence) break;
      this.#batches.shift();
      this.#waiting -= first.records.length;
    }
  }

  /** A new connection: what is not known to be stored is to be sent again. */
  rewind(): void {
    this.#sent = 0;
  }

  /** What may be sent now, oldest first; each batch is handed out once until `rewind`. */
  takeUnsent(): readonly OutboxBatch[] {
    const open = this.#batches.slice(0, WINDOW).filter(({ sequence }) => sequence > this.#sent);
    this.#sent = open.at(-1)?.sequence ?? this.#sent;
    return open;
  }
}
