/**
 * A suggestion as the text of a pull request: what is proposed and for whom, on which evidence, what was set aside and why,
 * and what it would have done to everything on record. The same suggestion gives the same text.
 */
import { formatPort, type Edge, type SetAside } from "@bulkhead/model";
import { listedAsides, listedNames } from "./aside-groups.ts";
import type { ReplayCounts } from "./suggestion-replay.ts";
import { beyondOf, causesText, fewerRulesText, pairsOf, totalText } from "./slack-text.ts";
import type {
  ReportedRule,
  ReportedSet,
  ReportedSlack,
  SuggestionReport,
} from "./suggestion-report.ts";
import { COVERED, isLeftOpen, LEFT_OPEN, PURPOSES, REASONS, UNATTRIBUTED } from "./reasons.ts";
import { many, moment, thousands } from "./words.ts";

export interface PullRequest {
  readonly report: SuggestionReport;
  /** Absent when it was not asked for. */
  readonly replay?: ReplayCounts;
  /** Spans of time that were not learned from. */
  readonly excluded: readonly { readonly from: number; readonly to: number }[];
  /** Whose words the files are in, `Cilium`; absent for our own. */
  readonly dialect?: string;
  /** There was traffic, and not one end of it is a known workload. */
  readonly ofNobody?: boolean;
  /** Every line of what was set aside, however many. */
  readonly all?: boolean;
  /** Of links that are new to whoever asks; absent when nobody asked. */
  readonly news?: { readonly since?: number; readonly links: readonly string[] };
}

const LISTED = 20;

export function suggestionMarkdown({
  report,
  replay,
  excluded,
  news,
  dialect,
  ofNobody = false,
  all = false,
}: PullRequest): string {
  const sections = [
    head(report, excluded, dialect, ofNobody),
    ...(news === undefined ? [] : [newsOf(news)]),
    ...report.perApplication.map(({ application, name }) =>
      ofApplication(report, application, name),
    ),
    asides(
      "Set aside, not allowed",
      report.setAside.filter((item) => !isLeftOpen(item)),
      all,
    ),
    asides(LEFT_OPEN, report.setAside.filter(isLeftOpen), all),
    asides(COVERED, report.covered, all),
    ...(report.unattributed.length === 0
      ? []
      : [unattributed(listedNames(report.unattributed, all))]),
    ...(report.unlabelled.length === 0 ? [] : [unlabelled(listedNames(report.unlabelled, all))]),
    ...(replay === undefined ? [] : [replayed(replay)]),
  ];
  return `${sections.filter((text) => text !== "").join("\n\n")}\n`;
}

function head(
  report: SuggestionReport,
  excluded: PullRequest["excluded"],
  dialect: string | undefined,
  ofNobody: boolean,
): string {
  const applications = report.perApplication.map(({ application }) => `\`${code(application)}\``);
  const title = `# Least privilege for ${applications.length === 0 ? "nobody yet" : applications.join(", ")}`;
  const times = report.rules.flatMap(({ firstSeen, lastSeen }) => [firstSeen, lastSeen]);
  const span =
    times.length === 0
      ? ""
      : `, seen from ${moment(Math.min(...times))} to ${moment(Math.max(...times))}`;
  const lines = [
    title,
    "",
    `${many(report.rules.length, "rule")} for ${many(report.edges, "edge")}${span}. Everything else is denied once this is enforced.`,
    ...totalText(report.rules.flatMap(({ slack }) => (slack === undefined ? [] : { slack }))),
    ...fewerRulesText(report.fewerRules).map(plain),
    ...(ofNobody ? ["", OF_NOBODY] : []),
    ...(dialect === undefined ? [] : [`Written for ${dialect}.`]),
    ...excluded.map(({ from, to }) => `Not learned from: ${moment(from)} to ${moment(to)}.`),
  ];
  return lines.join("\n");
}

const OF_NOBODY =
  "No address in the flows is a known workload: import them where the inventory is known, or give flows that name their ends.";

function newsOf({ since, links }: NonNullable<PullRequest["news"]>): string {
  const when = since === undefined ? "" : ` since ${moment(since)}`;
  return [
    `## New${when}`,
    "",
    ...(links.length === 0 ? ["Nothing."] : links.map((link) => `- ${plain(link)}`)),
  ].join("\n");
}

function ofApplication(report: SuggestionReport, id: string, file: string): string {
  const application = report.applications.find((one) => one.id === id);
  const owner = application?.owner === undefined ? "" : `, owner ${plain(application.owner)}`;
  const rules = report.rules.filter((rule) => rule.application === id);
  const sets = report.networkSets.filter((set) => set.application === id);
  const readiness = report.readiness?.find((one) => one.application === id);
  return [
    `## ${plain(id)}${owner}`,
    "",
    `File \`${code(file)}\`.`,
    ...(readiness === undefined
      ? []
      : ["", `How complete the picture is: ${plain(readiness.text)}.`]),
    ...(rules.length === 0 ? [] : ["", table(RULES, rules.map(ruleRow))]),
    ...(sets.length === 0 ? [] : ["", "Outside:", "", table(SETS, sets.map(setRow))]),
  ].join("\n");
}

