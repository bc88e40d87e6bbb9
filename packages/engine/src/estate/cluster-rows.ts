/**
 * Rows of a whole cluster, hash-consed in two parts: the shape that some form of policy gives, which is painted once, and who
 * determined what in it, which is all that tells one namespace's row from another's. Written out when somebody asks.
 */
import type { DecisionVerdict, ProtocolNumber, Row } from "@bulkhead/model";
import { DEFAULT_COOKIE } from "../compile/decision-table.ts";
import type { BlockEntry } from "./block-entry.ts";
import { append } from "./selector-index.ts";

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

/** The position of a block among several, and of a rule in it; -1: the block itself. */
export interface Slot {
  readonly entry: number;
  readonly rule: number;
}

/** A row whose determinants are positions in a form. */
export interface PaintedRow {
  readonly pattern: Pattern;
  /** Each once, in the order of appearance. */
  readonly entries: readonly number[];
}

/** What tells rows apart besides the blocks that they name. */
interface Pattern {
  readonly number: number;
  readonly row: Omit<Row, "id">;
  /** By the symbols that stand in `row`: which of the blocks, and which rule of it; -1: the block itself. */
  readonly symbols: ReadonlyMap<string, Slot>;
}

/** What a form calls a block, and a rule in it: texts in the order of positions, none of them a cookie. */
export const symbolOf = (entry: number, rule?: number): string =>
  `b${`${entry}`.padStart(8, "0")}${rule === undefined ? "" : `/${rule}`}`;

export const placeOf = (symbol: string): Slot => {
  const [entry, rule = -1] = symbol.slice(1).split("/").map(Number);
  return { entry: entry!, rule };
};

/** So many are gone through one after another. */
const FEW = 64;

export class ClusterRows {
  readonly #patterns = new Map<string, Pattern>();
  readonly #painted: (PaintedRow | undefined)[] = [];
  readonly #patternOf: Pattern[] = [];
  readonly #blocks: (BlockEntry | readonly BlockEntry[])[] = [];
  /** Those of several blocks, and those of blocks that have many. */
  readonly #byText = new Map<string, number>();

  get size(): number {
    return this.#patternOf.length;
  }

  /** `number`: of the form's table of rows. */
  painted(number: number, rowAt: (number: number) => Omit<Row, "id">): PaintedRow {
    return (this.#painted[number] ??= this.#read(rowAt(number)));
  }

  /** The painted row with these blocks at the form's positions. */
  intern({ pattern, entries }: PaintedRow, blocks: readonly BlockEntry[]): number {
    if (entries.length === 1) {
      const block = blocks[entries[0]!]!;
      const { rows } = block;
      for (let at = 0; at < rows.length; at += 2) {
        if (rows[at] === pattern.number) return rows[at + 1]!;
      }
      if (rows.length < FEW) {
        const row = this.#add(pattern, block);
        block.rows = append(append(rows, pattern.number), row);
        return row;
      }
    }
    let text = `${pattern.number}`;
    for (const entry of entries) text += ` ${blocks[entry]!.number}`;
    let row = this.#byText.get(text);
    if (row === undefined) {
      row = this.#add(
        pattern,
        entries.map((entry) => blocks[entry]!),
      );
      this.#byText.set(text, row);
    }
    return row;
  }

  at(number: number): ClusterRow {
    const { row, symbols } = this.#patternOf[number]!;
    const blocks = [this.#blocks[number]!].flat();
    const decision = ({ verdict, cookie }: Row["others"]): ClusterDecision => {
      const slot = symbols.get(cookie);
      if (slot === undefined) return { verdict, by: null };
      const { block, rules } = blocks[slot.entry]!;
      return { verdict, by: slot.rule < 0 ? block.id : rules[slot.rule]!.id };
    };
    const { protocols, others } = row;
    return {
      protocols: protocols.map(({ protocol, intervals }) => ({
        protocol,
        intervals: intervals.map((one) => ({ ...one, decision: decision(one.decision) })),
      })),
      others: decision(others),
    };
  }

  #add(pattern: Pattern, blocks: BlockEntry | readonly BlockEntry[]): number {
    this.#blocks.push(blocks);
    return this.#patternOf.push(pattern) - 1;
  }

  #read(row: Omit<Row, "id">): PaintedRow {
    const symbols = new Map<string, Slot>();
    const entries: number[] = [];
    const nameless = ({ verdict, cookie }: Row["others"]): string => {
      if (cookie === DEFAULT_COOKIE) return verdict;
      let slot = symbols.get(cookie);
      if (slot === undefined) {
        const { entry, rule } = placeOf(cookie);
        if (!entries.includes(entry)) entries.push(entry);
        symbols.set(cookie, (slot = { entry: entries.indexOf(entry), rule }));
      }
      return `${verdict} ${slot.entry}/${slot.rule}`;
    };
    const text = JSON.stringify([
      row.protocols.map(({ protocol, intervals }) => [
        protocol,
        ...intervals.map(({ first, decision }) => [first, nameless(decision)]),
      ]),
      nameless(row.others),
    ]);
    let pattern = this.#patterns.get(text);
    if (pattern === undefined) {
      pattern = { number: this.#patterns.size, row, symbols };
      this.#patterns.set(text, pattern);
    }
    return { pattern, entries };
  }
}
