/**
 * A flow filter as SQL with parameters; user input never becomes part of the text. Ends are chosen by `flowFits`' own words
 * on the few distinct values there are, and the query looks those up: there is no second meaning of a selector or a prefix
 * in SQL. Links are chosen first, then what tells of the time asked for is summed.
 */
import { listValue, type DuckDBValue } from "@duckdb/node-api";
import { DAY_MS, HOUR_MS, type Labels } from "@bulkhead/model";
import { ORIGIN_BIT, type DayRange, type Sources } from "./day-book.ts";
import { called, inside, labelled } from "./flow-fits.ts";
import type { FlowFilter } from "./flow-store.ts";

/** On the links, as `l`. */
export interface Condition {
  readonly where: string;
  readonly values: readonly DuckDBValue[];
}

/** Distinct values of a column of `ends`. */
export type Distinct = (column: EndColumn) => Promise<readonly string[]>;
type EndColumn = "address" | "name" | "labels" | "names";

export async function conditionOf(filter: FlowFilter, distinct: Distinct): Promise<Condition> {
  const terms: string[] = [];
  const values: DuckDBValue[] = [];
  const bind = (value: DuckDBValue): string => `$${values.push(value)}`;
  const among = (list: readonly (string | number)[]): string =>
    `(${list.map((one) => bind(one)).join(", ")})`;
  if (matchesNothing(filter)) return { where: "false", values };
  const manners: string[] = [];
  if (filter.verdicts !== undefined) manners.push(`verdict IN ${among(filter.verdicts)}`);
  if (!filter.probes) manners.push("NOT probe");
  if (manners.length > 0)
    terms.push(`l.manner IN (SELECT id FROM manners WHERE ${manners.join(" AND ")})`);
  if (filter.protocols !== undefined) terms.push(`l.protocol IN ${among(filter.protocols)}`);
  if (filter.ports !== undefined) {
    const ranges = filter.ports.map(
      ({ protocol, first, last }) =>
        `(l.protocol = ${bind(protocol)} AND l.port BETWEEN ${bind(first)} AND ${bind(last)})`,
    );
    terms.push(`(${ranges.join(" OR ")})`);
  }
  for (const { column, sides, holds } of testsOf(filter)) {
    const found = (await distinct(column)).filter(holds);
    if (found.length === 0) {
      terms.push("false");
      continue;
    }
    const list = bind(listValue(found));
    const chosen = `(SELECT id FROM ends WHERE ${column} IN (SELECT unnest(${list})))`;
    terms.push(`(${sides.map((side) => `l.${side} IN ${chosen}`).join(" OR ")})`);
  }
  return { where: terms.length === 0 ? "true" : terms.join(" AND "), values };
}

interface Test {
  readonly column: EndColumn;
  /** One of them must hold it. */
  readonly sides: readonly ("src" | "dst")[];
  readonly holds: (value: string) => boolean;
}

const FROM = ["src"] as const;
const TO = ["dst"] as const;
const EITHER = ["src", "dst"] as const;

function testsOf(filter: FlowFilter): readonly Test[] {
  const tests: Test[] = [];
  for (const [names, sides] of [
    [filter.from, FROM],
    [filter.to, TO],
    [filter.either, EITHER],
  ] as const) {
    if (names !== undefined)
      tests.push({ column: "name", sides, holds: (text) => names.includes(text) });
  }
  for (const [ranges, sides] of [
    [filter.fromIps, FROM],
    [filter.toIps, TO],
    [filter.eitherIps, EITHER],
  ] as const) {
    if (ranges !== undefined)
      tests.push({ column: "address", sides, holds: (text) => inside(ranges, text) });
  }
  for (const [selectors, sides] of [
    [filter.fromLabels, FROM],
    [filter.toLabels, TO],
    [filter.eitherLabels, EITHER],
  ] as const) {
    if (selectors === undefined) continue;
    const holds = (text: string): boolean => labelled(selectors, JSON.parse(text) as Labels);
    tests.push({ column: "labels", sides, holds });
  }
  for (const [patterns, sides] of [
    [filter.fromNames, FROM],
    [filter.toNames, TO],
    [filter.eitherNames, EITHER],
  ] as const) {
    if (patterns === undefined) continue;
    const holds = (text: string): boolean => called(patterns, JSON.parse(text) as string[]);
    tests.push({ column: "names", sides, holds });
  }
  return tests;
}

