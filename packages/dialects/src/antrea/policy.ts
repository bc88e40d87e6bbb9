/** Antrea NetworkPolicy and ClusterNetworkPolicy (`crd.antrea.io/v1beta1`; `v1alpha1` says the same in the same words). */
import { ICMP, SCTP, TCP, UDP, type SourceSpan } from "@bulkhead/model";
import { objectMeta } from "../kubernetes/metadata.ts";
import type { Extent, TreeNode } from "../text/document.ts";
import { fields, ignored, optional, required } from "../text/fields.ts";
import type { Reader } from "../text/reader.ts";
import { constant, list, mapped, text, wrongType, type Read, type Shape } from "../text/shape.ts";
import { goesWithIgmp } from "./igmp.ts";
import { CLUSTER, NAMESPACED, type AppliedTo } from "./peers.ts";
import { IGMP } from "./ports.ts";
import { CLUSTER_RULES, NAMESPACED_RULES, type AntreaRule } from "./rules.ts";

/** Kubernetes has policies of the same names: these are what Antrea itself calls them where both are meant. */
export type PolicyKind = "AntreaNetworkPolicy" | "AntreaClusterNetworkPolicy";

export interface AntreaPolicy {
  readonly kind: PolicyKind;
  readonly metadata: Read<typeof objectMeta>;
  /** In lower case where it is one of Antrea's own. */
  readonly tier: string;
  readonly priority: number;
  readonly appliedTo: readonly AppliedTo[];
  readonly ingress: readonly AntreaRule[];
  readonly egress: readonly AntreaRule[];
  readonly source: SourceSpan;
}

const LOWEST = 1;
const HIGHEST = 10_000;

const priority: Shape<number> = {
  schema: { type: "number", minimum: LOWEST, maximum: HIGHEST },
  read: (node, at) => {
    if (node.kind !== "scalar" || typeof node.value !== "number") {
      return wrongType(node, "a number from 1 to 10000", at);
    }
    if (node.value >= LOWEST && node.value <= HIGHEST) return node.value;
    at.report("BH0105", node, `\`${node.text}\` is not a number from 1 to 10000`);
    return undefined;
  },
};

export const DEFAULT_TIER = "application";
export const BASELINE_TIER = "baseline";
/** What they were called before they had objects. */
const STATIC_TIERS = [
  "Emergency",
  "SecurityOps",
  "NetworkOps",
  "Platform",
  "Application",
  "Baseline",
];

const tierName = (written: string | undefined): string => {
  if (written === undefined || written === "") return DEFAULT_TIER;
  return STATIC_TIERS.includes(written) ? written.toLowerCase() : written;
};

interface Spec {
  readonly source: SourceSpan;
  readonly tier?: string;
  readonly priority: number;
  readonly appliedTo?: readonly AppliedTo[];
  readonly ingress?: readonly AntreaRule[];
  readonly egress?: readonly AntreaRule[];
}

/** Null: the spec itself. */
type Place = { readonly section: "ingress" | "egress" | "appliedTo"; readonly at: number } | null;

type Problem = readonly [
  code: "BH0103" | "BH0108" | "BH0109" | "BH0307" | "BH0430",
  place: Place,
  message: string,
  help?: string,
];

interface PlacedRule {
  readonly rule: AntreaRule;
  readonly place: Place;
}

const SPEC_OR_RULES = "say whom it is for in the spec, or in every rule";

function* aboutSubjects(
  { appliedTo = [] }: Spec,
  rules: readonly PlacedRule[],
): Generator<Problem> {
  const own = rules.filter(({ rule }) => rule.appliedTo.length > 0);
  if (appliedTo.length > 0) {
    for (const { place } of own) {
      const message = "`appliedTo` of the spec and of a rule exclude each other";
      yield ["BH0109", place, message, SPEC_OR_RULES];
    }
  } else if (own.length === 0) {
    yield ["BH0103", null, "the policy needs `appliedTo`", SPEC_OR_RULES];
  } else {
    for (const { place } of rules.filter(({ rule }) => rule.appliedTo.length === 0)) {
      yield ["BH0103", place, "this rule needs `appliedTo`, as others have it", SPEC_OR_RULES];
    }
  }
}

/** antrea-io/antrea `docs/antrea-node-network-policy.md`, limitations. */
function* aboutNodes({ appliedTo = [] }: Spec, rules: readonly PlacedRule[]): Generator<Problem> {
  if (appliedTo.every(({ kind }) => kind !== "nodes")) return;
  for (const [at, { kind }] of appliedTo.entries()) {
    if (kind === "nodes") continue;
    const place = { section: "appliedTo", at } as const;
    yield ["BH0430", place, "a policy is for nodes or for pods", "make it two policies"];
  }
  for (const { rule, place } of rules) {
    if (rule.requests !== undefined) {
      yield ["BH0430", place, "a policy for nodes cannot look into requests"];
    }
    if (rule.peers?.some(({ kind }) => kind === "domain") === true) {
      yield ["BH0430", place, "a policy for nodes cannot name its peers by domain"];
    }
  }
}

