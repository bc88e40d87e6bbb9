/** One flow as a row of the flows table: the columns, how they are appended, and how they are read back. */
import type { DuckDBAppender } from "@duckdb/node-api";
import {
  AGENT_ORIGIN,
  type Direction,
  type Edge,
  type Flow,
  type FlowEnd,
  type FlowOrigin,
  type FlowProcess,
  type FlowRequest,
  type FlowVerdict,
  type Labels,
} from "@bulkhead/model";

export const FLOW_COLUMNS = `
  start_ms BIGINT NOT NULL, end_ms BIGINT NOT NULL,
  src_address VARCHAR NOT NULL, src_workload VARCHAR, src_name VARCHAR NOT NULL, src_labels VARCHAR NOT NULL,
  dst_address VARCHAR NOT NULL, dst_workload VARCHAR, dst_name VARCHAR NOT NULL, dst_labels VARCHAR NOT NULL,
  protocol INTEGER NOT NULL, port INTEGER NOT NULL, source_port INTEGER NOT NULL,
  verdict VARCHAR NOT NULL, cookie VARCHAR, direction VARCHAR, rule VARCHAR, probe BOOLEAN NOT NULL,
  connections BIGINT NOT NULL, established BIGINT NOT NULL, failed BIGINT NOT NULL,
  bytes BIGINT NOT NULL, packets BIGINT NOT NULL`;

/**
 * Columns that files of earlier versions lack: added where they are missing, behind all others, in this order. Names,
 * processes, origins and requests are JSON.
 */
export const LATER_COLUMNS = [
  "src_names VARCHAR",
  "dst_names VARCHAR",
  "node VARCHAR",
  "src_process VARCHAR",
  "dst_process VARCHAR",
  "origin VARCHAR",
  "request VARCHAR",
] as const;

/** Labels of a workload are one object for as long as they do not change: serialise them once. */
const labelTexts = new WeakMap<Labels, string>();

function labelText(labels: Labels): string {
  const known = labelTexts.get(labels);
  if (known !== undefined) return known;
  const fresh = JSON.stringify(labels);
  labelTexts.set(labels, fresh);
  return fresh;
}

function appendOptional(appender: DuckDBAppender, value: string | undefined): void {
  if (value === undefined) appender.appendNull();
  else appender.appendVarchar(value);
}

function appendJson(appender: DuckDBAppender, value: object | undefined): void {
  appendOptional(appender, value === undefined ? undefined : JSON.stringify(value));
}

function appendEnd(appender: DuckDBAppender, end: FlowEnd): void {
  appender.appendVarchar(end.address);
  appendOptional(appender, end.workload);
  appender.appendVarchar(end.name);
  appender.appendVarchar(labelText(end.labels));
}

export function appendFlow(appender: DuckDBAppender, flow: Flow): void {
  appender.appendBigInt(BigInt(flow.start));
  appender.appendBigInt(BigInt(flow.end));
  appendEnd(appender, flow.source);
  appendEnd(appender, flow.destination);
  appender.appendInteger(flow.protocol);
  appender.appendInteger(flow.port);
  appender.appendInteger(flow.sourcePort);
  appender.appendVarchar(flow.verdict);
  appendOptional(appender, flow.cookie);
  appendOptional(appender, flow.direction);
  appendOptional(appender, flow.rule);
  appender.appendBoolean(flow.probe ?? false);
  appender.appendBigInt(BigInt(flow.connections));
  appender.appendBigInt(BigInt(flow.established));
  appender.appendBigInt(BigInt(flow.failed));
  appender.appendBigInt(BigInt(flow.bytes));
  appender.appendBigInt(BigInt(flow.packets));
  appendJson(appender, flow.source.names);
  appendJson(appender, flow.destination.names);
  appendOptional(appender, flow.node);
  appendJson(appender, flow.source.process);
  appendJson(appender, flow.destination.process);
  appendJson(appender, flow.origin);
  appendJson(appender, flow.request);
  appender.endRow();
}

