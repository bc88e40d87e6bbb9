/**
 * Connections that read on by themselves: each goes on seeing what was there when it was opened, and nothing that comes in waits
 * for it. What is still being read when the file is closed is ended.
 */
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";

export class SnapshotReaders {
  readonly #busy = new Map<DuckDBConnection, Promise<unknown>>();

  get size(): number {
    return this.#busy.size;
  }

  async open(instance: DuckDBInstance): Promise<DuckDBConnection> {
    const reader = await instance.connect();
    this.#busy.set(reader, Promise.resolve());
    await reader.run("BEGIN");
    // A transaction begins with its first look.
    await reader.run("SELECT count(*) FROM rolled");
    return reader;
  }

  /** Of each reader one thing at a time. */
  async run<T>(reader: DuckDBConnection, work: () => Promise<T>): Promise<T> {
    if (!this.#busy.has(reader)) throw new Error("the flow store is closed");
    const working = work();
    this.#busy.set(reader, working);
    return working;
  }

  close(reader: DuckDBConnection): void {
    if (this.#busy.delete(reader)) reader.closeSync();
  }

  async closeAll(): Promise<void> {
    for (const reader of this.#busy.keys()) reader.interrupt();
    await Promise.allSettled(this.#busy.values());
    for (const reader of this.#busy.keys()) this.close(reader);
  }
}
