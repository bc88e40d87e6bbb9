/**
 * The questions to ClickHouse. Days that are asked for whole are summed by the server as they come in; of a day that is cut,
 * single flows are asked, and what the day had when some of them were forgotten counts whole.
 */
import { DAY_FIELDS, DAY_GROUP, DAYS_OF_FLOWS, EDGE_KEYS } from "./schema.ts";
import { daysOf, during, type Span } from "./condition.ts";

/** Which ones of those that fit: the newest, the oldest, or all. */
interface Share {
  readonly limit?: number | undefined;
  readonly first?: number | undefined;
}

/** Of a day some of whose flows are forgotten: what came before this era is told by the day alone. */
export interface Summed {
  readonly day: number;
  readonly era: number;
}

const TEXTS = ["cookie", "direction", "node", "origin", "request"];
const ABSENT = ["src", "dst"].flatMap((side) =>
  ["workload", "names", "process"].map((field) => `${side}_${field}`),
);

const orNull = (column: string): string => `nullIf(${column}, '') AS ${column}`;

/** Rows as `flowOf` reads them, oldest first. */
export function flowsQuery(
  flows: string,
  where: string,
  { since, until, limit = 0, first = 0 }: Share & Span,
): string {
  const fields = [
    ..."start_ms end_ms src_address src_name src_labels dst_address dst_name dst_labels".split(" "),
    ..."protocol port source_port verdict probe".split(" "),
    ...[...ABSENT, ...TEXTS, "rule"].map(orNull),
    ..."connections established failed bytes packets".split(" "),
  ].join(", ");
  const { whole, cut } = daysOf({ since, until });
  const days = cut.length === 0 ? whole : `((${whole}) OR day IN (${cut.join(", ")}))`;
  // Said of the table's own columns, before texts that are absent become null.
  const fitting = `SELECT * FROM ${flows} WHERE ${days} AND ${during({ since, until })} AND (${where})`;
  // All by which two flows are told apart: pages follow one another by it.
  const order = `start_ms, end_ms, src_address, dst_address, source_port, protocol, port, verdict,
    node, cookie, direction, rule, connections, established, failed, bytes, packets`;
  const share =
    limit > 0
      ? `SELECT * FROM (${fitting}) ORDER BY start_ms DESC, end_ms DESC LIMIT ${Math.trunc(limit)}`
      : first > 0
        ? `SELECT * FROM (${fitting}) ORDER BY ${order} LIMIT ${Math.trunc(first)}`
        : fitting;
  return `SELECT ${fields} FROM (${share}) ORDER BY ${order}`;
}

interface Sources {
  readonly flows: string;
  readonly edgeDays: string;
  /** Of the days that are cut. */
  readonly summed: readonly Summed[];
}

/** Rows of days of edges that a span asks for. */
export function dayRows({ flows, edgeDays, summed }: Sources, where: string, span: Span): string {
  const { whole, cut } = daysOf(span);
  const parts = [`SELECT ${DAY_FIELDS} FROM ${edgeDays} WHERE ${whole} AND (${where})`];
  for (const day of cut) {
    const era = summed.find((one) => one.day === day)?.era ?? 0;
    if (era > 0)
      parts.push(
        `SELECT ${DAY_FIELDS} FROM ${edgeDays} WHERE day = ${day} AND era < ${era} AND (${where})`,
      );
    parts.push(
      `SELECT ${DAY_FIELDS} FROM (SELECT ${DAYS_OF_FLOWS} FROM (SELECT *, day FROM ${flows} WHERE day = ${day} AND era >= ${era} AND ${during(span)} AND (${where})) AS f GROUP BY ${DAY_GROUP})`,
    );
  }
  return parts.join("\nUNION ALL\n");
}

const SUMS = ["connections", "established", "failed", "bytes", "packets"];
const IN_ORDER = `first_seen, src_address, dst_address, protocol, port, verdict, ${EDGE_KEYS}`;

/** Edges, each with its days as `[day, hours, connections]` where they are asked for. */
export function edgesQuery(
  rows: string,
  { limit = 0, first = 0 }: Share,
  withDays: boolean,
): string {
  const byDay = `
  SELECT day, ${EDGE_KEYS}, argMax((src_labels, dst_labels), latest_ms) AS labels, max(latest_ms) AS latest,
    groupUniqArray(src_names) AS sources, groupUniqArray(dst_names) AS destinations, groupUniqArray(origin) AS ways,
    ${SUMS.map((one) => `sum(${one}) AS day_${one}`).join(", ")}, min(first_ms) AS day_first, max(last_ms) AS day_last,
    groupBitOr(hours) AS day_hours, groupBitmapMerge(seconds) AS day_windows
  FROM (${rows}) GROUP BY day, ${EDGE_KEYS}`;
  const days = ", arraySort(groupArray((day, day_hours, day_connections))) AS days";
  const all = `
  SELECT ${EDGE_KEYS}, argMax(labels, latest).1 AS src_labels, argMax(labels, latest).2 AS dst_labels,
    groupUniqArrayArray(sources) AS src_names, groupUniqArrayArray(destinations) AS dst_names,
    groupUniqArrayArray(ways) AS origins, ${SUMS.map((one) => `sum(day_${one}) AS ${one}`).join(", ")},
    min(day_first) AS first_seen, max(day_last) AS last_seen, sum(day_windows) AS windows${withDays ? days : ""}
  FROM (${byDay}) GROUP BY ${EDGE_KEYS}`;
  const newest =
    limit > 0
      ? `SELECT * FROM (${all}) ORDER BY last_seen DESC, first_seen DESC, ${IN_ORDER} LIMIT ${Math.trunc(limit)}`
      : all;
  return `SELECT * FROM (${newest}) ORDER BY ${IN_ORDER}${first > 0 ? ` LIMIT ${Math.trunc(first)}` : ""}`;
}
