/**
 * ClusterNetworkPolicy (`policy.networking.k8s.io/v1alpha2`), AdminNetworkPolicy and BaselineAdminNetworkPolicy (`v1alpha1`):
 * every field of them, read into one form. Words differ between the versions, what they say does not.
 */
import type { PortMatch, SourceSpan } from "@bulkhead/model";
import { objectMeta } from "../kubernetes/metadata.ts";
import { fields, ignored, optional, required } from "../text/fields.ts";
import {
  integer,
  list,
  mapped,
  type Read,
  refined,
  type Shape,
  text,
  word,
} from "../text/shape.ts";
import {
  baselineEgressPeer,
  egressPeer,
  ingressPeer,
  some,
  subject,
  type ClusterPeer,
  type ClusterSubject,
} from "./peers.ts";
import { portList, protocolList } from "./ports.ts";

export type Tier = "Admin" | "Baseline";
export type ClusterAction = "allow" | "deny" | "pass";

export interface ClusterRule {
  readonly name?: string;
  readonly action: ClusterAction;
  readonly peers: readonly ClusterPeer[];
  /** Absent: all traffic. */
  readonly ports?: readonly PortMatch[];
  readonly source: SourceSpan;
}

export interface ClusterPolicy {
  readonly kind: "ClusterNetworkPolicy" | "AdminNetworkPolicy" | "BaselineAdminNetworkPolicy";
  readonly metadata: Read<typeof objectMeta>;
  readonly tier: Tier;
  readonly priority: number;
  readonly subject: ClusterSubject;
  readonly ingress: readonly ClusterRule[];
  readonly egress: readonly ClusterRule[];
  readonly source: SourceSpan;
}

const ruleName = refined<string>((value) =>
  value.length <= 100
    ? { value }
    : {
        code: "BH0107",
        error: `a rule's name of ${value.length} characters`,
        help: "100 are the most",
      },
);

const ACTIONS = { Accept: "allow", Allow: "allow", Deny: "deny", Pass: "pass" } as const;

/** Names of ports stand for nothing where no pod is, and domains can only be let in (trap 7). */
const checked = (
  { action, peers, ports, ...rest }: ClusterRule,
  accept: string,
  at: Parameters<Shape<unknown>["read"]>[1],
  node: Parameters<Shape<unknown>["read"]>[0],
): ClusterRule | undefined => {
  const outside = peers.find(({ kind }) => ["networks", "nodes", "domains"].includes(kind));
  const isNamed = ports?.some(({ kind }) => kind === "named") === true;
  if (outside !== undefined && isNamed) {
    at.report(
      "BH0109",
      node,
      "peers that are no pods and a port by its name exclude each other",
      "write the port's number",
    );
  }
  const hasDomains = peers.some(({ kind }) => kind === "domains");
  if (hasDomains && action !== "allow") {
    at.report(
      "BH0307",
      node,
      "`domainNames` can only be let in",
      `say \`${accept}\` here, and deny the rest in a rule after it`,
    );
  }
  if ((outside !== undefined && isNamed) || (hasDomains && action !== "allow")) return undefined;
  return { action, peers, ...(ports === undefined ? {} : { ports }), ...rest };
};

interface Words {
  readonly actions: readonly (keyof typeof ACTIONS)[];
  readonly ingress: Shape<ClusterPeer>;
  readonly egress: Shape<ClusterPeer>;
  readonly peers: number;
  readonly ports: number;
  readonly hasProtocols: boolean;
}

