/** What `observe` prints: edges as a table, flows as lines of a stream. */
import type { EdgesAnswer } from "@bulkhead/api";
import type { Edge, Flow, FlowEnd } from "@bulkhead/model";
import { foldAddresses } from "./fold.ts";
import { widthOf } from "../ui/style.ts";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { ago, bytes, clock, count, moment, thousands } from "../ui/words.ts";
import { ONCE_ENFORCED, underWayText } from "./under-way.ts";
import { edgePort, endName, flowVerdict, processText } from "./verdicts.ts";

/** Connections from before the time asked for, that live on, have bytes and no beginning. */
function connections(edge: Edge): string {
  return edge.connections === 0 && edge.bytes > 0 ? "open" : thousands(edge.connections);
}

/** `forwarded, then cut`: by a policy that has just come into force. */
function outcome({ verdict, cutBy }: Pick<Edge | Flow, "verdict" | "cutBy">, ui: Ui): string {
  const seen = flowVerdict(verdict, ui.style);
  return cutBy === undefined ? seen : `${seen}, ${ui.style.red("then cut")}`;
}

const EDGE_COLUMNS: readonly Column<Edge>[] = [
  { title: "FROM", cell: (row, ui) => endName(row.source, ui.wide), shrink: true },
  { title: "", cell: () => "→" },
  { title: "TO", cell: (row, ui) => endName(row.destination, ui.wide), shrink: true },
  { title: "PORT", cell: edgePort },
  { title: "VERDICT", cell: (row, ui) => outcome(row, ui) },
  { title: "CONNS", cell: connections, align: "right" },
  {
    title: "FAILED",
    cell: (row) => (row.failed === 0 ? "-" : thousands(row.failed)),
    align: "right",
  },
  { title: "BYTES", cell: (row) => bytes(row.bytes), align: "right" },
  { title: "LAST SEEN", cell: (row, ui) => ago(row.lastSeen, ui.now) },
  { title: "RULE", cell: (row) => row.rule ?? row.cutBy ?? "-", shrink: true },
  { title: "FIRST SEEN", cell: (row, ui) => ago(row.firstSeen, ui.now), wide: true },
  { title: "ESTABLISHED", cell: (row) => thousands(row.established), align: "right", wide: true },
  { title: "PACKETS", cell: (row) => thousands(row.packets), align: "right", wide: true },
  { title: "WINDOWS", cell: (row) => thousands(row.windows), align: "right", wide: true },
];

/** `underWay`: told where `audit` was asked for. */
export function edgesText(
  edges: readonly Edge[],
  ui: Ui,
  underWay?: EdgesAnswer["underWay"],
): string {
  const open = underWayText(underWay, ONCE_ENFORCED, ui);
  const seen = seenText(edges, ui);
  return open === "" ? seen : `${seen}\n${open}`;
}

function seenText(edges: readonly Edge[], ui: Ui): string {
  if (edges.length === 0) return "No traffic seen that fits.\n";
  const shown = ui.wide
    ? edges
    : foldAddresses(
        edges,
        (edge) => edge,
        (_, edge) => edge,
      ).toSorted((a, b) => b.connections - a.connections);
  const total = edges.reduce((sum, edge) => sum + edge.connections, 0);
  const denied = shown.filter((edge) => edge.verdict === "dropped" || edge.verdict === "rejected");
  const audit = shown.filter((edge) => edge.verdict === "audit");
  const parts = [
    `${count(shown.length, "edge")}, ${count(total, "connection")}`,
    ...(denied.length === 0 ? [] : [`${denied.length} denied`]),
    ...(audit.length === 0 ? [] : [`${audit.length} would be denied (audit)`]),
  ];
  return `${renderTable(shown, EDGE_COLUMNS, ui)}\n${parts.join("; ")}\n`;
}

/** How single flows are told. */
export interface FlowStyle {
  /** With the process at each end, where it is known. */
  readonly process: boolean;
}

function endText(end: FlowEnd, ui: Ui, { process }: FlowStyle): string {
  const name = endName(end, ui.wide);
  if (!process || end.process === undefined) return name;
  return `${name} ${ui.style.dim(`(${processText(end.process)})`)}`;
}

