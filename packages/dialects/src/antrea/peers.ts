/**
 * Whom policies speak of: entries of `appliedTo`, of `from` and `to`. Which fields an entry may have depends on the kind of
 * policy, as the CRDs of antrea-io/antrea (`build/charts/antrea/crds`) have it; which go together, on its webhook.
 */
import {
  cidrRange,
  labelKeyProblem,
  rangeCovers,
  type Cidr,
  type Selector,
  type SourceSpan,
} from "@bulkhead/model";
import { cidr } from "../kubernetes/network-policy.ts";
import { outsideExcept } from "../native/except.ts";
import { labelSelector } from "../native/values.ts";
import { fields, optional, refused, required } from "../text/fields.ts";
import { list, mapped, refined, text, word, type Shape } from "../text/shape.ts";
import type { TreeNode } from "../text/document.ts";
import { isNull, type Reader } from "../text/reader.ts";

/** `Self`, or namespaces that agree with the subject's own in the values of these labels. */
export type BoundNamespaces = "self" | { readonly sameLabels: readonly string[] };

export interface NamespacedName {
  readonly namespace: string;
  readonly name: string;
}

export interface PodsPeer {
  readonly kind: "pods";
  /** Absent: the policy's own namespace, or all of them where it has none. */
  readonly namespaces?: Selector;
  readonly pods?: Selector;
}

export interface BoundPeer {
  readonly kind: "bound";
  readonly namespaces: BoundNamespaces;
  readonly pods?: Selector;
}

export type AntreaPeer = { readonly source: SourceSpan } & (
  | PodsPeer
  | BoundPeer
  | { readonly kind: "block"; readonly block: IpBlock }
  | { readonly kind: "group"; readonly group: string }
  | { readonly kind: "account"; readonly account: NamespacedName }
  | { readonly kind: "nodes"; readonly nodes: Selector }
  | { readonly kind: "domain"; readonly pattern: string; readonly regex: string }
);

export type AppliedTo = Extract<AntreaPeer, { kind: "pods" | "group" | "account" | "nodes" }>;

export interface IpBlock {
  readonly cidr: Cidr;
  readonly except: readonly Cidr[];
}

export const ipBlock: Shape<IpBlock> = mapped(
  fields("an ipBlock", { cidr: required(cidr), except: optional(list(cidr, "prefixes")) }),
  ({ cidr: prefix, except = [] }, node, at) =>
    outsideExcept(prefix, except, node, at) ? undefined : { cidr: prefix, except },
);

const MULTICAST = [cidrRange("224.0.0.0/4"), cidrRange("ff00::/8")];

export const isMulticast = ({ cidr: prefix }: IpBlock): boolean =>
  MULTICAST.some((range) => rangeCovers(range, cidrRange(prefix)));

export const namespacedName: Shape<NamespacedName> = mapped(
  fields("a name with its namespace", { name: required(text), namespace: required(text) }),
  ({ name, namespace }) => ({ name, namespace }),
);

const labelKey = refined<string>((value) => {
  const problem = labelKeyProblem(value);
  return problem === null ? { value } : { code: "BH0202", error: `\`${value}\`: ${problem}` };
});

const boundNamespaces: Shape<BoundNamespaces> = mapped(
  fields("namespaces", {
    match: optional(word("match", "Self")),
    sameLabels: optional(list(labelKey, "label keys")),
  }),
  ({ match, sameLabels }, node, at): BoundNamespaces | undefined => {
    if (match !== undefined && sameLabels !== undefined) {
      at.report("BH0109", node, "`match` and `sameLabels` exclude each other", "make it two peers");
      return undefined;
    }
    if (match !== undefined) return "self";
    if (sameLabels !== undefined && sameLabels.length > 0) return { sameLabels };
    at.report("BH0103", node, "namespaces need one of `match`, `sameLabels`");
    return undefined;
  },
);

/** What other clusters hold is in nobody's files here. */
export const scope: Shape<"Cluster"> = mapped(
  word("scope", "Cluster", "ClusterSet"),
  (value, node, at) => {
    if (value === "Cluster") return value;
    at.report(
      "BH0402",
      node,
      "scope `ClusterSet` cannot be represented",
      "other clusters are not in these files: name their addresses with `ipBlock`",
    );
    return undefined;
  },
);

export const domainExpression = (pattern: string): string =>
  pattern.replaceAll(".", "[.]").replaceAll("*", ".*");

/** As `toRegex` of `pkg/agent/controller/networkpolicy/fqdn.go`: a star is any text, over dots as well (trap 8). */
const domain = refined<{ readonly pattern: string; readonly regex: string }>((value) => {
  if (!/^[-0-9a-zA-Z.*]+$/.test(value)) {
    return {
      code: "BH0107",
      error: `\`${value}\` is not a domain name`,
      help: "letters, digits, `-`, `.` and `*`",
    };
  }
  const pattern = value.toLowerCase();
  return { value: { pattern, regex: domainExpression(pattern) } };
});

const EXTERNAL = "machines outside are declared in an Inventory, and named by their addresses";

const podFields = {
  podSelector: optional(labelSelector),
  externalEntitySelector: refused(EXTERNAL),
  group: optional(text),
} as const;
const clusterFields = {
  namespaceSelector: optional(labelSelector),
  serviceAccount: optional(namespacedName),
} as const;
const SERVICE = "apply the policy to the pods behind the Service";

