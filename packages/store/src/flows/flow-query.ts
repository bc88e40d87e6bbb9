/** A flow filter as SQL with parameters; user input never becomes part of the text. */
import type { FlowFilter } from "./flow-store.ts";

export interface Condition {
  readonly where: string;
  readonly values: readonly (string | number | bigint)[];
}

export function conditionOf(filter: FlowFilter): Condition {
  const terms: string[] = [];
  const values: (string | number | bigint)[] = [];
  const bind = (value: string | number | bigint): string => `$${values.push(value)}`;
  const among = (list: readonly string[]): string => `(${list.map(bind).join(", ")})`;
  if (filter.since !== undefined) terms.push(`start_ms >= ${bind(BigInt(filter.since))}`);
  if (filter.until !== undefined) terms.push(`start_ms < ${bind(BigInt(filter.until))}`);
  if (filter.verdicts !== undefined) terms.push(`verdict IN ${among(filter.verdicts)}`);
  if (filter.from !== undefined) terms.push(`src_name IN ${among(filter.from)}`);
  if (filter.to !== undefined) terms.push(`dst_name IN ${among(filter.to)}`);
  if (filter.either !== undefined) {
    terms.push(`(src_name IN ${among(filter.either)} OR dst_name IN ${among(filter.either)})`);
  }
  if (filter.protocol !== undefined) terms.push(`protocol = ${bind(filter.protocol)}`);
  if (filter.port !== undefined) terms.push(`port = ${bind(filter.port)}`);
  if (!filter.probes) terms.push("NOT probe");
  return { where: terms.length === 0 ? "true" : terms.join(" AND "), values };
}

/** Empty lists match nothing; DuckDB refuses `IN ()`, so they are answered without asking it. */
export function matchesNothing(filter: FlowFilter): boolean {
  return [filter.verdicts, filter.either, filter.from, filter.to].some(
    (list) => list?.length === 0,
  );
}

export const FLOWS_SQL = (where: string, limit: number | undefined): string =>
  limit === undefined || limit === 0
    ? `SELECT * FROM flows WHERE ${where} ORDER BY start_ms, end_ms`
    : `SELECT * FROM (SELECT * FROM flows WHERE ${where} ORDER BY start_ms DESC, end_ms DESC LIMIT ${Math.trunc(limit)})
       ORDER BY start_ms, end_ms`;

const KEY = `src_address, src_workload, src_name, dst_address, dst_workload, dst_name, protocol, port, verdict, rule, probe`;

const IN_ORDER = "ORDER BY first_seen, src_address, dst_address, protocol, port, verdict";

export const EDGES_SQL = (where: string, limit: number | undefined): string => {
  const edges = `
  SELECT ${KEY}, arg_max(src_labels, start_ms) AS src_labels, arg_max(dst_labels, start_ms) AS dst_labels,
    sum(connections)::BIGINT AS connections, sum(established)::BIGINT AS established, sum(failed)::BIGINT AS failed,
    sum(bytes)::BIGINT AS bytes, sum(packets)::BIGINT AS packets,
    min(start_ms) AS first_seen, max(end_ms) AS last_seen,
    count(DISTINCT CASE WHEN connections > 0 THEN start_ms // 1000 END)::BIGINT AS windows
  FROM flows WHERE ${where} GROUP BY ${KEY}`;
  return limit === undefined || limit === 0
    ? `${edges} ${IN_ORDER}`
    : `SELECT * FROM (${edges} ORDER BY last_seen DESC, first_seen DESC LIMIT ${Math.trunc(limit)}) ${IN_ORDER}`;
};
