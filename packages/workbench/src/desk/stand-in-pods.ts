/**
 * Pods for folders of policies alone: one for every selector that a policy names, with the fewest labels that satisfy it,
 * and in every namespace one without labels. Whoever answers with them says so.
 */
import type { SourceFile } from "@bulkhead/dialects";
import {
  isReservedNamespace,
  formatSelector,
  isReservedLabel,
  type Labels,
  type NamespaceScope,
  type Peer,
  type PolicySet,
  type Selector,
} from "@bulkhead/model";
import { stringify } from "yaml";
import { labelsFor } from "./representatives.ts";

export const STAND_IN_FILE = "(representative pods)";
const NAME_LABEL = "kubernetes.io/metadata.name";
/** For whoever a policy does not name. */
const ELSEWHERE = "elsewhere";

type Selected = Extract<Peer, { kind: "workloads" }>;

export function standInPods(sets: readonly PolicySet[]): SourceFile {
  const selected = sets.flatMap(({ stages }) =>
    stages.flatMap(({ blocks }) =>
      blocks.flatMap(({ subject, rules }) =>
        [subject, ...rules.flatMap(({ peers }): readonly Peer[] => peers)].filter(
          (one): one is Selected => one.kind === "workloads",
        ),
      ),
    ),
  );
  const namespaces = new Map<string, Labels>([[ELSEWHERE, {}]]);
  for (const { namespaces: scope } of selected) {
    const home = homeOf(scope);
    if (home !== undefined)
      namespaces.set(home.name, { ...namespaces.get(home.name), ...home.labels });
  }
  const pods = new Map<string, object>();
  const add = (namespace: string, name: string, labels: Labels): void => {
    const metadata = { name, namespace, labels };
    pods.set(`${namespace}/${name}`, { apiVersion: "v1", kind: "Pod", metadata });
  };
  for (const { namespaces: scope, selector } of selected) {
    const labels = declarable(selector);
    if (labels === null || Object.keys(labels).length === 0) continue;
    const homes = scope.kind === "all" ? [ELSEWHERE] : [homeOf(scope)?.name];
    for (const home of homes) if (home !== undefined) add(home, nameOf(labels), labels);
  }
  for (const namespace of namespaces.keys()) add(namespace, "any", {});
  const documents = [
    ...[...namespaces].map(([name, labels]) => ({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, labels },
    })),
    ...[...pods].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, pod]) => pod),
  ];
  return { name: STAND_IN_FILE, text: documents.map((one) => stringify(one)).join("---\n") };
}

function homeOf(
  scope: NamespaceScope,
): { readonly name: string; readonly labels: Labels } | undefined {
  switch (scope.kind) {
    case "all":
      return undefined;
    case "named":
      return isReservedNamespace(scope.name) ? undefined : { name: scope.name, labels: {} };
    case "selected": {
      const { [NAME_LABEL]: name, ...labels } = declarable(scope.selector) ?? {};
      if (name !== undefined) return { name, labels };
      return Object.keys(labels).length === 0
        ? undefined
        : { name: `with-${nameOf(labels)}`, labels };
    }
  }
}

/** What an authority gives, nobody can write down. Null: no labels satisfy it. */
function declarable(selector: Selector): Labels | null {
  const requirements = selector.requirements.filter(({ key }) => !isReservedLabel(key));
  const labels = labelsFor({ requirements });
  if (labels === null) return null;
  return Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [key, value.startsWith("~") ? "any" : value]),
  );
}

/** `app-web-tier-front`: a name that a pod may have. */
function nameOf(labels: Labels): string {
  const requirements = Object.entries(labels).map(([key, value]) => ({
    key: key.split("/").at(-1)!,
    operator: "In" as const,
    values: [value],
  }));
  const text = formatSelector({ requirements }).toLowerCase();
  return (
    text
      .replaceAll(/[^a-z0-9]+/g, "-")
      .replaceAll(/^-+|-+$/g, "")
      .slice(0, 60) || "some"
  );
}
