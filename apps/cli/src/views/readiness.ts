/** What `readiness` prints: a row for each subject, then by name what is known to be coming and was not seen. */
import type { ReadinessAnswer } from "@bulkhead/api";
import type { Readiness } from "@bulkhead/model";
import {
  awaitedText,
  dateText,
  formerNamesText,
  gapText,
  READINESS_STATES,
  seenText,
  toldText,
  unseenText,
  waitsFor,
  weakenedText,
} from "@bulkhead/workbench";
import type { Style } from "../ui/style.ts";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { count, list, thousands } from "../ui/words.ts";
import { row } from "./findings/markdown.ts";

const PAINT: Readonly<Record<Readiness["state"], keyof Style>> = {
  learning: "yellow",
  ready: "green",
  "ready-except": "cyan",
};

const ALL = Number.POSITIVE_INFINITY;

const stateCell = ({ state }: Readiness, { style }: Ui): string =>
  style[PAINT[state]](READINESS_STATES[state]);

const waitsCell = (one: Readiness, limit: number): string => {
  const waits = waitsFor(one);
  return waits.length === 0 ? "-" : list(waits, limit);
};

const hiddenText = ({ unseen: { edges, edgesInterval } }: Readiness): string =>
  `${thousands(edges)} (${thousands(edgesInterval.low)}–${thousands(edgesInterval.high)})`;

const COLUMNS: readonly Column<Readiness>[] = [
  { title: "SUBJECT", cell: ({ subject }) => subject.name, shrink: true },
  { title: "STATE", cell: stateCell },
  { title: "SEEN", cell: seenText },
  { title: "UNSEEN (95 %)", cell: (one) => unseenText(one), align: "right" },
  { title: "READY", cell: dateText },
  { title: "WAITS FOR", cell: (one, ui) => waitsCell(one, ui.wide ? ALL : 2), shrink: true },
  {
    title: "OF CONNS",
    cell: (one) => unseenText(one, "connections"),
    wide: true,
  },
  { title: "HIDDEN EDGES", cell: hiddenText, wide: true },
  { title: "WORKLOADS", cell: ({ subject }) => String(subject.workloads.length), wide: true },
  {
    title: "NOT YET LOOKED AT",
    cell: ({ calendar }) => calendar.map(gapText).join("; "),
    wide: true,
  },
  {
    title: "WEAKENED",
    cell: (one) => [...toldText(one), ...one.weakened.map(weakenedText)].join("; "),
    wide: true,
  },
  { title: "WHY", cell: ({ reason }) => reason, wide: true },
];

/** Of whom nothing is known, neither seen nor coming. */
const isSilent = ({ unseen, awaited }: Readiness): boolean =>
  unseen.seen === 0 && awaited.length === 0;

/** Something is awaited, of nobody who is known. */
export const isNobody = ({ subject }: Readiness): boolean => subject.workloads.length === 0;

/** `command`: how it was asked, without names. `suggestion`: how to ask for rules from the same flows. */
export function readinessText(
  answer: ReadinessAnswer,
  ui: Ui,
  {
    command,
    suggestion,
    chosen,
  }: { readonly command: string; readonly suggestion: string; readonly chosen: boolean },
): string {
  const { subjects } = answer;
  const aside =
    isAllSetAside(answer) && !chosen
      ? `All that was seen is set aside: \`${suggestion}\` tells why.\n\n`
      : "";
  if (subjects.length === 0)
    return `${aside}Nobody is known yet whose picture could be complete.\n`;
  const silent = ui.wide ? [] : subjects.filter(isSilent);
  const strangers = ui.wide ? [] : subjects.filter(isNobody);
  const rows = subjects.filter((one) => !silent.includes(one) && !strangers.includes(one));
  const table = rows.length === 0 ? "" : `${renderTable(rows, COLUMNS, ui)}\n`;
  const rest = `${aside}${importedLines(rows, ui)}${strangersText(strangers)}${silentText(silent)}`;
  return `${table}${awaitedLines(rows, ui, command)}${rest}${summary(answer, chosen)}`;
}

/** Jobs of the machine's own, say, that no workload runs which is known: nobody's readiness hangs on them. */
function strangersText(strangers: readonly Readiness[]): string {
  return strangers
    .map((one) => {
      const names = waitsFor(one);
      return `Of nobody that is known (${one.subject.name}): ${list(names, 3)} (-o wide).\n\n`;
    })
    .join("");
}

