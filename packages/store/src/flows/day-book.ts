/**
 * Which table tells of which day. Of an open day the records do; of a rolled one the sums in `days`, which are the same, and
 * a record that comes late opens it again. Of a sealed one records are forgotten, so that the sums alone tell, and with them
 * those records that came after it was summed (`seq`). Blocks of days that will hardly change are summed once more, and
 * all blocks of a file in totals, for whoever asks for everything.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { DAY_MS, HOUR_MS } from "@bulkhead/model";
import { BLOCK_SHIFT } from "./layout.ts";
import { ask } from "./sql.ts";

/** First and last, inclusive. */
export type DayRange = readonly [number, number];

/** What together tells of a time, each thing once. */
export interface Sources {
  /** Whether the totals do, of all that they are made of. */
  readonly totals: boolean;
  readonly blocks: readonly number[];
  readonly days: readonly DayRange[];
  readonly records: readonly DayRange[];
  /** Records of sealed days that are not in the sums: those after `seq`. */
  readonly late: readonly { readonly day: number; readonly seq: number }[];
}

interface Rolled {
  seq: number;
  sealed: boolean;
}

const ROLLED_SUMS = `sum(connections), sum(established), sum(failed), sum(bytes), sum(packets), sum(windows),
  min(first_ms), max(last_ms), max(last_start), bit_or(origins)`;

/** Origins as bits: 0 is our own collectors; those above the last bit share it, and are counted (`FlowStats.sharedOrigins`). */
export const LAST_ORIGIN_BIT = 62;
export const ORIGIN_BIT = `1::BIGINT << least(coalesce(t.origin, 0), ${LAST_ORIGIN_BIT})::INTEGER`;

const HOUR_BIT = `CASE WHEN connections > 0 THEN 1::INTEGER << (start_ms % ${DAY_MS} // ${HOUR_MS})::INTEGER ELSE 0 END`;

/**
 * The second of an edge counts once, whichever link it came by; when two links of an edge share a second, which happens as an
 * end is relabelled, it counts for the first of them.
 */
const SUMS = (where: string): string => `
  CREATE OR REPLACE TEMP TABLE summed AS
  WITH r AS (
    SELECT r.*, l.edge, t.origin FROM records r JOIN links l ON l.id = r.link LEFT JOIN details t ON t.id = r.detail
    WHERE ${where}),
  seconds AS (
    SELECT link, count(*) AS windows
    FROM (SELECT min(link) AS link FROM r WHERE connections > 0 GROUP BY edge, start_ms // 1000) GROUP BY link),
  sums AS (
    SELECT t.link, bit_or(${HOUR_BIT}) AS hours, sum(connections) AS connections, sum(established) AS established,
      sum(failed) AS failed, sum(bytes) AS bytes, sum(packets) AS packets, coalesce(any_value(windows), 0) AS windows,
      min(start_ms) AS first_ms, max(end_ms) AS last_ms, max(start_ms) AS last_start, bit_or(${ORIGIN_BIT}) AS origins
    FROM r t LEFT JOIN seconds s ON s.link = t.link GROUP BY t.link)
  SELECT sums.*, established = 0 AND (
      row_number() OVER (PARTITION BY established = 0, src, dst, protocol, manner ORDER BY first_ms, link) > ${UNANSWERED_PORTS}
      OR row_number() OVER (PARTITION BY established = 0, src, manner ORDER BY first_ms, link) > ${UNANSWERED_LINKS}
    ) AS surplus
  FROM sums JOIN links l ON l.id = link`;

/**
 * A scan of all ports of all neighbours must not be kept for years, edge by edge: of what was never answered on a day, the first
 * so many ports of a pair, and so many links of a source, are summed. The others are counted.
 */
const UNANSWERED_PORTS = 256;
const UNANSWERED_LINKS = 4096;

export class DayBook {
  readonly #rolled = new Map<number, Rolled>();
  readonly #open = new Set<number>();
  readonly #late = new Set<number>();
  readonly #closed = new Set<number>();
  /** Blocks of which there are totals; all of them are closed. */
  readonly #totalled = new Set<number>();
  #seq = 0;

