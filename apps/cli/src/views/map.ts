/** What `map` prints for people: an arrow a row, and what the names on it stand for. */
import {
  labelOf,
  membersText,
  portsText,
  type MapArrow,
  type MapNode,
  type Outcome,
  type ServiceMap,
} from "@bulkhead/workbench/observe";
import type { Style } from "../ui/style.ts";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { bytes, count, list, thousands } from "../ui/words.ts";

const OUTCOMES: Readonly<Record<Outcome, readonly [text: string, paint: keyof Style]>> = {
  passed: ["passed", "green"],
  audit: ["audit", "yellow"],
  denied: ["denied", "red"],
};
const ALL = Number.POSITIVE_INFINITY;

export function mapText({ nodes, arrows }: ServiceMap, ui: Ui): string {
  if (arrows.length === 0) return "No traffic seen that fits.\n";
  const labels = new Map(nodes.map((node) => [node.id, labelOf(node)]));
  const columns: readonly Column<MapArrow>[] = [
    { title: "FROM", cell: ({ from }) => labels.get(from) ?? from, shrink: true },
    { title: "", cell: () => "→" },
    { title: "TO", cell: ({ to }) => labels.get(to) ?? to, shrink: true },
    { title: "PORTS", cell: ({ ports }) => portsText(ports, ui.wide ? ALL : 3), shrink: true },
    {
      title: "OUTCOME",
      cell: ({ outcome }) => {
        const [text, paint] = OUTCOMES[outcome];
        return ui.style[paint](text);
      },
    },
    {
      title: "CONNS",
      cell: (row) => (row.connections === 0 && row.bytes > 0 ? "open" : thousands(row.connections)),
      align: "right",
    },
    {
      title: "FAILED",
      cell: ({ failed }) => (failed === 0 ? "-" : thousands(failed)),
      align: "right",
    },
    { title: "BYTES", cell: (row) => bytes(row.bytes), align: "right" },
  ];
  return `${renderTable(arrows, columns, ui)}\n${together(nodes, ui)}${summary(nodes, arrows)}`;
}

/** Which workloads, or addresses, a name on the map stands for. */
function together(nodes: readonly MapNode[], ui: Ui): string {
  const many = nodes.filter(({ members }) => members.length > 1);
  if (many.length === 0) return "";
  const lines = many.map(
    (node) =>
      `${labelOf(node)}: ${membersText(node)} ${ui.style.dim(`(${list(node.members, ui.wide ? ALL : 3)})`)}\n`,
  );
  return `${lines.join("")}\n`;
}

function summary(nodes: readonly MapNode[], arrows: readonly MapArrow[]): string {
  const inside = nodes.filter(({ kind }) => kind !== "outside");
  const workloads = inside.reduce((sum, { members }) => sum + members.length, 0);
  const sum = (outcome?: Outcome): number =>
    arrows
      .filter((arrow) => outcome === undefined || arrow.outcome === outcome)
      .reduce((total, arrow) => total + arrow.connections, 0);
  const [denied, audit] = [sum("denied"), sum("audit")];
  const parts = [
    `${count(inside.length, "application")} of ${count(workloads, "workload")}, ${nodes.length - inside.length} outside`,
    `${count(arrows.length, "arrow")}, ${count(sum(), "connection")}`,
    ...(denied === 0 ? [] : [`${thousands(denied)} denied`]),
    ...(audit === 0 ? [] : [`${thousands(audit)} would be denied (audit)`]),
  ];
  return `${parts.join("; ")}\n`;
}