/** A value as DuckDB hands it over: counts are bigint. */
export type Cell = string | number | bigint | boolean | null;
export type ResultRow = Readonly<Record<string, Cell>>;

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

function optionalText<K extends string>(
  row: ResultRow,
  column: string,
  key: K,
): { readonly [P in K]?: string } {
  const value = row[column];
  return typeof value === "string" ? ({ [key]: value } as { readonly [P in K]?: string }) : {};
}

function endOf(row: ResultRow, side: "src" | "dst"): FlowEnd {
  return {
    address: text(row, `${side}_address`),
    ...optionalText(row, `${side}_workload`, "workload"),
    name: text(row, `${side}_name`),
    labels: JSON.parse(text(row, `${side}_labels`)) as Labels,
    ...namesOf(row, side),
    ...processOf(row, side),
  };
}

/** One list of names, or the distinct lists of several flows, a line each. */
function namesOf(row: ResultRow, side: "src" | "dst"): Pick<FlowEnd, "names"> {
  const lists = row[`${side}_names`];
  if (typeof lists !== "string") return {};
  const names = lists.split("\n").flatMap((list) => JSON.parse(list) as string[]);
  return { names: [...new Set(names)].toSorted() };
}

function processOf(row: ResultRow, side: "src" | "dst"): Pick<FlowEnd, "process"> {
  const process = row[`${side}_process`];
  return typeof process === "string" ? { process: JSON.parse(process) as FlowProcess } : {};
}

/** The distinct origins of several flows, a line each; an empty line stands for our own collectors. */
function originsOf(row: ResultRow): Pick<Edge, "origins"> {
  const lists = row["origins"];
  if (typeof lists !== "string" || lists === "") return {};
  const origins = [...new Set(lists.split("\n"))].toSorted();
  return {
    origins: origins.map((one) => (one === "" ? AGENT_ORIGIN : (JSON.parse(one) as FlowOrigin))),
  };
}

export function flowOf(row: ResultRow): Flow {
  const { direction, origin, request } = row;
  return {
    ...(typeof origin === "string" ? { origin: JSON.parse(origin) as FlowOrigin } : {}),
    ...(typeof request === "string" ? { request: JSON.parse(request) as FlowRequest } : {}),
    ...optionalText(row, "node", "node"),
    start: number(row, "start_ms"),
    end: number(row, "end_ms"),
    source: endOf(row, "src"),
    destination: endOf(row, "dst"),
    protocol: number(row, "protocol"),
    port: number(row, "port"),
    sourcePort: number(row, "source_port"),
    verdict: text(row, "verdict") as FlowVerdict,
    ...optionalText(row, "cookie", "cookie"),
    ...(typeof direction === "string" ? { direction: direction as Direction } : {}),
    ...optionalText(row, "rule", "rule"),
    ...(row["probe"] === true ? { probe: true } : {}),
    connections: number(row, "connections"),
    established: number(row, "established"),
    failed: number(row, "failed"),
    bytes: number(row, "bytes"),
    packets: number(row, "packets"),
  };
}

export function edgeOf(row: ResultRow): Edge {
  return {
    ...originsOf(row),
    source: endOf(row, "src"),
    destination: endOf(row, "dst"),
    protocol: number(row, "protocol"),
    port: number(row, "port"),
    verdict: text(row, "verdict") as FlowVerdict,
    ...optionalText(row, "rule", "rule"),
    ...(row["probe"] === true ? { probe: true } : {}),
    connections: number(row, "connections"),
    established: number(row, "established"),
    failed: number(row, "failed"),
    bytes: number(row, "bytes"),
    packets: number(row, "packets"),
    firstSeen: number(row, "first_seen"),
    lastSeen: number(row, "last_seen"),
    windows: number(row, "windows"),
  };
}
