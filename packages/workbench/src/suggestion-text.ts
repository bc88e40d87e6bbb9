/**
 * A suggestion as one YAML file: native resources, the evidence behind each in comments above it, and at the end what was
 * set aside and why. The same suggestion always gives the same text.
 */
import { printResources, type CommentedResource } from "@bulkhead/dialects";
import { manifestsOf, type SuggestedManifest } from "@bulkhead/learn";
import {
  formatPort,
  type Edge,
  type Evidence,
  type SetAsideGroup,
  type SetAsideReason,
  type SuggestedNetworkSet,
  type SuggestedRule,
  type Suggestion,
  type TrafficPurpose,
} from "@bulkhead/model";
import { proposedInventory, proposedLines } from "./proposed-labels.ts";
import { importText } from "./readiness-text.ts";
import { fewerRulesText, slackText, totalText } from "./slack-text.ts";
import { bytes, many, moment } from "./words.ts";

/** What each reason means, in the words people see. */
export const REASONS: Readonly<Record<SetAsideReason, string>> = {
  scan: "scanning",
  "flagged-source": "by a source that scans",
  "suspicious-source": "once, by a source that mostly fails",
  failed: "never answered",
  pending: "not answered yet",
  "one-off": "one-off without data",
  lone: "only one copy of its role, and seldom",
  "first-ever": "first seen late, of one copy alone",
  "fan-out": "several new peers, one by one",
  "off-hours": "outside its role's hours",
  beacon: "calls home like a clock",
  denied: "denied when it was seen",
  spoofed: "forged source address",
  ephemeral: "high port, not a service",
  world: "many outside addresses",
  ping: "a few pings",
  multicast: "broadcast or multicast",
  unlabelled: "an end without labels",
  "host-network": "a workload on its machine's address",
  administration: "administration of the machine, left open",
  people: "people, not confined",
  resolver: "the machine's own resolver, left open",
  error: "could not be judged",
};

/** Not allowed by a rule, and not denied either: nothing that is proposed confines who does it. */
export function isLeftOpen({ reason }: { readonly reason: SetAsideReason }): boolean {
  return reason === "administration" || reason === "people" || reason === "resolver";
}

export const LEFT_OPEN = "Seen, kept out, and confined by nothing that is proposed";

/** What traffic is that no application does for its own sake. */
export const PURPOSES: Readonly<Record<TrafficPurpose, string>> = {
  dns: "names (DNS)",
  ntp: "time (NTP)",
  dhcp: "leases (DHCP)",
  metadata: "the cloud's metadata service, which gives credentials to whoever asks",
  ssh: "administration (SSH)",
  monitoring: "monitoring",
};

/** Everything in one file. */
export function suggestionText(suggestion: Suggestion): string {
  const open = suggestion.setAside.filter(isLeftOpen).length;
  const people = suggestion.setAside.filter(({ reason }) => reason === "people").length;
  return policyText(suggestion, [
    "Least privilege for what was seen. Everything else is denied once this is enforced.",
    `${many(suggestion.accepted.length, "edge")} behind ${many(suggestion.rules.length, "rule")}; set aside, and not allowed: ${many(suggestion.setAside.length - open, "edge")}, listed at the end.`,
    ...(people === 0 ? [] : [`People: not confined; ${many(people, "edge")} seen, kept out.`]),
  ]);
}

/** `head`: what the file is, above all. */
export function policyText(suggestion: SuggestionPart, head: readonly string[]): string {
  const all = manifestsOf(suggestion);
  const isRare = (item: SuggestedManifest): boolean => item.of === "rule" && item.from.rare;
  const regular = printResources(all.filter((item) => !isRare(item)).map(commented));
  const rare = printResources(all.filter(isRare).map(commented));
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
    comment(asideLines(suggestion)),
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

function asideLines(suggestion: SuggestionPart): readonly string[] {
  const lines: string[] = [];
  const denied = suggestion.setAsideGroups.filter((group) => !isLeftOpen(group));
  if (denied.length > 0) {
    lines.push("Set aside, not allowed by any rule above:", ...denied.flatMap(groupLines));
  }
  const open = suggestion.setAsideGroups.filter(isLeftOpen);
  if (open.length > 0) lines.push(`${LEFT_OPEN}:`, ...open.flatMap(groupLines));
  if (suggestion.covered.length > 0) {
    lines.push("Doubtful, but allowed because ends with the same labels need it:");
    for (const item of suggestion.covered) {
      const { source, destination, protocol, port } = item.edge;
      lines.push(
        `  ${source.name} → ${destination.name} ${formatPort(protocol, port)}: ${item.detail}`,
      );
    }
  }
  const unknown = unattributedLines(suggestion.unattributed);
  if (unknown.length > 0) lines.push(UNATTRIBUTED, ...unknown.map((line) => `  ${line}`));
  if (suggestion.unlabelled.length > 0) {
    lines.push("Without a label, so that no rule can name them; they stay unjudged:");
    lines.push(...suggestion.unlabelled.map((name) => `  ${name}`));
    lines.push(
      "Give them labels in an Inventory: bulkhead workloads --inventory > inventory.yaml",
      "Or have labels proposed from who talks to whom: bulkhead suggest --propose-labels",
    );
  }
  return lines.length === 0 ? [] : ["", ...lines];
}

export const UNATTRIBUTED =
  "Sent by this machine, and nobody could tell by which process: whoever of them is isolated above may need it, or be called by it:";

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
