/**
 * Proposed labels as something to do: an Inventory for machines that no agent sees, a command for whoever an agent does, and a
 * word for pods, whose labels are their template's. An earlier file is read back by the same lines.
 */
import { printResources } from "@bulkhead/dialects";
import {
  API_VERSION,
  formatSpan,
  type InventoryManifest,
  type ProposedLabels,
} from "@bulkhead/model";
import { many } from "./words.ts";

const REASONS: Readonly<Record<ProposedLabels["reason"], string>> = {
  unlabelled: "no label told what they are",
  "one-for-all": "one label for all of the application, and they call each other",
  "one-for-each": "a label for each, though many are alike",
  "across-roles": "labels that tell other things than what they do",
};

type Member = ProposedLabels["members"][number];

/** Machines that no agent sees and no file declares. */
function isForInventory({ kind, addresses, source }: Member): boolean {
  return source === undefined && (kind === "vm" || kind === "external") && addresses.length > 0;
}

export function proposedLines(proposed: readonly ProposedLabels[]): readonly string[] {
  if (proposed.length === 0) return [];
  return [
    "",
    "Labels that the rules count on, and that nobody bears yet. Look at them first: labels decide policy.",
    ...proposed.flatMap(({ namespace, role, labels, reason, members, evidence }) => {
      const words = wordsOf(labels);
      return [
        `  ${namespace}/${role}: ${many(members.length, "workload")}, ${REASONS[reason]}; ${evidence.join(", ")}`,
        ...members.map((member) => `    ${howTo(member, words)}`),
      ];
    }),
  ];
}

function howTo(member: Member, words: string): string {
  if (member.source !== undefined)
    return `${member.id} ${words} (in the file that declares it, ${formatSpan(member.source)})`;
  if (member.kind === "pod") return `${member.id} ${words} (in its template)`;
  return isForInventory(member)
    ? `${member.id} ${words} (in the Inventory below)`
    : `bulkhead label ${member.id} ${words}`;
}

/** No or one document. */
export function proposedInventory(proposed: readonly ProposedLabels[]): readonly string[] {
  const workloads = proposed
    .flatMap(({ namespace, labels, members }) =>
      members.filter(isForInventory).map(({ id, kind, addresses }) => ({
        name: id.slice(id.indexOf("/") + 1),
        namespace,
        labels,
        addresses,
        ...(kind === "vm" ? { kind } : {}),
      })),
    )
    .toSorted((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
  if (workloads.length === 0) return [];
  const manifest: InventoryManifest = {
    apiVersion: API_VERSION,
    kind: "Inventory",
    metadata: { name: "proposed-labels" },
    spec: { workloads },
  };
  const text = "Proposed from who talks to whom: correct them, for they decide policy.";
  return [printResources([{ manifest, comments: [{ path: [], text }] }])];
}

const PROPOSED = /^# {5}(?:bulkhead label )?([^\s/]+\/\S+) ([^\s=]+=[^(]*)/;

/** Which labels a file like this one proposed, by workload. */
export function proposedIn(text: string): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const found = new Map<string, Record<string, string>>();
  for (const line of text.split("\n")) {
    const [, id, words] = PROPOSED.exec(line) ?? [];
    if (id === undefined || words === undefined) continue;
    const pairs = words
      .trim()
      .split(" ")
      .flatMap((word): readonly (readonly [string, string])[] => {
        const equals = word.indexOf("=");
        return equals > 0 ? [[word.slice(0, equals), word.slice(equals + 1)]] : [];
      });
    found.set(id, Object.fromEntries(pairs));
  }
  return found;
}

function wordsOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
}
