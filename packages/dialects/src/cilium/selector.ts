/**
 * Cilium's selectors: those of Kubernetes, but that a key may say who gave the label (`k8s:app`, `reserved:host`). What
 * namespaces and clusters they mean depends on where they stand, and is `scope.ts`' to say.
 */
import { labelKeyProblem, type Requirement, type SourceSpan } from "@bulkhead/model";
import { labelValue } from "../native/values.ts";
import { fields, optional, required } from "../text/fields.ts";
import { dictionary, list, mapped, refined, word } from "../text/shape.ts";

/** Names of `reserved:` labels, as of entities: who has no pod, or none that was labelled yet. */
export const RESERVED = [
  "world",
  "world-ipv4",
  "world-ipv6",
  "host",
  "remote-node",
  "kube-apiserver",
  "init",
  "health",
  "ingress",
  "unmanaged",
  "none",
] as const;
export type Reserved = (typeof RESERVED)[number];

export const isReserved = (name: string): name is Reserved =>
  (RESERVED as readonly string[]).includes(name);

export interface CiliumKey {
  /** `any` for whoever gave it. */
  readonly from: string;
  readonly name: string;
}

export type CiliumRequirement = CiliumKey & { readonly requirement: Requirement };

/** All must hold; `requirement.key` is the key as written. */
export interface CiliumSelector {
  readonly requirements: readonly CiliumRequirement[];
  readonly source: SourceSpan;
}

/** As `pkg/labels` splits them: at the first colon, and `reserved.` and `$` are other ways to say `reserved:`. */
export const parseCiliumKey = (key: string): CiliumKey => {
  if (key.startsWith("$")) return { from: "reserved", name: key.slice(1) };
  const colon = key.indexOf(":");
  if (colon >= 0) return { from: key.slice(0, colon), name: key.slice(colon + 1) };
  const dotted = "reserved.";
  if (key.startsWith(dotted)) return { from: "reserved", name: key.slice(dotted.length) };
  return { from: "any", name: key };
};

export const NAMESPACE_KEY = "io.kubernetes.pod.namespace";
export const NAMESPACE_LABELS = "io.cilium.k8s.namespace.labels.";
export const ACCOUNT_KEY = "io.cilium.k8s.policy.serviceaccount";
export const CLUSTER_KEY = "io.cilium.k8s.policy.cluster";

const keyProblem = (key: string): string | null => {
  const { from, name } = parseCiliumKey(key);
  if (from === "reserved") {
    return isReserved(name) || name === "all" ? null : `there is no reserved label \`${name}\``;
  }
  if (from !== "any" && from !== "k8s" && from !== "node") {
    return name === "" || from === "" ? "a label key cannot be empty" : null;
  }
  return labelKeyProblem(
    name.startsWith(NAMESPACE_LABELS) ? name.slice(NAMESPACE_LABELS.length) : name,
  );
};

const labelKey = refined<string>((value) => {
  const problem = keyProblem(value);
  return problem === null ? { value } : { code: "BH0202", error: `\`${value}\`: ${problem}` };
});

const expression = mapped(
  fields("an expression", {
    key: required(labelKey),
    operator: required(word("operator", "In", "NotIn", "Exists", "DoesNotExist")),
    values: optional(list(labelValue, "label values")),
  }),
  ({ key, operator, values = [] }, node, at): Requirement | undefined => {
    const wantsValues = operator === "In" || operator === "NotIn";
    if (wantsValues !== values.length > 0) {
      at.report(
        "BH0201",
        node,
        `operator \`${operator}\` ${wantsValues ? "needs" : "takes no"} \`values\``,
      );
      return undefined;
    }
    return wantsValues ? { key, operator, values } : { key, operator };
  },
);

export const ciliumSelector = mapped(
  fields("a selector", {
    matchLabels: optional(dictionary("labels", labelValue, keyProblem)),
    matchExpressions: optional(list(expression, "expressions")),
  }),
  ({ matchLabels = {}, matchExpressions = [], source }, node, at): CiliumSelector | undefined => {
    const labels = Object.entries(matchLabels).map(([key, value]): Requirement => ({
      key,
      operator: "In",
      values: [value],
    }));
    const requirements = [...labels, ...matchExpressions].map((requirement) => ({
      ...parseCiliumKey(requirement.key),
      requirement,
    }));
    const reserved = requirements.filter(({ from }) => from === "reserved");
    const isPlain = reserved.every(
      ({ requirement: { operator } }) => operator === "In" || operator === "Exists",
    );
    if (reserved.length > 0 && (requirements.length > 1 || !isPlain)) {
      at.report(
        "BH0402",
        node,
        "a selector of `reserved:` labels beside others cannot be represented",
        "give each of them a selector of its own, with `matchLabels`",
      );
      return undefined;
    }
    return { requirements, source };
  },
);
