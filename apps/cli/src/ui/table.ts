/**
 * Plain columns without borders, so that `grep` and `awk` work on them. The columns marked `shrink` give way when the
 * terminal is narrow; `wide` keeps everything.
 */
import { widthOf } from "./style.ts";
import type { Ui } from "./ui.ts";

export interface Column<T> {
  readonly title: string;
  readonly cell: (row: T, ui: Ui) => string;
  readonly align?: "right";
  /** May be cut short with `…` on a narrow terminal. */
  readonly shrink?: boolean;
  /** Only shown with `-o wide`. */
  readonly wide?: boolean;
}

const GAP = "  ";
const SHORTEST = 12;

export function renderTable<T>(rows: readonly T[], columns: readonly Column<T>[], ui: Ui): string {
  const shown = columns.filter((column) => ui.wide || column.wide !== true);
  const cells = rows.map((row) => shown.map((column) => column.cell(row, ui)));
  const widths = shown.map((column, index) =>
    Math.max(widthOf(column.title), ...cells.map((row) => widthOf(row[index] ?? ""))),
  );
  if (!ui.wide) shrink(widths, shown, ui.columns);
  const line = (texts: readonly string[], paint: (text: string) => string): string =>
    texts
      .map((text, index) => paint(fit(text, widths[index] ?? 0, shown[index]?.align)))
      .join(GAP)
      .trimEnd();
  const header = line(
    shown.map((column) => column.title),
    ui.style.dim,
  );
  return [header, ...cells.map((row) => line(row, (text) => text))]
    .map((text) => `${text}\n`)
    .join("");
}

function shrink<T>(widths: number[], columns: readonly Column<T>[], available: number): void {
  for (;;) {
    const total = widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1));
    if (total <= available) return;
    let widest = -1;
    columns.forEach((column, index) => {
      const width = widths[index] ?? 0;
      if (column.shrink !== true || width <= SHORTEST) return;
      if (widest < 0 || width > (widths[widest] ?? 0)) widest = index;
    });
    if (widest < 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

function fit(text: string, width: number, align: "right" | undefined): string {
  const length = widthOf(text);
  if (length > width) return `${[...text].slice(0, Math.max(0, width - 1)).join("")}…`;
  const space = " ".repeat(width - length);
  return align === "right" ? space + text : text + space;
}
