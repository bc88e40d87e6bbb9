/**
 * The flow store on ClickHouse, for more than one machine: several controllers may write at once. A batch is one insert
 * whose token names it, so that a batch sent again, by whomever, changes nothing. There are no transactions over batches:
 * of several, the first may be there before the last is; none is acknowledged before all are.
 */
import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createClient, ClickHouseLogLevel, type ClickHouseClient } from "@clickhouse/client";
import { DAY_MS, HOUR_MS, type EdgeHistory, type Flow } from "@bulkhead/model";
import { flowOf } from "../flows/flow-row.ts";
import type { Appended, FlowBatch, FlowFilter, FlowStore, Retention } from "../flows/flow-store.ts";
import { hourOf, hoursOf, toldBefore, toldOf, type Told } from "../flows/record-digests.ts";
import { watchFrom } from "../flows/watch-rows.ts";
import { StoreFullError } from "../state/state-store.ts";
import { conditionOf, daysOf, type Condition, type Parameter } from "./condition.ts";
import { exportQuery, parquetRows } from "./export.ts";
import { dayRows, edgesQuery, flowsQuery, type Summed } from "./queries.ts";
import { createEdgeReader, INSERTED, rowOf, type EdgeRow } from "./rows.ts";
import { EDGE_KEYS, PARTITION_DAYS, schemaOf, storedName, type Layout } from "./schema.ts";

