/**
 * Subjects and peers of the cluster-wide policies of network-policy-api. Exactly one field says what is meant. A peer that says
 * it by a field which nobody here knows is kept as unknown: the rule then fails closed (`blocks.ts`).
 */
import { EVERYTHING, parseCidr, type Cidr, type Selector, type SourceSpan } from "@bulkhead/model";
import { labelSelector } from "../native/values.ts";
import { parseCidrText } from "../native/networks.ts";
import type { MapNode } from "../text/document.ts";
import { fields, optional, refused } from "../text/fields.ts";
import { nearest } from "../text/near.ts";
import type { Reader } from "../text/reader.ts";
import {
  list,
  mapped,
  refined,
  type Read,
  type Refined,
  type Shape,
  wrongType,
} from "../text/shape.ts";

/** `all` when the selector of namespaces is empty or left out. */
export interface Pods {
  readonly kind: "pods";
  readonly namespaces: Selector;
  readonly pods: Selector;
}

export interface DomainName {
  /** As it is written, in lower case and without a final dot. */
  readonly pattern: string;
  readonly regex: string;
}

export type ClusterPeer = { readonly source: SourceSpan } & (
  | Pods
  | { readonly kind: "nodes"; readonly nodes: Selector }
  | { readonly kind: "networks"; readonly cidrs: readonly Cidr[] }
  | { readonly kind: "domains"; readonly domains: readonly DomainName[] }
  | { readonly kind: "unknown"; readonly field: string | undefined }
);
export type ClusterSubject = Pods & { readonly source: SourceSpan };

/** `maximum` items, as many as the API server takes, and at least one. */
export const some = <T>(item: Shape<T>, what: string, maximum: number): Shape<readonly T[]> =>
  mapped(list(item, what, { minItems: 1, maxItems: maximum }), (value, node, at) => {
    if (value.length > 0 && value.length <= maximum) return value;
    if (value.length === 0) at.report("BH0103", node, `this list of ${what} needs at least one`);
    else at.report("BH0105", node, `${value.length} ${what} here, and ${maximum} are the most`);
    return undefined;
  });

const podsOf = (namespaces: Selector, pods: Selector): Pods => ({ kind: "pods", namespaces, pods });
/**
 * v1alpha2 lets the selector of namespaces be left out. Every other absence an API server refuses; what it would mean is
 * told by the type ("if empty, it selects all"), and tools that read files without a server read it so. So do we, aloud
 * (decision 0091).
 */
const selectors = (leftOut: Namespaced): Shape<Pods> =>
  mapped(
    fields("pods", {
      namespaceSelector: optional(labelSelector),
      podSelector: optional(labelSelector),
    }),
    ({ namespaceSelector, podSelector }, node, at) => {
      const missing = (field: string, all: string) =>
        at.report(
          "BH0103",
          node,
          `pods needs \`${field}\`: read as \`{}\`, ${all}`,
          "an API server refuses it; write what is meant",
          "warning",
        );
      if (podSelector === undefined) missing("podSelector", "every pod");
      if (namespaceSelector === undefined && leftOut === "required")
        missing("namespaceSelector", "every namespace");
      return podsOf(namespaceSelector ?? EVERYTHING, podSelector ?? EVERYTHING);
    },
  );

type Namespaced = "required" | "optional";
const PODS: Readonly<Record<Namespaced, Shape<Pods>>> = {
  required: selectors("required"),
  optional: selectors("optional"),
};

/** Relations of early v1alpha1, which bound a peer to the subject's namespace. */
const RELATIONS = "it was taken out of the API; select the namespaces by a label of theirs";
const namespacesShape = mapped(
  {
    ...labelSelector,
    read: (node, at) => {
      if (node.kind !== "map") return labelSelector.read(node, at);
      const relation = node.entries.find(({ key }) => /^(?:not)?same(?:labels)?$/i.test(key));
      return relation === undefined ? labelSelector.read(node, at) : earlyNamespaces.read(node, at);
    },
  } satisfies Shape<Selector>,
  (namespaces): Pods => ({ kind: "pods", namespaces, pods: EVERYTHING }),
);
const earlyNamespaces = mapped(
  fields("namespaces", {
    namespaceSelector: refused(RELATIONS),
    sameLabels: refused(RELATIONS),
    notSameLabels: refused(RELATIONS),
  }),
  () => EVERYTHING,
);

const nodesShape = mapped(labelSelector, (nodes) => ({ kind: "nodes", nodes }) as const);

/** The API server takes prefixes with host bits, and so do we, aloud. */
const network = refined<Cidr>((value) => {
  const result = parseCidrText(value);
  const parsed = parseCidr(value);
  if ("value" in result || parsed === null) return result;
  const { code, error } = result;
  return { value: parsed.cidr, warning: { code, error, help: `read as \`${parsed.cidr}\`` } };
});
const networksShape = mapped(
  some(network, "networks", 25),
  (cidrs) => ({ kind: "networks", cidrs }) as const,
);

