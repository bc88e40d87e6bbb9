/** Edges from columns of numbers: what the numbers stand for is read once, and ends that many edges share are one object. */
import { listValue, type DuckDBConnection } from "@duckdb/node-api";
import {
  AGENT_ORIGIN,
  type Edge,
  type EdgeDay,
  type FlowEnd,
  type FlowOrigin,
  type FlowVerdict,
} from "@bulkhead/model";
import { LAST_ORIGIN_BIT } from "./day-book.ts";
import { endOf } from "./flow-row.ts";
import { ask, askColumns, type Cell, type Columns, type Values } from "./sql.ts";

export interface NumberedEdge {
  /** By which the store knows it. */
  readonly number: number;
  readonly edge: Edge;
}

export async function readEdges(
  connection: DuckDBConnection,
  sql: string,
  values: Values,
): Promise<readonly NumberedEdge[]> {
  const columns = await askColumns(connection, sql, values);
  const column = (name: string): readonly Cell[] => columns[name] ?? [];
  const count = column("edge").length;
  const sources = column("src");
  const destinations = column("dst");
  const ends = await endsOf(connection, new Set([...sources, ...destinations]));
  const manners = await mannersOf(connection);
  const originsOf = await originReader(connection);
  const numbers = numericColumns(columns);
  const [sourceNames, destinationNames] = [column("src_names"), column("dst_names")];
  const masks = column("origins");
  const numbered: NumberedEdge[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = (name: keyof typeof numbers): number => numbers[name][index] ?? 0;
    const origins = originsOf(masks[index] ?? 1n);
    const edge: Edge = {
      ...(origins === undefined ? {} : { origins }),
      source: withNames(ends.get(Number(sources[index])), sourceNames[index]),
      destination: withNames(ends.get(Number(destinations[index])), destinationNames[index]),
      protocol: at("protocol"),
      port: at("port"),
      ...known(manners.get(at("manner"))),
      connections: at("connections"),
      established: at("established"),
      failed: at("failed"),
      bytes: at("bytes"),
      packets: at("packets"),
      firstSeen: at("first_seen"),
      lastSeen: at("last_seen"),
      windows: at("windows"),
    };
    numbered.push({ number: at("edge"), edge });
  }
  return numbered.toSorted(bySight);
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Those of one moment by what they are: the order in which `ORDER` of the queries has them. */
function bySight({ edge: a }: NumberedEdge, { edge: b }: NumberedEdge): number {
  return (
    a.firstSeen - b.firstSeen ||
    byText(a.source.address, b.source.address) ||
    byText(a.destination.address, b.destination.address) ||
    a.protocol - b.protocol ||
    a.port - b.port ||
    byText(a.verdict, b.verdict) ||
    byText(a.source.name, b.source.name) ||
    byText(a.destination.name, b.destination.name) ||
    byText(a.rule ?? "", b.rule ?? "") ||
    Number(a.probe ?? false) - Number(b.probe ?? false)
  );
}

/** Days by the number of their edge, from columns that are sorted by day. */
export async function readDays(
  connection: DuckDBConnection,
  sql: string,
  values: Values,
): Promise<ReadonlyMap<number, readonly EdgeDay[]>> {
  const columns = await askColumns(connection, sql, values);
  const column = (name: string): readonly number[] => (columns[name] ?? []) as readonly number[];
  const [edges, days, hours, connections] = ["edge", "day", "hours", "connections"].map(column);
  const found = new Map<number, EdgeDay[]>();
  for (const [index, edge] of (edges ?? []).entries()) {
    const day = {
      day: days?.[index] ?? 0,
      hours: hours?.[index] ?? 0,
      connections: connections?.[index] ?? 0,
    };
    const there = found.get(edge);
    if (there === undefined) found.set(edge, [day]);
    else there.push(day);
  }
  return found;
}

const NUMBERS = [
  "edge",
  "protocol",
  "port",
  "manner",
  "connections",
  "established",
  "failed",
  "bytes",
  "packets",
  "first_seen",
  "last_seen",
  "windows",
] as const;

function numericColumns(
  columns: Columns,
): Readonly<Record<(typeof NUMBERS)[number], readonly number[]>> {
  return Object.fromEntries(
    NUMBERS.map((name) => [name, (columns[name] ?? []) as readonly number[]]),
  ) as Record<(typeof NUMBERS)[number], readonly number[]>;
}

/** Without the DNS names that it had: an edge has those of all its records. */
async function endsOf(
  connection: DuckDBConnection,
  numbers: ReadonlySet<Cell>,
): Promise<ReadonlyMap<number, FlowEnd>> {
  if (numbers.size === 0) return new Map();
  const wanted = listValue([...numbers]);
  const rows = await ask(
    connection,
    "SELECT id, address, workload, name, labels FROM ends WHERE id IN (SELECT unnest($1::INTEGER[]))",
    [wanted],
  );
  return new Map(rows.map((row) => [Number(row["id"]), endOf(row, "")]));
}

type Manner = Pick<Edge, "verdict" | "rule" | "probe">;

async function mannersOf(connection: DuckDBConnection): Promise<ReadonlyMap<number, Manner>> {
  const rows = await ask(connection, "SELECT * FROM manners");
  return new Map(
    rows.map(({ id, verdict, rule, probe }) => [
      Number(id),
      {
        verdict: verdict as FlowVerdict,
        ...(typeof rule === "string" ? { rule } : {}),
        ...(probe === true ? { probe } : {}),
      },
    ]),
  );
}

/** Origins of a mask of bits; absent where only our own collectors told. */
async function originReader(
  connection: DuckDBConnection,
): Promise<(mask: Cell) => readonly FlowOrigin[] | undefined> {
  const rows = await ask(connection, "SELECT id, origin FROM origins WHERE id <= $1", [
    LAST_ORIGIN_BIT,
  ]);
  const texts = new Map(rows.map(({ id, origin }) => [BigInt(Number(id)), String(origin)]));
  const read = new Map<Cell, readonly FlowOrigin[] | undefined>([[1n, undefined]]);
  return (mask) => {
    if (read.has(mask)) return read.get(mask);
    const bits = BigInt(mask ?? 1);
    const ours = JSON.stringify(AGENT_ORIGIN);
    const told = new Set((bits & 1n) === 1n ? [ours] : []);
    for (const [bit, text] of texts) if (((bits >> bit) & 1n) === 1n) told.add(text);
    const origins = [...told].toSorted().map((text) => JSON.parse(text) as FlowOrigin);
    read.set(mask, origins);
    return origins;
  };
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the flow store holds a number that stands for nothing");
  return value;
}

/** `lists`: lists of names, a line each. */
function withNames(end: FlowEnd | undefined, lists: Cell | undefined): FlowEnd {
  const found = known(end);
  if (typeof lists !== "string") return found;
  const names = lists.split("\n").flatMap((list) => JSON.parse(list) as string[]);
  return { ...found, names: [...new Set(names)].toSorted() };
}
