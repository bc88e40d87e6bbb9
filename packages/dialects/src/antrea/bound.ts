/**
 * Peers that are bound to the subject (SEMANTICS trap 10): `match: Self` is the subject's own namespace, `sameLabels` all that
 * agree with it in the values of these labels. One part for each namespace, or for each set of values.
 */
import {
  EVERYTHING,
  matches,
  selectorOf,
  type Labels,
  type Namespace,
  type NamespaceScope,
  type Requirement,
} from "@bulkhead/model";
import type { Chosen } from "./members.ts";
import type { BoundPeer } from "./peers.ts";

export interface BoundPart {
  /** Tells the part from the others of its rule. */
  readonly name: string;
  readonly subject: Chosen;
  readonly peer: Chosen;
}

const isIn = (scope: NamespaceScope, { name, labels }: Namespace): boolean => {
  switch (scope.kind) {
    case "all":
      return true;
    case "named":
      return scope.name === name;
    case "selected":
      return matches(scope.selector, labels);
  }
};

const within = (scope: NamespaceScope, requirements: readonly Requirement[]): NamespaceScope => {
  if (scope.kind === "named") return scope;
  const before = scope.kind === "selected" ? scope.selector.requirements : [];
  return { kind: "selected", selector: selectorOf([...before, ...requirements]) };
};

/** Undefined where one of the labels is missing: nobody is in a peer of such a subject. */
const valuesOf = (keys: readonly string[], labels: Labels): readonly string[] | undefined => {
  const values = keys.map((key) => (Object.hasOwn(labels, key) ? labels[key] : undefined));
  return values.every((value) => value !== undefined) ? values : undefined;
};

export const boundParts = (
  subject: Chosen,
  { namespaces: bound, pods = EVERYTHING }: BoundPeer,
  namespaces: readonly Namespace[],
): readonly BoundPart[] => {
  const own = namespaces.filter((namespace) => isIn(subject.namespaces, namespace));
  const peerIn = (scope: NamespaceScope): Chosen => ({
    kind: "workloads",
    namespaces: scope,
    selector: pods,
  });
  if (bound === "self") {
    return own.map(({ name }) => {
      const scope: NamespaceScope = { kind: "named", name };
      return { name, subject: { ...subject, namespaces: scope }, peer: peerIn(scope) };
    });
  }
  const keys = [...new Set(bound.sameLabels)].toSorted();
  const sets = new Map<string, readonly string[]>();
  for (const { labels } of own) {
    const values = valuesOf(keys, labels);
    if (values !== undefined) sets.set(values.join(","), values);
  }
  return [...sets].map(([name, values]) => {
    const requirements = keys.map((key, i): Requirement => ({
      key,
      operator: "In",
      values: [values[i] ?? ""],
    }));
    return {
      name,
      subject: { ...subject, namespaces: within(subject.namespaces, requirements) },
      peer: peerIn({ kind: "selected", selector: selectorOf(requirements) }),
    };
  });
};