/** `07:45:14.123  shop/web → shop/db 5432/tcp  dropped  Policy/shop/db#ingress` */
export function flowLine(flow: Flow, ui: Ui, style: FlowStyle): string {
  const ends = `${endText(flow.source, ui, style)} → ${endText(flow.destination, ui, style)} ${edgePort(flow)}`;
  const many = flow.connections > 1 ? ` ×${flow.connections}` : "";
  const by = flow.rule ?? flow.cutBy;
  const rule = by === undefined ? "" : `  ${by}`;
  const answer = flow.failed > 0 && flow.verdict === "forwarded" ? ui.style.dim("  no answer") : "";
  const size = ui.wide ? `  ${bytes(flow.bytes)} in ${flow.packets} packets` : "";
  return `${ui.style.dim(clock(flow.start))}  ${ends}${many}  ${outcome(flow, ui)}${rule}${answer}${size}\n`;
}

const TABLE: readonly (readonly [
  title: string,
  width: number,
  cell: (flow: Flow, ui: Ui, style: FlowStyle) => string,
])[] = [
  ["TIME", 12, (flow) => clock(flow.start)],
  ["FROM", 28, (flow, ui, style) => endText(flow.source, ui, style)],
  ["TO", 28, (flow, ui, style) => endText(flow.destination, ui, style)],
  ["PORT", 10, edgePort],
  ["VERDICT", 9, outcome],
  ["CONNS", 5, (flow) => thousands(flow.connections)],
  ["BYTES", 7, (flow) => bytes(flow.bytes)],
  ["RULE", 0, (flow) => flow.rule ?? flow.cutBy ?? "-"],
];

/** Rows as they come: columns keep their width, because nobody knows what follows, and what is longer goes over. */
export function flowsTable(style: FlowStyle): (flow: Flow, ui: Ui) => string {
  let headed = false;
  return (flow, ui) => {
    const row = (cells: readonly string[]): string =>
      `${cells
        .map(
          (text, index) => text + " ".repeat(Math.max(0, (TABLE[index]?.[1] ?? 0) - widthOf(text))),
        )
        .join("  ")
        .trimEnd()}\n`;
    const head = headed ? "" : ui.style.dim(row(TABLE.map(([title]) => title)));
    headed = true;
    return head + row(TABLE.map(([, , cell]) => cell(flow, ui, style)));
  };
}

/** Everything that is known of one flow, a fact a line. */
export function flowBlock(flow: Flow, ui: Ui): string {
  const end = ({ name, address, labels, names }: FlowEnd, port: number): string => {
    const at =
      port === 0 ? address : address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
    const texts = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
    return [name === address ? undefined : name, at, names?.join(","), texts.toSorted().join(",")]
      .filter((part) => part !== undefined && part !== "")
      .join("  ");
  };
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["TIME", `${moment(flow.start).replace("Z", "")}${clock(flow.start).slice(8)}Z`],
    ["SOURCE", end(flow.source, flow.sourcePort)],
    ["BY", flow.source.process && processText(flow.source.process)],
    ["DESTINATION", end(flow.destination, 0)],
    ["BY", flow.destination.process && processText(flow.destination.process)],
    ["PORT", edgePort(flow)],
    ["VERDICT", outcome(flow, ui)],
    ["DIRECTION", flow.direction],
    ["RULE", flow.rule ?? flow.cutBy],
    ["CONNECTIONS", connectionsText(flow)],
    ["TRAFFIC", `${bytes(flow.bytes)} in ${count(flow.packets, "packet")}`],
    ["NODE", flow.node],
    ["PROBE", flow.probe === true ? "of our own" : undefined],
  ];
  const told = facts.filter(([, value]) => value !== undefined);
  return `${told.map(([name, value]) => `${ui.style.dim(name.padStart(11))}: ${value}\n`).join("")}\n`;
}

function connectionsText({ connections, established, failed }: Flow): string {
  const parts = [
    connections === 0 ? "news of earlier ones" : thousands(connections),
    ...(established === 0 ? [] : [`${thousands(established)} established`]),
    ...(failed === 0 ? [] : [`${thousands(failed)} failed`]),
  ];
  return parts.join(", ");
}