const rules = (
  { actions, ingress, egress, peers, ports, hasProtocols }: Words,
  maximum: number,
) => {
  const common = {
    name: optional(ruleName),
    action: required(word("action", ...actions)),
    ports: optional(portList(ports)),
    ...(hasProtocols ? { protocols: optional(protocolList) } : {}),
  } as const;
  const [accept = "Accept"] = actions;
  const ruleOf = (
    value: {
      readonly name?: string;
      readonly action: keyof typeof ACTIONS;
      readonly ports?: readonly PortMatch[];
      readonly protocols?: readonly PortMatch[];
      readonly source: SourceSpan;
    },
    given: readonly ClusterPeer[],
    node: Parameters<Shape<unknown>["read"]>[0],
    at: Parameters<Shape<unknown>["read"]>[1],
  ): ClusterRule | undefined => {
    const { name, action, ports: byPort, protocols, source } = value;
    if (byPort !== undefined && protocols !== undefined) {
      at.report("BH0109", node, "`ports` and `protocols` exclude each other");
      return undefined;
    }
    const matches = byPort ?? protocols;
    return checked(
      {
        ...(name === undefined ? {} : { name }),
        action: ACTIONS[action],
        peers: given,
        ...(matches === undefined ? {} : { ports: matches }),
        source,
      },
      accept,
      at,
      node,
    );
  };
  const atMost = (rule: Shape<ClusterRule>, what: string) =>
    mapped(list(rule, what, { maxItems: maximum }), (value, node, at) => {
      if (value.length <= maximum) return value;
      at.report("BH0105", node, `${value.length} ${what} here, and ${maximum} are the most`);
      return undefined;
    });
  return {
    ingress: optional(
      atMost(
        mapped(
          fields("an ingress rule", {
            ...common,
            from: required(some(ingress, "peers", peers)),
          }),
          (value, node, at) => ruleOf(value, value.from, node, at),
        ),
        "ingress rules",
      ),
    ),
    egress: optional(
      atMost(
        mapped(
          fields("an egress rule", { ...common, to: required(some(egress, "peers", peers)) }),
          (value, node, at) => ruleOf(value, value.to, node, at),
        ),
        "egress rules",
      ),
    ),
  };
};

const head = {
  apiVersion: optional(text),
  kind: optional(text),
  metadata: required(objectMeta),
  // What implementations say of it.
  status: ignored(),
} as const;
const priority = required(integer(0, 1000));

export const clusterNetworkPolicy: Shape<ClusterPolicy> = mapped(
  fields("a ClusterNetworkPolicy", {
    ...head,
    spec: required(
      fields("the spec of a ClusterNetworkPolicy", {
        tier: required(word("tier", "Admin", "Baseline")),
        priority,
        subject: required(subject("optional")),
        ...rules(
          {
            actions: ["Accept", "Deny", "Pass"],
            ingress: ingressPeer("optional"),
            egress: egressPeer("optional"),
            peers: 25,
            ports: 25,
            hasProtocols: true,
          },
          25,
        ),
      }),
    ),
  }),
  ({ metadata, spec, source }) => ({
    kind: "ClusterNetworkPolicy",
    metadata,
    tier: spec.tier,
    priority: spec.priority,
    subject: spec.subject,
    ingress: spec.ingress ?? [],
    egress: spec.egress ?? [],
    source,
  }),
);

export const adminNetworkPolicy: Shape<ClusterPolicy> = mapped(
  fields("an AdminNetworkPolicy", {
    ...head,
    spec: required(
      fields("the spec of an AdminNetworkPolicy", {
        priority,
        subject: required(subject("required")),
        ...rules(
          {
            actions: ["Allow", "Deny", "Pass"],
            ingress: ingressPeer("required"),
            egress: egressPeer("required"),
            peers: 100,
            ports: 100,
            hasProtocols: false,
          },
          100,
        ),
      }),
    ),
  }),
  ({ metadata, spec, source }) => ({
    kind: "AdminNetworkPolicy",
    metadata,
    tier: "Admin",
    priority: spec.priority,
    subject: spec.subject,
    ingress: spec.ingress ?? [],
    egress: spec.egress ?? [],
    source,
  }),
);

export const baselineAdminNetworkPolicy: Shape<ClusterPolicy> = mapped(
  fields("a BaselineAdminNetworkPolicy", {
    ...head,
    // There is one in a cluster, and this is its name.
    metadata: required(
      mapped(objectMeta, (value, node, at) => {
        if (value.name === "default") return value;
        at.report(
          "BH0107",
          node,
          `a BaselineAdminNetworkPolicy cannot be called \`${value.name}\``,
          "a cluster has one, and it is called `default`",
        );
        return undefined;
      }),
    ),
    spec: required(
      fields("the spec of a BaselineAdminNetworkPolicy", {
        subject: required(subject("required")),
        ...rules(
          {
            actions: ["Allow", "Deny"],
            ingress: ingressPeer("required"),
            egress: baselineEgressPeer,
            peers: 100,
            ports: 100,
            hasProtocols: false,
          },
          100,
        ),
      }),
    ),
  }),
  ({ metadata, spec, source }) => ({
    kind: "BaselineAdminNetworkPolicy",
    metadata,
    tier: "Baseline",
    priority: 0,
    subject: spec.subject,
    ingress: spec.ingress ?? [],
    egress: spec.egress ?? [],
    source,
  }),
);
