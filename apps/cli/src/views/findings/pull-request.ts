/** What a pull request is told about its policies, in Markdown: what changes first, then what is wrong, then what is open. */
import {
  portsTexts,
  exposureFormats,
  NO_CONNECTIONS,
  type Difference,
} from "@bulkhead/workbench/desk";
import type { Affected, Tally } from "@bulkhead/model";
import { count, list, moment, thousands } from "../../ui/words.ts";
import { ownersOf, partyText, portsText, sampleText } from "../affected.ts";
import { shortDeterminant } from "../determinant.ts";
import type { CheckView } from "./check.ts";
import { changesText, standInText, strangersText } from "./check-words.ts";
import { countsOf, findingsTable, row } from "./markdown.ts";
import { pathOf } from "./place.ts";

/** GitHub takes no more than 65,536 characters in a comment. */
const MOST_ROWS = 100;
/** With rules, places and times each of these is long. */
const MOST_AFFECTED = 40;
const MOST_SAMPLES = 10;
const MOST_OWNERS = 20;

export function checkMarkdown(view: CheckView): string {
  const { findings, tests, changes, base, standIns, exitCode, dir, baseProblems } = view;
  const failed = tests.filter(({ passed }) => !passed);
  const summary = [
    ...(changes === undefined
      ? []
      : [changes.length === 0 ? "connectivity unchanged" : changesText(changes)]),
    countsOf(findings),
    ...(tests.length === 0 ? [] : [`${count(tests.length, "test")}, ${failed.length} failed`]),
  ];
  const verdict = exitCode === 0 ? "✅" : "❌";
  return [
    `## ${verdict} Policy check: \`${pathOf(dir)}\`\n\n${summary.join(" · ")}\n`,
    ...(changes === undefined ? [] : [changesSection(changes, base ?? "", baseProblems.length)]),
    ...replaySection(view),
    `### Findings\n\n${findingsTable(findings)}`,
    ...(tests.length === 0 ? [] : [testsSection(view)]),
    exposureSection(view),
    ...(standIns.length === 0 ? [] : [`> ${standInText(standIns.length)}\n`]),
  ].join("\n");
}

function changesSection(changes: readonly Difference[], base: string, problems: number): string {
  const note =
    problems === 0
      ? ""
      : `\n> ${count(problems, "error")} in the files at \`${base}\`: changes may look larger than they are.\n`;
  const head = `### Who can reach whom, since \`${base}\`\n\n`;
  if (changes.length === 0) {
    return `${head}Nothing may talk to anything that it could not, and nothing is cut off.\n${note}`;
  }
  const words = {
    added: "➕ newly allowed",
    removed: "➖ no longer allowed",
    changed: "✏️ changed",
  };
  const order = ["added", "changed", "removed"] as const;
  const sorted = order.flatMap((kind) => changes.filter((one) => one.kind === kind));
  const rows = sorted
    .slice(0, MOST_ROWS)
    .map((one) =>
      row([words[one.kind], one.source, one.destination, ...portsTexts(one).map(orNothing)]),
    );
  const rest = sorted.length - rows.length;
  const more =
    rest === 0 ? "" : `\n… and ${count(rest, "other change")}; \`bulkhead diff\` lists all.\n`;
  return `${head}${row(["", "from", "to", "before", "after"])}${row(["---", "---", "---", "---", "---"])}${rows.join("")}${more}${note}`;
}

function orNothing(text: string): string {
  return text === NO_CONNECTIONS ? "nothing" : text;
}

