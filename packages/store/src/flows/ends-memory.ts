/**
 * Numbers of ends: address, workload, name, labels and DNS names as they were. Those lately asked for are in memory, at most so
 * many; the others are looked up in the file, by address, before new numbers are given.
 */
import { listValue, type DuckDBConnection } from "@duckdb/node-api";
import type { FlowEnd, Labels } from "@bulkhead/model";
import { ask } from "./sql.ts";

interface Known {
  readonly id: number;
  readonly party: number;
  readonly workload: string | undefined;
  readonly name: string;
  readonly labels: string;
  readonly names: string | undefined;
}

/** Labels of a workload are one object for as long as they do not change: serialise them once. */
const labelTexts = new WeakMap<Labels, string>();

function labelText(labels: Labels): string {
  const known = labelTexts.get(labels);
  if (known !== undefined) return known;
  const fresh = JSON.stringify(labels);
  labelTexts.set(labels, fresh);
  return fresh;
}

export interface NumberedEnd {
  readonly id: number;
  readonly party: number;
}

export class EndsMemory {
  readonly #byAddress = new Map<string, Known[]>();
  #byObject = new WeakMap<FlowEnd, NumberedEnd>();
  #fresh: (Known & { readonly address: string })[] = [];
  #size = 0;
  #next: number;
  /** Whether what is not in memory is not in the file either. */
  #complete: boolean;

  private constructor(next: number, complete: boolean) {
    this.#next = next;
    this.#complete = complete;
  }

  static async load(connection: DuckDBConnection, most: number): Promise<EndsMemory> {
    const [found] = await ask(connection, "SELECT count(*) AS n, max(id) AS last FROM ends");
    const complete = Number(found?.["n"] ?? 0) <= most;
    const memory = new EndsMemory(Number(found?.["last"] ?? 0) + 1, complete);
    if (complete) memory.#adopt(await ask(connection, "SELECT * FROM ends"));
    return memory;
  }

  get size(): number {
    return this.#size;
  }

  #adopt(rows: Awaited<ReturnType<typeof ask>>): void {
    for (const row of rows) {
      this.#know(String(row["address"]), {
        id: Number(row["id"]),
        party: Number(row["party"]),
        workload: textOf(row["workload"]),
        name: String(row["name"]),
        labels: String(row["labels"]),
        names: textOf(row["names"]),
      });
    }
  }

  #know(address: string, known: Known): void {
    const there = this.#byAddress.get(address);
    if (there === undefined) this.#byAddress.set(address, [known]);
    else there.push(known);
    this.#size += 1;
  }

  /** To be called with all ends of an append before any is numbered. */
  async prepare(connection: DuckDBConnection, ends: Iterable<FlowEnd>): Promise<void> {
    if (this.#complete) return;
    const unknown = new Set<string>();
    for (const { address } of ends) if (!this.#byAddress.has(address)) unknown.add(address);
    if (unknown.size === 0) return;
    for (const address of unknown) this.#byAddress.set(address, []);
    const asked = listValue([...unknown]);
    this.#adopt(
      await ask(connection, "SELECT * FROM ends WHERE address IN (SELECT unnest($1))", [asked]),
    );
  }

  number(end: FlowEnd): NumberedEnd {
    const seen = this.#byObject.get(end);
    if (seen !== undefined) return seen;
    const labels = labelText(end.labels);
    const names = end.names === undefined ? undefined : JSON.stringify(end.names);
    const there = this.#byAddress.get(end.address) ?? [];
    const party = there.find((one) => one.workload === end.workload && one.name === end.name);
    const known =
      party === undefined
        ? undefined
        : there.find(
            (one) => one.party === party.party && one.labels === labels && one.names === names,
          );
    if (known !== undefined) {
      this.#byObject.set(end, known);
      return known;
    }
    const { address, workload, name } = end;
    const id = this.#next;
    this.#next += 1;
    const fresh = { id, party: party?.party ?? id, workload, name, labels, names };
    this.#know(address, fresh);
    this.#fresh.push({ address, ...fresh });
    this.#byObject.set(end, fresh);
    return fresh;
  }

  /** Writes those that are new; part of the transaction of the records that need them. */
  async write(connection: DuckDBConnection): Promise<void> {
    if (this.#fresh.length === 0) return;
    const appender = await connection.createAppender("ends");
    try {
      for (const { id, party, address, workload, name, labels, names } of this.#fresh) {
        appender.appendInteger(id);
        appender.appendInteger(party);
        appender.appendVarchar(address);
        if (workload === undefined) appender.appendNull();
        else appender.appendVarchar(workload);
        appender.appendVarchar(name);
        appender.appendVarchar(labels);
        if (names === undefined) appender.appendNull();
        else appender.appendVarchar(names);
        appender.endRow();
      }
      appender.flushSync();
    } finally {
      appender.closeSync();
    }
    this.#fresh = [];
  }

  /** Keeps memory small: between appends, when all are in the file. */
  forget(most: number): void {
    if (this.#size <= most) return;
    this.#byAddress.clear();
    this.#byObject = new WeakMap();
    this.#size = 0;
    this.#complete = false;
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
