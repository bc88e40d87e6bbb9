/**
 * Whom a selector of Cilium chooses: a namespace and labels of the workload. Where it names no namespace, the policy's own
 * is meant, or in a policy of the whole cluster all of them (SEMANTICS trap 3), as `pkg/k8s/apis/cilium.io/utils` has it.
 */
import {
  NODES_NAMESPACE,
  selectorOf,
  SERVICE_ACCOUNT_LABEL,
  type NamespaceScope,
  type Peer,
  type Requirement,
  type Selector,
} from "@bulkhead/model";
import {
  ACCOUNT_KEY,
  CLUSTER_KEY,
  NAMESPACE_KEY,
  NAMESPACE_LABELS,
  type CiliumRequirement,
  type CiliumSelector,
} from "./selector.ts";

export const NAMESPACE_NAME = "kubernetes.io/metadata.name";

export type Chosen = Extract<Peer, { kind: "workloads" }>;

export interface Home {
  /** Undefined: the policy is the whole cluster's. */
  readonly namespace: string | undefined;
  /** As `io.cilium.k8s.policy.cluster` names it. */
  readonly cluster: string;
}

const renamed = (requirement: Requirement, key: string): Requirement => ({ ...requirement, key });

type Part = "namespace" | "namespaceLabel" | "cluster" | "label";

const isGivenByKubernetes = ({ from }: CiliumRequirement): boolean =>
  from === "any" || from === "k8s";

const partOf = (one: CiliumRequirement): Part => {
  if (!isGivenByKubernetes(one)) return "label";
  if (one.name === NAMESPACE_KEY) return "namespace";
  if (one.name.startsWith(NAMESPACE_LABELS)) return "namespaceLabel";
  return one.name === CLUSTER_KEY ? "cluster" : "label";
};

/** Labels that somebody else gave than Kubernetes keep their prefix: no workload here has any such. */
const ofWorkload = (one: CiliumRequirement): Requirement => {
  const { from, name, requirement } = one;
  if (!isGivenByKubernetes(one)) return renamed(requirement, `${from}:${name}`);
  return renamed(requirement, name === ACCOUNT_KEY ? SERVICE_ACCOUNT_LABEL : name);
};

/** Every namespace has a name: a requirement about it is one about the label that repeats it. */
const ofNamespace = ({ name, requirement }: CiliumRequirement): Requirement =>
  renamed(
    requirement,
    name === NAMESPACE_KEY ? NAMESPACE_NAME : name.slice(NAMESPACE_LABELS.length),
  );

const holdsInCluster = ({ requirement }: CiliumRequirement, cluster: string): boolean => {
  switch (requirement.operator) {
    case "In":
      return requirement.values.includes(cluster);
    case "NotIn":
      return !requirement.values.includes(cluster);
    case "Exists":
      return true;
    case "DoesNotExist":
      return false;
  }
};

const scopeOf = (requirements: readonly Requirement[]): NamespaceScope => {
  const selector = selectorOf(
    requirements.filter(({ key, operator }) => !(key === NAMESPACE_NAME && operator === "Exists")),
  );
  const [only, ...others] = selector.requirements;
  if (only === undefined) return { kind: "all" };
  if (others.length === 0 && only.key === NAMESPACE_NAME && only.operator === "In") {
    const [name, ...more] = only.values;
    // A namespace without a name is none: that it is asked for chooses nobody.
    if (name !== undefined && name !== "" && more.length === 0) return { kind: "named", name };
  }
  return { kind: "selected", selector };
};

const parts = ({ requirements }: CiliumSelector) => {
  const of = (...wanted: readonly Part[]) =>
    requirements.filter((one) => wanted.includes(partOf(one)));
  return {
    names: of("namespace"),
    places: of("namespace", "namespaceLabel"),
    cluster: of("cluster"),
    labels: of("label"),
  };
};

const named = (name: string): Requirement => ({
  key: NAMESPACE_NAME,
  operator: "In",
  values: [name],
});

/** Null: nobody here, for all whom it chooses are in another cluster. */
export const peerOf = (selector: CiliumSelector, home: Home): Chosen | null => {
  const { places, cluster, labels } = parts(selector);
  if (!cluster.every((one) => holdsInCluster(one, home.cluster))) return null;
  const own = home.namespace === undefined ? [] : [named(home.namespace)];
  return {
    kind: "workloads",
    namespaces: scopeOf(places.length > 0 ? places.map(ofNamespace) : own),
    selector: selectorOf(labels.map(ofWorkload)),
  };
};

/** Does it say that it wants subjects of another namespace than its own? Cilium pays no attention to that, and says so. */
export const reachesAbroad = (selector: CiliumSelector, { namespace }: Home): boolean =>
  namespace !== undefined &&
  parts(selector).names.some(
    ({ requirement }) =>
      !(
        requirement.operator === "In" &&
        requirement.values.length === 1 &&
        requirement.values[0] === namespace
      ),
  );

/** The subject of a policy that is in a namespace is there, too, whatever it says. */
export const subjectOf = (selector: CiliumSelector, home: Home): Chosen | null => {
  if (home.namespace === undefined) return peerOf(selector, home);
  const kept = selector.requirements.filter((one) => partOf(one) !== "namespace");
  const found = peerOf({ ...selector, requirements: kept }, home);
  if (found === null || found.namespaces.kind !== "selected") return found;
  const inside = [...found.namespaces.selector.requirements, named(home.namespace)];
  return { ...found, namespaces: scopeOf(inside) };
};

/** Labels of nodes come from Kubernetes, and Cilium calls them `node:`, `k8s:` or nothing. */
export const nodesOf = ({ requirements }: CiliumSelector): Chosen => ({
  kind: "workloads",
  namespaces: { kind: "named", name: NODES_NAMESPACE },
  selector: selectorOf(
    requirements.map((one) =>
      one.from === "node" ? renamed(one.requirement, one.name) : ofWorkload(one),
    ),
  ),
});

/** Over the labels of an object, where nobody asks who gave them. */
export const objectSelector = ({ requirements }: CiliumSelector): Selector =>
  selectorOf(requirements.map(({ name, requirement }) => renamed(requirement, name)));
