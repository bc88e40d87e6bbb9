/**
 * The flow store on DuckDB, in one file owned by one process. A batch is one transaction, synced at its commit. When
 * the disk fills up the store refuses, and when a failed write has made DuckDB give up on the file it is opened anew.
 */
import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import {
  AGENT_ORIGIN,
  createInTurn,
  DAY_MS,
  HOUR_MS,
  type Flow,
  type FlowFormat,
} from "@bulkhead/model";
import { StoreFullError } from "../state/state-store.ts";
import { DayBook, LAST_ORIGIN_BIT, type Sources } from "./day-book.ts";
import { edgeParts, readDays, readEdges } from "./edge-reader.ts";
import { EXPORT_SQL } from "./flow-export.ts";
import {
  conditionOf,
  DAYS_SQL,
  DISTINCT_SQL,
  EDGE_ROWS_SQL,
  EDGES_SQL,
  FLOWS_SQL,
  type Condition,
} from "./flow-query.ts";
import { flowOf } from "./flow-row.ts";
import type { Appended, FlowBatch, FlowFilter, FlowStore } from "./flow-store.ts";
import { layOut, TABLE_NAMES } from "./layout.ts";
import { forgetRecords, forgetUnused } from "./pruning.ts";
import { RecordDigests, toldOf, type Told } from "./record-digests.ts";
import { RecordWriter, type MemoryLimits } from "./record-writer.ts";
import { SnapshotReaders } from "./snapshot-readers.ts";
import { ask, isFatal, isFull, transaction } from "./sql.ts";
import { watchFrom } from "./watch-rows.ts";

export interface DuckDbFlowOptions {
  /** Appends are refused while less than this is free: the rest belongs to the control plane's own state. */
  readonly minFreeBytes?: number;
  /** DuckDB's own. */
  readonly memoryLimit?: string;
  /** What is held in memory to number ends and links by. */
  readonly memory?: MemoryLimits;
  /** Records of others that are remembered, at least seven eighths of it. */
  readonly remembered?: number;
}

interface Memory {
  readonly writer: RecordWriter;
  readonly book: DayBook;
  readonly digests: RecordDigests;
}

interface Open {
  readonly instance: DuckDBInstance;
  readonly connection: DuckDBConnection;
  /** What is in memory of the file: worth nothing after a transaction that failed. */
  memory: Memory | null;
}

/** Three, of 4 KiB each, before the first block (DuckDB's storage format). */
const FILE_HEADERS = 3 * 4096;
const DEFAULT_MIN_FREE = 32 * 1024 * 1024;
const DEFAULT_MEMORY: MemoryLimits = { ends: 200_000, links: 500_000 };

