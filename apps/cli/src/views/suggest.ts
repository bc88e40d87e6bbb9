/** What `suggest -f` prints: a line a rule, then what was set aside and why. */
import type { SuggestAnswer } from "@bulkhead/api";
import { summarise } from "@bulkhead/learn";
import type { SetAside } from "@bulkhead/model";
import { REASONS } from "@bulkhead/workbench";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { ago, count, list, thousands } from "../ui/words.ts";

const RULE_COLUMNS: readonly Column<SuggestAnswer["rules"][number]>[] = [
  { title: "RESOURCE", cell: (row) => row.resource, shrink: true },
  { title: "RULE", cell: (row) => row.rule, shrink: true },
  { title: "PORTS", cell: (row) => row.ports, shrink: true },
  { title: "CONNS", cell: (row) => thousands(row.connections), align: "right" },
  { title: "LAST SEEN", cell: (row, ui) => ago(row.lastSeen, ui.now) },
  { title: "", cell: (row, ui) => (row.rare === true ? ui.style.yellow("rare but real") : "") },
];

/** The draft of an Inventory is what helps when workloads have no labels. */
export const INVENTORY_NEXT = "workloads --inventory > inventory.yaml";

function unlabelledText(answer: SuggestAnswer, ui: Ui): string {
  const names = answer.unlabelled ?? [];
  if (names.length === 0) return "";
  const who = `${count(names.length, "workload")} without labels: ${list(names, 5)}`;
  return `\n${ui.style.yellow(who)}\n  No rule can name ${names.length === 1 ? "it" : "them"}. Give labels in an Inventory and apply it.\n`;
}

export function suggestText(answer: SuggestAnswer, savedTo: string | undefined, ui: Ui): string {
  if (answer.rules.length === 0) {
    const why =
      (answer.unlabelled ?? []).length > 0
        ? "nothing was seen that a rule can name"
        : "no accepted traffic was seen";
    return `Nothing to suggest: ${why}${answer.setAside.length > 0 ? `, and ${count(answer.setAside.length, "edge")} set aside` : ""}.\n${setAsideText(answer, ui)}${unlabelledText(answer, ui)}`;
  }
  const head = `${count(answer.rules.length, "rule")} for ${count(answer.edges, "edge")}${savedTo === undefined ? "" : `, written to ${ui.style.bold(savedTo)}`}\n\n`;
  return `${head}${renderTable(answer.rules, RULE_COLUMNS, ui)}${setAsideText(answer, ui)}${unlabelledText(answer, ui)}`;
}

function setAsideText(answer: SuggestAnswer, ui: Ui): string {
  if (answer.setAside.length === 0) return "";
  const groups = summarise(answer.setAside as SetAside[]);
  const lines = groups.map((group) => {
    const ports = `${group.samplePorts.join(", ")}${group.ports > group.samplePorts.length ? ` and ${group.ports - group.samplePorts.length} more` : ""}`;
    return `  ${ui.style.yellow(REASONS[group.reason] ?? group.reason)}: ${group.source} → ${list(group.destinations)}, ${ports}\n    ${ui.style.dim(group.detail)}\n`;
  });
  return `\nSet aside, not allowed (${count(answer.setAside.length, "edge")}):\n${lines.join("")}`;
}
