/**
 * The flow store on DuckDB, in one file owned by one process. A batch is one transaction, synced at its commit. When
 * the disk fills up the store refuses, and when a failed write has made DuckDB give up on the file it is opened anew.
 */
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { createInTurn } from "@bulkhead/model";
import { StoreFullError } from "../state/state-store.ts";
import {
  conditionOf,
  DISTINCT_SQL,
  EDGES_SQL,
  FLOWS_SQL,
  matchesNothing,
  type Condition,
} from "./flow-query.ts";
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

  /** The distinct values and the rows in one turn, so that nothing is written between the two. */
  async function found(
    filter: FlowFilter,
    sql: (where: string, share: FlowFilter) => string,
  ): Promise<ResultRow[]> {
    if (matchesNothing(filter)) return [];
    return exclusive(async (connection) => {
      const condition = await conditionOf(filter, async (columns, among) => {
        const values = await ask(connection, DISTINCT_SQL(columns, among.where), among.values);
        return values.map(({ value }) => String(value));
      });
      return ask(connection, sql(condition.where, filter), condition.values);
    });
  }

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

    async stats() {
      const [row] = await rows(
        "SELECT count(*) AS n, min(start_ms) AS oldest, max(end_ms) AS newest FROM flows",
        [],
      );
      const stored = Number(row?.["n"] ?? 0);
      return stored === 0
        ? { stored }
        : { stored, oldest: Number(row?.["oldest"]), newest: Number(row?.["newest"]) };
    },

    prune: (retention) =>
      exclusive((connection) =>
        transaction(connection, async () => {
          const aged = await connection.run("DELETE FROM flows WHERE end_ms < $1", [
            BigInt(retention.before),
          ]);
          const surplus = await connection.run(
            `DELETE FROM flows WHERE rowid IN (SELECT rowid FROM flows ORDER BY end_ms DESC OFFSET ${Math.trunc(retention.maxRecords)})`,
          );
          return aged.rowsChanged + surplus.rowsChanged;
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
  return { instance, connection };
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
        for (const flow of batch.flows) appendFlow(appender, flow);
        last = batch.sequence;
      }
      stored.set(batch.boot, last);
    }
    appender.flushSync();
  } finally {
    appender.closeSync();
  }
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
