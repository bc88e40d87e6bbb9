/** Connections that are open and that a policy ends: what new connections alone do not tell. */
import type { UnderWay } from "@bulkhead/api";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { count, thousands } from "../ui/words.ts";
import { decisionVerdict, edgePort, endName } from "./verdicts.ts";

const COLUMNS: readonly Column<UnderWay>[] = [
  { title: "FROM", cell: (row, ui) => endName(row.source, ui.wide), shrink: true },
  { title: "", cell: () => "→" },
  { title: "TO", cell: (row, ui) => endName(row.destination, ui.wide), shrink: true },
  { title: "PORT", cell: edgePort },
  { title: "OPEN", cell: (row) => thousands(row.connections), align: "right" },
  { title: "AFTER", cell: (row, ui) => decisionVerdict(row.verdict, ui.style) },
  { title: "RULE", cell: (row) => row.rule ?? "-", shrink: true },
];

/** `verb`: `would be cut once this is enforced`. Empty where nobody could tell. */
export function underWayText(
  found: readonly UnderWay[] | undefined,
  verb: { readonly one: string; readonly many: string },
  ui: Ui,
): string {
  if (found === undefined) return "";
  const open = found.reduce((sum, row) => sum + row.connections, 0);
  if (open === 0) return `Connections under way: none ${verb.one}.\n`;
  const title = `${count(open, "connection")} under way ${open === 1 ? verb.one : verb.many}:`;
  return `${ui.style.red(title)}\n${renderTable(ui.wide ? found : folded(found), COLUMNS, ui)}`;
}

/** IPv4 and IPv6 of the same two are one row. */
function folded(rows: readonly UnderWay[]): readonly UnderWay[] {
  const found = new Map<string, UnderWay>();
  for (const row of rows) {
    const { source, destination, protocol, port, verdict, rule } = row;
    const ends = [endName(source), endName(destination)];
    const key = JSON.stringify([...ends, protocol, port, verdict, rule]);
    const before = found.get(key)?.connections ?? 0;
    found.set(key, { ...row, connections: before + row.connections });
  }
  return [...found.values()];
}

export const WOULD_BE_CUT = { one: "would be cut", many: "would be cut" };
export const ONCE_ENFORCED = {
  one: "would be cut once this is enforced",
  many: "would be cut once this is enforced",
};
export const IS_CUT = { one: "is cut", many: "are cut" };
