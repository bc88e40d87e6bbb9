/**
 * Flows into rows of numbers: what repeats is numbered first, then the records are handed over column by column. What is in
 * memory for it is bounded; after a transaction that failed it is worth nothing, and is loaded anew.
 */
import {
  DOUBLE,
  DuckDBDataChunk,
  INTEGER,
  VARCHAR,
  type DuckDBConnection,
  type DuckDBValue,
} from "@duckdb/node-api";
import { DAY_MS, type Flow, type FlowOrigin } from "@bulkhead/model";
import { LAST_ORIGIN_BIT } from "./day-book.ts";
import { EndsMemory } from "./ends-memory.ts";
import { LinksMemory } from "./links-memory.ts";
import { SmallDictionary } from "./small-dictionary.ts";

export interface MemoryLimits {
  /** Ends and links that are held in memory between appends; about 300 and 80 bytes each. */
  readonly ends: number;
  readonly links: number;
}

/** Rows of a chunk: what DuckDB works on at a time. */
const CHUNK = 2048;
/** DOUBLE holds every whole number up to 2^53, and spares making a bigint of each: DuckDB casts a chunk at once. */
const TYPES = [
  INTEGER,
  DOUBLE,
  DOUBLE,
  INTEGER,
  INTEGER,
  INTEGER,
  DOUBLE,
  DOUBLE,
  DOUBLE,
  DOUBLE,
  DOUBLE,
  VARCHAR,
  VARCHAR,
  VARCHAR,
];

/**
 * An edge has its origins as bits of one number (`ORIGIN_BIT`). When so many are known, others are told roughly, as less to be
 * relied on than they are, and fit into the bits that are left.
 */
const MOST_ORIGINS = LAST_ORIGIN_BIT - 26;

const roughly = ({ format, sampling, aggregation }: FlowOrigin): FlowOrigin => ({
  format,
  sampling: sampling > 1 ? 10 ** Math.ceil(Math.log10(sampling)) : 1,
  aggregation: aggregation > 0 ? DAY_MS : 0,
  direction: "guessed",
});

export class RecordWriter {
  readonly #ends: EndsMemory;
  readonly #links: LinksMemory;
  readonly #manners: SmallDictionary;
  readonly #details: SmallDictionary;
  readonly #origins: SmallDictionary;
  readonly #limits: MemoryLimits;

  private constructor(
    parts: readonly [EndsMemory, LinksMemory, SmallDictionary, SmallDictionary, SmallDictionary],
    limits: MemoryLimits,
  ) {
    [this.#ends, this.#links, this.#manners, this.#details, this.#origins] = parts;
    this.#limits = limits;
  }

  static async load(connection: DuckDBConnection, limits: MemoryLimits): Promise<RecordWriter> {
    return new RecordWriter(
      [
        await EndsMemory.load(connection, limits.ends),
        await LinksMemory.load(connection, limits.links),
        await SmallDictionary.load(connection, "manners", ["verdict", "rule", "probe"]),
        await SmallDictionary.load(connection, "details", [
          "node",
          "cookie",
          "direction",
          "origin",
        ]),
        await SmallDictionary.load(connection, "origins", ["origin"], MOST_ORIGINS),
      ],
      limits,
    );
  }

  /** Part of the caller's transaction. */
  async write(connection: DuckDBConnection, flows: readonly Flow[], seq: number): Promise<void> {
    if (flows.length === 0) return;
    await this.#ends.prepare(connection, endsOf(flows));
    const sources = flows.map((flow) => this.#ends.number(flow.source));
    const destinations = flows.map((flow) => this.#ends.number(flow.destination));
    const links = await this.#links.numbers(connection, {
      sources,
      destinations,
      protocols: flows.map((flow) => flow.protocol),
      ports: flows.map((flow) => flow.port),
      manners: numberedAlike(flows, sameManner, (flow) =>
        // Files of others may name another rule and node with each flow.
        this.#manners.numberOr(
          [flow.verdict, undefined, flow.probe ?? false],
          flow.verdict,
          flow.rule,
          flow.probe ?? false,
        ),
      ),
    });
    const details = numberedAlike(flows, sameDetail, (flow) => {
      const rest = [flow.direction, this.#origin(flow)] as const;
      return this.#details.numberOr(
        [undefined, undefined, ...rest],
        flow.node,
        flow.cookie,
        ...rest,
      );
    });
    for (const part of [this.#ends, this.#links, this.#manners, this.#details, this.#origins])
      await part.write(connection);
    await appendRecords(connection, flows, { links, details, seq });
  }

  /** Between appends. */
  tidy(): void {
    this.#ends.forget(this.#limits.ends);
    this.#links.forget(this.#limits.links);
  }

  #origin({ origin }: Flow): number | undefined {
    if (origin === undefined) return undefined;
    return this.#origins.numberOr([JSON.stringify(roughly(origin))], JSON.stringify(origin));
  }
}

function* endsOf(flows: readonly Flow[]) {
  for (const { source, destination } of flows) {
    yield source;
    yield destination;
  }
}

/** Neighbours mostly have the same, and are not asked about again. */
function numberedAlike(
  flows: readonly Flow[],
  same: (a: Flow, b: Flow) => boolean,
  number: (flow: Flow) => number,
): number[] {
  let before: Flow | undefined;
  let last = 0;
  return flows.map((flow) => {
    if (before === undefined || !same(before, flow)) last = number(flow);
    before = flow;
    return last;
  });
}

const sameManner = (a: Flow, b: Flow): boolean =>
  a.verdict === b.verdict && a.rule === b.rule && a.probe === b.probe;

const sameDetail = (a: Flow, b: Flow): boolean =>
  a.node === b.node &&
  a.cookie === b.cookie &&
  a.direction === b.direction &&
  a.origin === b.origin;

async function appendRecords(
  connection: DuckDBConnection,
  flows: readonly Flow[],
  numbered: {
    readonly links: Int32Array;
    readonly details: readonly number[];
    readonly seq: number;
  },
): Promise<void> {
  const appender = await connection.createAppender("records");
  try {
    for (let from = 0; from < flows.length; from += CHUNK) {
      const some = flows.slice(from, from + CHUNK);
      const chunk = DuckDBDataChunk.create(TYPES, some.length);
      const columns: readonly DuckDBValue[][] = [
        some.map(() => numbered.seq),
        some.map((flow) => flow.start),
        some.map((flow) => flow.end),
        [...numbered.links.subarray(from, from + some.length)],
        numbered.details.slice(from, from + some.length),
        some.map((flow) => flow.sourcePort),
        some.map((flow) => flow.connections),
        some.map((flow) => flow.established),
        some.map((flow) => flow.failed),
        some.map((flow) => flow.bytes),
        some.map((flow) => flow.packets),
        some.map((flow) => jsonOf(flow.source.process)),
        some.map((flow) => jsonOf(flow.destination.process)),
        some.map((flow) => jsonOf(flow.request)),
      ];
      for (const [index, column] of columns.entries()) chunk.setColumnValues(index, column);
      appender.appendDataChunk(chunk);
    }
    appender.flushSync();
  } finally {
    appender.closeSync();
  }
}

const jsonOf = (value: object | undefined): string | null =>
  value === undefined ? null : JSON.stringify(value);