/** Fields of whichever entry there is. */
interface Entry {
  readonly source: SourceSpan;
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly namespaces?: BoundNamespaces;
  readonly ipBlock?: IpBlock;
  readonly group?: string;
  readonly serviceAccount?: NamespacedName;
  readonly nodeSelector?: Selector;
  readonly fqdn?: { readonly pattern: string; readonly regex: string };
  readonly scope?: "Cluster";
}

/** All of one line may stand together, and nothing with what stands in another. */
const FAMILIES: readonly (readonly string[])[] = [
  ["podSelector", "namespaceSelector", "namespaces", "scope"],
  ["ipBlock"],
  ["group"],
  ["serviceAccount"],
  ["nodeSelector"],
  ["fqdn"],
];
const familyOf = (key: string): number => FAMILIES.findIndex((family) => family.includes(key));
const namesNamespaces = (key: string): boolean =>
  key === "namespaces" || key === "namespaceSelector";

const exclude = (one: string, other: string): boolean =>
  familyOf(one) !== familyOf(other) || (namesNamespaces(one) && namesNamespaces(other));

/** Reports the first two fields that cannot stand together; true when there are any. Of known fields alone. */
const hasExclusion = (node: TreeNode, at: Reader): boolean => {
  if (node.kind !== "map") return false;
  const given = node.entries.filter(({ value }) => !isNull(value));
  for (const [place, { key, keyExtent }] of given.entries()) {
    const other = given.slice(0, place).find((before) => exclude(before.key, key));
    if (other === undefined) continue;
    const message = `\`${other.key}\` and \`${key}\` exclude each other`;
    at.report("BH0109", keyExtent, message, "make it two entries");
    return true;
  }
  return false;
};

const entryOf = (
  entry: Entry,
  what: string,
  node: TreeNode,
  at: Reader,
): AntreaPeer | undefined => {
  if (hasExclusion(node, at)) return undefined;
  const { source, podSelector: pods, namespaceSelector, namespaces: bound } = entry;
  const { ipBlock: block, group, serviceAccount: account, nodeSelector: nodes, fqdn } = entry;
  if (block !== undefined) return { kind: "block", block, source };
  if (group !== undefined) return { kind: "group", group, source };
  if (account !== undefined) return { kind: "account", account, source };
  if (nodes !== undefined) return { kind: "nodes", nodes, source };
  if (fqdn !== undefined) return { kind: "domain", ...fqdn, source };
  const selected = pods === undefined ? {} : { pods };
  if (bound !== undefined) return { kind: "bound", namespaces: bound, ...selected, source };
  if (pods === undefined && namespaceSelector === undefined) {
    at.report("BH0103", node, `${what} needs a selector`, "for every pod, write `podSelector: {}`");
    return undefined;
  }
  return {
    kind: "pods",
    ...(namespaceSelector === undefined ? {} : { namespaces: namespaceSelector }),
    ...selected,
    source,
  };
};

const peerOf = (known: Shape<Entry>): Shape<AntreaPeer> =>
  mapped(known, (entry, node, at) => entryOf(entry, "a peer", node, at));

const isSubject = (peer: AntreaPeer): peer is AppliedTo =>
  peer.kind !== "block" && peer.kind !== "domain" && peer.kind !== "bound";
const subjectOf = (known: Shape<Entry>): Shape<AppliedTo> =>
  mapped(known, (entry, node, at) => {
    const found = entryOf(entry, "an `appliedTo`", node, at);
    return found !== undefined && isSubject(found) ? found : undefined;
  });

const peerFields = {
  ...podFields,
  namespaceSelector: optional(labelSelector),
  ipBlock: optional(ipBlock),
  nodeSelector: optional(labelSelector),
} as const;
const clusterPeerFields = {
  ...peerFields,
  ...clusterFields,
  namespaces: optional(boundNamespaces),
} as const;

/** Of an Antrea NetworkPolicy. */
export const NAMESPACED = {
  appliedTo: subjectOf(fields("an `appliedTo`", podFields)),
  ruleAppliedTo: subjectOf(fields("an `appliedTo`", podFields)),
  from: peerOf(fields("a peer", { ...peerFields, scope: optional(scope) })),
  to: peerOf(fields("a peer", { ...peerFields, fqdn: optional(domain) })),
} as const;

const clusterSubject = { ...podFields, ...clusterFields, service: refused(SERVICE) } as const;

/** Of an Antrea ClusterNetworkPolicy. */
export const CLUSTER = {
  appliedTo: subjectOf(
    fields("an `appliedTo`", { ...clusterSubject, nodeSelector: optional(labelSelector) }),
  ),
  ruleAppliedTo: subjectOf(fields("an `appliedTo`", clusterSubject)),
  from: peerOf(fields("a peer", { ...clusterPeerFields, scope: optional(scope) })),
  to: peerOf(fields("a peer", { ...clusterPeerFields, fqdn: optional(domain) })),
} as const;

export interface PeerWords {
  readonly appliedTo: Shape<AppliedTo>;
  readonly ruleAppliedTo: Shape<AppliedTo>;
  readonly from: Shape<AntreaPeer>;
  readonly to: Shape<AntreaPeer>;
}
