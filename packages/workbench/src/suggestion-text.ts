/**
 * A suggestion as one YAML file: native resources, the evidence behind each in comments above it, and at the end what was
 * set aside and why. The same suggestion always gives the same text.
 */
import { printResources, type CommentedResource } from "@bulkhead/dialects";
import { manifestsOf, summarise, type SuggestedManifest } from "@bulkhead/learn";
import {
  formatPort,
  type Edge,
  type Evidence,
  type SetAsideGroup,
  type SuggestedNetworkSet,
  type SuggestedRule,
  type Suggestion,
} from "@bulkhead/model";
import { listedGroups, listedNames } from "./aside-groups.ts";
import { formerNamesText } from "./former-names.ts";
import { proposedInventory, proposedLines } from "./proposed-labels.ts";
import { importText } from "./readiness-text.ts";
import { COVERED, isLeftOpen, LEFT_OPEN, PURPOSES, REASONS, UNATTRIBUTED } from "./reasons.ts";
import { fewerRulesText, slackText, totalText } from "./slack-text.ts";
import { bytes, many, moment } from "./words.ts";

/** Everything in one file. `all`: with every line of what was set aside, however many. */
export function suggestionText(suggestion: Suggestion, all = false): string {
  const open = suggestion.setAside.filter(isLeftOpen).length;
  const people = suggestion.setAside.filter(({ reason }) => reason === "people").length;
  return policyText(
    suggestion,
    [
      "Least privilege for what was seen. Everything else is denied once this is enforced.",
      `${many(suggestion.accepted.length, "edge")} behind ${many(suggestion.rules.length, "rule")}; set aside, and not allowed: ${many(suggestion.setAside.length - open, "edge")}, listed at the end.`,
      ...(people === 0 ? [] : [`People: not confined; ${many(people, "edge")} seen, kept out.`]),
      ...formerNamesText(suggestion.formerNames),
    ],
    all,
  );
}

/** `head`: what the file is, above everything. */
export function policyText(
  suggestion: SuggestionPart,
  head: readonly string[],
  all: boolean,
): string {
  const manifests = manifestsOf(suggestion);
  const isRare = (item: SuggestedManifest): boolean => item.of === "rule" && item.from.rare;
  const regular = printResources(manifests.filter((item) => !isRare(item)).map(commented));
  const rare = printResources(manifests.filter(isRare).map(commented));
  const documents = [regular, rare].filter((text) => text !== "");
  const inventory = proposedInventory(suggestion.proposedLabels);
  return [
    comment([
      ...head,
      ...totalText(suggestion.rules),
      ...fewerRulesText(suggestion.fewerRules),
      ...proposedLines(suggestion.proposedLabels),
    ]),
    ...[...inventory, ...documents].map((text) => `---\n${text}`),
    comment(asideLines(suggestion, all)),
  ].join("");
}

/** What a file holds: all of a suggestion, or what of it is one application's. */
export type SuggestionPart = Pick<
  Suggestion,
  | "applications"
  | "isolations"
  | "networkSets"
  | "rules"
  | "fewerRules"
  | "setAsideGroups"
  | "covered"
  | "unattributed"
  | "unlabelled"
  | "proposedLabels"
>;

function commented(item: SuggestedManifest): CommentedResource {
  const text = commentOf(item).map(printable).join("\n");
  return { manifest: item.manifest, comments: [{ path: [], text }] };
}

function comment(lines: readonly string[]): string {
  return lines.map((line) => (line === "" ? "#\n" : `# ${printable(line)}\n`)).join("");
}

