/** Whom a change affects, as people read it: a row for each two parties and what decides, whose they are, and who was seen last. */
import { formatPort, type Affected, type Flow, type Party, type Tally } from "@bulkhead/model";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { count, duration, moment, thousands } from "../ui/words.ts";
import { shortDeterminant } from "./determinant.ts";
import { endName, processText } from "./verdicts.ts";

/** Rows, where not everything is asked for. */
const MOST_ROWS = 20;
/** Single connections, where not everything is asked for: of the first rows one each. */
const MOST_SAMPLES = 5;

const COLUMNS: readonly Column<Affected>[] = [
  { title: "FROM", cell: (row) => partyText(row.source), shrink: true },
  { title: "", cell: () => "→" },
  { title: "TO", cell: (row) => partyText(row.destination), shrink: true },
  { title: "PORT", cell: portsText, shrink: true },
  { title: "CONNS", cell: (row) => thousands(row.connections), align: "right" },
  { title: "SEEN", cell: agesText },
  { title: "OWNER", cell: (row) => ownersOf(row).join(", ") || "-", shrink: true },
  { title: "BECAUSE", cell: (row) => shortDeterminant(row.after), shrink: true },
  { title: "BEFORE", cell: (row) => shortDeterminant(row.before), wide: true },
];

interface Shown {
  readonly affected: readonly Affected[];
  readonly tally: Tally;
  /** Out of a file, of whatever age. */
  readonly exported?: boolean;
}

export function affectedText(
  change: Affected["change"],
  { affected, tally, exported = false }: Shown,
  ui: Ui,
): string {
  const title = `Newly ${change}`;
  if (tally.edges === 0) return `${title}: none.\n`;
  const rows = affected.filter((row) => row.change === change);
  const shown = ui.wide ? rows : rows.slice(0, MOST_ROWS);
  const rest = rows.length - shown.length;
  const folded = rows.length < tally.edges ? ` in ${count(rows.length, "row")}` : "";
  const head = `${title}: ${count(tally.edges, "edge")} (${count(tally.connections, "connection")})${folded}`;
  const owned = shown.some((row) => ownersOf(row).length > 0);
  const columns = COLUMNS.filter(({ title: name }) => owned || name !== "OWNER").map((column) =>
    exported && column.cell === agesText ? { ...column, cell: daysText } : column,
  );
  const more =
    rest === 0 ? "" : `${ui.style.dim(`and ${count(rest, "more row", "more rows")} (-o wide)`)}\n`;
  return `${ui.style[change === "denied" ? "red" : "yellow"](head)}\n${renderTable(shown, columns, ui)}${more}${samplesText(shown, ui)}`;
}

function samplesText(rows: readonly Affected[], ui: Ui): string {
  const samples = ui.wide
    ? rows.flatMap((row) => row.samples)
    : rows.flatMap((row) => row.samples.slice(-1)).slice(0, MOST_SAMPLES);
  const lines = samples.map((flow) => `  ${ui.style.dim(sampleText(flow))}\n`);
  return lines.length === 0 ? "" : `such as\n${lines.join("")}`;
}

/** `shop/web ×3`: of a role, how many of it. */
export function partyText({ name, members }: Party): string {
  return members < 2 ? name : `${name} ×${thousands(members)}`;
}

export function portsText({ ports, portCount }: Pick<Affected, "ports" | "portCount">): string {
  const rest = portCount - ports.length;
  return `${ports.join(", ")}${rest === 0 ? "" : ` and ${thousands(rest)} more`}`;
}

/** `90d to 3s ago`: the first and the last. */
function agesText({ firstSeen, lastSeen }: Affected, { now }: Ui): string {
  const [first, last] = [duration(now - firstSeen), duration(now - lastSeen)];
  return first === last ? `${last} ago` : `${first} to ${last} ago`;
}

/** `2026-01-01 to 2026-03-31`: what was exported once is no younger for being read now. */
function daysText({ firstSeen, lastSeen }: Affected): string {
  const [first, last] = [moment(firstSeen).slice(0, 10), moment(lastSeen).slice(0, 10)];
  return first === last ? last : `${first} to ${last}`;
}

/** Of both ends: each may have to agree. */
export function ownersOf({ source, destination }: Affected): readonly string[] {
  return [...new Set([...source.owners, ...destination.owners])].toSorted();
}

/** One connection: when, from which port, to where, and whose socket it was. */
export function sampleText(flow: Flow): string {
  const { source, destination, sourcePort, protocol, port, start } = flow;
  const from = sourcePort === 0 ? "" : ` port ${sourcePort}`;
  const process = source.process === undefined ? "" : `, by ${processText(source.process)}`;
  return `${moment(start)}  ${endName(source, true)}${from} → ${endName(destination, true)} ${formatPort(protocol, port)}${process}`;
}
