/** What `suggest -f` prints: a line a rule, then what was set aside and why. */
import type { SuggestAnswer } from "@bulkhead/api";
import type { SetAside } from "@bulkhead/model";
import {
  beyondOf,
  COVERED,
  fewerRulesText,
  formerNamesText,
  isLeftOpen,
  LEFT_OPEN,
  listedAsides,
  listedNames,
  numberOf,
  REASONS,
  totalText,
  UNATTRIBUTED,
} from "@bulkhead/workbench";
import type { News } from "../suggest/news.ts";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { ago, count, list, thousands } from "../ui/words.ts";

const RULE_COLUMNS: readonly Column<SuggestAnswer["rules"][number]>[] = [
  { title: "RESOURCE", cell: (row) => row.resource, shrink: true },
  { title: "RULE", cell: (row) => row.rule, shrink: true },
  { title: "PORTS", cell: (row) => row.ports, shrink: true },
  { title: "CONNS", cell: (row) => thousands(row.connections), align: "right" },
  { title: "LAST SEEN", cell: (row, ui) => ago(row.lastSeen, ui.now) },
  {
    title: "SLACK",
    cell: ({ slack }) => (slack === undefined ? "" : slackCell(slack)),
    align: "right",
  },
  {
    title: "",
    cell: (row, ui) =>
      [
        ...(row.rare === true ? [ui.style.yellow("rare but real")] : []),
        ...(row.imported === undefined ? [] : [row.imported]),
      ].join("; "),
  },
];

/** The draft of an Inventory is what helps when workloads have no labels. */
export const INVENTORY_NEXT = "workloads --inventory > inventory.yaml";

function unlabelledText(answer: SuggestAnswer, ui: Ui): string {
  const names = answer.unlabelled ?? [];
  if (names.length === 0) return "";
  const who = `${count(names.length, "workload")} without labels: ${list(names, 5)}`;
  return `\n${ui.style.yellow(who)}\n  No rule can name ${names.length === 1 ? "it" : "them"}. Give labels in an Inventory and apply it.\n`;
}

/** At most so many new links are named where something else is printed. */
const NAMED = 10;

/** Empty when this person looks for the first time, or nothing is new. */
export function newsText({ since, links }: News["told"], ui: Ui): string {
  if (since === undefined || links.length === 0) return "";
  const rest = links.length - NAMED;
  const shown = links.slice(0, NAMED).map((link) => `  ${link}\n`);
  const more = rest > 0 ? `  and ${rest} more\n` : "";
  return `\n${ui.style.bold(count(links.length, "new edge"))} since you last looked, ${ago(since, ui.now)}:\n${shown.join("")}${more}`;
}

/** `--since-last`: only what is new, each with the rule that would allow it. */
export function sinceLastText(
  answer: SuggestAnswer,
  { since, links }: News["told"],
  ui: Ui,
): string {
  const when = since === undefined ? "" : ` since you last looked, ${ago(since, ui.now)}`;
  if (links.length === 0) return `Nothing new${when}.\n`;
  const fresh = new Set(links);
  const rows = (answer.links ?? []).filter(({ text }) => fresh.has(text));
  const head =
    since === undefined
      ? `You have not looked before: all of it is new (${count(links.length, "edge")}).\n\n`
      : `${count(links.length, "new edge")}${when}.\n\n`;
  return `${head}${renderTable(rows, LINK_COLUMNS, ui)}`;
}

const LINK_COLUMNS: readonly Column<NonNullable<SuggestAnswer["links"]>[number]>[] = [
  { title: "EDGE", cell: (row) => row.text, shrink: true },
  { title: "RULE", cell: (row) => row.resource, shrink: true },
  { title: "FIRST SEEN", cell: (row, ui) => ago(row.firstSeen, ui.now) },
];

function unattributedText({ unattributed = [] }: SuggestAnswer, ui: Ui, all: boolean): string {
  if (unattributed.length === 0) return "";
  const lines = listedNames(unattributed, all).map((line) => `  ${line}\n`);
  return `\n${ui.style.yellow(UNATTRIBUTED)}\n${lines.join("")}`;
}