  static async load(connection: DuckDBConnection): Promise<DayBook> {
    const book = new DayBook();
    for (const row of await ask(connection, "SELECT * FROM rolled")) {
      const seq = Number(row["seq"]);
      book.#rolled.set(Number(row["day"]), { seq, sealed: row["sealed"] === true });
      book.#seq = Math.max(book.#seq, seq);
    }
    for (const row of await ask(connection, "SELECT block FROM closed"))
      book.#closed.add(Number(row["block"]));
    for (const row of await ask(connection, "SELECT block FROM totalled"))
      book.#totalled.add(Number(row["block"]));
    const days = await ask(
      connection,
      `SELECT start_ms // ${DAY_MS} AS day, max(seq) AS seq FROM records GROUP BY day`,
    );
    for (const row of days) {
      const day = Number(row["day"]);
      const seq = Number(row["seq"]);
      book.#seq = Math.max(book.#seq, seq);
      const known = book.#rolled.get(day);
      if (known === undefined) book.#open.add(day);
      else if (known.sealed && seq > known.seq) book.#late.add(day);
    }
    return book;
  }

  /** The number of an append, and which days it touches. */
  async enter(connection: DuckDBConnection, days: ReadonlySet<number>): Promise<number> {
    this.#seq += 1;
    for (const day of days) {
      const known = this.#rolled.get(day);
      if (known === undefined) this.#open.add(day);
      else if (known.sealed) this.#late.add(day);
      else {
        await connection.run("DELETE FROM rolled WHERE day = $1", [day]);
        this.#rolled.delete(day);
        this.#open.add(day);
        await this.#reopen(connection, day);
      }
    }
    return this.#seq;
  }

