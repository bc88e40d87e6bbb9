/** What `blast` prints: how much can be reached, and a table of it; or a graph for Graphviz. */
import type { DeskBlast } from "@bulkhead/workbench/desk";
import { folded, isOfIpv4 } from "./prefixes.ts";
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
/** More rows of the outside would hide the rest. */
const MOST_OUTSIDE = 6;

export function blastText(answer: DeskBlast, ui: Ui, all: boolean): string {
  const { workload, hops, reachable, others } = answer;
  const within = hops === null ? "" : ` within ${count(hops, "hop")}`;
  const head = `${ui.style.bold(workload)} reaches ${ui.style.bold(String(reachable))} of ${count(others, "other workload")}${within}.\n`;
  const { rows, more } = rowsOf(answer, all || ui.wide);
  if (rows.length === 0) return `${head}Nothing outside either.\n`;
  const rest =
    more === 0 ? "" : `and ${count(more, "more row")} of addresses outside: \`--all\` tells them\n`;
  return `${head}\n${renderTable(rows, COLUMNS, ui)}${rest}`;
}

/** By hop; those of the outside folded unless `all` are asked for. */
function rowsOf({ reached, outside }: DeskBlast, all: boolean): { rows: Row[]; more: number } {
  const byWay = Map.groupBy(outside, ({ hop, via, ports }) => JSON.stringify([hop, via, ports]));
  const world = [...byWay.values()].flatMap((same): Row[] => {
    const [{ hop, via, ports }] = same as [(typeof same)[number]];
    const prefixes = same.flatMap((one) => one.prefixes);
    return [prefixes.filter(isOfIpv4), prefixes.filter((one) => !isOfIpv4(one))]
      .filter(({ length }) => length > 0)
      .map((family) => ({ hop, via, ports, end: all ? family.join(", ") : folded(family) }));
  });
  const shown = all ? world : world.toSorted((a, b) => a.hop - b.hop).slice(0, MOST_OUTSIDE);
  return {
    rows: [...reached, ...shown].toSorted((a, b) => a.hop - b.hop),
    more: world.length - shown.length,
  };
}

/** The tree of first ways: an arrow leads to whatever was reached from there first. */
export function blastDot(answer: DeskBlast): string {
  const quoted = (text: string) =>
    `"${text.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;
  const arrows = rowsOf(answer, false).rows.map(
    ({ end, via, ports, hop }) =>
      `  ${quoted(via)} -> ${quoted(end)} [label=${quoted(ports)}, weight=${hop === 1 ? 2 : 1}];\n`,
  );
  return `digraph blast {\n  rankdir=LR;\n  ${quoted(answer.workload)} [style=bold];\n${arrows.join("")}}\n`;
}
