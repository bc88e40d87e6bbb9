/**
 * Templates of manifests that nobody has filled in. To YAML they are maps within maps at best, and a heap of broken syntax at
 * worst: whoever wrote them is told once a document that it is one, and where.
 */
import type { Extent } from "./document.ts";

const MESSAGE = "a template that was not filled in";
export const TEMPLATE_HELP = "give what it becomes, for example the output of `helm template`";

/** Characters on either side of a place that are looked at: a whole file may be one line, with as many problems. */
const NEAR = 200;

/** Thrown where a value holds what can only be a template. */
export class Unfilled extends Error {
  readonly at: number;
  constructor(at: number) {
    super(MESSAGE);
    this.at = at;
  }
}

export interface Templates {
  /** Where something is wrong: each document that is a template is told once. */
  tell(offsets: readonly number[]): void;
  /** What else is wrong in such a document is noise. */
  isTold(offset: number): boolean;
}

export function templatesIn(
  content: string,
  say: (extent: Extent, message: string, help: string) => void,
): Templates {
  const told = new Set<number>();
  let starts: readonly number[] | undefined;
  const documentOf = (offset: number): number => {
    starts ??= [0, ...content.matchAll(/^---(?=\s|$)/gm).map(({ index }) => index)];
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  return {
    tell(offsets) {
      for (const offset of offsets) {
        const document = documentOf(offset);
        if (told.has(document) || !isInTemplate(content, offset)) continue;
        told.add(document);
        const from = starts![document]!;
        say(firstAction(content, from, starts![document + 1]), MESSAGE, TEMPLATE_HELP);
      }
    },
    isTold: (offset) => told.size > 0 && told.has(documentOf(offset)),
  };
}

function isInTemplate(content: string, offset: number): boolean {
  return lineAround(content, offset).includes("{{") || isAfterAction(content, offset);
}

/** Comments of YAML's may speak of templates. */
function firstAction(content: string, from: number, to?: number): Extent {
  const text = content.slice(from, to);
  const action = /^(?:[^#\n]|(?<=\S)#)*?(\{\{.*?(?:\}\}|$))/m.exec(text);
  if (action === null) return { start: from, end: from };
  const end = from + action.index + action[0].length;
  return { start: end - action[1]!.length, end };
}

function lineAround(content: string, offset: number): string {
  const before = content.slice(Math.max(0, offset - NEAR), offset);
  const after = content.slice(offset, offset + NEAR);
  return before.slice(before.lastIndexOf("\n") + 1) + after.split("\n", 1)[0];
}

/** A line that is an action alone leaves nothing wrong in itself, and what follows it stands where nothing may. */
function isAfterAction(content: string, offset: number): boolean {
  const before = content.slice(Math.max(0, offset - NEAR), offset).trimEnd();
  return /^\s*\{\{.*\}\}$/.test(before.slice(before.lastIndexOf("\n") + 1));
}