  /** What tells of a time; `blocks` where days need not be told apart. */
  sourcesOf(since: number, until: number, blocks: boolean): Sources {
    const days: number[] = [];
    const records: number[] = [];
    const late: { day: number; seq: number }[] = [];
    const whole = (day: number): boolean => since <= day * DAY_MS && (day + 1) * DAY_MS <= until;
    const meets = (day: number): boolean => day * DAY_MS < until && (day + 1) * DAY_MS > since;
    const told = new Set<number>(blocks ? this.#closed : []);
    // A block has no more than its days: those that never were need not be asked for.
    for (const day of this.#rolled.keys()) if (!whole(day)) told.delete(day >> BLOCK_SHIFT);
    const totals = this.#totalled.size > 0 && [...this.#totalled].every((block) => told.has(block));
    for (const day of this.#open) if (meets(day)) records.push(day);
    for (const [day, { seq, sealed }] of this.#rolled) {
      if (!meets(day)) continue;
      if (!sealed && !whole(day)) records.push(day);
      else if (!told.has(day >> BLOCK_SHIFT)) days.push(day);
      if (sealed && this.#late.has(day)) late.push({ day, seq });
    }
    const beside = totals ? [...told].filter((block) => !this.#totalled.has(block)) : [...told];
    return { totals, blocks: beside, days: rangesOf(days), records: rangesOf(records), late };
  }

  /** Sums what is over and not summed; the number of sums made. */
  async roll(connection: DuckDBConnection, now: number): Promise<number> {
    const today = Math.floor(now / DAY_MS);
    let made = 0;
    for (const day of this.#open) if (day < today) made += await this.#rollOpen(connection, day);
    for (const day of this.#late) if (day < today) made += await this.#rollLate(connection, day);
    await this.#close(connection, today);
    await this.#total(connection);
    return made;
  }

  /** Before records of these days are forgotten: from now on the sums alone tell of them. */
  async seal(connection: DuckDBConnection, days: readonly number[]): Promise<void> {
    for (const day of days) {
      if (this.#open.has(day)) await this.#rollOpen(connection, day);
      const known = this.#rolled.get(day);
      if (known === undefined) continue;
      if (this.#late.has(day)) await this.#rollLate(connection, day);
      if (known.sealed) continue;
      known.sealed = true;
      await connection.run("UPDATE rolled SET sealed = true WHERE day = $1", [day]);
    }
  }

  /** Sums of days before this one; the number of them. */
  async forget(connection: DuckDBConnection, before: number): Promise<number> {
    const old = [...this.#rolled.keys()].filter((day) => day < before);
    if (old.length === 0) return 0;
    const block = before >> BLOCK_SHIFT;
    const gone = await connection.run("DELETE FROM days WHERE day < $1", [before]);
    await connection.run("DELETE FROM rolled WHERE day < $1", [before]);
    await connection.run("DELETE FROM unsummed WHERE day < $1", [before]);
    await connection.run("DELETE FROM blocks WHERE block <= $1", [block]);
    await connection.run("DELETE FROM closed WHERE block <= $1", [block]);
    for (const day of old) {
      this.#rolled.delete(day);
      this.#late.delete(day);
    }
    for (const one of this.#closed) if (one <= block) this.#closed.delete(one);
    if ([...this.#totalled].some((one) => one <= block)) await this.#dropTotals(connection);
    return gone.rowsChanged;
  }

  async #rollOpen(connection: DuckDBConnection, day: number): Promise<number> {
    await connection.run("DELETE FROM days WHERE day = $1", [day]);
    await connection.run("DELETE FROM unsummed WHERE day = $1", [day]);
    const made = await sumUp(connection, day, ofDay("r", day));
    await connection.run("INSERT INTO rolled VALUES ($1, $2, false)", [day, this.#seq]);
    this.#rolled.set(day, { seq: this.#seq, sealed: false });
    this.#open.delete(day);
    // The block of a day that came later than its neighbours may have been summed without it.
    await this.#reopen(connection, day);
    return made;
  }

  async #rollLate(connection: DuckDBConnection, day: number): Promise<number> {
    const known = this.#rolled.get(day);
    if (known === undefined) return 0;
    const made = await sumUp(connection, day, `${ofDay("r", day)} AND r.seq > ${known.seq}`);
    await connection.run("UPDATE rolled SET seq = $2 WHERE day = $1", [day, this.#seq]);
    known.seq = this.#seq;
    this.#late.delete(day);
    await this.#reopen(connection, day);
    return made;
  }

  async #reopen(connection: DuckDBConnection, day: number): Promise<void> {
    const block = day >> BLOCK_SHIFT;
    if (!this.#closed.delete(block)) return;
    await connection.run("DELETE FROM blocks WHERE block = $1", [block]);
    await connection.run("DELETE FROM closed WHERE block = $1", [block]);
    if (this.#totalled.has(block)) await this.#dropTotals(connection);
  }

  async #dropTotals(connection: DuckDBConnection): Promise<void> {
    this.#totalled.clear();
    await connection.run("DELETE FROM totals");
    await connection.run("DELETE FROM totalled");
  }

  /** Adds blocks that are closed since to the totals. */
  async #total(connection: DuckDBConnection): Promise<void> {
    const fresh = [...this.#closed].filter((block) => !this.#totalled.has(block));
    if (fresh.length === 0) return;
    await connection.run(
      `CREATE OR REPLACE TEMP TABLE totalling AS SELECT link, ${ROLLED_SUMS}
       FROM (FROM totals UNION ALL SELECT * EXCLUDE (block) FROM blocks WHERE block IN (${fresh.join(", ")}))
       GROUP BY link`,
    );
    await connection.run("DELETE FROM totals");
    await connection.run("INSERT INTO totals FROM totalling ORDER BY link");
    await connection.run("DROP TABLE totalling");
    for (const block of fresh) {
      await connection.run("INSERT INTO totalled VALUES ($1)", [block]);
      this.#totalled.add(block);
    }
  }

  async #close(connection: DuckDBConnection, today: number): Promise<void> {
    const current = today >> BLOCK_SHIFT;
    const open = new Set([...this.#open].map((day) => day >> BLOCK_SHIFT));
    const ready = new Set([...this.#rolled.keys()].map((day) => day >> BLOCK_SHIFT));
    for (const block of ready) {
      if (block >= current || open.has(block) || this.#closed.has(block)) continue;
      const first = block << BLOCK_SHIFT;
      await connection.run(
        `INSERT INTO blocks SELECT $1, link, ${ROLLED_SUMS} FROM days WHERE day BETWEEN $2 AND $3 GROUP BY link ORDER BY link`,
        [block, first, first + (1 << BLOCK_SHIFT) - 1],
      );
      await connection.run("INSERT INTO closed VALUES ($1)", [block]);
      this.#closed.add(block);
    }
  }
}

/** The number of sums made. */
async function sumUp(connection: DuckDBConnection, day: number, where: string): Promise<number> {
  await connection.run(SUMS(where));
  const made = await connection.run(
    "INSERT INTO days SELECT $1, * EXCLUDE (surplus) FROM summed WHERE NOT surplus ORDER BY link",
    [day],
  );
  await connection.run(
    `INSERT INTO unsummed SELECT * FROM
       (SELECT $1::INTEGER, count(*) AS edges, sum(connections) FROM summed WHERE surplus) WHERE edges > 0`,
    [day],
  );
  await connection.run("DROP TABLE summed");
  return made.rowsChanged;
}

export const ofDay = (table: string, day: number): string =>
  `${table}.start_ms >= ${day * DAY_MS} AND ${table}.start_ms < ${(day + 1) * DAY_MS}`;

/** Neighbouring days together. */
function rangesOf(days: readonly number[]): DayRange[] {
  const ranges: [number, number][] = [];
  for (const day of days.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.[1] === day - 1) last[1] = day;
    else ranges.push([day, day]);
  }
  return ranges;
}
