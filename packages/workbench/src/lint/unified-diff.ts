/** Edits of a text as `patch` and `git apply` take them. */
import type { FixedFile } from "./fix.ts";

const CONTEXT = 3;

interface Segment {
  /** Lines of the old text, end exclusive. */
  readonly from: number;
  readonly to: number;
  readonly lines: readonly string[];
}

export function unifiedDiff({ name, before, text, edits }: FixedFile): string {
  if (edits.length === 0) return "";
  const [old, now] = [linesOf(before), linesOf(text)];
  const segments = segmentsOf(old, now);
  const hunks: Segment[][] = [];
  for (const segment of segments) {
    const hunk = hunks.at(-1);
    if (hunk !== undefined && segment.from - hunk.at(-1)!.to <= 2 * CONTEXT) hunk.push(segment);
    else hunks.push([segment]);
  }
  let shift = 0;
  const printed = hunks.map((hunk) => {
    const from = Math.max(0, hunk[0]!.from - CONTEXT);
    const to = Math.min(old.length, hunk.at(-1)!.to + CONTEXT);
    const out: string[] = [];
    let at = from;
    for (const segment of hunk) {
      out.push(...old.slice(at, segment.from).map((line) => ` ${line}`));
      out.push(...old.slice(segment.from, segment.to).map((line) => `-${line}`));
      out.push(...segment.lines.map((line) => `+${line}`));
      at = segment.to;
    }
    out.push(...old.slice(at, to).map((line) => ` ${line}`));
    const grown = hunk.reduce((sum, one) => sum + one.lines.length - (one.to - one.from), 0);
    const head = `@@ -${from + 1},${to - from} +${from + 1 + shift},${to - from + grown} @@\n`;
    shift += grown;
    return (
      head +
      out
        .map((line) => (line.endsWith("\n") ? line : `${line}\n\\ No newline at end of file\n`))
        .join("")
    );
  });
  const path = name.replace(/^\/+/, "");
  return `--- a/${path}\n+++ b/${path}\n${printed.join("")}`;
}

/** With their ends. */
function linesOf(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Where two lists of lines differ, by their longest common part (rows are few: a file of policies). */
function segmentsOf(old: readonly string[], now: readonly string[]): readonly Segment[] {
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start++;
  let [endOld, endNow] = [old.length, now.length];
  while (endOld > start && endNow > start && old[endOld - 1] === now[endNow - 1]) {
    endOld--;
    endNow--;
  }
  const [a, b] = [old.slice(start, endOld), now.slice(start, endNow)];
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const segments: Segment[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i++;
      j++;
      continue;
    }
    const from = i;
    const lines: string[] = [];
    while ((i < a.length || j < b.length) && !(i < a.length && j < b.length && a[i] === b[j])) {
      const takesOld =
        j >= b.length ||
        (i < a.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!);
      if (takesOld) i++;
      else lines.push(b[j++]!);
    }
    segments.push({ from: start + from, to: start + i, lines });
  }
  return segments;
}
