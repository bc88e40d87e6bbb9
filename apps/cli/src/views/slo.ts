/** What `slo` prints: a row for each measure, what it was made of with `-o wide`, and what is not repaired yet. */
import type { IncidentView, MeasureView, SloAnswer } from "@bulkhead/api";
import { renderTable, type Column } from "../ui/table.ts";
import { row } from "./findings/markdown.ts";
import { plainStyle } from "../ui/style.ts";
import type { Ui } from "../ui/ui.ts";
import { ago, count, duration } from "../ui/words.ts";

const SIGNS: Readonly<Record<MeasureView["aim"], string>> = { "at-least": "≥", below: "<" };

/** Significant digits enough to tell a value from its target. */
function amount(value: number, unit: MeasureView["unit"]): string {
  switch (unit) {
    case "ratio":
      return `${Number((value * 100).toPrecision(3))} %`;
    case "per-week":
      return `${Number(value.toPrecision(3))} a week`;
    case "seconds":
      return value < 1 ? `${Math.round(value * 1000)} ms` : duration(value * 1000);
  }
}

const valueOf = ({ value, unit }: MeasureView): string =>
  value === null ? "-" : amount(value, unit);

const targetOf = ({ target, aim, unit }: MeasureView): string =>
  `${SIGNS[aim]} ${amount(target, unit)}`;

const partsOf = ({ parts }: MeasureView): string =>
  Object.entries(parts)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(", ");

function stateOf({ state }: MeasureView, { style }: Ui): string {
  switch (state) {
    case "ok":
      return style.green(state);
    case "burning":
      return style.red(state);
    case "unknown":
      return style.dim(state);
  }
}

const COLUMNS: readonly Column<MeasureView>[] = [
  { title: "MEASURE", cell: ({ id, name }) => `${id} ${name}` },
  { title: "VALUE", cell: valueOf, align: "right" },
  { title: "TARGET", cell: targetOf, align: "right" },
  { title: "STATE", cell: stateOf },
  {
    title: "OVER",
    cell: ({ from, until }, ui) =>
      until - from < 1000
        ? ui.now - from < 1000
          ? "now"
          : ago(from, ui.now)
        : duration(until - from),
  },
  { title: "MADE OF", cell: partsOf, wide: true },
  { title: "", cell: ({ reason }) => reason ?? "", shrink: true },
];

export function sloText(answer: SloAnswer, ui: Ui): string {
  const burning = answer.measures.filter(({ state }) => state === "burning");
  const summary =
    burning.length === 0
      ? "No measure misses its target.\n"
      : `${count(burning.length, "measure")} ${burning.length === 1 ? "misses its" : "miss their"} target.\n`;
  return `${renderTable(answer.measures, COLUMNS, ui)}${incidentsText(answer, ui)}\n${summary}`;
}

function incidentsText({ incidents }: SloAnswer, ui: Ui): string {
  const shown = ui.wide ? incidents : incidents.filter(({ endedAt }) => endedAt === undefined);
  if (shown.length === 0) return "";
  const line = ({ kind, subject, message, detectedAt, endedAt, endedBy }: IncidentView): string => {
    const end =
      endedAt === undefined
        ? `open for ${duration(ui.now - detectedAt)}`
        : `after ${duration(endedAt - detectedAt)}: ${endedBy ?? "ended"}`;
    return `  ${kind}  ${subject}  ${message}  (${end})\n`;
  };
  return `\n${ui.wide ? "Had to be repaired:" : "Not repaired yet:"}\n${shown.map(line).join("")}`;
}

/** A table as pull requests and reports hold it. */
export function sloMarkdown({ measures }: SloAnswer, ui: Ui): string {
  const plain: Ui = { ...ui, style: plainStyle };
  const rows = measures.map((one) => [
    `${one.id} ${one.name}`,
    valueOf(one),
    targetOf(one),
    stateOf(one, plain),
    [one.reason, partsOf(one)].filter((text) => text !== undefined && text !== "").join("; "),
  ]);
  const head = ["Measure", "Value", "Target", "State", "Made of"];
  return [head, head.map(() => "---"), ...rows].map(row).join("");
}