function* aboutIgmp(rules: readonly PlacedRule[]): Generator<Problem> {
  const asked = rules.map(({ rule: { ports = [], peers, services } }) => {
    const has = (...protocols: readonly number[]) =>
      ports.some((port) => port.kind !== "all" && protocols.includes(port.protocol));
    return {
      igmp: has(IGMP),
      icmp: has(ICMP),
      more: peers !== undefined || services !== undefined || has(TCP, UDP, SCTP),
    };
  });
  for (const [at, isTaken] of goesWithIgmp(asked).entries()) {
    if (isTaken) continue;
    const message =
      "beside rules of `igmp` Antrea takes none after them with peers or ports, and no ICMP";
    yield ["BH0430", rules[at]?.place ?? null, message, "make it two policies"];
  }
}

/** Rules without a name are called after what they say: two that say the same would have one name. */
function* aboutNames(rules: readonly PlacedRule[]): Generator<Problem> {
  const taken = new Set<string>();
  for (const { rule, place } of rules) {
    const { name } = rule;
    const words = JSON.stringify([name === undefined ? place?.section : name, rule], (key, value) =>
      key === "source" ? undefined : (value as unknown),
    );
    const key = name ?? words;
    if (taken.has(key)) {
      yield name === undefined
        ? ["BH0430", place, "this rule says what another says", "give it a name, or take it out"]
        : ["BH0108", place, `rule \`${name}\` is declared twice`];
    }
    taken.add(key);
  }
}

function* problemsOf(spec: Spec): Generator<Problem> {
  const rules = (["ingress", "egress"] as const).flatMap((section) =>
    (spec[section] ?? []).map((rule, at): PlacedRule => ({ rule, place: { section, at } })),
  );
  yield* aboutSubjects(spec, rules);
  yield* aboutNodes(spec, rules);
  yield* aboutNames(rules);
  yield* aboutIgmp(rules);
  if (tierName(spec.tier) !== BASELINE_TIER) return;
  for (const { rule, place } of rules) {
    if (rule.action !== "pass") continue;
    yield ["BH0307", place, "`Pass` cannot stand in tier `baseline`", "no tier comes after it"];
  }
}

const extentOf = (place: Place, node: TreeNode): Extent => {
  if (place === null || node.kind !== "map") return node;
  const list = node.entries.find(({ key }) => key === place.section)?.value;
  return list?.kind === "list" ? (list.items[place.at] ?? list) : node;
};

const checked = <S extends Spec>(spec: S, node: TreeNode, at: Reader): S | undefined => {
  const problems = [...problemsOf(spec)];
  for (const [code, place, message, help] of problems) {
    at.report(code, extentOf(place, node), message, help);
  }
  return problems.length === 0 ? spec : undefined;
};

/** Written by Antrea itself. */
const status = ignored();

const policyShape = (
  kind: PolicyKind,
  word: string,
  appliedTo: Shape<AppliedTo>,
  rules: {
    readonly ingress: Shape<readonly AntreaRule[]>;
    readonly egress: Shape<readonly AntreaRule[]>;
  },
): Shape<AntreaPolicy> =>
  mapped(
    fields(`an Antrea ${word}`, {
      apiVersion: optional(text),
      kind: optional(constant(word)),
      metadata: required(objectMeta),
      spec: required(
        mapped(
          fields(`the spec of an Antrea ${word}`, {
            tier: optional(text),
            priority: required(priority),
            appliedTo: optional(list(appliedTo, "entries")),
            ingress: optional(rules.ingress),
            egress: optional(rules.egress),
          }),
          checked,
        ),
      ),
      status,
    }),
    ({ metadata, spec, source }) => ({
      kind,
      metadata,
      tier: tierName(spec.tier),
      priority: spec.priority,
      appliedTo: spec.appliedTo ?? [],
      ingress: spec.ingress ?? [],
      egress: spec.egress ?? [],
      source,
    }),
  );

export const antreaNetworkPolicy = policyShape(
  "AntreaNetworkPolicy",
  "NetworkPolicy",
  NAMESPACED.appliedTo,
  NAMESPACED_RULES,
);

export const antreaClusterNetworkPolicy = policyShape(
  "AntreaClusterNetworkPolicy",
  "ClusterNetworkPolicy",
  CLUSTER.appliedTo,
  CLUSTER_RULES,
);
