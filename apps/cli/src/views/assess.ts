/** What `assess` prints: what to do first and why, then what that rests on. */
import type { Assessment, Jewel, MaturityRow, Prerequisite } from "@bulkhead/workbench/assess";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { count } from "../ui/words.ts";
import { row } from "./findings/markdown.ts";

/** Adds how the program is called here. */
type Hint = (command: string) => string;

const BASIS: Readonly<Record<Jewel["basis"], string>> = {
  flows: "flows",
  configuration: "configuration",
  namespace: "its namespace",
};

const change = (now: number, after: number): string =>
  now === after ? String(now) : `${now} → ${after}`;
const whatOf = ({ store, openToWorld }: Jewel): string =>
  [...(store === undefined ? [] : [store]), ...(openToWorld ? ["open to the world"] : [])].join(
    ", ",
  ) || "-";

const JEWELS: readonly Column<Jewel>[] = [
  { title: "WORKLOAD", cell: ({ workload }) => workload, shrink: true },
  { title: "WHAT", cell: whatOf, shrink: true },
  { title: "MAY CONNECT", cell: ({ now, after }) => change(now.direct, after.direct) },
  {
    title: "REACH IT AT ALL",
    cell: ({ now, after }) => change(now.paths, after.paths),
    wide: true,
  },
  { title: "BLAST RADIUS", cell: ({ now, after }) => change(now.blast, after.blast) },
  { title: "KNOWN BY", cell: ({ basis }) => BASIS[basis] },
  { title: "WHY", cell: ({ why }) => why, wide: true },
];

const markOf = ({ met }: MaturityRow): string => (met === undefined ? "?" : met ? "✓" : "✗");

export function assessText(answer: Assessment, ui: Ui, hint: Hint): string {
  const { style } = ui;
  const parts = [headOf(answer, ui)];
  if (answer.first.length > 0) {
    const steps = answer.first.map(
      ({ what, why, command }, at) =>
        `${at + 1}. ${style.bold(what)}\n   ${why}\n   ${style.cyan(hint(command))}\n`,
    );
    parts.push(`${style.bold("First")}\n${steps.join("")}`);
  }
  if (answer.jewels.length > 0) {
    parts.push(
      `${style.bold("Worth confining")}, now → confined to those it is known to talk to\n${renderTable(answer.jewels, JEWELS, ui)}`,
    );
  }
  if (answer.prerequisites.length > 0) {
    const lines = answer.prerequisites.map((one) => missingLine(one, ui, hint));
    parts.push(`${style.bold("Missing")}\n${lines.join("")}`);
  }
  const { level, rows } = answer.maturity;
  const rungs = rows.map(
    (one) =>
      `  ${one.met === true ? style.green(markOf(one)) : style.yellow(markOf(one))} ${one.level.padEnd(13)} ${one.text}${one.met === false ? `  ${style.cyan(hint(one.command))}` : ""}\n`,
  );
  parts.push(`${style.bold("Maturity")}: ${level ?? "not begun"}\n${rungs.join("")}`);
  return parts.join("\n");
}

function headOf({ workloads, averageBlast, jewels }: Assessment, { style }: Ui): string {
  if (workloads === 0) return "Nobody is known yet.\n";
  const now = style.bold(number(averageBlast.now));
  const others = count(workloads - 1, "other workload");
  const after =
    jewels.length === 0
      ? ""
      : `; with the ${jewels.length === 1 ? "one" : jewels.length} below confined, ${style.bold(number(averageBlast.after))}`;
  return `An intruder in one workload reaches ${now} of ${others} on average${after}.\n`;
}

const number = (value: number): string => String(Math.round(value * 10) / 10);

function missingLine(
  { weight, text, why, samples, command }: Prerequisite,
  ui: Ui,
  hint: Hint,
): string {
  const { style } = ui;
  const mark = weight === "blocks" ? style.red("!") : style.yellow("-");
  // The text says how many there are; these are a few of them.
  const some = samples.slice(0, ui.wide ? samples.length : 3);
  const whom = some.length === 0 ? "" : ` (such as ${some.join(", ")})`;
  return `  ${mark} ${text}${whom}; ${why}  ${style.cyan(hint(command))}\n`;
}

/** As reports hold it. */
export function assessMarkdown(answer: Assessment, hint: Hint): string {
  const { workloads, averageBlast, first, jewels, prerequisites, maturity } = answer;
  const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
    rows.length === 0 ? "" : [head, head.map(() => "---"), ...rows].map(row).join("");
  const sections: readonly (readonly [string, string])[] = [
    [
      "First",
      first
        .map(
          ({ what, why, command }, at) =>
            `${at + 1}. **${plain(what)}**: ${plain(why)}. \`${hint(command)}\`\n`,
        )
        .join(""),
    ],
    [
      "Worth confining",
      table(
        ["Workload", "What", "May connect", "Blast radius", "Known by", "Command"],
        jewels.map((one) => [
          one.workload,
          whatOf(one),
          change(one.now.direct, one.after.direct),
          change(one.now.blast, one.after.blast),
          BASIS[one.basis],
          `\`${hint(one.command)}\``,
        ]),
      ),
    ],
    [
      "Missing",
      table(
        ["What", "Why it matters", "Command"],
        prerequisites.map(({ text, why, command }) => [text, why, `\`${hint(command)}\``]),
      ),
    ],
    [
      `Maturity: ${maturity.level ?? "not begun"}`,
      table(
        ["Level", "What", "Met", "Command"],
        maturity.rows.map((one) => [
          one.level,
          one.text,
          one.met === undefined ? "not known" : one.met ? "yes" : "no",
          one.met === false ? `\`${hint(one.command)}\`` : "",
        ]),
      ),
    ],
  ];
  const blast = `${count(workloads, "workload")}; an intruder in one reaches ${number(averageBlast.now)} others on average, and ${number(averageBlast.after)} with those below confined.\n`;
  return `${blast}${sections
    .filter(([, text]) => text !== "")
    .map(([title, text]) => `\n## ${title}\n\n${text}`)
    .join("")}`;
}

/** Names are somebody's to choose, and stand outside of a table here. */
const plain = (text: string): string => text.replaceAll(/[\\`*_<>[\]]/g, "\\$&");
