/**
 * What a ClickHouse database holds for flows, as the text of its statements: for one server, or for a cluster where every
 * table is replicated within a shard and spread over the shards. Single flows feed two materialised views: the days of
 * edges, and the hours in which anybody was looking. Names of databases and clusters are checked before they get here.
 */

export interface Layout {
  readonly database: string;
  /** Name of the cluster in the servers' configuration; absent: one server. */
  readonly cluster?: string;
  /** Days until the server itself forgets; absent: never. */
  readonly flowDays?: number;
  readonly edgeDays?: number;
}

/** Days that are forgotten together at little cost. */
export const PARTITION_DAYS = { flows: 7, edge_days: 28, watched: 28, watched_by: 28 } as const;

/** Blocks whose tokens are remembered, so that what is sent again within them changes nothing. */
const REMEMBERED = 10_000;

/** What an edge is. */
const EDGE_KEY = [
  "src_name",
  "dst_name",
  "port",
  "protocol",
  "verdict",
  "src_address",
  "dst_address",
  "src_workload",
  "dst_workload",
  "rule",
  "probe",
] as const;
export const EDGE_KEYS = EDGE_KEY.join(", ");

/** What may differ between records of one edge: labels and names as they were, and how it came to be known. */
const SAID = ["src_labels", "dst_labels", "src_names", "dst_names", "origin"] as const;
const SAID_COLUMNS = SAID.join(", ");

const ENDS = ["src", "dst"]
  .map(
    (side) => `
  ${side}_address LowCardinality(String), ${side}_workload LowCardinality(String), ${side}_name LowCardinality(String),
  ${side}_labels LowCardinality(String), ${side}_names LowCardinality(String),`,
  )
  .join("");

const KIND = `
  protocol UInt8, port UInt16, verdict LowCardinality(String), rule LowCardinality(String), probe Bool,
  origin LowCardinality(String),`;

/** Empty text stands for what is absent. */
const FLOW_COLUMNS = `
  start_ms Int64 CODEC(Delta, ZSTD), end_ms Int64 CODEC(Delta, ZSTD),
  day UInt32 MATERIALIZED intDiv(greatest(start_ms, 0), 86400000),
  era UInt32,${ENDS}${KIND}
  source_port UInt16, cookie LowCardinality(String), direction LowCardinality(String), node LowCardinality(String),
  src_process String CODEC(ZSTD), dst_process String CODEC(ZSTD), request String CODEC(ZSTD),
  connections UInt64, established UInt64, failed UInt64, bytes UInt64, packets UInt64`;

const SUMS = ["connections", "established", "failed", "bytes", "packets"] as const;

const DAY_COLUMNS = `
  day UInt32, era UInt32,${ENDS}${KIND}
  ${SUMS.map((one) => `${one} SimpleAggregateFunction(sum, UInt64)`).join(", ")},
  first_ms SimpleAggregateFunction(min, Int64), last_ms SimpleAggregateFunction(max, Int64),
  latest_ms SimpleAggregateFunction(max, Int64), hours SimpleAggregateFunction(groupBitOr, UInt32),
  seconds AggregateFunction(groupBitmap, UInt32)`;

/** Rows of flows, as `f`, as rows of days of edges. `seconds`: those of the day in which a connection began. */
export const DAYS_OF_FLOWS = `day, era, ${EDGE_KEYS}, ${SAID_COLUMNS},
  ${SUMS.map((one) => `sum(f.${one}) AS ${one}`).join(", ")},
  min(f.start_ms) AS first_ms, max(f.end_ms) AS last_ms, max(f.start_ms) AS latest_ms,
  groupBitOr(if(f.connections > 0, bitShiftLeft(toUInt32(1), intDiv(f.start_ms, 3600000) % 24), toUInt32(0))) AS hours,
  groupBitmapStateIf(toUInt32(intDiv(f.start_ms, 1000) % 86400), f.connections > 0) AS seconds`;

export const DAY_GROUP = `day, era, ${EDGE_KEYS}, ${SAID_COLUMNS}`;

export const DAY_FIELDS = `day, ${EDGE_KEYS}, ${SAID_COLUMNS}, ${SUMS.join(", ")}, first_ms, last_ms, latest_ms, hours, seconds`;

interface Table {
  readonly name: string;
  readonly columns: string;
  /** Without `Replicated`. */
  readonly engine: string;
  readonly partition?: string;
  readonly order: string;
  readonly primary?: string;
  readonly ttl?: string;
  /** How rows are spread over shards; absent: every server has all of them. */
  readonly sharding?: string;
}

const SHARDING = "cityHash64(src_address, dst_address)";
const days = (of: string, count: number): string =>
  `toDateTime(least(${of}, 4294967295)) + toIntervalDay(${Math.trunc(count)})`;