const RULES = ["Rule", "Ports", "Connections", "Seen", "Permits", "What"];

function ruleRow(rule: ReportedRule): readonly string[] {
  const what = [
    ...(rule.purpose === undefined ? [] : [PURPOSES[rule.purpose]]),
    ...(rule.rare ? ["**rare but real**: keep it, or strike it out knowingly"] : []),
    ...(rule.imported === undefined ? [] : [rule.imported]),
  ];
  return [
    `${plain(rule.rule)}<br>\`${code(rule.resource)}\``,
    rule.ports,
    thousands(rule.connections),
    spanOf(rule),
    rule.slack === undefined ? "" : slackCell(rule.slack),
    what.join("; "),
  ];
}

/** `12 pairs, 4 not seen: other copies of the same roles (4)`. */
function slackCell(slack: ReportedSlack): string {
  const beyond = beyondOf(slack) === 0 ? "all seen" : `not seen: ${causesText(slack)}`;
  return `${pairsOf(slack.permitted)}, ${beyond}`;
}

const SETS = ["Set", "Stands for", "Distinct addresses seen", "Seen"];

function setRow(set: ReportedSet): readonly string[] {
  return [`\`${code(set.resource)}\``, standsFor(set), String(set.addresses), spanOf(set)];
}

function standsFor({ basis, cidrs }: ReportedSet): string {
  switch (basis.kind) {
    case "dns":
      return `${plain(basis.name)} (its addresses may change: \`bulkhead status\` tells when they leave the set)`;
    case "said":
      return `${basis.cidr}, as a person said`;
    case "addresses":
      return cidrs.join(", ");
  }
}

function asides(title: string, setAside: readonly SetAside[], all: boolean): string {
  if (setAside.length === 0) return "";
  const { shown, rest } = listedAsides(setAside, all);
  const rows = shown.map((group) => {
    const others = group.ports - group.samplePorts.length;
    const more = others > 0 ? ` and ${others} more` : "";
    const what = group.purpose === undefined ? "" : `, ${PURPOSES[group.purpose]}`;
    return [
      `${REASONS[group.reason]}${what}`,
      `${plain(group.source)} → ${plain(shortened(group.destinations))}`,
      `${group.samplePorts.join(", ")}${more}`,
      thousands(group.connections),
      plain(group.detail),
    ];
  });
  const columns = ["Why", "Who", "Ports", "Connections", "More"];
  const others = rest.flatMap((line) => ["", line]);
  return [`## ${title}`, "", table(columns, rows), ...others].join("\n");
}

function unattributed(lines: readonly string[]): string {
  return [
    "## Of a process that is not known",
    "",
    UNATTRIBUTED,
    "",
    ...lines.map((line) => `- ${plain(line)}`),
  ].join("\n");
}

function unlabelled(names: readonly string[]): string {
  return [
    "## Without a label",
    "",
    "No rule can name them, and they stay unjudged: give them labels in an Inventory.",
    "",
    ...names.map((name) => `- ${plain(name)}`),
  ].join("\n");
}

function replayed({ edges, newlyDenied, newlyAllowed, unchanged }: ReplayCounts): string {
  const listed = newlyDenied
    .map(
      ({ source, destination, protocol, port, connections }) =>
        `- ${plain(end(source))} → ${plain(end(destination))} ${formatPort(protocol, port)} (${many(connections, "connection")})`,
    )
    .toSorted();
  const rest = listed.length - LISTED;
  return [
    "## Replay",
    "",
    `Of ${many(edges, "edge")} on record, decided again as if this were enforced: ${thousands(newlyDenied.length)} newly denied, ${thousands(newlyAllowed.length)} newly allowed, ${thousands(unchanged)} as before.`,
    ...(listed.length === 0 ? [] : ["", "Newly denied:", "", ...listed.slice(0, LISTED)]),
    ...(rest > 0 ? [`- and ${rest} more`] : []),
  ].join("\n");
}

function end({ name, address }: Edge["source"]): string {
  return name === "world" ? address : name;
}

function spanOf({
  firstSeen,
  lastSeen,
}: {
  readonly firstSeen: number;
  readonly lastSeen: number;
}) {
  return firstSeen === lastSeen ? moment(firstSeen) : `${moment(firstSeen)} to ${moment(lastSeen)}`;
}

function shortened(words: readonly string[]): string {
  const rest = words.length - 3;
  return rest > 0 ? `${words.slice(0, 3).join(", ")} and ${rest} more` : words.join(", ");
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(columns), line(columns.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Names come from outside: none of them may become markup, a link, or another cell. */
function plain(text: string): string {
  return oneLine(text).replaceAll(/[\\`*_{}[\]<>#|!@]/g, (character) => `\\${character}`);
}

/** Within backticks. */
function code(text: string): string {
  return oneLine(text).replaceAll(/[`|]/g, "'");
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\ufeff]/gu, "�");
}
