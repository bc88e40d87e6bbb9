/**
 * A flow filter as SQL with parameters; user input never becomes part of the text. Labels, addresses and names are tested by
 * `flowFits`' own words on the few distinct values there are, and the query looks those up: there is no second meaning of
 * a selector or a prefix in SQL.
 */
import { listValue, type DuckDBValue } from "@duckdb/node-api";
import { DAY_MS, HOUR_MS, type Labels } from "@bulkhead/model";
import { called, inside, labelled } from "./flow-fits.ts";
import type { FlowFilter } from "./flow-store.ts";

export interface Condition {
  readonly where: string;
  readonly values: readonly DuckDBValue[];
}

/** Distinct values of columns in the rows of a condition. */
export type Distinct = (columns: readonly string[], among: Condition) => Promise<readonly string[]>;

export async function conditionOf(filter: FlowFilter, distinct: Distinct): Promise<Condition> {
  const terms: string[] = [];
  const values: DuckDBValue[] = [];
  const bind = (value: DuckDBValue): string => `$${values.push(value)}`;
  const among = (list: readonly (string | number)[]): string =>
    `(${list.map((one) => bind(one)).join(", ")})`;
  if (filter.since !== undefined) terms.push(`start_ms >= ${bind(BigInt(filter.since))}`);
  if (filter.until !== undefined) terms.push(`start_ms < ${bind(BigInt(filter.until))}`);
  if (filter.verdicts !== undefined) terms.push(`verdict IN ${among(filter.verdicts)}`);
  if (filter.from !== undefined) terms.push(`src_name IN ${among(filter.from)}`);
  if (filter.to !== undefined) terms.push(`dst_name IN ${among(filter.to)}`);
  if (filter.either !== undefined) {
    terms.push(`(src_name IN ${among(filter.either)} OR dst_name IN ${among(filter.either)})`);
  }
  if (filter.protocols !== undefined) terms.push(`protocol IN ${among(filter.protocols)}`);
  if (filter.ports !== undefined) {
    const ranges = filter.ports.map(
      ({ protocol, first, last }) =>
        `(protocol = ${bind(protocol)} AND port BETWEEN ${bind(first)} AND ${bind(last)})`,
    );
    terms.push(`(${ranges.join(" OR ")})`);
  }
  if (!filter.probes) terms.push("NOT probe");
  const condition = (): Condition => ({
    where: terms.length === 0 ? "true" : terms.join(" AND "),
    values: [...values],
  });
  for (const { columns, holds } of testsOf(filter)) {
    const found = (await distinct(columns, condition())).filter(holds);
    if (found.length === 0) {
      terms.push("false");
      continue;
    }
    const list = bind(listValue(found));
    terms.push(
      `(${columns.map((column) => `${column} IN (SELECT unnest(${list}))`).join(" OR ")})`,
    );
  }
  return condition();
}

interface Test {
  /** One of them must hold it. */
  readonly columns: readonly string[];
  readonly holds: (value: string) => boolean;
}

function testsOf(filter: FlowFilter): readonly Test[] {
  const tests: Test[] = [];
  for (const [ranges, ...columns] of [
    [filter.fromIps, "src_address"],
    [filter.toIps, "dst_address"],
    [filter.eitherIps, "src_address", "dst_address"],
  ] as const) {
    if (ranges !== undefined) tests.push({ columns, holds: (text) => inside(ranges, text) });
  }
  for (const [selectors, ...columns] of [
    [filter.fromLabels, "src_labels"],
    [filter.toLabels, "dst_labels"],
    [filter.eitherLabels, "src_labels", "dst_labels"],
  ] as const) {
    if (selectors === undefined) continue;
    tests.push({ columns, holds: (text) => labelled(selectors, JSON.parse(text) as Labels) });
  }
  for (const [patterns, ...columns] of [
    [filter.fromNames, "src_names"],
    [filter.toNames, "dst_names"],
    [filter.eitherNames, "src_names", "dst_names"],
  ] as const) {
    if (patterns === undefined) continue;
    tests.push({ columns, holds: (text) => called(patterns, JSON.parse(text) as string[]) });
  }
  return tests;
}

export const DISTINCT_SQL = (columns: readonly string[], where: string): string =>
  columns
    .map(
      (column) =>
        `SELECT DISTINCT ${column} AS value FROM flows WHERE ${column} IS NOT NULL AND (${where})`,
    )
    .join(" UNION ");

/** Empty lists match nothing; DuckDB refuses `IN ()`, so they are answered without asking it. */
export function matchesNothing(filter: FlowFilter): boolean {
  const { verdicts, either, from, to, protocols, ports } = filter;
  return [verdicts, either, from, to, protocols, ports].some((list) => list?.length === 0);
}

/** Which ones of those that fit: the newest, the oldest, or all. */
interface Share {
  readonly limit?: number | undefined;
  readonly first?: number | undefined;
}

export const FLOWS_SQL = (where: string, { limit = 0, first = 0 }: Share): string => {
  const all = `SELECT * FROM flows WHERE ${where}`;
  const newest =
    limit === 0
      ? all
      : `SELECT * FROM (${all} ORDER BY start_ms DESC, end_ms DESC LIMIT ${Math.trunc(limit)})`;
  return `${newest} ORDER BY start_ms, end_ms ${first === 0 ? "" : `LIMIT ${Math.trunc(first)}`}`;
};

export const KEY = `src_address, src_workload, src_name, dst_address, dst_workload, dst_name, protocol, port, verdict, rule, probe`;
const IN_ORDER =
  "first_seen, src_address, dst_address, protocol, port, verdict, src_name, dst_name, rule, probe";

export const EDGES_SQL = (where: string, { limit = 0, first = 0 }: Share): string => {
  const all = `
  SELECT ${KEY}, arg_max(src_labels, start_ms) AS src_labels, arg_max(dst_labels, start_ms) AS dst_labels,
    string_agg(DISTINCT src_names, '\n') AS src_names, string_agg(DISTINCT dst_names, '\n') AS dst_names,
    string_agg(DISTINCT coalesce(origin, ''), '\n') AS origins,
    sum(connections)::BIGINT AS connections, sum(established)::BIGINT AS established, sum(failed)::BIGINT AS failed,
    sum(bytes)::BIGINT AS bytes, sum(packets)::BIGINT AS packets,
    min(start_ms) AS first_seen, max(end_ms) AS last_seen,
    count(DISTINCT CASE WHEN connections > 0 THEN start_ms // 1000 END)::BIGINT AS windows
  FROM flows WHERE ${where} GROUP BY ${KEY}`;
  const newest =
    limit === 0
      ? all
      : `SELECT * FROM (${all} ORDER BY last_seen DESC, first_seen DESC, ${IN_ORDER} LIMIT ${Math.trunc(limit)})`;
  return `${newest} ORDER BY ${IN_ORDER} ${first === 0 ? "" : `LIMIT ${Math.trunc(first)}`}`;
};

/** Of edges, as they are told apart by `KEY`: the days on which each was seen. */
export const DAYS_SQL = (where: string): string => `
  SELECT ${KEY}, start_ms // ${DAY_MS} AS day, sum(connections)::BIGINT AS connections,
    bit_or(CASE WHEN connections > 0 THEN 1::INTEGER << (start_ms % ${DAY_MS} // ${HOUR_MS})::INTEGER ELSE 0 END) AS hours
  FROM flows WHERE ${where} GROUP BY ${KEY}, day ORDER BY day`;
