/** Findings as a table of Markdown, worst first, for a comment on a pull request. */
import type { Diagnostic, Severity } from "@bulkhead/model";
import { count } from "../../ui/words.ts";
import type { Findings } from "./formats.ts";
import { pathOf } from "./place.ts";

const RANKS: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };
const WORDS: Readonly<Record<Severity, string>> = {
  error: "error",
  warning: "warning",
  info: "note",
};

export function findingsMarkdown({ findings }: Pick<Findings, "findings">): string {
  return `## Policy findings\n\n${findingsTable(findings)}`;
}

export function findingsTable(findings: readonly Diagnostic[]): string {
  if (findings.length === 0) return "Nothing found.\n";
  const rows = findings
    .toSorted((a, b) => RANKS[a.severity] - RANKS[b.severity])
    .map(({ severity, code, span, message, help }) => {
      const what = help === undefined ? message : `${message}<br>${help}`;
      return row([WORDS[severity], code, `\`${pathOf(span.file)}:${span.line}\``, what]);
    });
  return `${row(["severity", "code", "place", "finding"])}${row(["---", "---", "---", "---"])}${rows.join("")}\n${countsOf(findings)}\n`;
}

export function countsOf(findings: readonly Diagnostic[]): string {
  const counts = (["error", "warning", "info"] as const).flatMap((severity) => {
    const number = findings.filter((one) => one.severity === severity).length;
    return number === 0 ? [] : [count(number, WORDS[severity])];
  });
  return counts.length === 0 ? "nothing found" : counts.join(", ");
}

/** What is in a cell cannot end it, nor open a tag. */
export function row(cells: readonly string[]): string {
  const safe = cells.map((cell) =>
    cell
      .replaceAll("|", String.raw`\|`)
      .replaceAll(/<(?!br>)/g, "&lt;")
      .replaceAll("\n", " "),
  );
  return `| ${safe.join(" | ")} |\n`;
}
