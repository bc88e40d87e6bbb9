/**
 * Between the agents and the flow store: batches wait here until they are on disk, also while the store fails, is full or
 * does not answer. What waits is bounded by records and by bytes; beyond that the oldest go, and every connection in them is
 * counted. Nobody waits for a silent store longer than a moment, and when it answers again all goes on by itself.
 */
import type { Logger } from "pino";
import type { Flow } from "@bulkhead/model";
import { StoreFullError, type FlowBatch } from "@bulkhead/store";

export interface FlowBufferDeps {
  readonly store: { append(batches: readonly FlowBatch[]): Promise<unknown> };
  readonly log: Logger;
  readonly limits?: BufferLimits;
}

export interface BufferLimits {
  readonly records: number;
  readonly bytes: number;
  /** So long an append may take before the store counts as silent. */
  readonly patienceMs: number;
  /** Longest pause between two tries. */
  readonly retryMs: number;
}

const LIMITS: BufferLimits = {
  records: 200_000,
  bytes: 128 * 1024 * 1024,
  patienceMs: 5000,
  retryMs: 15_000,
};
/** In one append: what is more waits for the next. */
const MAX_APPENDED = 50_000;
const FIRST_RETRY_MS = 500;

interface Waiting {
  readonly batch: FlowBatch;
  readonly bytes: number;
  /** The sender may forget it. */
  readonly done: (sequence: number) => void;
}

export class FlowBuffer {
  readonly #store: FlowBufferDeps["store"];
  readonly #log: Logger;
  readonly #limits: BufferLimits;
  #queue: Waiting[] = [];
  #records = 0;
  #bytes = 0;
  #unstored = 0;
  #problem: string | undefined;
  #writing: Promise<void> | undefined;
  #silent = false;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor({ store, log, limits = LIMITS }: FlowBufferDeps) {
    this.#store = store;
    this.#log = log;
    this.#limits = limits;
  }

  /** Connections in what was given up. */
  get unstored(): number {
    return this.#unstored;
  }

  /** Records that are not on disk yet. */
  get waiting(): number {
    return this.#records;
  }

  /** Why the store takes nothing; absent while it does. */
  get problem(): string | undefined {
    return this.#problem;
  }

  add(batch: FlowBatch, done: (sequence: number) => void): void {
    const bytes = batch.flows.reduce((sum, flow) => sum + bytesOf(flow), 0);
    this.#queue.push({ batch, bytes, done });
    this.#records += batch.flows.length;
    this.#bytes += bytes;
    // What is being written is not ours to drop: it may be on disk already.
    while (this.#records > this.#limits.records || this.#bytes > this.#limits.bytes) {
      const oldest = this.#queue.shift();
      if (oldest === undefined) break;
      this.#giveUp(oldest);
    }
  }

  /** Returns when all that waits is on disk, or when the store fails or is silent. */
  async flush(): Promise<void> {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    if (this.#silent) return;
    let patience: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      patience = setTimeout(resolve, this.#limits.patienceMs);
    });
    await Promise.race([this.#writing, enough]);
    clearTimeout(patience);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.flush();
    clearTimeout(this.#retry);
  }

  async #write(): Promise<void> {
    while (this.#queue.length > 0) {
      const taken = this.#take(this.#failures === 0 ? MAX_APPENDED : 0);
      const error = await this.#append(taken);
      if (error === undefined) {
        this.#stored(taken);
        continue;
      }
      if (!(error instanceof StoreFullError) && (await this.#storesOthers())) {
        // The store works, and this alone it does not take.
        for (const one of taken) this.#giveUp(one);
        this.#log.error({ err: error }, "flows that cannot be stored are given up");
        continue;
      }
      this.#queue.unshift(...taken);
      this.#failed(error);
      return;
    }
  }

  /** After a failure batch by batch, so that one that can never be stored does not keep back all others. */
  async #storesOthers(): Promise<boolean> {
    if (this.#failures === 0) return false;
    const next = this.#take(0);
    if (next.length === 0) return false;
    const error = await this.#append(next);
    if (error === undefined) this.#stored(next);
    else this.#queue.unshift(...next);
    return error === undefined;
  }

  /** At least one, and no more than so many records. */
  #take(most: number): Waiting[] {
    let count = 0;
    let records = 0;
    for (const { batch } of this.#queue) {
      records += batch.flows.length;
      if (count > 0 && records > most) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #append(taken: readonly Waiting[]): Promise<unknown> {
    const silence = setTimeout(() => {
      this.#silent = true;
      this.#trouble("the flow store does not answer");
    }, this.#limits.patienceMs);
    silence.unref();
    try {
      await this.#store.append(taken.map(({ batch }) => batch));
      return undefined;
    } catch (error) {
      return error ?? new Error("the flow store failed");
    } finally {
      clearTimeout(silence);
      this.#silent = false;
    }
  }

  #stored(taken: readonly Waiting[]): void {
    this.#failures = 0;
    if (this.#problem !== undefined) this.#log.info("flows are stored again");
    this.#problem = undefined;
    for (const one of taken) this.#leave(one);
  }

  #failed(error: unknown): void {
    const full = error instanceof StoreFullError;
    this.#trouble(full ? error.message : "flows could not be stored", error);
    const pause = Math.min(this.#limits.retryMs, FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 9));
    this.#failures += 1;
    if (this.#stopped) return;
    this.#retry = setTimeout(() => void this.flush(), pause);
    this.#retry.unref();
  }

  #trouble(problem: string, error?: unknown): void {
    if (this.#problem !== problem)
      this.#log.error(error === undefined ? {} : { err: error }, problem);
    this.#problem = problem;
  }

  #giveUp(one: Waiting): void {
    this.#unstored += one.batch.flows.reduce((sum, flow) => sum + flow.connections, 0);
    this.#leave(one);
  }

  #leave({ batch, bytes, done }: Waiting): void {
    this.#records -= batch.flows.length;
    this.#bytes -= bytes;
    done(batch.sequence);
  }
}

/** About what a flow takes in memory; ends are shared with others, what was told of them alone is not. */
function bytesOf({ source, destination, request }: Flow): number {
  const told = [source, destination].flatMap(({ names = [] }) => names);
  const texts = [...told, request?.path ?? "", request?.host ?? ""];
  return 400 + texts.reduce((sum, text) => sum + 2 * text.length, 0);
}
