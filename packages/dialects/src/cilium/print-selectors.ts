/** Whom the common form chooses, as Cilium's selectors: namespaces become labels of the workload. */
import {
  isReservedLabel,
  NODES_NAMESPACE,
  SERVICE_ACCOUNT_LABEL,
  type Block,
  type Requirement,
  type Selector,
} from "@bulkhead/model";

import { isNamespaceName } from "../native/values.ts";
import { NAMESPACE_NAME, type Chosen } from "./scope.ts";
import {
  ACCOUNT_KEY,
  CLUSTER_KEY,
  NAMESPACE_KEY,
  NAMESPACE_LABELS,
  parseCiliumKey,
} from "./selector.ts";
import { Unsayable } from "./unsayable.ts";

export interface PrintedSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly Requirement[];
}

const SPECIAL = [ACCOUNT_KEY, CLUSTER_KEY, NAMESPACE_KEY];

const keyOf = (key: string): string => {
  if (key === SERVICE_ACCOUNT_LABEL) return `k8s:${ACCOUNT_KEY}`;
  if (isReservedLabel(key)) throw new Unsayable(`this asks for \`${key}\``);
  const isTaken = SPECIAL.includes(key) || key.startsWith(NAMESPACE_LABELS);
  if (isTaken) throw new Unsayable(`this asks for a label \`${key}\``);
  return parseCiliumKey(key).from === "reserved" ? `k8s:${key}` : key;
};

const namespaceKey = (key: string): string =>
  `k8s:${key === NAMESPACE_NAME ? NAMESPACE_KEY : `${NAMESPACE_LABELS}${key}`}`;

const asSelector = (requirements: readonly Requirement[]): PrintedSelector => {
  const matchLabels: Record<string, string> = {};
  const matchExpressions: Requirement[] = [];
  for (const requirement of requirements) {
    const { key, operator } = requirement;
    const [only, ...more] = "values" in requirement ? requirement.values : [];
    if (operator === "In" && only !== undefined && more.length === 0 && !(key in matchLabels)) {
      matchLabels[key] = only;
    } else matchExpressions.push(requirement);
  }
  return {
    ...(Object.keys(matchLabels).length === 0 ? {} : { matchLabels }),
    ...(matchExpressions.length === 0 ? {} : { matchExpressions }),
  };
};

const keyed = ({ requirements }: Selector, key: (key: string) => string): Requirement[] =>
  requirements.map((one) => ({ ...one, key: key(one.key) }));

const inScope = ({ namespaces }: Chosen): Requirement[] => {
  switch (namespaces.kind) {
    case "all":
      return [{ key: `k8s:${NAMESPACE_KEY}`, operator: "Exists" }];
    case "named":
      return [{ key: `k8s:${NAMESPACE_KEY}`, operator: "In", values: [namespaces.name] }];
    case "selected":
      return keyed(namespaces.selector, namespaceKey);
  }
};

export const isOfNodes = ({ namespaces }: Chosen): boolean =>
  namespaces.kind === "named" && namespaces.name === NODES_NAMESPACE;

/** `home`: the policy's namespace; undefined where it is the whole cluster's. */
export const peerSelector = (peer: Chosen, home: string | undefined): PrintedSelector => {
  const { namespaces, selector } = peer;
  const labels = keyed(selector, keyOf);
  if (isOfNodes(peer)) return asSelector(labels);
  const isOwn =
    home === undefined
      ? namespaces.kind === "all"
      : namespaces.kind === "named" && namespaces.name === home;
  return asSelector(isOwn ? labels : [...inScope(peer), ...labels]);
};

/** Where a policy with this subject lives, and how it names it. */
export interface Target {
  /** Undefined: it is the whole cluster's. */
  readonly namespace: string | undefined;
  readonly subject:
    | { readonly endpointSelector: PrintedSelector }
    | { readonly nodeSelector: PrintedSelector };
}

export const targetOf = (subject: Block["subject"]): Target => {
  if (subject.kind === "all-workloads") {
    return { namespace: undefined, subject: { endpointSelector: {} } };
  }
  if (isOfNodes(subject)) {
    return { namespace: undefined, subject: { nodeSelector: peerSelector(subject, undefined) } };
  }
  const { namespaces } = subject;
  const isPlace = namespaces.kind === "named" && isNamespaceName(namespaces.name);
  const namespace = isPlace ? namespaces.name : undefined;
  return { namespace, subject: { endpointSelector: peerSelector(subject, namespace) } };
};