export interface Shown {
  /** There was traffic, of addresses that are no known workload's. */
  readonly ofNobody: boolean;
  /** Every line of what was set aside. */
  readonly all: boolean;
}

export function suggestText(
  answer: SuggestAnswer,
  savedTo: string | undefined,
  ui: Ui,
  { ofNobody, all }: Shown,
): string {
  const aside = setAsideText(answer, ui, all);
  if (answer.rules.length === 0) {
    const why =
      (answer.unlabelled ?? []).length > 0
        ? "nothing was seen that a rule can name"
        : ofNobody
          ? "no address in the flows is a known workload's"
          : "no accepted traffic was seen";
    return `Nothing to suggest: ${why}${answer.setAside.length > 0 ? `, and ${count(answer.setAside.length, "edge")} set aside` : ""}.\n${aside}${unlabelledText(answer, ui)}`;
  }
  const head = `${count(answer.rules.length, "rule")} for ${count(answer.edges, "edge")}${savedTo === undefined ? "" : `, written to ${ui.style.bold(savedTo)}`}\n\n`;
  return `${head}${renderTable(answer.rules, RULE_COLUMNS, ui)}${slackLine(answer)}${readinessText(answer, ui)}${aside}${unattributedText(answer, ui, all)}${unlabelledText(answer, ui)}${formerText(answer)}`;
}

function formerText({ formerNames = [] }: SuggestAnswer): string {
  return formerNamesText(formerNames)
    .map((line) => `\n${line}\n`)
    .join("");
}

/** `4 of 12`: permitted and not used, of all that is permitted. */
function slackCell(slack: NonNullable<SuggestAnswer["rules"][number]["slack"]>): string {
  return `${numberOf(beyondOf(slack))} of ${numberOf(slack.permitted)}`;
}

function slackLine({ rules, fewerRules = [] }: SuggestAnswer): string {
  const told = rules.flatMap(({ slack }) => (slack === undefined ? [] : { slack }));
  const lines = [...totalText(told), ...fewerRulesText(fewerRules)];
  return lines.length === 0 ? "" : `\n${lines.join("\n")}\n`;
}

/** Of each application that rules are proposed for. */
function readinessText({ readiness = [], rules }: SuggestAnswer, ui: Ui): string {
  const proposed = new Set(rules.map(({ application }) => application));
  const lines = readiness
    .filter(({ application }) => proposed.has(application))
    .map(({ application, text }) => `  ${ui.style.bold(application)}: ${text}\n`);
  return lines.length === 0 ? "" : `\nHow complete the picture is:\n${lines.join("")}`;
}

function setAsideText(answer: SuggestAnswer, ui: Ui, all: boolean): string {
  const aside = answer.setAside as SetAside[];
  const covered = (answer.covered ?? []) as SetAside[];
  return [
    groupsText(
      "Set aside, not allowed",
      aside.filter((item) => !isLeftOpen(item)),
      ui,
      all,
    ),
    groupsText(LEFT_OPEN, aside.filter(isLeftOpen), ui, all),
    groupsText(COVERED, covered, ui, all),
  ].join("");
}

function groupsText(title: string, items: readonly SetAside[], ui: Ui, all: boolean): string {
  if (items.length === 0) return "";
  const { shown, rest } = listedAsides(items, all);
  const lines = shown.map((group) => {
    const ports = `${group.samplePorts.join(", ")}${group.ports > group.samplePorts.length ? ` and ${group.ports - group.samplePorts.length} more` : ""}`;
    return `  ${ui.style.yellow(REASONS[group.reason] ?? group.reason)}: ${group.source} → ${list(group.destinations)}, ${ports}\n    ${ui.style.dim(group.detail)}\n`;
  });
  const others = rest.map((line) => `  ${line}\n`);
  return `\n${title} (${count(items.length, "edge")}):\n${[...lines, ...others].join("")}`;
}
