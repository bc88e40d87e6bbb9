/** The table of `bulkhead workloads`. */
import type { WorkloadsAnswer, WorkloadView } from "@bulkhead/api";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { count } from "../ui/words.ts";
import { mode } from "./verdicts.ts";

const COLUMNS: readonly Column<WorkloadView>[] = [
  { title: "WORKLOAD", cell: (row) => row.id },
  { title: "MODE", cell: (row, ui) => mode(row.mode, ui.style) },
  { title: "KIND", cell: (row) => row.kind },
  { title: "LABELS", cell: (row) => labels(row), shrink: true },
  { title: "POLICIES", cell: (row) => String(row.policies.length), align: "right" },
  { title: "HERE", cell: (row) => (row.attached ? "yes" : "no") },
  { title: "ADDRESSES", cell: (row) => row.addresses.join(", "), wide: true },
  { title: "INTERFACE", cell: (row) => row.interface ?? "-", wide: true },
  { title: "SELECTED BY", cell: (row) => row.policies.join(", ") || "-", wide: true },
];

function labels(row: WorkloadView): string {
  const text = Object.entries(row.labels)
    .map(([key, value]) => `${key}=${value}`)
    .toSorted()
    .join(",");
  return text || "-";
}

export function workloadsText(answer: Pick<WorkloadsAnswer, "workloads">, ui: Ui): string {
  const { workloads } = answer;
  if (workloads.length === 0)
    return "No workloads: nothing is attached to a bridge of this machine, and no Inventory names any.\n";
  const undeclared = workloads.filter((workload) => !workload.declared).length;
  const note =
    undeclared === 0
      ? ""
      : `\n${count(undeclared, "workload")} in no Inventory: ${undeclared === 1 ? "its labels come" : "their labels come"} from discovery alone.\n`;
  return `${renderTable(workloads, COLUMNS, ui)}${note}`;
}