export const DISTINCT_SQL = (column: EndColumn): string =>
  `SELECT DISTINCT ${column} AS value FROM ends WHERE ${column} IS NOT NULL`;

/** Empty lists match nothing; DuckDB refuses `IN ()`. */
function matchesNothing(filter: FlowFilter): boolean {
  const { verdicts, either, from, to, protocols, ports } = filter;
  return [verdicts, either, from, to, protocols, ports].some((list) => list?.length === 0);
}

/** Which ones of those that fit: the newest, the oldest, or all. */
interface Share {
  readonly limit?: number | undefined;
  readonly first?: number | undefined;
}

interface Span {
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

const during = ({ since, until }: Span): string[] => [
  ...(since === undefined ? [] : [`r.start_ms >= ${Math.ceil(since)}`]),
  ...(until === undefined ? [] : [`r.start_ms < ${Math.ceil(until)}`]),
];

/** Rows as `flowOf` reads them, oldest first. */
export const FLOWS_SQL = (where: string, filter: Share & Span): string => {
  const { limit = 0, first = 0 } = filter;
  const share =
    limit !== 0
      ? `ORDER BY r.start_ms DESC, r.end_ms DESC, r.rowid DESC LIMIT ${Math.trunc(limit)}`
      : first !== 0
        ? `ORDER BY r.start_ms, r.end_ms, r.rowid LIMIT ${Math.trunc(first)}`
        : "";
  return `
  WITH picked AS (
    SELECT r.*, r.rowid AS row, l.src, l.dst, l.protocol, l.port, l.manner FROM records r JOIN links l ON l.id = r.link
    WHERE ${[where, ...during(filter)].join(" AND ")} ${share})
  SELECT ${ENDS}, p.start_ms, p.end_ms, p.protocol, p.port, p.source_port, m.verdict, m.rule, m.probe,
    t.node, t.cookie, t.direction, o.origin, p.src_process, p.dst_process, p.request,
    p.connections, p.established, p.failed, p.bytes, p.packets, s.names AS src_names, d.names AS dst_names
  FROM picked p ${JOINED} JOIN details t ON t.id = p.detail LEFT JOIN origins o ON o.id = t.origin
  ORDER BY p.start_ms, p.end_ms, p.row`;
};

const ENDS = ["src", "dst"]
  .flatMap((side) =>
    ["address", "workload", "name", "labels"].map(
      (column) => `${side === "src" ? "s" : "d"}.${column} AS ${side}_${column}`,
    ),
  )
  .join(", ");
const JOINED =
  "JOIN ends s ON s.id = p.src JOIN ends d ON d.id = p.dst JOIN manners m ON m.id = p.manner";

const COUNTS = ["connections", "established", "failed", "bytes", "packets"];
const summed = (as: string): string =>
  COUNTS.map((count) => `sum(${count})::${as} AS ${count}`).join(", ");
const cast = (columns: readonly string[], as: string): string =>
  columns.map((column) => `${column}::${as} AS ${column}`).join(", ");
const PARTS = `${COUNTS.join(", ")}, windows, first_ms, last_ms, last_start, origins`;

const between = (column: string, ranges: readonly DayRange[]): string =>
  ranges.map(([first, last]) => `${column} BETWEEN ${first} AND ${last}`).join(" OR ");

/** Which records tell of it; null where none do. */
function recordsOf(sources: Sources, span: Span): string | null {
  const days = [
    ...sources.records.map(
      ([first, last]) =>
        `(r.start_ms >= ${first * DAY_MS} AND r.start_ms < ${(last + 1) * DAY_MS})`,
    ),
    ...sources.late.map(
      ({ day, seq }) =>
        `(r.start_ms >= ${day * DAY_MS} AND r.start_ms < ${(day + 1) * DAY_MS} AND r.seq > ${seq})`,
    ),
  ];
  return days.length === 0 ? null : [`(${days.join(" OR ")})`, ...during(span)].join(" AND ");
}

const RECORDS = (where: string): string => `
  raw AS (
    SELECT r.*, l.edge, t.origin FROM records r JOIN chosen l ON l.id = r.link LEFT JOIN details t ON t.id = r.detail
    WHERE ${where})`;

const ORDER =
  "first_seen, s.address, d.address, protocol, port, m.verdict, s.name, d.name, m.rule, m.probe";

/** Few ends have names, and all others need not be asked. */
const NAMES_OF = (side: "src" | "dst"): string => `
    SELECT l.edge, string_agg(DISTINCT names, '\n') AS ${side}_names
    FROM by_link JOIN chosen l ON l.id = link JOIN named ON named.id = l.${side} GROUP BY l.edge`;

/** Edges by the numbers of their ends and manner, with their sums. */
const NUMBERED_EDGES = (where: string, sources: Sources, span: Span): string => {
  const records = recordsOf(sources, span);
  const parts = [
    ...(sources.totals ? [`SELECT link, ${PARTS} FROM totals`] : []),
    ...(sources.blocks.length === 0
      ? []
      : [`SELECT link, ${PARTS} FROM blocks WHERE block IN (${sources.blocks.join(", ")})`]),
    ...(sources.days.length === 0
      ? []
      : [`SELECT link, ${PARTS} FROM days WHERE ${between("day", sources.days)}`]),
    ...(records === null
      ? []
      : [
          `SELECT link, ${summed("BIGINT")}, 0 AS windows, min(start_ms) AS first_ms, max(end_ms) AS last_ms,
             max(start_ms) AS last_start, bit_or(${ORIGIN_BIT}) AS origins
           FROM raw t GROUP BY link`,
        ]),
  ];
  const seconds =
    records === null
      ? ""
      : `, seconds AS (SELECT edge, count(DISTINCT start_ms // 1000) AS seconds FROM raw WHERE connections > 0 GROUP BY edge)`;
  return `
  WITH chosen AS (SELECT l.* FROM links l WHERE ${where})${records === null ? "" : `, ${RECORDS(records)}`}${seconds},
  parts AS (${parts.length === 0 ? `SELECT link, ${PARTS} FROM days WHERE false` : parts.join(" UNION ALL ")}),
  by_link AS MATERIALIZED (
    SELECT link, ${summed("BIGINT")}, sum(windows) AS windows, min(first_ms) AS first_ms, max(last_ms) AS last_ms,
      max(last_start) AS last_start, bit_or(origins) AS origins
    FROM parts GROUP BY link),
  named AS (SELECT id, names FROM ends WHERE names IS NOT NULL),
  src_called AS (${NAMES_OF("src")}),
  dst_called AS (${NAMES_OF("dst")}),
  told AS (
    SELECT l.edge, l.src, l.dst, l.protocol, l.port, l.manner, by_link.* EXCLUDE (link)
    FROM by_link JOIN chosen l ON l.id = link),
  several AS (SELECT DISTINCT edge FROM links WHERE id <> edge),
  by_edge AS (
    SELECT edge, src, dst, protocol, port, manner, ${cast(COUNTS, "DOUBLE")}, windows::DOUBLE AS windows,
      first_ms::DOUBLE AS first_seen, last_ms::DOUBLE AS last_seen, origins
    FROM told ANTI JOIN several USING (edge)
    UNION ALL
    SELECT edge, arg_max(src, last_start) AS src, arg_max(dst, last_start) AS dst,
      any_value(protocol) AS protocol, any_value(port) AS port, any_value(manner) AS manner,
      ${summed("DOUBLE")}, sum(windows)::DOUBLE AS windows, min(first_ms)::DOUBLE AS first_seen,
      max(last_ms)::DOUBLE AS last_seen, bit_or(origins) AS origins
    FROM told SEMI JOIN several USING (edge) GROUP BY edge)
  SELECT by_edge.* ${records === null ? "" : "REPLACE (windows + coalesce(seconds, 0) AS windows)"}, src_names, dst_names
  FROM by_edge ${records === null ? "" : "LEFT JOIN seconds USING (edge)"}
    LEFT JOIN src_called USING (edge) LEFT JOIN dst_called USING (edge)`;
};

const shared = ({ limit = 0, first = 0 }: Share, columns: string): string => {
  const rows = `SELECT ${columns} FROM p ${JOINED}`;
  if (limit !== 0)
    return `SELECT * EXCLUDE (place) FROM (${rows.replace("SELECT", `SELECT row_number() OVER (ORDER BY ${ORDER}) AS place,`)}
      ORDER BY last_seen DESC, first_seen DESC, place LIMIT ${Math.trunc(limit)}) ORDER BY place`;
  return `${rows} ORDER BY ${ORDER} ${first === 0 ? "" : `LIMIT ${Math.trunc(first)}`}`;
};

/** What few edges have is marked, because to ask each whether it is there costs more than all the rest. */
export const RARE = { sourceNames: 1, destinationNames: 2, origins: 4 } as const;
/** As `readEdges` takes them, by place. */
const READ = `edge, src, dst, protocol, port, manner, connections, established, failed, bytes, packets,
  first_seen, last_seen, windows,
  (CASE WHEN src_names IS NULL THEN 0 ELSE ${RARE.sourceNames} END + CASE WHEN dst_names IS NULL THEN 0 ELSE ${RARE.destinationNames} END
    + CASE WHEN origins = 1 THEN 0 ELSE ${RARE.origins} END)::INTEGER AS rare,
  src_names, dst_names, origins`;

/**
 * Ends and manners by number. `sorted`: in the order of first sight, where ties are left to the reader if all are asked for;
 * else as they come, which needs nothing to be held.
 */
export const EDGES_SQL = (
  where: string,
  sources: Sources,
  filter: Share & Span,
  sorted = true,
): string => {
  const numbered = NUMBERED_EDGES(where, sources, filter);
  const { limit = 0, first = 0 } = filter;
  return limit === 0 && first === 0
    ? `SELECT ${READ} FROM (${numbered}) ${sorted ? "ORDER BY first_seen" : ""}`
    : `SELECT ${READ} FROM (WITH p AS (${numbered}) ${shared(filter, "p.*")})`;
};

/** DOUBLE is for us, who would make a number of each. */
const WHOLE = `REPLACE (${cast([...COUNTS, "windows", "first_seen", "last_seen"], "BIGINT")})`;

/** The same with what the numbers stand for, as rows for people's own tools. */
export const EDGE_ROWS_SQL = (where: string, sources: Sources, filter: Share & Span): string =>
  `WITH p AS (${NUMBERED_EDGES(where, sources, filter)})
   ${shared(
     filter,
     `${ENDS}, p.* EXCLUDE (edge, src, dst, manner, origins) ${WHOLE}, m.verdict, m.rule, m.probe,
      (SELECT string_agg(origin, '\n' ORDER BY id) FROM origins WHERE (p.origins >> id::INTEGER) & 1 = 1) AS origins`,
   )}`;

/** Of each edge, by number: its days, ascending. */
export const DAYS_SQL = (where: string, sources: Sources, span: Span): string => {
  const records = recordsOf(sources, span);
  const parts = [
    ...(sources.days.length === 0
      ? []
      : [
          `SELECT l.edge, day, hours, connections FROM days JOIN chosen l ON l.id = link WHERE ${between("day", sources.days)}`,
        ]),
    ...(records === null
      ? []
      : [
          `SELECT edge, (start_ms // ${DAY_MS})::INTEGER AS day,
             CASE WHEN connections > 0 THEN 1::INTEGER << (start_ms % ${DAY_MS} // ${HOUR_MS})::INTEGER ELSE 0 END AS hours, connections
           FROM raw`,
        ]),
  ];
  return `
  WITH chosen AS (SELECT l.* FROM links l WHERE ${where})${records === null ? "" : `, ${RECORDS(records)}`}
  SELECT edge, day, bit_or(hours) AS hours, sum(connections)::DOUBLE AS connections
  FROM (${parts.length === 0 ? "SELECT 0 AS edge, day, hours, connections FROM days WHERE false" : parts.join(" UNION ALL ")})
  GROUP BY edge, day ORDER BY edge, day`;
};
