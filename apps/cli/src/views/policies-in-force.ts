/** What `policies` prints: a row for each rule, below its resource's name. */
import type { PoliciesAnswer, RuleHits } from "@bulkhead/api";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { ago, bytes, count, thousands } from "../ui/words.ts";
import { mode } from "./verdicts.ts";

interface Row {
  readonly name: string;
  readonly mode?: "audit" | "enforce";
  readonly file?: string;
  readonly hits?: RuleHits;
}

const number = (title: string, of: (hits: RuleHits) => number): Column<Row> => ({
  title,
  align: "right",
  cell: ({ hits }) => {
    if (hits === undefined) return "";
    const value = of(hits);
    return value === 0 ? "-" : thousands(value);
  },
});

const COLUMNS: readonly Column<Row>[] = [
  { title: "RULE", cell: ({ name }) => name, shrink: true },
  { title: "MODE", cell: (row, ui) => (row.mode === undefined ? "" : mode(row.mode, ui.style)) },
  number("ALLOWED", ({ allowed }) => allowed),
  number("DENIED", ({ denied }) => denied),
  number("WOULD DENY", ({ wouldDeny }) => wouldDeny),
  {
    title: "LAST HIT",
    cell: ({ hits }, ui) =>
      hits === undefined ? "" : hits.lastHit === undefined ? "-" : ago(hits.lastHit, ui.now),
  },
  {
    title: "BYTES",
    align: "right",
    wide: true,
    cell: ({ hits }) => (hits === undefined ? "" : bytes(hits.bytes)),
  },
  { title: "FILE", cell: ({ file }) => file ?? "", wide: true },
];

export function policiesText(
  { policies, others, uncounted, revision }: PoliciesAnswer,
  ui: Ui,
): string {
  if (policies.length === 0)
    return "No policy is in force: everything is observed, nothing is denied.\n";
  const rows = policies.flatMap(({ name, mode: of, file, rules }): readonly Row[] => [
    { name, mode: of, file },
    ...rules.map((hits) => ({ name: `  ${placeOf(hits.rule)}`, hits })),
  ]);
  const all = [...rows, ...others.map((hits) => ({ name: hits.rule, hits }))];
  const missing =
    uncounted === undefined ? "" : ui.style.yellow(`; nothing was counted: ${uncounted}`);
  return `${renderTable(all, COLUMNS, ui)}\n${count(policies.length, "resource")} in revision ${revision}; packets since each rule has been in the kernel${missing}\n`;
}

/** Of `Policy/shop/db#ingress/0`, what stands behind the name; without a rule, it is what the rules leave. */
function placeOf(rule: string): string {
  const place = rule.slice(rule.indexOf("#") + 1);
  return place.includes("/") ? place : `${place}, all else`;
}
