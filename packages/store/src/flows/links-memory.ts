/**
 * Numbers of links: two ends, protocol and port, and manner; and of the edge that a link belongs to. Those lately asked for are
 * in memory, at most so many; the others are looked up in the file before new numbers are given.
 */
import { DuckDBDataChunk, INTEGER, type DuckDBConnection } from "@duckdb/node-api";
import type { NumberedEnd } from "./ends-memory.ts";
import { NumberTable } from "./number-table.ts";
import { ask, askColumns } from "./sql.ts";

/** Links asked for, field by field. */
export interface AskedLinks {
  readonly sources: readonly NumberedEnd[];
  readonly destinations: readonly NumberedEnd[];
  readonly protocols: readonly number[];
  readonly ports: readonly number[];
  readonly manners: readonly number[];
}

const CHUNK = 2048;
const COLUMNS = [
  "id",
  "edge",
  "src",
  "dst",
  "src_party",
  "dst_party",
  "protocol",
  "port",
  "manner",
];

type Row = readonly number[];

export class LinksMemory {
  readonly #links = new NumberTable();
  readonly #edges = new NumberTable();
  #fresh: Row[] = [];
  #next: number;
  #complete: boolean;

  private constructor(next: number, complete: boolean) {
    this.#next = next;
    this.#complete = complete;
  }

  static async load(connection: DuckDBConnection, most: number): Promise<LinksMemory> {
    const [found] = await ask(connection, "SELECT count(*) AS n, max(id) AS last FROM links");
    const complete = Number(found?.["n"] ?? 0) <= most;
    const memory = new LinksMemory(Number(found?.["last"] ?? 0) + 1, complete);
    if (complete) await memory.#adopt(connection, "SELECT * FROM links");
    return memory;
  }

  get size(): number {
    return this.#links.size;
  }

  async #adopt(connection: DuckDBConnection, sql: string): Promise<void> {
    const columns = await askColumns(connection, sql);
    const [
      id = [],
      edge = [],
      src = [],
      dst = [],
      srcParty = [],
      dstParty = [],
      protocol = [],
      port = [],
      manner = [],
    ] = COLUMNS.map((name) => columns[name] as readonly number[] | undefined);
    for (const [index, number] of id.entries()) {
      const where = whereOf(protocol[index] ?? 0, port[index] ?? 0);
      const how = manner[index] ?? 0;
      this.#links.set(src[index] ?? 0, dst[index] ?? 0, where, how, number);
      this.#edges.set(srcParty[index] ?? 0, dstParty[index] ?? 0, where, how, edge[index] ?? 0);
    }
  }

  async numbers(connection: DuckDBConnection, asked: AskedLinks): Promise<Int32Array> {
    const { sources, destinations, protocols, ports, manners } = asked;
    const numbers = new Int32Array(sources.length);
    const missing: number[] = [];
    for (let index = 0; index < numbers.length; index += 1) {
      const where = whereOf(protocols[index] ?? 0, ports[index] ?? 0);
      const number = this.#links.get(
        sources[index]?.id ?? 0,
        destinations[index]?.id ?? 0,
        where,
        manners[index] ?? 0,
      );
      numbers[index] = number;
      if (number === 0) missing.push(index);
    }
    if (missing.length > 0 && !this.#complete) await this.#lookUp(connection, asked, missing);
    for (const index of missing) {
      const source = sources[index];
      const destination = destinations[index];
      if (source === undefined || destination === undefined) continue;
      numbers[index] = this.#number(
        source,
        destination,
        protocols[index] ?? 0,
        ports[index] ?? 0,
        manners[index] ?? 0,
      );
    }
    return numbers;
  }

  #number(
    source: NumberedEnd,
    destination: NumberedEnd,
    protocol: number,
    port: number,
    manner: number,
  ): number {
    const where = whereOf(protocol, port);
    const known = this.#links.get(source.id, destination.id, where, manner);
    if (known !== 0) return known;
    const id = this.#next;
    this.#next += 1;
    const edge = this.#edges.get(source.party, destination.party, where, manner) || id;
    this.#links.set(source.id, destination.id, where, manner, id);
    this.#edges.set(source.party, destination.party, where, manner, edge);
    this.#fresh.push([
      id,
      edge,
      source.id,
      destination.id,
      source.party,
      destination.party,
      protocol,
      port,
      manner,
    ]);
    return id;
  }

  /** All links of the edges that are asked for and not known. */
  async #lookUp(
    connection: DuckDBConnection,
    asked: AskedLinks,
    missing: readonly number[],
  ): Promise<void> {
    await connection.run(
      "CREATE OR REPLACE TEMP TABLE asked (src_party INTEGER, dst_party INTEGER, protocol INTEGER, port INTEGER, manner INTEGER)",
    );
    await appendIntegers(
      connection,
      "asked",
      missing.map((index) => [
        asked.sources[index]?.party ?? 0,
        asked.destinations[index]?.party ?? 0,
        asked.protocols[index] ?? 0,
        asked.ports[index] ?? 0,
        asked.manners[index] ?? 0,
      ]),
    );
    await this.#adopt(
      connection,
      "SELECT * FROM links SEMI JOIN asked USING (src_party, dst_party, protocol, port, manner)",
    );
    await connection.run("DROP TABLE asked");
  }

  /** Writes those that are new; part of the transaction of the records that need them. */
  async write(connection: DuckDBConnection): Promise<void> {
    await appendIntegers(connection, "links", this.#fresh);
    this.#fresh = [];
  }

  /** Keeps memory small: between appends, when all are in the file. */
  forget(most: number): void {
    if (this.#links.size <= most) return;
    this.#links.clear();
    this.#edges.clear();
    this.#complete = false;
  }
}

/** Protocol and port in one number. */
const whereOf = (protocol: number, port: number): number => (protocol << 16) | port;

/** Rows of numbers into a table of as many INTEGER columns. */
async function appendIntegers(
  connection: DuckDBConnection,
  table: string,
  rows: readonly Row[],
): Promise<void> {
  const [first] = rows;
  if (first === undefined) return;
  const types = first.map(() => INTEGER);
  const appender = await connection.createAppender(table);
  try {
    for (let from = 0; from < rows.length; from += CHUNK) {
      const some = rows.slice(from, from + CHUNK);
      const chunk = DuckDBDataChunk.create(types, some.length);
      for (const column of types.keys())
        chunk.setColumnValues(
          column,
          some.map((row) => row[column] ?? 0),
        );
      appender.appendDataChunk(chunk);
    }
    appender.flushSync();
  } finally {
    appender.closeSync();
  }
}
