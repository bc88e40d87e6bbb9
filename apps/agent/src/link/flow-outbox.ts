/**
 * Flow records on their way to the controller. Batches stay until the controller has them on disk, so that neither a
 * lost connection nor a killed controller loses any; when too many wait, the oldest go, and every record that goes is counted.
 */
import type { ObservedRecord } from "@bulkhead/wire";

export interface OutboxBatch {
  readonly sequence: number;
  readonly records: readonly ObservedRecord[];
}

export class FlowOutbox {
  readonly #maxRecords: number;
  readonly #batches: OutboxBatch[] = [];
  #waiting = 0;
  #sequence = 0;
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

  add(records: readonly ObservedRecord[]): OutboxBatch {
    this.#sequence += 1;
    const batch = { sequence: this.#sequence, records };
    this.#batches.push(batch);
    this.#waiting += records.length;
    while (this.#waiting > this.#maxRecords && this.#batches.length > 1) {
      const given = this.#batches.shift();
      if (given === undefined) break;
      this.#waiting -= given.records.length;
      for (const record of given.records) this.#lost += record.connections;
    }
    return batch;
  }

  stored(sequence: number): void {
    while (this.#batches.length > 0) {
      const first = this.#batches[0];
      if (first === undefined || first.sequence > sequence) break;
      this.#batches.shift();
      this.#waiting -= first.records.length;
    }
  }

  /** Everything not known to be stored, oldest first: to be sent again on a new connection. */
  pending(): readonly OutboxBatch[] {
    return this.#batches;
  }
}
