/** The table of `bulkhead workloads`. */
import type { WorkloadsAnswer, WorkloadView } from "@bulkhead/api";
import { formatPort } from "@bulkhead/model";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { count, list } from "../ui/words.ts";
import { mode } from "./verdicts.ts";

const COLUMNS: readonly Column<WorkloadView>[] = [
  { title: "WORKLOAD", cell: (row) => row.id },
  { title: "MODE", cell: (row, ui) => mode(row.mode, ui.style) },
  { title: "KIND", cell: (row) => row.kind },
  { title: "LABELS", cell: (row, ui) => labels(row, ui.wide), shrink: true },
  { title: "POLICIES", cell: (row) => String(row.policies.length), align: "right" },
  { title: "HERE", cell: (row) => (row.attached ? "yes" : "no") },
  { title: "ADDRESSES", cell: (row) => row.addresses.join(", "), wide: true },
  { title: "INTERFACE", cell: (row) => row.interface ?? "-", wide: true },
  { title: "SELECTED BY", cell: (row) => row.policies.join(", ") || "-", wide: true },
];

/** Only where there are processes of the machine. */
const PROCESS_COLUMNS: readonly Column<WorkloadView>[] = [
  { title: "LISTENS", cell: (row) => listens(row), shrink: true },
  { title: "USERS", cell: (row) => row.running?.users.join(", ") || "-", wide: true },
  { title: "RUNS", cell: (row) => runs(row), wide: true },
  { title: "PACKAGE", cell: (row) => row.running?.executable?.package ?? "-", wide: true },
  { title: "CONTROL GROUP", cell: (row) => row.cgroup ?? "-", wide: true },
];

/** What the system says of a unit stands in its name already. */
const OF_THE_SYSTEM = "bulkhead.dev/";

function labels(row: WorkloadView, wide: boolean): string {
  const text = Object.entries(row.labels)
    .filter(([key]) => wide || row.kind !== "process" || !key.startsWith(OF_THE_SYSTEM))
    .map(([key, value]) => `${key}=${value}`)
    .toSorted()
    .join(",");
  return text || "-";
}

/** `nginx ×3` */
function runs({ running }: WorkloadView): string {
  if (running === undefined) return "-";
  const names = Map.groupBy(running.processes, ({ name }) => name);
  const told = [...names].map(([name, all]) =>
    all.length === 1 ? name : `${name} ×${all.length}`,
  );
  const more = running.count - running.processes.length;
  return [...told, ...(more > 0 ? [`${more} more`] : [])].join(", ") || "-";
}

/** `80/tcp, 127.0.0.1:631/tcp`: each once, whatever the family. */
function listens({ sockets = [] }: WorkloadView): string {
  const texts = sockets.map(({ address, protocol, port }) => {
    const at = address === undefined ? "" : address.includes(":") ? `[${address}]:` : `${address}:`;
    return `${at}${formatPort(protocol, port)}`;
  });
  return [...new Set(texts)].join(", ") || "-";
}

export function workloadsText(
  answer: Pick<WorkloadsAnswer, "workloads" | "processesProblem">,
  ui: Ui,
  hidden = 0,
): string {
  const { workloads, processesProblem } = answer;
  const notes = notesOf(workloads, hidden);
  if (processesProblem !== undefined)
    notes.push(`Services of this machine are not told apart: ${processesProblem}.`);
  const after = notes.map((note) => `\n${note}\n`).join("");
  if (workloads.length === 0)
    return `No workloads: nothing is attached to a bridge of this machine, and no Inventory names any.\n${after}`;
  const isThere = workloads.some(({ kind }) => kind === "process");
  const columns = isThere
    ? [...COLUMNS.slice(0, 4), ...PROCESS_COLUMNS, ...COLUMNS.slice(4)]
    : COLUMNS;
  return `${renderTable(workloads, columns, ui)}${after}`;
}

function notesOf(workloads: readonly WorkloadView[], hidden: number): string[] {
  const notes: string[] = [];
  const undeclared = workloads.filter(
    ({ declared, kind }) => !declared && kind !== "process",
  ).length;
  if (undeclared > 0)
    notes.push(
      `${count(undeclared, "workload")} in no Inventory: ${undeclared === 1 ? "its labels come" : "their labels come"} from discovery alone.`,
    );
  const contested = workloads.flatMap(({ id, contested: shared = [] }) =>
    shared.length === 0 ? [] : [`${id}: ${shared.join(", ")}`],
  );
  if (contested.length > 0)
    notes.push(
      `Claimed by several, so that the strictest of their policies holds:\n${contested.map((text) => `  ${text}`).join("\n")}`,
    );
  const borrowing = workloads.flatMap(({ id, borrowed = [] }) =>
    borrowed
      .filter(({ how }) => how !== "accepted")
      .map(({ maker = "a control group that has gone", how, ports }) => {
        const sockets = list(
          ports.map(({ protocol, port }) => formatPort(protocol, port)),
          5,
        );
        return `${id} uses sockets${sockets === "" ? "" : ` (${sockets})`} made by ${maker}${how === "activated" ? " for it" : ""}`;
      }),
  );
  if (borrowing.length > 0)
    notes.push(
      `Judged by who made the socket, so not to be enforced as they are:\n${borrowing.map((text) => `  ${text}`).join("\n")}`,
    );
  if (hidden > 0)
    notes.push(
      `${count(hidden, "idle unit")} of this machine ${hidden === 1 ? "is" : "are"} not shown (--all): no socket that waits, no flow seen, no policy.`,
    );
  return notes;
}
