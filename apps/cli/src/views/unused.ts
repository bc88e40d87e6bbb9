/** What `policies --unused` prints: rules that nothing on record needed, and since when they have been in force. */
import type { PoliciesAnswer } from "@bulkhead/api";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { ago, count, duration, spanSince } from "../ui/words.ts";

type Rule = NonNullable<PoliciesAnswer["usage"]>["rules"][number];

const COLUMNS: readonly Column<Rule>[] = [
  { title: "RULE", cell: ({ rule }) => rule, shrink: true },
  { title: "IN FORCE", cell: ({ inForceSince }, ui) => duration(ui.now - inForceSince) },
  {
    title: "LAST USED",
    cell: ({ lastUsed }, ui) => (lastUsed === undefined ? "-" : ago(lastUsed, ui.now)),
  },
  { title: "PLACE", cell: ({ place }) => place },
];

export function unusedText({ usage }: PoliciesAnswer, ui: Ui): string {
  if (usage === undefined) return "The controller did not tell what was used.\n";
  const { since, from, rules } = usage;
  const span = spanSince(since, ui.now);
  if (from > since) {
    return `Flows are on record for ${duration(ui.now - from)} only: what was not needed in ${span} cannot be told yet.\n`;
  }
  const unused = rules.filter((one) => one.unused);
  const shown = ui.wide ? rules : unused;
  const young = rules.filter((one) => one.lastUsed === undefined && !one.unused).length;
  const table = shown.length === 0 ? "" : `${renderTable(shown, COLUMNS, ui)}\n`;
  const rest = young === 0 ? "" : `; ${count(young, "rule")} in force for less, and not needed yet`;
  return `${table}${unused.length} of ${count(rules.length, "rule")} decided nothing in ${span}${rest}.\n`;
}
