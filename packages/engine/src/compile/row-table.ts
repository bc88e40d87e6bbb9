/**
 * Rows, hash-consed: equal content is one row, and its name is a hash of that content. During compilation a row is a
 * number; names are given at the end, so that they do not depend on the order in which rows were met.
 */
import type { Row, RowId } from "@bulkhead/model";
import type { DecisionTable } from "./decision-table.ts";
import type { PortCells } from "./port-cells.ts";
import { assignIds } from "./stable-id.ts";
import { compare } from "../order.ts";

type RowContent = Omit<Row, "id">;

export class RowTable {
  readonly #contents: RowContent[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #decisions: DecisionTable;

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

  /** Names for the rows in use, and these rows sorted by name. */
  name(used: ReadonlySet<number>): { ids: ReadonlyMap<number, RowId>; rows: Row[] } {
    const texts = new Map([...used].map((number) => [number, JSON.stringify(this.at(number))]));
    const names = assignIds(texts.values(), 16);
    const ids = new Map([...texts].map(([number, text]) => [number, names.get(text)!]));
    const rows = [...ids].map(([number, id]): Row => ({ id, ...this.at(number) }));
    return { ids, rows: rows.toSorted((a, b) => compare(a.id, b.id)) };
  }
}
