/**
 * Edges from chunks of numbers: what the numbers stand for is read once, and ends that many edges share are one object. Chunks are
 * read where they are, a column at a time, for there may be millions of edges.
 */
import { listValue, type DuckDBConnection, type DuckDBDataChunk } from "@duckdb/node-api";
import {
  AGENT_ORIGIN,
  type Edge,
  type EdgeDay,
  type FlowEnd,
  type FlowOrigin,
  type FlowVerdict,
  type Labels,
} from "@bulkhead/model";
import { LAST_ORIGIN_BIT } from "./day-book.ts";
import { RARE } from "./flow-query.ts";
import { ask, askColumns, type Values } from "./sql.ts";

export interface NumberedEdge {
  /** By which the store knows it. */
  readonly number: number;
  readonly edge: Edge;
}

/** In the order of first sight. */
export async function readEdges(
  connection: DuckDBConnection,
  sql: string,
  values: Values,
): Promise<readonly NumberedEdge[]> {
  const chunks = await (await connection.run(sql, [...values])).fetchAllChunks();
  const read = await createEdgeReader(connection);
  const numbered: NumberedEdge[] = [];
  await read(chunks, (edge, number) => numbered.push({ edge, number }));
  return sortTies(numbered);
}

/** Chunks of one part: some thirty thousand edges. */
const PART = 16;

/** As they come, never held whole. `names` is another connection: one that streams can be asked nothing else. */
export async function* edgeParts(
  connection: DuckDBConnection,
  names: DuckDBConnection,
  sql: string,
  values: Values,
): AsyncGenerator<readonly Edge[], void> {
  const result = await connection.stream(sql, [...values]);
  const read = await createEdgeReader(names);
  for (;;) {
    const chunks: DuckDBDataChunk[] = [];
    while (chunks.length < PART) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      chunks.push(chunk);
    }
    if (chunks.length === 0) return;
    const part: Edge[] = [];
    await read(chunks, (edge) => part.push(edge));
    yield part;
  }
}

/** Takes chunks of the columns of `EDGES_SQL`; asks the connection what the numbers stand for. */
export type EdgeReader = (
  chunks: readonly DuckDBDataChunk[],
  take: (edge: Edge, number: number) => void,
) => Promise<void>;

export async function createEdgeReader(connection: DuckDBConnection): Promise<EdgeReader> {
  const manners = await mannersOf(connection);
  const originsOf = await originReader(connection);
  const ends = new EndsBook();
  return async (chunks, take) => {
    await ends.learn(connection, chunks);
    for (const chunk of chunks) readChunk(chunk, { ends, manners, originsOf }, take);
  };
}

interface Meanings {
  readonly ends: EndsBook;
  readonly manners: readonly (Manner | undefined)[];
  readonly originsOf: (mask: bigint) => readonly FlowOrigin[] | undefined;
}

function readChunk(
  chunk: DuckDBDataChunk,
  { ends, manners, originsOf }: Meanings,
  take: (edge: Edge, number: number) => void,
): void {
  const numbers = (place: number): ((row: number) => number) => {
    const vector = chunk.getColumnVector(place);
    return (row) => vector.getItem(row) as number;
  };
  const [edgeAt, srcAt, dstAt] = [numbers(0), numbers(1), numbers(2)];
  const [protocolAt, portAt, mannerAt] = [numbers(3), numbers(4), numbers(5)];
  const [connectionsAt, establishedAt, failedAt] = [numbers(6), numbers(7), numbers(8)];
  const [bytesAt, packetsAt] = [numbers(9), numbers(10)];
  const [firstAt, lastAt, windowsAt] = [numbers(11), numbers(12), numbers(13)];
  const rareAt = numbers(14);
  // Copied out of the database when they are asked for, which is rare.
  const text = (place: number, row: number) => String(chunk.getColumnVector(place).getItem(row));
  // Asked once: it is a call into the database.
  const count = chunk.rowCount;
  for (let row = 0; row < count; row += 1) {
    const rare = rareAt(row);
    const source = ends.get(srcAt(row));
    const destination = ends.get(dstAt(row));
    const { verdict, rule, probe } = known(manners[mannerAt(row)]);
    // One literal: edges of one shape are made and read several times as fast as those put together.
    const edge: { -readonly [K in keyof Edge]: Edge[K] } = {
      source: rare & RARE.sourceNames ? withNames(source, text(15, row)) : source,
      destination:
        rare & RARE.destinationNames ? withNames(destination, text(16, row)) : destination,
      protocol: protocolAt(row),
      port: portAt(row),
      verdict,
      connections: connectionsAt(row),
      established: establishedAt(row),
      failed: failedAt(row),
      bytes: bytesAt(row),
      packets: packetsAt(row),
      firstSeen: firstAt(row),
      lastSeen: lastAt(row),
      windows: windowsAt(row),
    };
    if (rule !== undefined) edge.rule = rule;
    if (probe) edge.probe = true;
    if (rare & RARE.origins) {
      const origins = originsOf(chunk.getColumnVector(17).getItem(row) as bigint);
      if (origins !== undefined) edge.origins = origins;
    }
    take(edge, edgeAt(row));
  }
}