const DOMAIN = /^(?:\*\.)?(?:[a-z0-9](?:[-a-z0-9_]*[a-z0-9])?\.)+[a-z0-9](?:[-a-z0-9_]*[a-z0-9])?$/;
/** `*` stands for one or more whole labels, and only before all others (trap 8). */
export const parseDomainName = (value: string): Refined<DomainName> => {
  const pattern = value.toLowerCase().replace(/\.$/, "");
  if (!DOMAIN.test(pattern) || pattern.length > 253)
    return {
      code: "BH0107",
      error: `\`${value}\` is not a domain name`,
      help: "for example `kubernetes.io`, or `*.kubernetes.io` for all below it",
    };
  const name = pattern.replace(/^\*\./, "").replaceAll(".", "\\.");
  return {
    value: { pattern, regex: pattern.startsWith("*.") ? `(?:[^.]+\\.)+${name}` : name },
  };
};
const domain = refined<DomainName>(parseDomainName);
const domainsShape = mapped(
  some(domain, "domain names", 25),
  (domains) => ({ kind: "domains", domains }) as const,
);

type Said = ClusterPeer extends infer P ? (P extends unknown ? Omit<P, "source"> : never) : never;

/** The one field of a map that is given; `undefined` after more than one was reported. */
const onlyField = (node: MapNode, name: string, known: readonly string[], at: Reader) => {
  const given = node.entries.filter(
    ({ key, value }) => known.includes(key) || !(value.kind === "scalar" && value.value === null),
  );
  const [first, second] = given;
  if (second === undefined || first === undefined) return { entry: first };
  at.report(
    "BH0109",
    second.keyExtent,
    `\`${first.key}\` and \`${second.key}\` exclude each other`,
    `${name} has one field; make it two`,
  );
  return undefined;
};

const peerOf = (
  byField: Readonly<Record<string, Shape<Said>>>,
  elsewhere: readonly string[] = [],
): Shape<ClusterPeer> => {
  const names = Object.keys(byField);
  return {
    schema: { anyOf: Object.values(byField).map(({ schema }) => schema) },
    read: (node, at): ClusterPeer | undefined => {
      if (node.kind !== "map") return wrongType(node, "a peer", at);
      const source = at.span(node);
      const only = onlyField(node, "a peer", names, at);
      if (only === undefined) return undefined;
      const { entry } = only;
      const shape = entry && (Object.hasOwn(byField, entry.key) ? byField[entry.key] : undefined);
      if (entry !== undefined && shape !== undefined) {
        const said = shape.read(entry.value, at);
        return said && ({ ...said, source } as ClusterPeer);
      }
      const near =
        entry && (nearest(entry.key, names) ?? elsewhere.find((one) => one === entry.key));
      if (entry !== undefined && near !== undefined && near !== null) {
        const help = elsewhere.includes(entry.key)
          ? "peers of other rules have it"
          : `did you mean \`${near}\`?`;
        at.report("BH0102", entry.keyExtent, `unknown field \`${entry.key}\``, help);
        return undefined;
      }
      const what =
        entry === undefined
          ? "a peer without a field"
          : `nobody here knows peers by \`${entry.key}\``;
      at.report(
        "BH0407",
        entry?.keyExtent ?? node,
        `${what}: the rule fails closed`,
        "an accept matches nothing; a deny or a pass denies everything",
      );
      return { kind: "unknown", field: entry?.key, source };
    },
  };
};

/** `required`: v1alpha1, `optional`: v1alpha2. */
export const ingressPeer = (namespaced: Namespaced): Shape<ClusterPeer> =>
  peerOf({ namespaces: namespacesShape, pods: PODS[namespaced] }, [
    "nodes",
    "networks",
    "domainNames",
  ]);

export const egressPeer = (namespaced: Namespaced): Shape<ClusterPeer> =>
  peerOf({
    namespaces: namespacesShape,
    pods: PODS[namespaced],
    nodes: nodesShape,
    networks: networksShape,
    domainNames: domainsShape,
  });

/** A baseline of v1alpha1 has no names of domains. */
export const baselineEgressPeer: Shape<ClusterPeer> = peerOf(
  {
    namespaces: namespacesShape,
    pods: PODS.required,
    nodes: nodesShape,
    networks: networksShape,
  },
  ["domainNames"],
);

export const subject = (namespaced: Namespaced): Shape<ClusterSubject> => {
  const shape = fields("a subject", {
    namespaces: optional(namespacesShape),
    pods: optional(PODS[namespaced]),
  });
  return mapped(shape, ({ namespaces, pods, source }: Read<typeof shape>, node, at) => {
    if ((namespaces === undefined) === (pods === undefined)) {
      const both = namespaces !== undefined;
      at.report(
        both ? "BH0109" : "BH0103",
        node,
        both
          ? "`namespaces` and `pods` exclude each other"
          : "a subject needs one of `namespaces`, `pods`",
        both ? undefined : "for every pod write `namespaces: {}`",
      );
      return undefined;
    }
    return { ...(namespaces ?? pods)!, source };
  });
};