export async function openDuckDbFlowStore(
  path: string,
  options: DuckDbFlowOptions = {},
): Promise<FlowStore> {
  const minFree = options.minFreeBytes ?? DEFAULT_MIN_FREE;
  const limits = options.memory ?? DEFAULT_MEMORY;
  let open: Open | null = await openFile(path, options);
  const inTurn = createInTurn();
  const readers = new SnapshotReaders();
  let closed = false;

  /** One statement at a time: a transaction of one caller must not take in another's statements. */
  function exclusive<T>(
    work: (connection: DuckDBConnection, book: DayBook, memory: Memory) => Promise<T>,
  ): Promise<T> {
    return inTurn(async () => {
      if (closed) throw new Error("the flow store is closed");
      open ??= await openFile(path, options);
      try {
        open.memory ??= {
          writer: await RecordWriter.load(open.connection, limits),
          book: await DayBook.load(open.connection),
          digests: await RecordDigests.load(open.connection, options.remembered),
        };
        return await work(open.connection, open.memory.book, open.memory);
      } catch (error) {
        open.memory = null;
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

  /** What is asked, and the links that it is about, in one turn: nothing is written in between. */
  function under<T>(
    filter: FlowFilter,
    work: (
      connection: DuckDBConnection,
      condition: Condition,
      sources: (blocks: boolean) => Sources,
    ) => Promise<T>,
  ): Promise<T> {
    return exclusive(async (connection, book) => {
      const condition = await conditionOf(filter, async (column) =>
        (await ask(connection, DISTINCT_SQL(column))).map(({ value }) => String(value)),
      );
      const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = filter;
      return work(connection, condition, (blocks) => book.sourcesOf(since, until, blocks));
    });
  }

  /** What is there now is what is told: it is read on outside of the turns. */
  async function reader(): Promise<DuckDBConnection> {
    if (open === null) throw new Error("the flow store is closed");
    return readers.open(open.instance);
  }

  return {
    append: (batches) =>
      exclusive(async (connection, _book, memory) => {
        const { bavail, bsize } = statfsSync(dirname(path));
        if (bavail * bsize < minFree) {
          throw new StoreFullError(
            `flows could not be stored: less than ${minFree >> 20} MiB of disk are free`,
          );
        }
        const appended = await transaction(connection, () =>
          appendBatches(connection, batches, memory),
        );
        memory.writer.tidy();
        return appended;
      }),

    lastSequence: (boot) => exclusive((connection) => lastSequence(connection, boot)),

    flows: (filter) =>
      under(filter, async (connection, { where, values }) =>
        (await ask(connection, FLOWS_SQL(where, filter), values)).map(flowOf),
      ),

    edges: (filter) =>
      under(filter, async (connection, { where, values }, sources) => {
        const found = await readEdges(connection, EDGES_SQL(where, sources(true), filter), values);
        return found.map(({ edge }) => edge);
      }),

    async *edgeParts(filter) {
      const { asked, names, sql, values } = await under(filter, async (_, condition, sources) => ({
        asked: await reader(),
        names: await reader(),
        sql: EDGES_SQL(condition.where, sources(true), filter, false),
        values: condition.values,
      }));
      try {
        const parts = edgeParts(asked, names, sql, values);
        for (;;) {
          const part = await readers.run(asked, () => parts.next());
          if (part.done === true) return;
          yield part.value;
        }
      } finally {
        readers.close(asked);
        readers.close(names);
      }
    },

    histories: (filter) =>
      under(filter, async (connection, { where, values }, sources) => {
        const sql = EDGES_SQL(where, sources(true), filter);
        const edges = await readEdges(connection, sql, values);
        const days = await readDays(connection, DAYS_SQL(where, sources(false), filter), values);
        return edges.map(({ number, edge }) => ({ edge, days: days.get(number) ?? [] }));
      }),

    watch: (since = 0, until = Number.POSITIVE_INFINITY) =>
      exclusive(async (connection) => {
        const watched = await ask(connection, "SELECT day, hours FROM watch ORDER BY day");
        const told = await ask(connection, "SELECT day, format, hours FROM watch_by");
        return watchFrom(
          watched.map(({ day, hours }) => ({ day: Number(day), hours: Number(hours) })),
          told.map(({ day, format, hours }) => ({
            day: Number(day),
            format: String(format),
            hours: Number(hours),
          })),
          (day, hours) => within(day, hours, since, until),
        );
      }),

    async exportTo(file, filter, what) {
      const { asked, sql, values } = await under(filter, async (_, condition, sources) => {
        const { where } = condition;
        return {
          asked: await reader(),
          sql:
            what === "flows"
              ? FLOWS_SQL(where, filter)
              : EDGE_ROWS_SQL(where, sources(true), filter),
          values: condition.values,
        };
      });
      try {
        const written = await readers.run(asked, () =>
          asked.run(EXPORT_SQL(file, sql, what), [...values]),
        );
        return { rows: written.rowsChanged };
      } catch (error) {
        throw isFull(error) ? new StoreFullError("there is no room for the export", error) : error;
      } finally {
        readers.close(asked);
      }
    },

    stats: () =>
      exclusive(async (connection) => {
        const [row] = await ask(
          connection,
          `SELECT count(*) AS n, min(start_ms) AS oldest, max(end_ms) AS newest, (SELECT min(name) FROM identity) AS store,
             (SELECT min(day) FROM watch) AS first_day, (SELECT max(day) FROM watch) AS last_day,
             (SELECT sum(edges) FROM unsummed) AS unsummed,
             (SELECT count(*) FROM origins WHERE id >= ${LAST_ORIGIN_BIT}) AS shared FROM records`,
        );
        const stored = Number(row?.["n"] ?? 0);
        const firstDay = row?.["first_day"] ?? null;
        const unsummed = Number(row?.["unsummed"] ?? 0);
        const shared = Number(row?.["shared"] ?? 0);
        return {
          store: String(row?.["store"]),
          stored,
          ...(stored === 0
            ? {}
            : { oldest: Number(row?.["oldest"]), newest: Number(row?.["newest"]) }),
          ...(firstDay === null
            ? {}
            : { firstDay: Number(firstDay), lastDay: Number(row?.["last_day"]) }),
          ...(unsummed === 0 ? {} : { unsummed }),
          ...(shared <= 1 ? {} : { sharedOrigins: shared }),
          bytes: bytesOf(path),
        };
      }),

    prune: (retention) =>
      exclusive((connection, book, { digests }) =>
        transaction(connection, () => forgetRecords(connection, book, digests, retention)),
      ),

    compact: (now) =>
      exclusive(async (connection, book) => {
        const bytesBefore = bytesOf(path);
        const days = await transaction(connection, () => book.roll(connection, now));
        const unused = await transaction(connection, () => forgetUnused(connection));
        // Numbers of what has gone are not in memory for ever.
        if (unused > 0 && open !== null) open.memory = null;
        // Not beside those who still read what was there.
        if (readers.size === 0) await connection.run("CHECKPOINT");
        return { days, bytesBefore, bytesAfter: bytesOf(path) };
      }),

    async close() {
      await inTurn.idle();
      closed = true;
      await readers.closeAll();
      if (open !== null) closeFile(open);
      open = null;
    },
  };
}

async function lastSequence(connection: DuckDBConnection, boot: string): Promise<number> {
  const [found] = await ask(connection, "SELECT sequence FROM intake WHERE boot = $1", [boot]);
  return Number(found?.["sequence"] ?? 0);
}

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

async function openFile(path: string, options: DuckDbFlowOptions): Promise<Open> {
  const instance = await DuckDBInstance.create(path, {
    memory_limit: options.memoryLimit ?? "512MB",
    threads: "2",
    // A long write-ahead log makes opening slow after a crash.
    checkpoint_threshold: "16MB",
  });
  const connection = await instance.connect();
  const open: Open = { instance, connection, memory: null };
  try {
    await layOut(connection);
    await checkLength(connection, path);
  } catch (error) {
    closeFile(open);
    throw error;
  }
  return open;
}

/**
 * A file that was cut off opens all the same, and fails at the first look at what is gone. That what is in use lies within the
 * file is asked table by table: blocks that are free at its end may be missing, and DuckDB counts them.
 */
async function checkLength(connection: DuckDBConnection, path: string): Promise<void> {
  const [size] = await ask(connection, "SELECT block_size AS bytes FROM pragma_database_size()");
  const blocks = Math.floor((statSync(path).size - FILE_HEADERS) / Number(size?.["bytes"] ?? 1));
  for (const table of TABLE_NAMES) {
    const [used] = await ask(
      connection,
      `SELECT max(block_id) AS last FROM pragma_storage_info('${table}') WHERE persistent`,
    );
    if (Number(used?.["last"] ?? -1) >= blocks)
      throw new Error(`\`${path}\` is shorter than what is in it: it was cut off`);
  }
}

function closeFile(open: Open): void {
  open.connection.closeSync();
  open.instance.closeSync();
}

async function appendBatches(
  connection: DuckDBConnection,
  batches: readonly FlowBatch[],
  { book, writer, digests }: Memory,
): Promise<Appended> {
  const stored = new Map<string, number>();
  const came: Flow[] = [];
  const told: Told[] = [];
  const leftOut = new Set<Flow>();
  for (const batch of batches) {
    const last = stored.get(batch.boot) ?? (await lastSequence(connection, batch.boot));
    stored.set(batch.boot, Math.max(last, batch.sequence));
    if (batch.sequence > last) {
      for (const flow of batch.flows) came.push(flow);
      for (const one of toldOf(batch)) told.push(one);
    } else if (batch.digests !== undefined) {
      for (const flow of batch.flows) leftOut.add(flow);
    }
  }
  for (const flow of await digests.before(connection, told)) leftOut.add(flow);
  const flows = leftOut.size === 0 ? came : came.filter((flow) => !leftOut.has(flow));
  const watched = new Map<FlowFormat, Map<number, number>>();
  for (const { start, origin = AGENT_ORIGIN } of flows) {
    const own = watched.get(origin.format) ?? new Map<number, number>();
    watched.set(origin.format, own);
    const day = Math.floor(start / DAY_MS);
    own.set(day, (own.get(day) ?? 0) | (1 << Math.floor((start - day * DAY_MS) / HOUR_MS)));
  }
  const days = new Set([...watched.values()].flatMap((own) => [...own.keys()]));
  const seq = await book.enter(connection, days);
  await writer.write(connection, flows, seq);
  await digests.write(
    connection,
    told.filter(({ flow }) => !leftOut.has(flow)),
    seq,
  );
  for (const [format, own] of watched) await noteWatched(connection, format, own);
  for (const [boot, sequence] of stored) {
    await connection.run("DELETE FROM intake WHERE boot = $1", [boot]);
    await connection.run("INSERT INTO intake VALUES ($1, $2)", [boot, BigInt(sequence)]);
  }
  return { leftOut };
}

/** Hours of each day, added to those that were known. */
async function noteWatched(
  connection: DuckDBConnection,
  format: FlowFormat,
  watched: ReadonlyMap<number, number>,
): Promise<void> {
  for (const [day, hours] of watched) {
    const known = await connection.run("UPDATE watch SET hours = hours | $1 WHERE day = $2", [
      hours,
      day,
    ]);
    if (known.rowsChanged === 0)
      await connection.run("INSERT INTO watch VALUES ($1, $2)", [day, hours]);
    const told = await connection.run(
      "UPDATE watch_by SET hours = hours | $1 WHERE day = $2 AND format = $3",
      [hours, day, format],
    );
    if (told.rowsChanged === 0)
      await connection.run("INSERT INTO watch_by VALUES ($1, $2, $3)", [day, format, hours]);
  }
}