/** They come by first sight; those of one moment are put in order by what they are, as `ORDER` of the queries has them. */
function sortTies(edges: NumberedEdge[]): readonly NumberedEdge[] {
  for (let from = 0, to = 1; from < edges.length; from = to, to += 1) {
    while (edges[to]?.edge.firstSeen === edges[from]?.edge.firstSeen) to += 1;
    if (to - from < 2) continue;
    const tied = edges.slice(from, to).toSorted(byIdentity);
    for (const [index, edge] of tied.entries()) edges[from + index] = edge;
  }
  return edges;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function byIdentity({ edge: a }: NumberedEdge, { edge: b }: NumberedEdge): number {
  return (
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

/**
 * Ends by number, without the DNS names that they had: an edge has those of all its records. Ends that have the same labels
 * share them.
 */
class EndsBook {
  readonly #ends: (FlowEnd | undefined)[] = [];
  readonly #labels = new Map<string, Labels>();

  get(number: number): FlowEnd {
    return known(this.#ends[number]);
  }

  async learn(connection: DuckDBConnection, chunks: readonly DuckDBDataChunk[]): Promise<void> {
    const wanted = new Set<number>();
    for (const chunk of chunks) {
      for (const place of [1, 2]) {
        const vector = chunk.getColumnVector(place);
        for (let row = 0; row < vector.itemCount; row += 1) {
          const number = vector.getItem(row) as number;
          if (this.#ends[number] === undefined) wanted.add(number);
        }
      }
    }
    if (wanted.size === 0) return;
    const found = await connection.run(
      "SELECT id, address, workload, name, labels FROM ends WHERE id IN (SELECT unnest($1::INTEGER[]))",
      [listValue([...wanted])],
    );
    for (const [id, address, workload, name, labels] of await found.getRows()) {
      this.#ends[Number(id)] = {
        address: String(address),
        ...(workload === null ? {} : { workload: String(workload) }),
        name: String(name),
        labels: this.#labelsOf(String(labels)),
      };
    }
  }

  #labelsOf(text: string): Labels {
    let labels = this.#labels.get(text);
    if (labels === undefined) {
      labels = JSON.parse(text) as Labels;
      this.#labels.set(text, labels);
    }
    return labels;
  }
}

interface Manner {
  readonly verdict: FlowVerdict;
  readonly rule: string | undefined;
  readonly probe: boolean;
}

async function mannersOf(connection: DuckDBConnection): Promise<readonly (Manner | undefined)[]> {
  const manners: (Manner | undefined)[] = [];
  for (const { id, verdict, rule, probe } of await ask(connection, "SELECT * FROM manners"))
    manners[Number(id)] = {
      verdict: verdict as FlowVerdict,
      rule: typeof rule === "string" ? rule : undefined,
      probe: probe === true,
    };
  return manners;
}

/** Origins of a mask of bits; absent where only our own collectors told. */
async function originReader(
  connection: DuckDBConnection,
): Promise<(mask: bigint) => readonly FlowOrigin[] | undefined> {
  const rows = await ask(connection, "SELECT id, origin FROM origins WHERE id <= $1", [
    LAST_ORIGIN_BIT,
  ]);
  const texts = new Map(rows.map(({ id, origin }) => [BigInt(Number(id)), String(origin)]));
  const read = new Map<bigint, readonly FlowOrigin[] | undefined>([[1n, undefined]]);
  return (mask) => {
    if (read.has(mask)) return read.get(mask);
    const ours = JSON.stringify(AGENT_ORIGIN);
    const told = new Set((mask & 1n) === 1n ? [ours] : []);
    for (const [bit, text] of texts) if (((mask >> bit) & 1n) === 1n) told.add(text);
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
function withNames(end: FlowEnd, lists: string): FlowEnd {
  const names = lists.split("\n").flatMap((list) => JSON.parse(list) as string[]);
  return { ...end, names: [...new Set(names)].toSorted() };
}
