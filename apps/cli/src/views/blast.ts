/** What `blast` prints: how much can be reached, and a table of it; or a graph for Graphviz. */
import type { DeskBlast } from "@bulkhead/workbench/desk";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { count } from "../ui/words.ts";

interface Row {
  readonly hop: number;
  readonly end: string;
  readonly via: string;
  readonly ports: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "HOP", cell: ({ hop }) => String(hop), align: "right" },
  { title: "REACHED", cell: ({ end }) => end, shrink: true },
  { title: "FROM", cell: ({ via }) => via, shrink: true },
  { title: "PORTS", cell: ({ ports }) => ports },
];
/** More would hide the rest. */
const MOST_PREFIXES = 4;

export function blastText(answer: DeskBlast, ui: Ui): string {
  const { workload, hops, reachable, others } = answer;
  const within = hops === null ? "" : ` within ${count(hops, "hop")}`;
  const head = `${ui.style.bold(workload)} reaches ${ui.style.bold(String(reachable))} of ${count(others, "other workload")}${within}.\n`;
  const rows = rowsOf(answer, ui.wide);
  return rows.length === 0
    ? `${head}Nothing outside either.\n`
    : `${head}\n${renderTable(rows, COLUMNS, ui)}`;
}

function rowsOf({ reached, outside }: DeskBlast, wide: boolean): Row[] {
  const world = outside.map(({ prefixes, ...step }): Row => {
    const most = wide ? prefixes.length : MOST_PREFIXES;
    const more = prefixes.length > most ? `, and ${prefixes.length - most} more` : "";
    return { ...step, end: `${prefixes.slice(0, most).join(", ")}${more}` };
  });
  return [...reached, ...world].toSorted((a, b) => a.hop - b.hop);
}

/** The tree of first ways: an arrow leads to whatever was reached from there first. */
export function blastDot(answer: DeskBlast): string {
  const quoted = (text: string) =>
    `"${text.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;
  const arrows = rowsOf(answer, false).map(
    ({ end, via, ports, hop }) =>
      `  ${quoted(via)} -> ${quoted(end)} [label=${quoted(ports)}, weight=${hop === 1 ? 2 : 1}];\n`,
  );
  return `digraph blast {\n  rankdir=LR;\n  ${quoted(answer.workload)} [style=bold];\n${arrows.join("")}}\n`;
}
