/** Lists of a rule in a text of ours, and what would stand there instead. Comments, anchors and unknown layouts are left alone. */
import {
  isMap,
  isScalar,
  isSeq,
  parseAllDocuments,
  visit,
  type Node,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { newline, type Edit } from "../lint/fix-places.ts";

/** The map that begins at this offset. */
export type FindMap = (at: number) => YAMLMap | undefined;

/** Reads a text once, for whoever asks of many places in it. */
export function mapsOf(text: string): FindMap {
  const documents = parseAllDocuments(text, {
    prettyErrors: false,
    version: "1.2",
    schema: "core",
    merge: false,
  });
  const found = new Map<number, YAMLMap>();
  for (const document of Array.isArray(documents) ? documents : []) {
    visit(document, {
      Map(_key, node) {
        if (isMap(node) && node.range && !found.has(node.range[0])) found.set(node.range[0], node);
      },
    });
  }
  return (at) => found.get(at);
}

export function valueOf(map: YAMLMap, name: string): unknown {
  return map.items.find(({ key }) => isScalar(key) && key.value === name)?.value;
}

/** The items as they are written, in the order of the list; undefined where their places are not known. */
export function itemTexts(list: YAMLSeq, text: string): readonly string[] | undefined {
  const ranges = list.items.map((item) => (item as Node).range);
  if (ranges.some((range) => !range)) return undefined;
  return ranges.map((range) => text.slice(range![0], range![1]).trimEnd());
}

/** A comment, an anchor, or an alias. */
const BEYOND = /#|&|(?:^|[\s,[{])\*\w/;

/** `items`: as they stand in flow style, which block style takes as well. A text: why it cannot be done, of `whose`. */
export function listEdit(
  list: unknown,
  items: readonly string[],
  text: string,
  what: string,
  whose: string,
): Edit | string {
  const elsewhere = `${whose} stand elsewhere in the text`;
  if (!isSeq(list) || !list.range) return elsewhere;
  const written = itemTexts(list, text);
  const last = (list.items.at(-1) as Node | undefined)?.range;
  if (written === undefined || !last) return elsewhere;
  const start = list.range[0];
  const end =
    list.flow === true ? list.range[1] : last[0] + text.slice(last[0], last[1]).trimEnd().length;
  if (BEYOND.test(text.slice(start, end))) {
    return `a comment or an anchor stands among ${whose}`;
  }
  const column = start - (text.lastIndexOf("\n", start - 1) + 1);
  const between = `${newline(text)}${" ".repeat(column)}- `;
  const now = list.flow === true ? `[${items.join(", ")}]` : `- ${items.join(between)}`;
  return { start, end, text: now, what };
}

/** The same of one value that is no list. */
export function valueEdit(node: unknown, now: string, text: string, what: string): Edit | string {
  const range = isMap(node) || isScalar(node) ? node.range : undefined;
  if (!range) return "its peer stands elsewhere in the text";
  const written = text.slice(range[0], range[1]).trimEnd();
  if (BEYOND.test(written)) return "a comment or an anchor stands in its peer";
  // A block of lines begins below its key; what replaces it is one line there.
  return { start: range[0], end: range[0] + written.length, text: now, what };
}
