/**
 * The flow store on DuckDB, in one file owned by one process. A batch is one transaction, synced at its commit. When
 * the disk fills up the store refuses, and when a failed write has made DuckDB give up on the file it is opened anew.
 */
import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { createInTurn, DAY_MS, HOUR_MS, type EdgeDay } from "@bulkhead/model";
import { StoreFullError } from "../state/state-store.ts";
import {
  conditionOf,
  DAYS_SQL,
  DISTINCT_SQL,
  EDGES_SQL,
  FLOWS_SQL,
  KEY,
  matchesNothing,
  type Condition,
} from "./flow-query.ts";
import { EXPORT_SQL } from "./flow-export.ts";
import {
  appendFlow,
  edgeOf,
  FLOW_COLUMNS,
  flowOf,
  LATER_COLUMNS,
  type ResultRow,
} from "./flow-row.ts";
import type { FlowBatch, FlowFilter, FlowStore } from "./flow-store.ts";

export interface DuckDbFlowOptions {
  /** Appends are refused while less than this is free: the rest belongs to the control plane's own state. */
  readonly minFreeBytes?: number;
  readonly memoryLimit?: string;
}

interface Open {
  readonly instance: DuckDBInstance;
  readonly connection: DuckDBConnection;
}

const DEFAULT_MIN_FREE = 32 * 1024 * 1024;

