/**
 * Places in a text of YAML where something can be put or taken out without anything else being touched: comments and layout stay.
 * Where a comment would be lost, or the layout is none that is known, there is no place.
 */
import { isScalar, type Node, type Pair, type YAMLMap, type YAMLSeq } from "yaml";

/** Replaces what stands from `start` to `end`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly what: string;
}

/** In the order of their places; of those that overlap the first. */
export function inOrder(found: readonly Edit[]): readonly Edit[] {
  const sorted = found.toSorted((a, b) => a.start - b.start || b.end - a.end);
  const kept: Edit[] = [];
  for (const edit of sorted) {
    const before = kept.at(-1);
    if (before === undefined || edit.start >= before.end) kept.push(edit);
  }
  return kept;
}

export function applyEdits(text: string, edits: readonly Edit[]): string {
  let out = "";
  let at = 0;
  for (const { start, end, text: added } of edits) {
    out += text.slice(at, start) + added;
    at = end;
  }
  return out + text.slice(at);
}

export function newline(text: string): string {
  return text.includes("\r\n") ? "\r\n" : "\n";
}

/** Before the first key of a map: what is said of that key in a comment stays above both. */
export function newFirst(map: YAMLMap, entry: string, text: string, what: string): readonly Edit[] {
  const [first] = map.items;
  const key = first?.key;
  if (!isScalar(key) || !key.range) return [];
  const [start] = key.range;
  if (map.flow === true) return [{ start, end: start, text: `${entry}, `, what }];
  const line = text.lastIndexOf("\n", start - 1) + 1;
  const before = text.slice(line, start);
  if (!/^[ -]*$/.test(before)) return [];
  return [{ start, end: start, text: `${entry}${newline(text)}${" ".repeat(start - line)}`, what }];
}

/** Behind the last item of a list: `item` as it stands in flow style, which block style takes as well. */
export function newLast(list: YAMLSeq, item: string, text: string, what: string): readonly Edit[] {
  const last = list.items.at(-1) as Node | undefined;
  if (!last?.range) return [];
  if (list.flow === true) {
    const [, end] = last.range;
    return [{ start: end, end, text: `, ${item}`, what }];
  }
  const line = text.lastIndexOf("\n", last.range[0] - 1) + 1;
  const indent = /^( *)- +$/.exec(text.slice(line, last.range[0]))?.[1];
  if (indent === undefined) return [];
  const stop = endOfLine(last.range[1], text);
  const before = text[stop - 1] === "\n" ? "" : newline(text);
  return [{ start: stop, end: stop, text: `${before}${indent}- ${item}${newline(text)}`, what }];
}

function endOfLine(at: number, text: string): number {
  if (text[at - 1] === "\n") return at;
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end + 1;
}

/** Of the list's item with this number. */
export function itemOut(list: YAMLSeq, at: number, text: string, what: string): readonly Edit[] {
  const node = list.items[at] as Node;
  const [before, after] = [list.items[at - 1], list.items[at + 1]] as (Node | undefined)[];
  return without(
    list.flow === true ? inFlow(before, node, after) : inLines(node, text),
    text,
    what,
  );
}

/** Of a map's entry. */
export function entryOut(map: YAMLMap, pair: Pair, text: string, what: string): readonly Edit[] {
  const [key, value] = [pair.key, pair.value] as (Node | null)[];
  if (!key?.range || !value?.range) return [];
  if (map.flow !== true) {
    const start = text.lastIndexOf("\n", key.range[0] - 1) + 1;
    // The first entry of an item stands behind its dash.
    if (text.slice(start, key.range[0]).trim() !== "") return [];
    return without({ start, end: endOfLine(value.range[1], text) }, text, what);
  }
  const at = map.items.indexOf(pair);
  const [before, after] = [map.items[at - 1]?.value, map.items[at + 1]?.key] as (
    | Node
    | undefined
  )[];
  if (before?.range) return without({ start: before.range[1], end: value.range[1] }, text, what);
  return after?.range ? without({ start: key.range[0], end: after.range[0] }, text, what) : [];
}

type Place = Pick<Edit, "start" | "end">;

function without(place: Place | undefined, text: string, what: string): readonly Edit[] {
  if (place === undefined || text.slice(place.start, place.end).includes("#")) return [];
  return [{ ...place, text: "", what }];
}

function inFlow(before: Node | undefined, node: Node, after: Node | undefined): Place | undefined {
  if (!node.range) return undefined;
  if (before?.range) return { start: before.range[1], end: node.range[1] };
  return after?.range ? { start: node.range[0], end: after.range[0] } : undefined;
}

/** Whole lines, if the item has them for itself. */
function inLines({ range }: Node, text: string): Place | undefined {
  if (!range) return undefined;
  const start = text.lastIndexOf("\n", range[0] - 1) + 1;
  if (!/^ *- +$/.test(text.slice(start, range[0]))) return undefined;
  return { start, end: endOfLine(range[1], text) };
}
