/** What `check` prints besides JSON: for people, for a pull request, and what other programs read. */
import { differenceFormats, exposureFormats } from "@bulkhead/workbench/desk";
import type { Checked } from "@bulkhead/workbench/check";
import type { ExitCode } from "../../failure.ts";
import type { Ui } from "../../ui/ui.ts";
import { count } from "../../ui/words.ts";
import { changesText, standInText } from "./check-words.ts";
import { affectedText } from "../affected.ts";
import { testsText } from "../tests.ts";
import { findingsFormat, findingsText, type Findings } from "./formats.ts";
import { checkMarkdown } from "./pull-request.ts";
import { replayNotices } from "./replay-notices.ts";

export interface CheckView extends Checked, Pick<Findings, "files"> {
  readonly dir: string;
  readonly base: string | undefined;
  readonly exitCode: ExitCode;
  readonly tests: Checked["tests"];
}

type Write = (view: CheckView, ui: Ui) => string;

export function checkFormat(name: string | undefined): Write {
  if (name === "md") return checkMarkdown;
  if (name === undefined || name === "text") return checkText;
  const write = findingsFormat(name);
  return (view, ui) => {
    const { impact, strangers } = view;
    // Of flows of nobody known nothing was tested, and nothing passed.
    return write(
      impact === undefined || strangers !== undefined
        ? view
        : { ...view, notices: replayNotices(impact.affected) },
      ui,
    );
  };
}

const MOST_LINES = 40;

function checkText(view: CheckView, ui: Ui): string {
  const { style } = ui;
  const { tests, dir, exposures, changes, base, standIns, baseProblems, impact } = view;
  const title = (text: string): string => `${style.bold(text)}\n`;
  const failed = tests.filter(({ passed }) => !passed).length;
  const sections = [
    title("Findings") + findingsText(view, ui),
    ...(tests.length === 0
      ? []
      : [title("Tests") + testsText({ passed: tests.length - failed, failed, tests }, dir, ui)]),
    title("Exposure") +
      shortened(
        exposureFormats.txt(exposures).split("\n").slice(1).join("\n").trimEnd().split("\n"),
        "`bulkhead exposure` lists all",
      ),
    ...(changes === undefined
      ? []
      : [
          title(`Since ${base}`) +
            (changes.length === 0
              ? "Nothing may talk to anything that it could not, and nothing is cut off.\n"
              : `${changesText(changes)}.\n${shortened([...differenceFormats.txt(changes)].join("").trimEnd().split("\n").slice(1), "`bulkhead diff` lists all")}`) +
            (baseProblems.length === 0
              ? ""
              : style.yellow(
                  `${count(baseProblems.length, "error")} in the files at ${base}: changes may look larger than they are\n`,
                )),
        ]),
    ...(impact === undefined
      ? []
      : [
          title("Recorded connections") +
            (["denied", "allowed"] as const)
              .map((kind) => {
                const { affected, [kind]: tally } = impact;
                return affectedText(kind, { affected, tally, exported: true }, ui);
              })
              .join("") +
            `${count(impact.unchanged, "edge")} unchanged.\n`,
        ]),
    ...(standIns.length === 0 ? [] : [`${standInText(standIns.length)}\n`]),
  ];
  return sections.join("\n");
}

function shortened(lines: readonly string[], how: string): string {
  const rest = lines.length - MOST_LINES;
  const shown = lines
    .slice(0, MOST_LINES)
    .map((line) => `${line}\n`)
    .join("");
  return rest <= 0 ? shown : `${shown}… and ${rest} more: ${how}\n`;
}