export async function openDuckDbFlowStore(
  path: string,
  options: DuckDbFlowOptions = {},
): Promise<FlowStore> {
  const minFree = options.minFreeBytes ?? DEFAULT_MIN_FREE;
  let open: Open | null = await openFile(path, options);
  const inTurn = createInTurn();
  let closed = false;

  /** One statement at a time: a transaction of one caller must not take in another's statements. */
  function exclusive<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return inTurn(async () => {
      if (closed) throw new Error("the flow store is closed");
      open ??= await openFile(path, options);
      try {
        return await work(open.connection);
      } catch (error) {
        if (isFatal(error)) {
          closeFile(open);
          open = null;
        }
        throw isFull(error)
          ? new StoreFullError("flows could not be stored: the disk is full", error)
          : error;
      }
    });
  }

  async function rows(
    sql: string,
    values: readonly (string | number | bigint)[],
  ): Promise<ResultRow[]> {
    return exclusive((connection) => ask(connection, sql, values));
  }

  /** The distinct values and all that is asked in one turn, so that nothing is written in between. */
  async function under<T>(
    filter: FlowFilter,
    work: (connection: DuckDBConnection, condition: Condition) => Promise<T>,
  ): Promise<T> {
    return exclusive(async (connection) => {
      if (matchesNothing(filter)) return work(connection, { where: "false", values: [] });
      const condition = await conditionOf(filter, async (columns, among) => {
        const values = await ask(connection, DISTINCT_SQL(columns, among.where), among.values);
        return values.map(({ value }) => String(value));
      });
      return work(connection, condition);
    });
  }

  const found = (
    filter: FlowFilter,
    sql: (where: string, share: FlowFilter) => string,
  ): Promise<ResultRow[]> =>
    under(filter, (connection, { where, values }) => ask(connection, sql(where, filter), values));

  return {
    append: (batches) =>
      exclusive(async (connection) => {
        const { bavail, bsize } = statfsSync(dirname(path));
        if (bavail * bsize < minFree) {
          throw new StoreFullError(
            `flows could not be stored: less than ${minFree >> 20} MiB of disk are free`,
          );
        }
        await transaction(connection, () => appendBatches(connection, batches));
      }),

    async lastSequence(boot) {
      const found = await rows("SELECT sequence FROM intake WHERE boot = $1", [boot]);
      return Number(found[0]?.["sequence"] ?? 0);
    },

    flows: async (filter) => (await found(filter, FLOWS_SQL)).map(flowOf),

    edges: async (filter) => (await found(filter, EDGES_SQL)).map(edgeOf),

    histories: (filter) =>
      under(filter, async (connection, { where, values }) => {
        const edges = await ask(connection, EDGES_SQL(where, filter), values);
        const days = new Map<string, EdgeDay[]>();
        for (const row of await ask(connection, DAYS_SQL(where), values)) {
          const key = keyOf(row);
          const known = days.get(key);
          if (known === undefined) days.set(key, [dayOf(row)]);
          else known.push(dayOf(row));
        }
        return edges.map((row) => ({ edge: edgeOf(row), days: days.get(keyOf(row)) ?? [] }));
      }),

    async watch(since = 0, until = Number.MAX_SAFE_INTEGER) {
      const watched = await rows("SELECT day, hours FROM watch ORDER BY day", []);
      return watched.flatMap((row) => {
        const day = Number(row["day"]);
        const hours = within(day, Number(row["hours"]), since, until);
        return hours === 0 ? [] : [{ day, hours }];
      });
    },

    exportTo: (file, filter, what) =>
      under(filter, async (connection, { where, values }) => {
        const sql = what === "flows" ? FLOWS_SQL(where, filter) : EDGES_SQL(where, filter);
        const written = await connection.run(EXPORT_SQL(file, sql, what), [...values]);
        return { rows: written.rowsChanged };
      }),

    async stats() {
      const [row] = await rows(
        `SELECT count(*) AS n, min(start_ms) AS oldest, max(end_ms) AS newest,
           (SELECT min(day) FROM watch) AS first_day, (SELECT max(day) FROM watch) AS last_day FROM flows`,
        [],
      );
      const stored = Number(row?.["n"] ?? 0);
      const firstDay = row?.["first_day"] ?? null;
      return {
        stored,
        ...(stored === 0
          ? {}
          : { oldest: Number(row?.["oldest"]), newest: Number(row?.["newest"]) }),
        ...(firstDay === null
          ? {}
          : { firstDay: Number(firstDay), lastDay: Number(row?.["last_day"]) }),
        bytes: bytesOf(path),
      };
    },

    compact: () =>
      exclusive(async (connection) => {
        const bytesBefore = bytesOf(path);
        await connection.run("CHECKPOINT");
        return { days: 0, bytesBefore, bytesAfter: bytesOf(path) };
      }),

    prune: (retention) =>
      exclusive((connection) =>
        transaction(connection, async () => {
          const aged = await connection.run("DELETE FROM flows WHERE end_ms < $1", [
            BigInt(retention.before),
          ]);
          const surplus = await connection.run(
            `DELETE FROM flows WHERE rowid IN (SELECT rowid FROM flows ORDER BY end_ms DESC OFFSET ${Math.trunc(retention.maxRecords)})`,
          );
          await connection.run("DELETE FROM watch WHERE day < $1", [
            Math.floor(retention.daysBefore / DAY_MS),
          ]);
          return { flows: aged.rowsChanged + surplus.rowsChanged, days: 0 };
        }),
      ),

    async close() {
      await inTurn.idle();
      closed = true;
      if (open !== null) closeFile(open);
      open = null;
    },
  };
}

const keyOf = (row: ResultRow): string =>
  KEY.split(", ")
    .map((column) => row[column])
    .join("\n");

const dayOf = (row: ResultRow): EdgeDay => ({
  day: Number(row["day"]),
  hours: Number(row["hours"]),
  connections: Number(row["connections"]),
});

/** Those hours of a day that have a part in a time. */
function within(day: number, hours: number, since: number, until: number): number {
  let kept = 0;
  for (let hour = 0; hour < 24; hour += 1) {
    const start = day * DAY_MS + hour * HOUR_MS;
    if (start < until && start + HOUR_MS > since) kept |= hours & (1 << hour);
  }
  return kept;
}

