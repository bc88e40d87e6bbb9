/** Numbers of what is never many, such as verdict and rule together: all of them in memory, written once. */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { ask } from "./sql.ts";

type Field = string | number | boolean | undefined;

/** More are somebody's doing, and would fill the memory of every start from then on. */
const MOST = 65_536;

export class SmallDictionary {
  readonly #table: string;
  readonly #most: number;
  readonly #known = new Map<string, number>();
  readonly #rows = new Map<number, readonly Field[]>();
  #fresh: number[] = [];
  #next = 1;

  private constructor(table: string, most: number) {
    this.#table = table;
    this.#most = most;
  }

  /** A table of an `id` and the columns given, in this order. */
  static async load(
    connection: DuckDBConnection,
    table: string,
    columns: readonly string[],
    most = MOST,
  ): Promise<SmallDictionary> {
    const dictionary = new SmallDictionary(table, most);
    for (const row of await ask(connection, `SELECT * FROM ${table}`)) {
      const id = Number(row["id"]);
      const fields = columns.map((column) => (row[column] ?? undefined) as Field);
      dictionary.#known.set(JSON.stringify(fields), id);
      dictionary.#rows.set(id, fields);
      dictionary.#next = Math.max(dictionary.#next, id + 1);
    }
    return dictionary;
  }

  number(...fields: readonly Field[]): number {
    const key = JSON.stringify(fields);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const id = this.#next;
    this.#next += 1;
    this.#known.set(key, id);
    this.#rows.set(id, fields);
    this.#fresh.push(id);
    return id;
  }

  /** As `number`; where there are too many already, and this is none of them, that of `plain`. */
  numberOr(plain: readonly Field[], ...fields: readonly Field[]): number {
    const isKnown = this.#known.size < this.#most || this.#known.has(JSON.stringify(fields));
    return isKnown ? this.number(...fields) : this.number(...plain);
  }

  get(id: number): readonly Field[] {
    return this.#rows.get(id) ?? [];
  }

  entries(): IterableIterator<[number, readonly Field[]]> {
    return this.#rows.entries();
  }

  async write(connection: DuckDBConnection): Promise<void> {
    for (const id of this.#fresh) {
      const values: DuckDBValue[] = [id, ...this.get(id).map((field) => field ?? null)];
      const places = values.map((_, index) => `$${index + 1}`);
      await connection.run(`INSERT INTO ${this.#table} VALUES (${places.join(", ")})`, values);
    }
    this.#fresh = [];
  }
}
