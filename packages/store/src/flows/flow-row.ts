/** One flow from a row of the records joined with what its numbers stand for. */
import type {
  Direction,
  Flow,
  FlowEnd,
  FlowOrigin,
  FlowProcess,
  FlowRequest,
  FlowVerdict,
  Labels,
} from "@bulkhead/model";
import type { ResultRow } from "./sql.ts";

function text(row: ResultRow, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw new Error(`column ${column} holds no text`);
  return value;
}

function number(row: ResultRow, column: string): number {
  const value = row[column];
  if (typeof value !== "number" && typeof value !== "bigint")
    throw new Error(`column ${column} holds no number`);
  return Number(value);
}

/** A field that is absent where the column is null. */
function optional<K extends string, T>(
  row: ResultRow,
  column: string,
  key: K,
  read: (value: string) => T,
): { readonly [P in K]?: T } {
  const value = row[column];
  return typeof value === "string" ? ({ [key]: read(value) } as { readonly [P in K]?: T }) : {};
}

const asIs = (value: string): string => value;

export function endOf(row: ResultRow, prefix: string): FlowEnd {
  return {
    address: text(row, `${prefix}address`),
    ...optional(row, `${prefix}workload`, "workload", asIs),
    name: text(row, `${prefix}name`),
    labels: JSON.parse(text(row, `${prefix}labels`)) as Labels,
    ...optional(row, `${prefix}names`, "names", (value) => JSON.parse(value) as string[]),
    ...optional(row, `${prefix}process`, "process", (value) => JSON.parse(value) as FlowProcess),
  };
}

export function flowOf(row: ResultRow): Flow {
  return {
    ...optional(row, "origin", "origin", (value) => JSON.parse(value) as FlowOrigin),
    ...optional(row, "request", "request", (value) => JSON.parse(value) as FlowRequest),
    ...optional(row, "node", "node", asIs),
    start: number(row, "start_ms"),
    end: number(row, "end_ms"),
    source: endOf(row, "src_"),
    destination: endOf(row, "dst_"),
    protocol: number(row, "protocol"),
    port: number(row, "port"),
    sourcePort: number(row, "source_port"),
    verdict: text(row, "verdict") as FlowVerdict,
    ...optional(row, "cookie", "cookie", asIs),
    ...optional(row, "direction", "direction", (value) => value as Direction),
    ...optional(row, "rule", "rule", asIs),
    ...(row["probe"] === true ? { probe: true } : {}),
    connections: number(row, "connections"),
    established: number(row, "established"),
    failed: number(row, "failed"),
    bytes: number(row, "bytes"),
    packets: number(row, "packets"),
  };
}
