/** What `policies --broad` prints: rules that permit ports which nothing used, and a narrower text of them. */
import type { PoliciesAnswer } from "@bulkhead/api";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { count, spanSince, thousands } from "../ui/words.ts";

type Rule = NonNullable<PoliciesAnswer["broad"]>["rules"][number];

const COLUMNS: readonly Column<Rule>[] = [
  { title: "RULE", cell: ({ rule }) => rule, shrink: true },
  { title: "PERMITS", cell: ({ permits }) => permits },
  { title: "USED", cell: ({ used }) => used },
  { title: "NEVER", align: "right", cell: ({ slack }) => thousands(slack) },
  { title: "PROPOSED", cell: proposal },
  { title: "PLACE", cell: ({ place }) => place, wide: true },
];

function proposal({ proposed, tooEarly, left }: Rule): string {
  if (tooEarly !== undefined) return `too early: ${tooEarly}`;
  return proposed ?? `none: ${left ?? "not told"}`;
}

export function broadText({ broad }: PoliciesAnswer, ui: Ui): string {
  if (broad === undefined) return "The controller did not tell what was used.\n";
  const { since, rules, patch, replayed } = broad;
  const span = spanSince(since, ui.now);
  if (rules.length === 0) return `Every rule that was used in ${span} was used on all its ports.\n`;
  const table = renderTable(rules, COLUMNS, ui);
  const end = `${count(rules.length, "rule")} permit${rules.length === 1 ? "s" : ""} ports that nothing used in ${span}.\n`;
  if (patch === "") return `${table}\n${end}`;
  const proof = `Nothing that was accepted is denied after this, of ${count(replayed, "recorded edge")}, and nothing more is permitted:\n`;
  return `${table}\n${end}${proof}\n${patch}`;
}