/** Who was seen to connect, is affected, and has to be asked; below that single connections, for whoever looks closer. */
function replaySection({ impact, base, strangers }: CheckView): readonly string[] {
  if (impact === undefined) return [];
  const { denied, allowed, unchanged, affected } = impact;
  const beside = base === undefined ? "Beside no policy at all" : `Since \`${base}\``;
  const kinds = ({ edges, connections }: Tally) =>
    edges === 0 ? "none" : `${count(edges, "edge")} (${count(connections, "connection")})`;
  const head = `### Recorded connections\n\n${beside}: newly denied ${kinds(denied)}, newly allowed ${kinds(allowed)}, ${count(unchanged, "edge")} as before.\n`;
  if (strangers !== undefined) return [`${head}\n> ⚠️ ${strangersText(strangers)}\n`];
  if (affected.length === 0) return [head];
  const shown = affected.slice(0, MOST_AFFECTED);
  const rest = affected.length - shown.length;
  const more =
    rest === 0 ? "" : `\n… and ${count(rest, "more row", "more rows")}; \`-o json\` has all.\n`;
  const titles = [
    "",
    "from",
    "to",
    "ports",
    "connections",
    "seen",
    "owner",
    "decided by",
    "before",
  ];
  const rows = shown.map((one) =>
    row([
      one.change === "denied" ? "⛔ newly denied" : "➕ newly allowed",
      code(partyText(one.source)),
      code(partyText(one.destination)),
      portsText(one),
      thousands(one.connections),
      `${moment(one.firstSeen)}<br>${moment(one.lastSeen)}`,
      ownersOf(one).map(code).join(", ") || "–",
      code(shortDeterminant(one.after, pathOf)),
      code(shortDeterminant(one.before, pathOf)),
    ]),
  );
  const table = `${row(titles)}${row(titles.map(() => "---"))}${rows.join("")}`;
  return [`${head}${askedText(affected)}\n${table}${more}${samplesText(shown)}`];
}

function askedText(affected: readonly Affected[]): string {
  const owners = [...new Set(affected.flatMap(ownersOf))].toSorted();
  const nobodys = affected.filter((one) => ownersOf(one).length === 0).length;
  const unnamed = nobodys === 0 ? "" : `; ${count(nobodys, "row")} without an owner`;
  return owners.length === 0
    ? ""
    : `\nOwners affected: ${list(owners.map(code), MOST_OWNERS)}${unnamed}.\n`;
}

function samplesText(shown: readonly Affected[]): string {
  const lines = shown
    .flatMap(({ samples }) => samples.slice(-1))
    .slice(0, MOST_SAMPLES)
    .map((flow) => `${sampleText(flow)}\n`);
  if (lines.length === 0) return "";
  return `\n<details><summary>${count(lines.length, "connection")} of these</summary>\n\n\`\`\`text\n${lines.join("").replaceAll("`", "'")}\`\`\`\n\n</details>\n`;
}

function code(text: string): string {
  return `\`${text.replaceAll("`", "'")}\``;
}

function testsSection({ tests }: CheckView): string {
  const rows = tests
    .toSorted((a, b) => Number(a.passed) - Number(b.passed))
    .slice(0, MOST_ROWS)
    .map(({ test, passed, message, source }) =>
      row([
        passed ? "✅" : "❌",
        test,
        passed ? "" : message,
        `\`${pathOf(source.file)}:${source.line}\``,
      ]),
    );
  return `### Tests\n\n${row(["", "test", "", "place"])}${row(["---", "---", "---", "---"])}${rows.join("")}`;
}

function exposureSection({ exposures }: CheckView): string {
  const open = exposures.unprotected.length;
  const title = `Exposure: ${count(exposures.exposures.length, "way")} to and from whoever is not in the files, ${open === 0 ? "no workload" : count(open, "workload direction")} without a policy`;
  const lines = exposureFormats.md(exposures).split("\n").slice(1);
  const rest = lines.length - MOST_ROWS;
  const shown = lines.slice(0, MOST_ROWS).join("\n").trimEnd();
  const more = rest <= 0 ? "" : `\n\n… and more; \`bulkhead exposure\` lists all.`;
  return `<details><summary>${title}</summary>\n\n${shown}${more}\n\n</details>\n`;
}