/** Of the file and of its write-ahead log, which there is not always. */
function bytesOf(path: string): number {
  return [path, `${path}.wal`].reduce(
    (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

async function ask(
  connection: DuckDBConnection,
  sql: string,
  values: Condition["values"],
): Promise<ResultRow[]> {
  const reader = await connection.runAndReadAll(sql, [...values]);
  return reader.getRowObjects() as ResultRow[];
}

async function openFile(path: string, options: DuckDbFlowOptions): Promise<Open> {
  const instance = await DuckDBInstance.create(path, {
    memory_limit: options.memoryLimit ?? "512MB",
    threads: "2",
    // A long write-ahead log makes opening slow after a crash.
    checkpoint_threshold: "16MB",
  });
  const connection = await instance.connect();
  await connection.run(`CREATE TABLE IF NOT EXISTS flows (${FLOW_COLUMNS})`);
  for (const column of LATER_COLUMNS)
    await connection.run(`ALTER TABLE flows ADD COLUMN IF NOT EXISTS ${column}`);
  await connection.run(
    "CREATE TABLE IF NOT EXISTS intake (boot VARCHAR NOT NULL, sequence BIGINT NOT NULL)",
  );
  const [watch] = await ask(
    connection,
    "SELECT count(*) AS n FROM duckdb_tables() WHERE table_name = 'watch'",
    [],
  );
  if (Number(watch?.["n"]) === 0) await connection.run(`CREATE TABLE watch AS ${WATCHED_SQL}`);
  return { instance, connection };
}

/** Of what is in a file of an earlier version. */
const WATCHED_SQL = `
  SELECT (start_ms // ${DAY_MS})::INTEGER AS day,
    bit_or(1::INTEGER << (start_ms % ${DAY_MS} // ${HOUR_MS})::INTEGER) AS hours FROM flows GROUP BY ALL`;

/** Hours of each day, added to those that were known. */
async function noteWatched(
  connection: DuckDBConnection,
  watched: ReadonlyMap<number, number>,
): Promise<void> {
  for (const [day, hours] of watched) {
    const known = await connection.run("UPDATE watch SET hours = hours | $1 WHERE day = $2", [
      hours,
      day,
    ]);
    if (known.rowsChanged === 0)
      await connection.run("INSERT INTO watch VALUES ($1, $2)", [day, hours]);
  }
}

function closeFile(open: Open): void {
  open.connection.closeSync();
  open.instance.closeSync();
}

async function appendBatches(
  connection: DuckDBConnection,
  batches: readonly FlowBatch[],
): Promise<void> {
  const appender = await connection.createAppender("flows");
  const stored = new Map<string, number>();
  const watched = new Map<number, number>();
  try {
    for (const batch of batches) {
      let last = stored.get(batch.boot);
      if (last === undefined) {
        const found = await connection.runAndReadAll(
          "SELECT sequence FROM intake WHERE boot = $1",
          [batch.boot],
        );
        last = Number(found.getRows()[0]?.[0] ?? 0);
      }
      if (batch.sequence > last) {
        for (const flow of batch.flows) {
          appendFlow(appender, flow);
          const day = Math.floor(flow.start / DAY_MS);
          const hour = Math.floor((flow.start - day * DAY_MS) / HOUR_MS);
          watched.set(day, (watched.get(day) ?? 0) | (1 << hour));
        }
        last = batch.sequence;
      }
      stored.set(batch.boot, last);
    }
    appender.flushSync();
  } finally {
    appender.closeSync();
  }
  await noteWatched(connection, watched);
  for (const [boot, sequence] of stored) {
    await connection.run("DELETE FROM intake WHERE boot = $1", [boot]);
    await connection.run("INSERT INTO intake VALUES ($1, $2)", [boot, BigInt(sequence)]);
  }
}

async function transaction<T>(connection: DuckDBConnection, work: () => Promise<T>): Promise<T> {
  await connection.run("BEGIN");
  let result: T;
  try {
    result = await work();
    await connection.run("COMMIT");
  } catch (error) {
    await connection.run("ROLLBACK").catch((rollback: unknown) => {
      // A failed commit has ended the transaction already; the file is opened anew when DuckDB says it is unusable.
      if (isFatal(rollback)) throw rollback;
    });
    throw error;
  }
  return result;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isFull(error: unknown): boolean {
  return /no space left|could not write|failed to (?:write|commit|sync)|disk (?:is )?full/i.test(
    messageOf(error),
  );
}

function isFatal(error: unknown): boolean {
  return /database has been invalidated|fatal error|no space left|could not write/i.test(
    messageOf(error),
  );
}
