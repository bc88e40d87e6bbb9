/**
 * Which records of others have been stored, by digest: files that overlap tell of them again. The last so many are remembered,
 * in the order in which they were stored; an hour stands beside each, so that a search looks at those of its own time alone.
 */
import {
  BIGINT,
  DuckDBDataChunk,
  INTEGER,
  listValue,
  type DuckDBConnection,
} from "@duckdb/node-api";
import { HOUR_MS, type Flow } from "@bulkhead/model";
import type { FlowBatch } from "./flow-store.ts";
import { ask } from "./sql.ts";

/** As many as there are single flows at most; some eight bytes each. */
export const REMEMBERED_RECORDS = 20_000_000;

/** Rows of a chunk: what DuckDB works on at a time. */
const CHUNK = 2048;

export interface Told {
  readonly flow: Flow;
  readonly digest: bigint;
}

export const hourOf = ({ start }: Flow): number => Math.floor(start / HOUR_MS);

/** A batch's flows with the digests that it has of them; none where it has none. */
export function toldOf({ flows, digests }: FlowBatch): readonly Told[] {
  if (digests === undefined) return [];
  return flows.map((flow, at) => {
    const digest = digests[at];
    if (digest === undefined)
      throw new Error("a batch has a digest for each of its flows, or none");
    return { flow, digest };
  });
}

/** Those whose digest is among the known ones, or came before in the same list. */
export function toldBefore(told: readonly Told[], known: Iterable<bigint>): ReadonlySet<Flow> {
  const seen = new Set(known);
  const before = new Set<Flow>();
  for (const { flow, digest } of told) {
    if (seen.has(digest)) before.add(flow);
    else seen.add(digest);
  }
  return before;
}

/** First and last hour of some flows. */
export function hoursOf(told: readonly Told[]): readonly [first: number, last: number] {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { flow } of told) {
    const hour = hourOf(flow);
    first = Math.min(first, hour);
    last = Math.max(last, hour);
  }
  return [first, last];
}

export class RecordDigests {
  /** By append, in order: how many it told. */
  readonly #counts: Map<number, number>;
  readonly #most: number;
  #total: number;

  private constructor(counts: Map<number, number>, most: number) {
    this.#counts = counts;
    this.#most = most;
    this.#total = counts.values().reduce((sum, count) => sum + count, 0);
  }

  static async load(
    connection: DuckDBConnection,
    most = REMEMBERED_RECORDS,
  ): Promise<RecordDigests> {
    const rows = await ask(
      connection,
      "SELECT seq, count(*) AS n FROM digests GROUP BY seq ORDER BY seq",
    );
    return new RecordDigests(new Map(rows.map(({ seq, n }) => [Number(seq), Number(n)])), most);
  }

  /** Those that are stored already. */
  async before(connection: DuckDBConnection, told: readonly Told[]): Promise<ReadonlySet<Flow>> {
    if (told.length === 0) return new Set();
    if (this.#total === 0) return toldBefore(told, []);
    const [first, last] = hoursOf(told);
    const rows = await ask(
      connection,
      "SELECT digest FROM digests WHERE hour BETWEEN $1 AND $2 AND digest IN (SELECT unnest($3::BIGINT[]))",
      [first, last, listValue(told.map(({ digest }) => digest))],
    );
    return toldBefore(
      told,
      rows.map(({ digest }) => BigInt(digest as bigint)),
    );
  }

  /** Part of the caller's transaction, as is what is forgotten for it. */
  async write(connection: DuckDBConnection, told: readonly Told[], seq: number): Promise<void> {
    if (told.length === 0) return;
    const appender = await connection.createAppender("digests");
    try {
      for (let from = 0; from < told.length; from += CHUNK) {
        const some = told.slice(from, from + CHUNK);
        const chunk = DuckDBDataChunk.create([INTEGER, BIGINT, INTEGER], some.length);
        chunk.setColumnValues(
          0,
          some.map(({ flow }) => hourOf(flow)),
        );
        chunk.setColumnValues(
          1,
          some.map(({ digest }) => digest),
        );
        chunk.setColumnValues(
          2,
          some.map(() => seq),
        );
        appender.appendDataChunk(chunk);
      }
      appender.flushSync();
    } finally {
      appender.closeSync();
    }
    this.#counts.set(seq, told.length);
    this.#total += told.length;
    await this.#forgetOldest(connection);
  }

  /** Of what happened before that hour: its days are forgotten too. */
  async forget(connection: DuckDBConnection, hour: number): Promise<void> {
    const gone = await ask(
      connection,
      "SELECT seq, count(*) AS n FROM digests WHERE hour < $1 GROUP BY seq",
      [hour],
    );
    if (gone.length === 0) return;
    await connection.run("DELETE FROM digests WHERE hour < $1", [hour]);
    for (const { seq, n } of gone) {
      const left = (this.#counts.get(Number(seq)) ?? 0) - Number(n);
      if (left > 0) this.#counts.set(Number(seq), left);
      else this.#counts.delete(Number(seq));
      this.#total -= Number(n);
    }
  }

  /** An eighth more than need be, so that not every append has to. */
  async #forgetOldest(connection: DuckDBConnection): Promise<void> {
    if (this.#total <= this.#most) return;
    const wanted = this.#most - Math.floor(this.#most / 8);
    let last = -1;
    for (const [seq, count] of this.#counts) {
      if (this.#total <= wanted) break;
      last = seq;
      this.#total -= count;
      this.#counts.delete(seq);
    }
    await connection.run("DELETE FROM digests WHERE seq <= $1", [last]);
  }
}