/** Whose picture rests on imports: hours count for those alone of whom an import told. Told in a column where there is one. */
function importedLines(rows: readonly Readiness[], ui: Ui): string {
  if (ui.wide) return "";
  const byText = Map.groupBy(
    rows.flatMap((one) => toldText(one).map((text) => ({ text, name: one.subject.name }))),
    ({ text }) => text,
  );
  if (byText.size === 0) return "";
  const lines = [...byText].map(
    ([text, own]) =>
      `  ${ui.style.bold(
        list(
          own.map(({ name }) => name),
          3,
        ),
      )}: ${text}\n`,
  );
  return `Not of our own collectors alone:\n${lines.join("")}\n`;
}

function awaitedLines(rows: readonly Readiness[], ui: Ui, command: string): string {
  const coming = rows.flatMap(({ subject, awaited }) =>
    awaited
      .filter(({ kind }) => kind !== "doubt")
      .map((one) => `  ${ui.style.bold(subject.name)}: ${awaitedText(one)}\n`),
  );
  return [
    ...(coming.length === 0 ? [] : ["Known to be coming, and not seen:\n", ...coming, "\n"]),
    ...doubtLines(rows, ui, command),
  ].join("");
}

/** Both its ends wait for the same word: it is told once, with all whom it holds back. */
function doubtLines(rows: readonly Readiness[], ui: Ui, command: string): readonly string[] {
  const waiting = new Map<string, { readonly text: string; readonly names: string[] }>();
  for (const { subject, awaited } of rows) {
    for (const one of awaited) {
      if (one.kind !== "doubt") continue;
      const known = waiting.get(one.edge);
      if (known !== undefined) known.names.push(subject.name);
      else waiting.set(one.edge, { text: awaitedText(one, command), names: [subject.name] });
    }
  }
  const more = rows.flatMap(({ subject, moreDoubts }) =>
    moreDoubts === undefined ? [] : [`  ${ui.style.bold(subject.name)}: ${moreText(moreDoubts)}\n`],
  );
  if (waiting.size === 0) return [];
  const lines = [...waiting.values()].map(
    ({ text, names }) => `  ${ui.style.bold(list(names, 2))}: ${text}\n`,
  );
  return ["Seen, and waiting for a person's word:\n", ...lines, ...more, "\n"];
}

const moreText = (more: number): string =>
  `${count(more, "more doubtful edge")}, named when these are answered`;

function silentText(silent: readonly Readiness[]): string {
  if (silent.length === 0) return "";
  const names = silent.map(({ subject }) => subject.name);
  return `Nothing seen of ${list(names, 5)} that a rule could rest on (-o wide).\n\n`;
}

/** Nobody bears labels, say: then there is no row, and nothing to tell it by. */
export const isAllSetAside = ({ edges, setAside }: ReadinessAnswer): boolean =>
  edges === 0 && setAside > 0;

/** `chosen`: of these alone, and not of everybody who is known. */
function summary(
  { subjects, level, watched, edges, setAside, formerNames = [] }: ReadinessAnswer,
  chosen: boolean,
): string {
  const known = subjects.filter((one) => !isNobody(one));
  const sum = (state: Readiness["state"]): number =>
    known.filter((one) => one.state === state).length;
  const states = `${count(known.length, level)}: ${sum("ready")} ready, ${sum("ready-except")} ready except, ${sum("learning")} learning`;
  if (chosen) return `${states}\n`;
  const former = formerNamesText(formerNames)
    .map((line) => `${line}\n`)
    .join("");
  const imported =
    watched.importedHours === undefined
      ? ""
      : `, ${count(watched.importedHours, "hour")} of them by imports alone`;
  const aside = setAside === 0 ? "" : `, ${count(setAside, "edge")} set aside`;
  return `${states}; ${count(edges, "edge")}${aside}; ${count(watched.days, "day")} (${count(watched.hours, "hour")}) looked at${imported}\n${former}`;
}

/** A table as pull requests and reports hold it. */
export function readinessMarkdown({ subjects }: ReadinessAnswer): string {
  const head = ["Subject", "State", "Seen", "Unseen (95 %)", "Ready", "Waits for", "Why"];
  const rows = subjects.map((one) => [
    one.subject.name,
    READINESS_STATES[one.state],
    seenText(one),
    unseenText(one),
    dateText(one),
    [
      ...one.awaited.map((what) => awaitedText(what)),
      ...(one.moreDoubts === undefined ? [] : [moreText(one.moreDoubts)]),
      ...one.calendar.map(gapText),
    ].join("; "),
    one.reason,
  ]);
  return [head, head.map(() => "---"), ...rows].map(row).join("");
}
