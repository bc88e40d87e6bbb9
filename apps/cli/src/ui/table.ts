/**
 * Plain columns without borders, so that `grep` and `awk` work on them. The columns marked `shrink` give way when the
 * terminal is narrow; `wide` keeps everything: what a terminal has no room for stands below its row.
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
  const whole = columnsText(rows, columns, ui);
  const longest = Math.max(...whole.split("\n").map(widthOf));
  return ui.wide && longest > ui.columns && columns.some(({ wide }) => wide === true)
    ? folded(rows, columns, ui)
    : whole;
}

const INDENT = "    ";

/** Each row, and below it what only `wide` shows, where there is anything. */
function folded<T>(rows: readonly T[], columns: readonly Column<T>[], ui: Ui): string {
  const narrow = columns.filter(({ wide }) => wide !== true);
  const below = columns.filter(({ wide }) => wide === true);
  const [header = "", ...lines] = columnsText(rows, narrow, { ...ui, wide: false }).split("\n");
  const blocks = rows.map((row, at) => {
    const line = lines[at] ?? "";
    // What the row had to cut short, or says in short, is whole here.
    const cut = narrow.filter((column) => !line.includes(column.cell(row, ui)));
    const more = [...cut, ...below].flatMap((column) => {
      const text = column.cell(row, ui);
      return text === "" || text === "-" ? [] : [`${ui.style.dim(column.title)} ${text}`];
    });
    return `${line}\n${wrapped(more, ui.columns)}`;
  });
  return `${header}\n${blocks.join("")}`;
}

/** As many to a line as there is room for; what alone has none is whole all the same. */
function wrapped(texts: readonly string[], available: number): string {
  const lines: string[] = [];
  for (const text of texts) {
    const line = lines.at(-1);
    const longer = `${line}${GAP}${text}`;
    if (line !== undefined && widthOf(longer) <= available) lines[lines.length - 1] = longer;
    else lines.push(`${INDENT}${text}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

function columnsText<T>(rows: readonly T[], columns: readonly Column<T>[], ui: Ui): string {
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