/** Names come from outside: nothing in them may end the comment. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\ufeff]/gu, "�");
}

function commentOf(item: SuggestedManifest): readonly string[] {
  switch (item.of) {
    case "isolation":
      return [`${many(item.from.workloads, "workload")} deny what no rule below allows.`];
    case "networkSet":
      return setLines(item.from);
    case "rule":
      return ruleLines(item.from);
  }
}

function setLines({ basis, purpose, addresses, evidence }: SuggestedNetworkSet): readonly string[] {
  const what = purpose === undefined ? [] : [`For ${PURPOSES[purpose]}.`];
  const count = many(addresses, "distinct address", "distinct addresses");
  const times = `${count} seen, ${spanOf(evidence)}`;
  switch (basis.kind) {
    case "addresses":
      return [...what, "Outside addresses seen by the rule that names this set.", `${times}.`];
    case "said":
      return [...what, `${basis.cidr} was said by a person. ${times}.`];
    case "dns": {
      const also = basis.also.length === 0 ? "" : ` Some also stand for ${basis.also.join(", ")}.`;
      return [
        ...what,
        `Addresses that stood for ${basis.name} in DNS answers: ${times}.${also}`,
        "The name may stand for others later: `bulkhead status` tells when it does, and the next suggestion holds them.",
      ];
    }
  }
}

function ruleLines(rule: SuggestedRule): readonly string[] {
  const rare = rule.rare
    ? [
        "RARE BUT REAL: seldom seen, yet answered and with data. Keep it, or strike it out knowingly.",
      ]
    : [];
  const purpose = rule.purpose === undefined ? [] : [`For ${PURPOSES[rule.purpose]}.`];
  const { only } = rule;
  const side =
    only === undefined
      ? []
      : [
          `Confines ${only === "ingress" ? "who is called" : "who calls"} alone: the other end is left as it is.`,
        ];
  const parts = rule.parts.flatMap((part) => [
    `  ${part.name}${part.rare ? " (rare but real)" : ""}: ${seen(part.evidence)}`,
  ]);
  return [
    ...rare,
    ...purpose,
    ...side,
    `Seen: ${seen(rule.evidence)}`,
    ...parts,
    `For example ${rule.evidence.samples.join(", ")}`,
    `${slackText(rule.slack)}.`,
  ];
}

function seen(evidence: Evidence): string {
  const failed = evidence.failed === 0 ? "" : `, ${evidence.failed} of them failed`;
  const size = evidence.bytes === 0 ? "" : `, ${bytes(evidence.bytes)}`;
  // Nothing was opened while anybody looked: these are connections from before that live on.
  const what =
    evidence.connections === 0
      ? "connections from before"
      : many(evidence.connections, "connection");
  const windows = evidence.windows === 0 ? "" : `, in ${many(evidence.windows, "window")}`;
  const imported = importedText(evidence);
  return `${what}${failed}${size}${windows}, ${spanOf(evidence)}${imported === undefined ? "" : `; ${imported}`}`;
}

/** Undefined where our own collectors saw something of each edge. */
export function importedText({
  edges,
  imported,
}: Pick<Evidence, "edges" | "imported">): string | undefined {
  if (imported === undefined) return undefined;
  const text = importText(imported.formats);
  return imported.edges === edges ? text : `${imported.edges} of ${many(edges, "edge")} ${text}`;
}

function spanOf({ firstSeen, lastSeen }: Evidence): string {
  return firstSeen === lastSeen
    ? `at ${moment(firstSeen)}`
    : `from ${moment(firstSeen)} to ${moment(lastSeen)}`;
}

function asideLines(suggestion: SuggestionPart, all: boolean): readonly string[] {
  const denied = suggestion.setAsideGroups.filter((group) => !isLeftOpen(group));
  const open = suggestion.setAsideGroups.filter(isLeftOpen);
  const lines = [
    ...groupsLines("Set aside, not allowed by any rule above", denied, all),
    ...groupsLines(LEFT_OPEN, open, all),
    ...groupsLines(COVERED, summarise(suggestion.covered), all),
  ];
  const unknown = unattributedLines(suggestion.unattributed);
  if (unknown.length > 0) {
    lines.push(UNATTRIBUTED, ...listedNames(unknown, all).map((line) => `  ${line}`));
  }
  if (suggestion.unlabelled.length > 0) {
    lines.push("Without a label, so that no rule can name them; they stay unjudged:");
    lines.push(...listedNames(suggestion.unlabelled, all).map((name) => `  ${name}`));
    lines.push(
      "Give them labels in an Inventory: bulkhead workloads --inventory > inventory.yaml",
      "Or have labels proposed from who talks to whom: bulkhead suggest --propose-labels",
    );
  }
  return lines.length === 0 ? [] : ["", ...lines];
}

/** `shop/db 5432/tcp (3 connections)`, each destination and port once. */
export function unattributedLines(edges: readonly Edge[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { destination, protocol, port, connections } of edges) {
    const end = destination.name === "world" ? destination.address : destination.name;
    const to = `${end} ${formatPort(protocol, port)}`;
    counts.set(to, (counts.get(to) ?? 0) + connections);
  }
  return [...counts].map(([to, count]) => `${to} (${many(count, "connection")})`);
}

function groupsLines(
  title: string,
  groups: readonly SetAsideGroup[],
  all: boolean,
): readonly string[] {
  if (groups.length === 0) return [];
  const { shown, rest } = listedGroups(groups, all);
  return [`${title}:`, ...shown.flatMap(groupLines), ...rest.map((line) => `  ${line}`)];
}

function groupLines(group: SetAsideGroup): readonly string[] {
  const ends = `${group.source} → ${shorten(group.destinations, 3)}`;
  const ports = shorten(group.samplePorts, group.samplePorts.length, group.ports);
  const count = many(group.connections, "connection");
  const what = group.purpose === undefined ? "" : `, ${PURPOSES[group.purpose]}`;
  return [`  ${REASONS[group.reason]}${what}: ${ends}, ${ports} (${count})`, `    ${group.detail}`];
}

function shorten(words: readonly string[], limit: number, total = words.length): string {
  const rest = total - Math.min(limit, words.length);
  const shown = words.slice(0, limit).join(", ");
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}
