/** A suggestion as data: the files to save, one line a rule with its evidence, and what was set aside. */
import { manifestsOf } from "@bulkhead/learn";
import {
  formatPort,
  type Application,
  type FewerRules,
  type FormerName,
  type IdleAccept,
  type NetworkSetBasis,
  type Readiness,
  type ProposedLabels,
  type SetAside,
  type SlackCause,
  type SuggestedRule,
  type Suggestion,
  type TrafficPurpose,
} from "@bulkhead/model";
import { readinessLine } from "./readiness-text.ts";
import { suggestionFiles, type SuggestedFile } from "./suggestion-files.ts";
import { importedText, suggestionText, unattributedLines } from "./suggestion-text.ts";

export interface ReportedRule {
  /** `Intent/shop/storefront-to-checkout` */
  readonly resource: string;
  readonly application: string;
  readonly purpose?: TrafficPurpose;
  /** `storefront → checkout` */
  readonly rule: string;
  readonly ports: string;
  readonly connections: number;
  readonly edges: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly rare: boolean;
  /** `seen by import of aws-vpc only`: what none of our own collectors saw. */
  readonly imported?: string;
  /** What it permits beyond what it stands on; absent of an answer that does not tell. */
  readonly slack?: ReportedSlack;
}

/** `Slack`, as lists that are copied. */
export interface ReportedSlack {
  readonly permitted: number;
  readonly used: number;
  readonly beyond: { readonly cause: SlackCause; readonly pairs: number }[];
}

export interface ReportedSet {
  /** `NetworkSet/shop/api.example.com` */
  readonly resource: string;
  readonly application: string;
  readonly basis: NetworkSetBasis;
  readonly cidrs: string[];
  /** Distinct addresses that were seen, and over which time. */
  readonly addresses: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/** Two ends and a port that a rule stands on: what a person has seen or not. */
export interface ReportedLink {
  readonly text: string;
  readonly resource: string;
  readonly firstSeen: number;
}

export interface ReportedLabels {
  readonly application: string;
  readonly role: string;
  readonly labels: Record<string, string>;
  readonly reason: ProposedLabels["reason"];
  readonly workloads: string[];
  readonly evidence: string[];
}

export interface SuggestionReport {
  readonly files: { readonly name: string; readonly text: string }[];
  /** The same, one file an application. */
  readonly perApplication: SuggestedFile[];
  readonly applications: Application[];
  readonly rules: ReportedRule[];
  readonly networkSets: ReportedSet[];
  /** Roles that more rules named than were wanted. */
  readonly fewerRules: FewerRules[];
  readonly links: ReportedLink[];
  readonly setAside: SetAside[];
  /** Set aside, and yet allowed by a rule that others need. */
  readonly covered: SetAside[];
  readonly idleAccepts: IdleAccept[];
  /** What the machine sent, by a process that nobody could tell, and that no known process needs: `shop/db 5432/tcp (3 connections)`. */
  readonly unattributed: string[];
  /** Workloads that no label tells apart: no rule can name them, and they stay unjudged. */
  readonly unlabelled: string[];
  /** Absent: nobody's history was recorded under another name. */
  readonly formerNames?: FormerName[];
  /** Labels that the rules count on, and nobody bears yet. */
  readonly proposedLabels: ReportedLabels[];
  /** Edges behind the rules. */
  readonly edges: number;
  /** How complete the picture of each application is; absent where nobody could ask. */
  readonly readiness?: ReportedReadiness[];
}

export interface ReportedReadiness {
  readonly application: string;
  readonly state: Readiness["state"];
  /** One line: `readinessLine`. */
  readonly text: string;
}

/** `subjects` are applications. */
export const reportedReadiness = (subjects: readonly Readiness[]): ReportedReadiness[] =>
  subjects.map((one) => ({
    application: one.subject.name,
    state: one.state,
    text: readinessLine(one),
  }));

function resourceOf({ namespace, name, only }: SuggestedRule): string {
  return `${only === undefined ? "Intent" : "Policy"}/${namespace}/${name}`;
}

export const SUGGESTION_FILE = "suggested.yaml";

/** `all`: the text with every line of what was set aside; the data has everything in any case. */
export function suggestionReport(suggestion: Suggestion, all = false): SuggestionReport {
  const resources = new Map(
    suggestion.rules.map((rule) => [`${rule.namespace}/${rule.name}`, resourceOf(rule)]),
  );
  return {
    files: [{ name: SUGGESTION_FILE, text: suggestionText(suggestion, all) }],
    perApplication: [...suggestionFiles(suggestion, all)],
    applications: [...suggestion.applications],
    rules: manifestsOf(suggestion).flatMap((item) => {
      if (item.of !== "rule") return [];
      const { from, to, ports, evidence, rare, application, purpose, slack } = item.from;
      const imported = importedText(evidence);
      const end = (peer: typeof from): string => (peer.kind === "host" ? "host" : peer.name);
      return [
        {
          resource: resourceOf(item.from),
          application,
          ...(purpose === undefined ? {} : { purpose }),
          rule: `${end(from)} → ${end(to)}`,
          ports: ports.map((port) => formatPort(port.protocol, port.port)).join(", "),
          connections: evidence.connections,
          edges: evidence.edges,
          firstSeen: evidence.firstSeen,
          lastSeen: evidence.lastSeen,
          rare,
          ...(imported === undefined ? {} : { imported }),
          slack: { ...slack, beyond: [...slack.beyond] },
        },
      ];
    }),
    networkSets: suggestion.networkSets.map((set) => ({
      resource: `NetworkSet/${set.namespace}/${set.name}`,
      application: set.application,
      basis: set.basis,
      cidrs: [...set.cidrs],
      addresses: set.addresses,
      firstSeen: set.evidence.firstSeen,
      lastSeen: set.evidence.lastSeen,
    })),
    fewerRules: [...suggestion.fewerRules],
    links: suggestion.links.map(({ text, rule, firstSeen }) => ({
      text,
      resource: resources.get(rule) ?? `Intent/${rule}`,
      firstSeen,
    })),
    setAside: [...suggestion.setAside],
    covered: [...suggestion.covered],
    idleAccepts: [...suggestion.idleAccepts],
    unattributed: [...unattributedLines(suggestion.unattributed)],
    unlabelled: [...suggestion.unlabelled],
    ...(suggestion.formerNames.length === 0 ? {} : { formerNames: [...suggestion.formerNames] }),
    proposedLabels: suggestion.proposedLabels.map(
      ({ application, role, labels, reason, members, evidence }) => ({
        application,
        role,
        labels: { ...labels },
        reason,
        workloads: members.map(({ id }) => id),
        evidence: [...evidence],
      }),
    ),
    edges: suggestion.accepted.length,
  };
}