function tablesOf({ flowDays, edgeDays }: Layout): readonly Table[] {
  const kept =
    edgeDays === undefined ? {} : { ttl: days("toUInt64(day) * 86400", Math.max(1, edgeDays) + 1) };
  return [
    {
      name: "flows",
      columns: FLOW_COLUMNS,
      engine: "MergeTree()",
      partition: `intDiv(day, ${PARTITION_DAYS.flows})`,
      order: "day, src_name, dst_name, start_ms",
      sharding: SHARDING,
      ...(flowDays === undefined ? {} : { ttl: days("intDiv(end_ms, 1000)", flowDays) }),
    },
    {
      name: "edge_days",
      columns: DAY_COLUMNS,
      engine: "AggregatingMergeTree()",
      partition: `intDiv(day, ${PARTITION_DAYS.edge_days})`,
      order: `day, ${EDGE_KEYS}, era, ${SAID_COLUMNS}`,
      primary: "day, src_name, dst_name, port",
      sharding: SHARDING,
      ...kept,
    },
    {
      name: "watched",
      columns: "day UInt32, hours SimpleAggregateFunction(groupBitOr, UInt32)",
      engine: "AggregatingMergeTree()",
      partition: `intDiv(day, ${PARTITION_DAYS.watched})`,
      order: "day",
      sharding: "day",
      ...kept,
    },
    {
      name: "watched_by",
      columns:
        "day UInt32, format LowCardinality(String), hours SimpleAggregateFunction(groupBitOr, UInt32)",
      engine: "AggregatingMergeTree()",
      partition: `intDiv(day, ${PARTITION_DAYS.watched_by})`,
      order: "day, format",
      sharding: "day",
      ...kept,
    },
    {
      name: "intake",
      columns: "boot String, sequence SimpleAggregateFunction(max, UInt64)",
      engine: "AggregatingMergeTree()",
      order: "boot",
    },
    {
      name: "digests",
      columns: "hour UInt32, digest Int64",
      engine: "MergeTree()",
      order: "hour, digest",
      sharding: "cityHash64(digest)",
      ...(edgeDays === undefined
        ? {}
        : { ttl: days("toUInt64(hour) * 3600", Math.max(1, edgeDays) + 1) }),
    },
    {
      name: "summed",
      columns: "day UInt32, era SimpleAggregateFunction(max, UInt32)",
      engine: "AggregatingMergeTree()",
      order: "day",
    },
  ];
}

const VIEWS = [
  {
    name: "feed_edge_days",
    to: "edge_days",
    select: `SELECT ${DAYS_OF_FLOWS} FROM FLOWS AS f GROUP BY ${DAY_GROUP}`,
  },
  {
    name: "feed_watched",
    to: "watched",
    select:
      "SELECT day, groupBitOr(bitShiftLeft(toUInt32(1), intDiv(start_ms, 3600000) % 24)) AS hours FROM FLOWS AS f GROUP BY day",
  },
  {
    name: "feed_watched_by",
    to: "watched_by",
    select:
      "SELECT day, if(origin = '', 'agent', JSONExtractString(origin, 'format')) AS format, groupBitOr(bitShiftLeft(toUInt32(1), intDiv(start_ms, 3600000) % 24)) AS hours FROM FLOWS AS f GROUP BY day, format",
  },
] as const;

/** In the order in which they are made. Made once they stay: running them again changes nothing. */
export function schemaOf(layout: Layout): readonly string[] {
  const { database, cluster } = layout;
  const on = cluster === undefined ? "" : ` ON CLUSTER ${cluster}`;
  const stored = (name: string): string => storedName(layout, name);
  return [
    `CREATE DATABASE IF NOT EXISTS ${database}${on}`,
    ...tablesOf(layout).flatMap((table) => [
      storedTable(layout, table, on),
      ...(cluster === undefined || table.sharding === undefined
        ? []
        : [
            `CREATE TABLE IF NOT EXISTS ${database}.${table.name}${on} AS ${stored(table.name)}\nENGINE = Distributed(${cluster}, ${database}, ${table.name}_local, ${table.sharding})`,
          ]),
    ]),
    ...VIEWS.map(
      ({ name, to, select }) =>
        `CREATE MATERIALIZED VIEW IF NOT EXISTS ${database}.${name}${on} TO ${stored(to)} AS\n${select.replace("FLOWS", stored("flows"))}`,
    ),
    ...ttlsOf(layout),
  ];
}

/** Of tables that were made with another retention, or none. */
function ttlsOf(layout: Layout): readonly string[] {
  const on = layout.cluster === undefined ? "" : ` ON CLUSTER ${layout.cluster}`;
  return tablesOf(layout).flatMap(({ name, ttl }) =>
    ttl === undefined
      ? []
      : [
          `ALTER TABLE ${storedName(layout, name)}${on} MODIFY TTL ${ttl} SETTINGS materialize_ttl_after_modify = 0`,
        ],
  );
}

/** Where rows of it are: beside it there may be a table that only spreads them. */
export function storedName({ database, cluster }: Layout, name: string): string {
  const spread = name !== "intake" && name !== "summed";
  return cluster !== undefined && spread ? `${database}.${name}_local` : `${database}.${name}`;
}

function storedTable(layout: Layout, table: Table, on: string): string {
  const { columns, engine, partition, order, primary, ttl } = table;
  const replicated = layout.cluster !== undefined;
  const name = storedName(layout, table.name);
  return [
    `CREATE TABLE IF NOT EXISTS ${name}${on} (${columns.startsWith("\n") ? columns : `\n  ${columns}`}\n)`,
    `ENGINE = ${replicated ? replicatedEngine(layout, table) : engine}`,
    ...(partition === undefined ? [] : [`PARTITION BY ${partition}`]),
    ...(primary === undefined ? [] : [`PRIMARY KEY (${primary})`]),
    `ORDER BY (${order})`,
    ...(ttl === undefined ? [] : [`TTL ${ttl}`]),
    `SETTINGS ${replicated ? "replicated" : "non_replicated"}_deduplication_window = ${table.sharding === undefined ? 0 : REMEMBERED}, fsync_after_insert = 1, fsync_part_directory = 1`,
  ].join("\n");
}

/** Tables that every server has whole are one group of replicas over all shards. */
function replicatedEngine({ database }: Layout, { name, engine, sharding }: Table): string {
  const [path, replica] =
    sharding === undefined
      ? [`/clickhouse/tables/${database}/${name}`, "{shard}-{replica}"]
      : [`/clickhouse/tables/{shard}/${database}/${name}`, "{replica}"];
  return `Replicated${engine.replace("()", `('${path}', '${replica}')`)}`;
}