export interface ClickHouseFlowOptions {
  /** `https://clickhouse.example:8443`; without a user in it. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** PEM of the authorities that the server's certificate is to be from; absent: the system's. */
  readonly ca?: string;
  readonly database?: string;
  readonly cluster?: string;
  readonly flowDays?: number;
  readonly edgeDays?: number;
  readonly requestTimeoutMs?: number;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** Rows of one insert: more would be split by the server where it likes. */
const MOST_ROWS = 100_000;
/** Before the store's own name, among the senders of batches: no sender is called so. */
const IDENTITY = "store ";
/** Inserts under way at once. */
const AT_ONCE = 4;
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** Asks nobody yet: a server that is away may come back, and policy does not wait for history. */
export function openClickHouseFlowStore(options: ClickHouseFlowOptions): FlowStore {
  const { url, username, password, ca, database, cluster, flowDays, edgeDays } = options;
  const client = createClient({
    url,
    username,
    password,
    application: "bulkhead",
    request_timeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    max_open_connections: 2 * AT_ONCE,
    compression: { request: true, response: true },
    use_multipart_params_auto: true,
    // What goes wrong is told by whoever asked, once and without what was asked.
    log: { level: ClickHouseLogLevel.OFF },
    ...(ca === undefined ? {} : { tls: { ca_cert: Buffer.from(ca) } }),
  });
  const secrets = [password, encodeURIComponent(password)].filter((text) => text !== "");
  return createClickHouseFlowStore(
    client,
    {
      database: nameOf(database ?? "bulkhead"),
      ...(cluster === undefined ? {} : { cluster: nameOf(cluster) }),
      ...(flowDays === undefined ? {} : { flowDays }),
      ...(edgeDays === undefined ? {} : { edgeDays }),
    },
    secrets,
  );
}

/** Databases and clusters are named in the text of statements. */
function nameOf(text: string): string {
  if (NAME.test(text)) return text;
  throw new Error(`\`${text}\` is no name of a database or a cluster: letters, digits and _`);
}

/** `secrets`: what no message may hold. */
export function createClickHouseFlowStore(
  client: ClickHouseClient,
  layout: Layout,
  secrets: readonly string[] = [],
): FlowStore {
  const { database, cluster } = layout;
  const [flows, edgeDays] = [`${database}.flows`, `${database}.edge_days`];
  const on = cluster === undefined ? "" : ` ON CLUSTER ${cluster}`;

  let made: Promise<void> | undefined;

  /** Tables, once they can be made; whoever fails to is not the last to try. */
  async function make(): Promise<void> {
    try {
      for (const query of schemaOf(layout))
        await client.command({ query, clickhouse_settings: WAITING });
    } catch (error) {
      made = undefined;
      throw error;
    }
  }

  async function told<T>(work: () => Promise<T>): Promise<T> {
    try {
      made ??= make();
      await made;
      return await work();
    } catch (error) {
      throw failureOf(error, secrets);
    }
  }

  const asked = (query: string, query_params: Readonly<Record<string, Parameter>>) =>
    client.query({ query, query_params, format: "JSONEachRow", clickhouse_settings: READING });

  async function ask<T>(
    query: string,
    query_params: Readonly<Record<string, Parameter>> = {},
  ): Promise<readonly T[]> {
    return told(async () => (await asked(query, query_params)).json<T>());
  }

  const command = (query: string): Promise<unknown> =>
    told(() => client.command({ query, clickhouse_settings: WAITING }));

  /** Without a token: into tables that keep the largest of what they are given, and remember no blocks. */
  async function insert(
    table: string,
    values: unknown[],
    columns: Columns,
    token?: string,
  ): Promise<void> {
    await told(() =>
      client.insert({
        table: `${database}.${table}`,
        values,
        columns: [...columns],
        format: "JSONCompactEachRow",
        clickhouse_settings: {
          ...WRITING,
          insert_deduplication_token: token ?? "",
        },
      }),
    );
  }

  /** Since when flows of that day are told one by one. */
  async function summedOf(days: readonly number[]): Promise<readonly Summed[]> {
    if (days.length === 0) return [];
    return ask<Summed>(
      `SELECT day, max(era) AS era FROM ${database}.summed WHERE day IN {days:Array(UInt32)} GROUP BY day`,
      { days },
    );
  }

  async function eraNow(): Promise<number> {
    const [found] = await ask<{ readonly era: number }>(
      `SELECT max(era) AS era FROM ${database}.summed`,
    );
    return found?.era ?? 0;
  }

  async function conditionIn(filter: FlowFilter): Promise<Condition> {
    return conditionOf(filter, async (columns, { where, parameters }) => {
      const of = columns
        .flatMap((column) =>
          [edgeDays, flows].map(
            (table) => `SELECT DISTINCT ${column} AS value FROM ${table} WHERE ${where}`,
          ),
        )
        .join(" UNION DISTINCT ");
      const rows = await ask<{ readonly value: string }>(of, parameters);
      return rows.map(({ value }) => value);
    });
  }

  async function edgesText(filter: FlowFilter, withDays: boolean) {
    const { where, parameters } = await conditionIn(filter);
    const summed = await summedOf(daysOf(filter).cut);
    const rows = dayRows({ flows, edgeDays, summed }, where, filter);
    return { text: edgesQuery(rows, filter, withDays), parameters };
  }

  async function edgeRows(filter: FlowFilter, withDays: boolean): Promise<readonly EdgeRow[]> {
    const { text, parameters } = await edgesText(filter, withDays);
    return ask<EdgeRow>(text, parameters);
  }

  async function sequences(boots: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const rows = await ask<{ readonly boot: string; readonly last: number }>(
      `SELECT boot, max(sequence) AS last FROM ${database}.intake WHERE boot IN {boots:Array(String)} GROUP BY boot`,
      { boots },
    );
    return new Map(rows.map(({ boot, last }) => [boot, last]));
  }

  /** Those that are stored already. Of two controllers that are told the same at the same moment, neither knows. */
  async function storedBefore(told: readonly Told[]): Promise<ReadonlySet<Flow>> {
    if (told.length === 0) return new Set();
    const [first, until] = hoursOf(told);
    const rows = await ask<{ readonly known: string }>(
      `SELECT DISTINCT toString(digest) AS known FROM ${database}.digests
       WHERE hour BETWEEN {first:UInt32} AND {until:UInt32} AND known IN {digests:Array(String)}`,
      { first, until, digests: told.map(({ digest }) => String(digest)) },
    );
    return toldBefore(
      told,
      rows.map(({ known }) => BigInt(known)),
    );
  }

  async function append(batches: readonly FlowBatch[]): Promise<Appended> {
    const last = new Map(await sequences([...new Set(batches.map(({ boot }) => boot))]));
    const fresh = batches.filter(({ boot, sequence }) => {
      if (sequence <= (last.get(boot) ?? 0)) return false;
      last.set(boot, sequence);
      return true;
    });
    const leftOut = new Set(
      batches.flatMap((batch) =>
        batch.digests === undefined || fresh.includes(batch) ? [] : batch.flows,
      ),
    );
    if (fresh.length === 0) return { leftOut };
    const told = fresh.flatMap(toldOf);
    for (const flow of await storedBefore(told)) leftOut.add(flow);
    const era = await eraNow();
    const parts = fresh.flatMap(({ boot, sequence, flows: all }) => {
      const records = leftOut.size === 0 ? all : all.filter((flow) => !leftOut.has(flow));
      return Array.from({ length: Math.ceil(records.length / MOST_ROWS) }, (_, part) => ({
        token: `${boot}/${sequence}/${part}`,
        rows: records.slice(part * MOST_ROWS, (part + 1) * MOST_ROWS),
      }));
    });
    for (let from = 0; from < parts.length; from += AT_ONCE) {
      await Promise.all(
        parts.slice(from, from + AT_ONCE).map(({ token, rows }) =>
          insert(
            "flows",
            rows.map((row) => rowOf(row, era)),
            INSERTED,
            token,
          ),
        ),
      );
    }
    // After the flows: what is sent again before this is known by its token, and left out after it.
    const digests = told.flatMap(({ flow, digest }) =>
      leftOut.has(flow) ? [] : [[hourOf(flow), String(digest)]],
    );
    if (digests.length > 0) await insert("digests", digests, ["hour", "digest"]);
    // Last, so that what is acknowledged is there; what is sent again before that is known by its token.
    const noted = [...new Set(fresh.map(({ boot }) => boot))].map((boot) => [boot, last.get(boot)]);
    await insert("intake", noted, ["boot", "sequence"]);
    return { leftOut };
  }

  /** The first that anybody noted; whoever opens an empty store notes one. */
  async function identity(): Promise<string> {
    for (;;) {
      const [found] = await ask<{ readonly name: string }>(
        `SELECT min(boot) AS name FROM ${database}.intake WHERE startsWith(boot, '${IDENTITY}')`,
      );
      const name = found?.name ?? "";
      if (name !== "") return name.slice(IDENTITY.length);
      await insert("intake", [[`${IDENTITY}${randomUUID()}`, 1]], ["boot", "sequence"]);
    }
  }

  /** Whole partitions at once, where all in them was over before `lastDay`; else row by row. */
  async function forget(
    table: keyof typeof PARTITION_DAYS,
    gone: string,
    lastDay: number,
  ): Promise<void> {
    const width = PARTITION_DAYS[table];
    const parts = await ask<{ readonly part: number; readonly gone: number; readonly all: number }>(
      `SELECT intDiv(day, ${width}) AS part, countIf(${gone}) AS gone, count() AS all FROM ${database}.${table} GROUP BY part HAVING gone > 0`,
    );
    const stored = `${storedName(layout, table)}${on}`;
    const whole = parts.filter((one) => one.gone === one.all && (one.part + 1) * width <= lastDay);
    for (const { part } of whole) await command(`ALTER TABLE ${stored} DROP PARTITION ${part}`);
    if (whole.length < parts.length) await command(`DELETE FROM ${stored} WHERE ${gone}`);
  }

  async function prune({ before, maxRecords, daysBefore }: Retention) {
    const [stored] = await ask<{ readonly n: number }>(`SELECT count() AS n FROM ${flows}`);
    const [surplus] =
      (stored?.n ?? 0) <= maxRecords
        ? []
        : await ask<{ readonly end: number }>(
            `SELECT end_ms AS end FROM ${flows} ORDER BY end_ms DESC LIMIT 1 OFFSET ${Math.trunc(maxRecords)}`,
          );
    const cut = Math.max(Math.ceil(before), surplus === undefined ? 0 : surplus.end + 1);
    const lastDay = Math.floor(daysBefore / DAY_MS);
    const gone = `end_ms < ${cut} OR day < ${lastDay}`;
    const days = await ask<{ readonly day: number; readonly count: number }>(
      `SELECT day, count() AS count FROM ${flows} WHERE ${gone} GROUP BY day`,
    );
    if (days.length > 0) {
      const era = (await eraNow()) + 1;
      const rows = days.map(({ day }) => [day, era]);
      await insert("summed", rows, ["day", "era"]);
      // A day's grace: what runs over the end of its week may still be on its way.
      await forget("flows", gone, Math.max(lastDay, Math.floor(cut / DAY_MS) - 1));
    }
    const over = `day < ${lastDay}`;
    const [forgotten] = await ask<{ readonly count: number }>(
      `SELECT count() AS count FROM (SELECT 1 FROM ${edgeDays} WHERE ${over} GROUP BY day, ${EDGE_KEYS})`,
    );
    if ((forgotten?.count ?? 0) > 0) {
      await forget("edge_days", over, lastDay);
      await forget("watched", over, lastDay);
      await forget("watched_by", over, lastDay);
      await command(
        `DELETE FROM ${storedName(layout, "digests")}${on} WHERE hour < ${lastDay * 24}`,
      );
    }
    return {
      flows: days.reduce((sum, { count }) => sum + count, 0),
      days: forgotten?.count ?? 0,
    };
  }

  async function bytesOf(): Promise<number> {
    const parts =
      cluster === undefined ? "system.parts" : `clusterAllReplicas('${cluster}', system.parts)`;
    const [found] = await ask<{ readonly bytes: number }>(
      `SELECT sum(bytes_on_disk) AS bytes FROM ${parts} WHERE active AND database = {database:String}`,
      { database },
    );
    return found?.bytes ?? 0;
  }

  return {
    append,

    async lastSequence(boot) {
      return (await sequences([boot])).get(boot) ?? 0;
    },

    async flows(filter) {
      const { where, parameters } = await conditionIn(filter);
      const rows = await ask<Parameters<typeof flowOf>[0]>(
        flowsQuery(flows, where, filter),
        parameters,
      );
      return rows.map(flowOf);
    },

    async edges(filter) {
      return (await edgeRows(filter, false)).map(createEdgeReader());
    },

    async *edgeParts(filter) {
      const { text, parameters } = await edgesText(filter, false);
      const answer = await told(() => asked(text, parameters));
      const edgeOf = createEdgeReader();
      try {
        for await (const rows of answer.stream<EdgeRow>())
          yield rows.map((row) => edgeOf(row.json()));
      } catch (error) {
        throw failureOf(error, secrets);
      } finally {
        answer.close();
      }
    },

    async histories(filter): Promise<readonly EdgeHistory[]> {
      const edgeOf = createEdgeReader();
      return (await edgeRows(filter, true)).map((row) => ({
        edge: edgeOf(row),
        days: (row.days ?? []).map(([day, hours, connections]) => ({ day, hours, connections })),
      }));
    },

    async watch(since, until) {
      const rows = await ask<{ readonly day: number; readonly hours: number }>(
        `SELECT day, groupBitOr(hours) AS hours FROM ${database}.watched GROUP BY day ORDER BY day`,
      );
      const told = await ask<{
        readonly day: number;
        readonly format: string;
        readonly hours: number;
      }>(
        `SELECT day, format, groupBitOr(hours) AS hours FROM ${database}.watched_by GROUP BY day, format`,
      );
      return watchFrom(rows, told, (day, hours) => hours & hoursWithin(day, since, until));
    },

    async exportTo(path, filter, what) {
      const { text, parameters } =
        what === "flows"
          ? await conditionIn(filter).then((one) => ({
              text: flowsQuery(flows, one.where, filter),
              parameters: one.parameters,
            }))
          : await edgesText(filter, false);
      const { stream } = await told(() =>
        client.exec({
          query: exportQuery(text, what),
          query_params: parameters,
          clickhouse_settings: READING,
        }),
      );
      await pipeline(stream, createWriteStream(path));
      return { rows: await parquetRows(path) };
    },

    async stats() {
      const [[row], [span], bytes, store] = await Promise.all([
        ask<{ readonly n: number; readonly oldest: number; readonly newest: number }>(
          `SELECT count() AS n, min(start_ms) AS oldest, max(end_ms) AS newest FROM ${flows}`,
        ),
        ask<{ readonly n: number; readonly first: number; readonly last: number }>(
          `SELECT count() AS n, min(day) AS first, max(day) AS last FROM ${database}.watched`,
        ),
        bytesOf(),
        identity(),
      ]);
      return {
        store,
        stored: row?.n ?? 0,
        ...(row === undefined || row.n === 0 ? {} : { oldest: row.oldest, newest: row.newest }),
        ...(span === undefined || span.n === 0 ? {} : { firstDay: span.first, lastDay: span.last }),
        bytes,
      };
    },

    prune,

    async compact() {
      const bytesBefore = await bytesOf();
      const [before] = await ask<{ readonly n: number }>(`SELECT count() AS n FROM ${edgeDays}`);
      for (const table of ["edge_days", "watched", "watched_by", "intake", "summed"])
        await command(`OPTIMIZE TABLE ${storedName(layout, table)}${on} FINAL`);
      const [after] = await ask<{ readonly n: number }>(`SELECT count() AS n FROM ${edgeDays}`);
      const days = (before?.n ?? 0) - (after?.n ?? 0);
      return { days: Math.max(0, days), bytesBefore, bytesAfter: await bytesOf() };
    },

    close: () => client.close(),
  };
}

type Columns = readonly [string, ...string[]];

const READING = {
  output_format_json_quote_64bit_integers: 0,
  output_format_parquet_string_as_string: 1,
} as const;

const WRITING = {
  // A token names one insert: the server must not gather several.
  async_insert: 0,
  // A batch may tell of many weeks.
  max_partitions_per_insert_block: "0",
  deduplicate_blocks_in_dependent_materialized_views: 1,
  // On disk at the shard before it is acknowledged.
  distributed_foreground_insert: 1,
  max_insert_block_size: "1000000",
} as const;

/** Statements are over when they are over. */
const WAITING = { mutations_sync: "2", lightweight_deletes_sync: "2", alter_sync: "2" } as const;

/** Hours of a day that have a part in a span. */
function hoursWithin(day: number, since = 0, until = Number.POSITIVE_INFINITY): number {
  let mask = 0;
  for (let hour = 0; hour < 24; hour++) {
    const start = day * DAY_MS + hour * HOUR_MS;
    if (start + HOUR_MS > since && start < until) mask |= 1 << hour;
  }
  return mask;
}

/** By code: `NOT_ENOUGH_SPACE`. */
const FULL = "243";

function failureOf(error: unknown, secrets: readonly string[]): Error {
  const text = error instanceof Error ? error.message || error.name : String(error);
  const safe = secrets.reduce((known, secret) => known.replaceAll(secret, "…"), text);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === FULL)
    return new StoreFullError("flows could not be stored: ClickHouse has no room", new Error(safe));
  return new Error(`ClickHouse: ${safe}`);
}
