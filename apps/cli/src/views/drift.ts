/** What `drift` prints: each finding with its differences, newest first. */
import type { DriftAnswer, DriftView } from "@bulkhead/api";
import type { Ui } from "../ui/ui.ts";
import { count, moment } from "../ui/words.ts";

const SHOWN = 5;

export function driftText(answer: DriftAnswer, ui: Ui): string {
  const setting =
    answer.setting === "repair"
      ? "Drift is repaired as soon as it is found."
      : "Drift is reported and left as it is (drift --set repair changes that).";
  if (answer.reports.length === 0) return `No drift was found. ${setting}\n`;
  const reports = answer.reports.toSorted((a, b) => b.detectedAt - a.detectedAt);
  return `${reports.map((report) => reportText(report, ui)).join("")}\n${count(reports.length, "time")} in all. ${setting}\n`;
}

function reportText(report: DriftView, ui: Ui): string {
  const outcome = report.repaired ? ui.style.green("repaired") : ui.style.red("not repaired");
  const shown = ui.wide ? report.differences : report.differences.slice(0, SHOWN);
  const rest = report.differences.length - shown.length;
  const lines = shown.map((difference) => `  ${difference}\n`).join("");
  const more = rest > 0 ? `  ${ui.style.dim(`and ${rest} more (-o wide)`)}\n` : "";
  return `${moment(report.detectedAt)}  ${report.host}  revision ${report.revision}  ${outcome}\n${lines}${more}`;
}
