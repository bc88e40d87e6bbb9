/**
 * A suggestion as files that teams merge on their own: one for each application, and, where a namespace holds several or
 * some of it has no label, one for the namespace itself with its default deny. What was set aside stands in the file of
 * whoever it concerns; where there is nothing to merge there is no file.
 */
import { applicationOf, summarise } from "@bulkhead/learn";
import type { Application, SetAside, Suggestion } from "@bulkhead/model";
import { policyText, type SuggestionPart } from "./suggestion-text.ts";
import { many } from "./words.ts";

export interface SuggestedFile {
  /** `shop.yaml`, `shop.payments.yaml`. */
  readonly name: string;
  readonly application: string;
  readonly text: string;
}

export function suggestionFiles(suggestion: Suggestion, all = false): readonly SuggestedFile[] {
  const asides = suggestion.setAside.map((item) => ({ item, home: homeOf(item) }));
  const covered = suggestion.covered.map((item) => ({ item, home: homeOf(item) }));
  const homes = new Set([
    ...suggestion.isolations.map((isolation) => isolation.namespace),
    ...suggestion.networkSets.map((set) => set.application),
    ...suggestion.rules.map((rule) => rule.application),
  ]);
  return [...homes].toSorted(inOrder).map((home) => {
    const own = suggestion.applications.filter(({ id }) => id === home);
    const part: SuggestionPart = {
      applications: suggestion.applications,
      isolations: suggestion.isolations.filter(({ namespace }) => namespace === home),
      networkSets: suggestion.networkSets.filter(({ application }) => application === home),
      rules: suggestion.rules.filter(({ application }) => application === home),
      fewerRules: suggestion.fewerRules.filter(({ application }) => application === home),
      setAsideGroups: summarise(asides.flatMap((one) => (one.home === home ? one.item : []))),
      covered: covered.flatMap((one) => (one.home === home ? one.item : [])),
      // Of concern where processes of the machine are isolated.
      unattributed: suggestion.isolations.some(
        ({ namespace, directions }) => namespace === home && directions !== undefined,
      )
        ? suggestion.unattributed
        : [],
      unlabelled: suggestion.unlabelled.filter((id) => namespaceOf(id) === home),
      proposedLabels: suggestion.proposedLabels.filter(({ application }) => application === home),
    };
    return {
      name: fileName(home),
      application: home,
      text: policyText(part, head(home, own), all),
    };
  });
}

/** Whose decision it is: the destination's, or the source's where that is nobody of ours. */
function homeOf({ edge }: SetAside): string {
  const ours = [edge.destination, edge.source].find((end) => end.workload !== undefined);
  if (ours?.workload === undefined) return "";
  return applicationOf({ namespace: namespaceOf(ours.workload), labels: ours.labels });
}

function namespaceOf(workload: string): string {
  return workload.slice(0, Math.max(0, workload.indexOf("/")));
}

/** Label values may hold what no file system likes to see. */
function fileName(home: string): string {
  return `${home.replace("/", ".").replaceAll(/[^A-Za-z0-9._-]+/g, "-")}.yaml`;
}

function head(home: string, own: readonly Application[]): readonly string[] {
  const [application] = own;
  const label =
    application?.label === undefined
      ? ""
      : ` (${application.label.key}=${application.label.value})`;
  const owner = application?.owner === undefined ? "" : `, owner ${application.owner}`;
  const count = application === undefined ? "" : `: ${many(application.workloads, "workload")}`;
  return [
    `${home}${label}${count}${owner}.`,
    "Least privilege for what was seen. Everything else is denied once this is enforced.",
  ];
}

function inOrder(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
