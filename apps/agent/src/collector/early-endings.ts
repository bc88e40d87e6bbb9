/**
 * The kernel holds log messages back for a moment, and tells connection tracking's at once: of a connection that has only just begun,
 * the log has not said yet whose it is. What ends so early (a refusal) waits here until it has; what lives is asked for again.
 */
import type { Connection } from "./conntrack-message.ts";

/** Several times as long as log messages are held back (`flushMs` in nflog.ts). */
export const UNTOLD_MS = 200;

/** Has it begun so lately that the log may not have told of it? */
export function isUntold({ start }: Connection, now: number): boolean {
  const age = now - start;
  // Not, if a clock was set back.
  return start > 0 && age >= 0 && age < UNTOLD_MS;
}

export class EarlyEndings {
  readonly #capacity: number;
  #waiting: Connection[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Keeps a copy. False when there is no room. */
  add(connection: Connection): boolean {
    if (this.#waiting.length >= this.#capacity) return false;
    this.#waiting.push({ ...connection, ends: { ...connection.ends } });
    return true;
  }

  /** Those that the log must have told of by now, in the order in which they ended. */
  take(now: number): readonly Connection[] {
    if (this.#waiting.length === 0) return [];
    const { told = [], untold = [] } = Object.groupBy(this.#waiting, (one) =>
      isUntold(one, now) ? "untold" : "told",
    );
    this.#waiting = untold;
    return told;
  }
}
