/** Whom an AuthorizationPolicy is for: labels with one value each, in one namespace or in all of them. */
import {
  isReservedLabel,
  isReservedNamespace,
  matches,
  type Block,
  type Labels,
  type Namespace,
} from "@bulkhead/model";
import type { Losses } from "../export/exported.ts";
import { ROOT_NAMESPACE } from "./subjects.ts";

/** `without`: keys that go without saying. Null: `matchLabels` cannot say it. */
export const labelsIn = (subject: Block["subject"], without: readonly string[]): Labels | null => {
  if (subject.kind === "all-workloads") return {};
  const labels: Record<string, string> = {};
  for (const requirement of subject.selector.requirements) {
    const { key, operator } = requirement;
    if (without.includes(key)) continue;
    const [only, ...more] = operator === "In" ? requirement.values : [];
    if (only === undefined || more.length > 0 || isReservedLabel(key)) return null;
    if ((labels[key] ?? only) !== only) return null;
    labels[key] = only;
  }
  return labels;
};

export interface Place {
  readonly namespace: string;
  readonly labels: Labels;
}

/** A namespace each; none where it was told that no policy can be for such a subject. */
export const placesOf = (
  { subject, source }: Block,
  without: readonly string[],
  namespaces: readonly Namespace[],
  losses: Losses,
): readonly Place[] => {
  const labels = labelsIn(subject, without);
  if (labels === null) {
    losses.refuse(source, "a subject that is chosen by more than values of labels");
    return [];
  }
  if (subject.kind === "all-workloads" || subject.namespaces.kind === "all")
    return [{ namespace: ROOT_NAMESPACE, labels }];
  if (subject.namespaces.kind === "named") {
    const { name } = subject.namespaces;
    if (!isReservedNamespace(name) && name !== ROOT_NAMESPACE) return [{ namespace: name, labels }];
    losses.refuse(
      source,
      isReservedNamespace(name)
        ? "this policy is for nodes"
        : "a policy for the root namespace alone",
    );
    return [];
  }
  const { selector } = subject.namespaces;
  return namespaces
    .filter((one) => one.name !== ROOT_NAMESPACE && matches(selector, one.labels))
    .map(({ name }) => ({ namespace: name, labels }));
};
