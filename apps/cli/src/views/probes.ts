/** What `probe` prints: failures and skips in full, passes as a count unless all is asked for. */
import type { ProbeResultView, ProbeSummary } from "@bulkhead/api";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { count, duration } from "../ui/words.ts";
import { edgePort } from "./verdicts.ts";

const expectation = ({ probe }: ProbeResultView): string =>
  probe.spared === true ? `${probe.expected} (canary)` : probe.expected;

const COLUMNS: readonly Column<ProbeResultView>[] = [
  { title: "OUTCOME", cell: (row, ui) => outcome(row, ui) },
  { title: "FROM", cell: (row) => row.probe.from, shrink: true },
  { title: "", cell: () => "→" },
  { title: "TO", cell: (row) => row.probe.to, shrink: true },
  { title: "PORT", cell: (row) => edgePort(row.probe) },
  { title: "EXPECTED", cell: expectation },
  { title: "SENT", cell: (row) => yes(row.sent) },
  { title: "ARRIVED", cell: (row) => yes(row.received) },
  { title: "DETAIL", cell: (row) => row.detail, shrink: true },
  { title: "RULE", cell: (row) => row.probe.rule ?? "-", wide: true },
  {
    title: "ADDRESSES",
    cell: (row) => `${row.probe.source} → ${row.probe.destination}`,
    wide: true,
  },
];

const yes = (value: boolean): string => (value ? "yes" : "no");

function outcome(row: ProbeResultView, ui: Ui): string {
  if (row.outcome === "passed") return ui.style.green("passed");
  return row.outcome === "failed" ? ui.style.red("failed") : ui.style.yellow("skipped");
}

/** Nothing was sent: no two ends for it are here. */
function untried({ outcome, probe }: ProbeResultView): boolean {
  return outcome === "skipped" && probe.source === "";
}

/** Why, in full: a column of a table has no room for it. */
function untriedText(results: readonly ProbeResultView[], ui: Ui): string {
  if (results.length === 0) return "";
  const rows = results.map(({ probe: { rule = "-", place }, detail }) => {
    const where = place === undefined ? "" : ` (${place.file}:${place.line})`;
    return `  ${rule}${where}\n    ${detail}\n`;
  });
  const title = `${count(results.length, "rule")} that cannot be tried from here, and so not proven:`;
  return `${ui.style.yellow(title)}\n${rows.join("")}\n`;
}

export function probeText(
  results: readonly ProbeResultView[],
  summary: ProbeSummary,
  ui: Ui,
): string {
  const tried = results.filter((result) => !untried(result));
  const shown = ui.wide ? tried : tried.filter((result) => result.outcome !== "passed");
  const table = shown.length === 0 ? "" : `${renderTable(shown, COLUMNS, ui)}\n`;
  if (results.length === 0) return "Nothing to probe: no policy is enforced.\n";
  const verdict = summary.proven ? ui.style.green("Proven") : ui.style.red("Not proven");
  const onlySkipped = !summary.proven && summary.failed === 0;
  const why = onlySkipped ? " A skipped probe proves nothing." : "";
  const spared =
    summary.spared === undefined ? "" : `, ${summary.spared} of all outside the canary for now`;
  const left = untriedText(results.filter(untried), ui);
  return `${table}${left}${verdict} for revision ${summary.revision}: ${count(summary.rules, "connection")} that must pass, ${summary.boundaries} that must not${spared}; ${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped, in ${summary.tookMs < 10_000 ? `${(summary.tookMs / 1000).toFixed(1)} s` : duration(summary.tookMs)}.${why}\n`;
}
