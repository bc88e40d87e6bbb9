/**
 * Rows of a whole cluster, hash-consed in two parts: the shape that some form of policy gives, which is painted once, and who
 * determined what in it, which is all that tells one namespace's row from another's. Written out when somebody asks.
 */
import type { DecisionVerdict, ProtocolNumber, Row } from "@bulkhead/model";
import { DEFAULT_COOKIE } from "../compile/decision-table.ts";
import type { BlockEntry } from "./block-entry.ts";

export interface ClusterDecision {
  readonly verdict: DecisionVerdict;
  /** The rule's or block's id; null: the default. */
  readonly by: string | null;
}

/** As `Row`, but that decisions name who determined them by id. */
export interface ClusterRow {
  readonly protocols: readonly {
    readonly protocol: ProtocolNumber;
    readonly intervals: readonly {
      readonly first: number;
      readonly last: number;
      readonly decision: ClusterDecision;
    }[];
  }[];
  readonly others: ClusterDecision;
}

/** Of a form: the position of a block among those of the class, and of a rule in it; -1: the block itself. */
export interface Slot {
  readonly entry: number;
  readonly rule: number;
}

/** A row whose determinants are positions in a form. */
export interface PaintedRow {
  readonly shape: Shape;
  readonly slots: readonly Slot[];
}

interface Shape {
  readonly row: Omit<Row, "id">;
  /** In order of appearance, by the symbols that stand in `row`. */
  readonly symbols: ReadonlyMap<string, number>;
  /** Rows by their determinants. */
  readonly byOne: Map<number, number>;
  readonly byText: Map<string, number>;
}

/** What a form calls a block, and a rule in it: texts in the order of positions, none of them a cookie. */
export const symbolOf = (entry: number, rule?: number): string =>
  `b${`${entry}`.padStart(8, "0")}${rule === undefined ? "" : `/${rule}`}`;

export const placeOf = (symbol: string): Slot => {
  const [entry, rule = -1] = symbol.slice(1).split("/").map(Number);
  return { entry: entry!, rule };
};

/** Positions of rules fit beside the number of their block. */
const MOST_RULES = 2 ** 20;

export class ClusterRows {
  readonly #shapes = new Map<string, Shape>();
  readonly #painted: (PaintedRow | undefined)[] = [];
  readonly #shapeOf: Shape[] = [];
  readonly #determinants: (BlockEntry | readonly BlockEntry[])[] = [];
  readonly #rules: (number | readonly number[])[] = [];

  get size(): number {
    return this.#shapeOf.length;
  }

  /** `number`: of the form's table of rows. */
  painted(number: number, rowAt: (number: number) => Omit<Row, "id">): PaintedRow {
    return (this.#painted[number] ??= this.#read(rowAt(number)));
  }

  /** The painted row with these blocks at the form's positions. */
  intern({ shape, slots }: PaintedRow, entries: readonly BlockEntry[]): number {
    if (slots.length === 1) {
      const { entry, rule } = slots[0]!;
      const block = entries[entry]!;
      const key = block.number * MOST_RULES + rule + 1;
      let row = shape.byOne.get(key);
      if (row === undefined) shape.byOne.set(key, (row = this.#add(shape, block, rule)));
      return row;
    }
    let text = "";
    for (const { entry, rule } of slots) text += `${entries[entry]!.number}/${rule} `;
    let row = shape.byText.get(text);
    if (row === undefined) {
      const blocks = slots.map(({ entry }) => entries[entry]!);
      row = this.#add(
        shape,
        blocks,
        slots.map(({ rule }) => rule),
      );
      shape.byText.set(text, row);
    }
    return row;
  }

  at(number: number): ClusterRow {
    const shape = this.#shapeOf[number]!;
    const blocks = [this.#determinants[number]!].flat();
    const rules = [this.#rules[number]!].flat();
    const decision = ({ verdict, cookie }: Row["others"]): ClusterDecision => {
      const slot = shape.symbols.get(cookie);
      if (slot === undefined) return { verdict, by: null };
      const { block, rules: own } = blocks[slot]!;
      const rule = rules[slot]!;
      return { verdict, by: rule < 0 ? block.id : own[rule]!.id };
    };
    const { protocols, others } = shape.row;
    return {
      protocols: protocols.map(({ protocol, intervals }) => ({
        protocol,
        intervals: intervals.map((one) => ({ ...one, decision: decision(one.decision) })),
      })),
      others: decision(others),
    };
  }

  #add(
    shape: Shape,
    determinants: BlockEntry | readonly BlockEntry[],
    rules: number | readonly number[],
  ): number {
    this.#determinants.push(determinants);
    this.#rules.push(rules);
    return this.#shapeOf.push(shape) - 1;
  }

  #read(row: Omit<Row, "id">): PaintedRow {
    const symbols = new Map<string, number>();
    const slots: Slot[] = [];
    const nameless = ({ verdict, cookie }: Row["others"]): string => {
      if (cookie === DEFAULT_COOKIE) return verdict;
      let slot = symbols.get(cookie);
      if (slot === undefined) {
        symbols.set(cookie, (slot = symbols.size));
        slots.push(placeOf(cookie));
      }
      return `${verdict}${slot}`;
    };
    const text = JSON.stringify([
      row.protocols.map(({ protocol, intervals }) => [
        protocol,
        ...intervals.map(({ first, decision }) => [first, nameless(decision)]),
      ]),
      nameless(row.others),
    ]);
    let shape = this.#shapes.get(text);
    if (shape === undefined) {
      shape = { row, symbols, byOne: new Map(), byText: new Map() };
      this.#shapes.set(text, shape);
    }
    return { shape, slots };
  }
}
