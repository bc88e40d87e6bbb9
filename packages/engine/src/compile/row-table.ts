/**
 * Rows, hash-consed: equal content is one row, and its name is a hash of that content. During compilation a row is a
 * number; names are given at the end, so that they do not depend on the order in which rows were met.
 */
import type { Row, RowId } from "@bulkhead/model";
import type { DecisionTable } from "./decision-table.ts";
import type { PortCells } from "./port-cells.ts";
import { assignIds, hashText } from "./stable-id.ts";
import { compare } from "../order.ts";

type RowContent = Omit<Row, "id">;

export interface NamedRows {
  /** By number. */
  readonly ids: ReadonlyMap<number, RowId>;
  readonly rows: readonly Row[];
}

export class RowTable {
  readonly #contents: RowContent[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #decisions: DecisionTable;
  readonly #texts: string[] = [];
  readonly #hashes = new Map<string, string>();
  readonly #rows: Row[] = [];
  #named: NamedRows = { ids: new Map(), rows: [] };

  constructor(decisions: DecisionTable) {
    this.#decisions = decisions;
  }

  /** The row with one decision number per cell. */
  intern(cells: PortCells, painted: Int32Array): number {
    const others = painted[cells.count - 1]!;
    const protocols: { protocol: number; starts: number[]; decisions: number[] }[] = [];
    let key = `${others}`;
    for (const { protocol, offset, starts } of cells.protocols) {
      const merged = { protocol, starts: [] as number[], decisions: [] as number[] };
      for (const [i, start] of starts.entries()) {
        const decision = painted[offset + i]!;
        if (merged.decisions.at(-1) === decision) continue;
        merged.starts.push(start);
        merged.decisions.push(decision);
      }
      if (merged.decisions.length === 1 && merged.decisions[0] === others) continue;
      protocols.push(merged);
      key += `;${protocol}:${merged.starts.map((start, i) => `${start}=${merged.decisions[i]}`).join()}`;
    }
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#contents.length;
      this.#numbers.set(key, number);
      this.#contents.push({
        protocols: protocols.map(({ protocol, starts, decisions }) => ({
          protocol,
          intervals: starts.map((first, i) => ({
            first,
            last: (starts[i + 1] ?? 0x10000) - 1,
            decision: this.#decisions.at(decisions[i]!),
          })),
        })),
        others: this.#decisions.at(others),
      });
    }
    return number;
  }

  at(number: number): RowContent {
    return this.#contents[number]!;
  }

  /** Equal texts: they differ at most in what determined their verdicts. */
  verdicts(number: number): string {
    const { protocols, others } = this.at(number);
    const said = protocols.map(({ protocol, intervals }) => {
      const changes = intervals.filter(
        ({ decision }, i) => decision.verdict !== intervals[i - 1]?.decision.verdict,
      );
      return { protocol, changes };
    });
    const text = said
      .filter(
        ({ changes }) => changes.length > 1 || changes[0]!.decision.verdict !== others.verdict,
      )
      .map(({ protocol, changes }) => [
        protocol,
        ...changes.map(({ first, decision }) => `${first} ${decision.verdict}`),
      ]);
    return JSON.stringify([others.verdict, ...text]);
  }

  get size(): number {
    return this.#contents.length;
  }

  /** Names for the rows in use, and these rows sorted by name. The same rows are the same objects, and so is the same list. */
  name(used: ReadonlySet<number>): NamedRows {
    const { ids: before } = this.#named;
    if (before.size === used.size && [...used].every((number) => before.has(number))) {
      return this.#named;
    }
    const texts = new Map([...used].map((number) => [number, this.#textOf(number)]));
    const names = assignIds(texts.values(), 16, (text) => this.#hashOf(text));
    const ids = new Map([...texts].map(([number, text]) => [number, names.get(text)!]));
    const rows = [...ids].map(([number, id]) => this.#row(number, id));
    this.#named = { ids, rows: rows.toSorted((a, b) => compare(a.id, b.id)) };
    return this.#named;
  }

  #textOf(number: number): string {
    return (this.#texts[number] ??= JSON.stringify(this.at(number)));
  }

  #hashOf(text: string): string {
    let hash = this.#hashes.get(text);
    if (hash === undefined) this.#hashes.set(text, (hash = hashText(text, 16)));
    return hash;
  }

  #row(number: number, id: RowId): Row {
    const row = this.#rows[number];
    return row?.id === id ? row : (this.#rows[number] = { id, ...this.at(number) });
  }
}
