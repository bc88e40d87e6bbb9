/**
 * NetworkPolicy and GlobalNetworkPolicy with their staged forms, `projectcalico.org/v3` and as they are stored: every field of
 * `api/pkg/apis/projectcalico/v3/{networkpolicy,globalnetworkpolicy,staged*}.go`. What validation forbids is an error in place.
 */
import { networkPolicySpec } from "../kubernetes/network-policy.ts";
import { objectMeta } from "../kubernetes/metadata.ts";
import type { TreeNode } from "../text/document.ts";
import { fields, ignored, optional, required } from "../text/fields.ts";
import type { Reader } from "../text/reader.ts";
import { flag, list, mapped, text, word, type Read, type Shape } from "../text/shape.ts";
import { extentAt } from "./places.ts";
import { GLOBAL_ELSEWHERE, rulesOf, selector, withGlobal } from "./rule.ts";
import { asWritten } from "./stored.ts";

export const order: Shape<number> = {
  schema: { type: "number" },
  read: (node, at) => {
    if (node.kind === "scalar" && typeof node.value === "number") return node.value;
    at.report("BH0104", node, "expected a number");
    return undefined;
  },
};

const types = mapped(list(word("type", "Ingress", "Egress"), "types"), (value, node, at) => {
  const twice = value.findIndex((one, place) => value.indexOf(one) < place);
  if (twice < 0) return value;
  at.report("BH0108", extentAt(node, twice), `type \`${value[twice]}\` is given twice`);
  return undefined;
});

const COMMON = {
  tier: optional(text),
  order: optional(order),
  selector,
  serviceAccountSelector: selector,
  types: optional(types),
  // They never change what is enforced.
  performanceHints: optional(list(word("hint", "AssumeNeededOnEveryNode"), "hints")),
} as const;
const NAMESPACED = { ...COMMON, ...rulesOf(false) } as const;
const GLOBAL = {
  ...COMMON,
  ...rulesOf(true),
  namespaceSelector: selector,
  doNotTrack: optional(flag),
  preDNAT: optional(flag),
  applyOnForward: optional(flag),
} as const;
const STAGED = {
  stagedAction: optional(word("staged action", "Set", "Delete", "Learn", "Ignore")),
} as const;

export const head = {
  apiVersion: optional(text),
  kind: optional(text),
  metadata: required(objectMeta),
  status: ignored(),
} as const;

const label = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?";
const subdomain = `${label}(?:\\.${label})*`;
/** A tier may stand before the name; or what was made of policies of Kubernetes and OpenStack. */
const NAMESPACED_NAME = new RegExp(
  `^(?:${label}(?:\\.${label})?|(?:knp|ossg)\\.default\\.${subdomain})$`,
);
const GLOBAL_NAME = new RegExp(`^(?:${label}\\.)?${label}$`);

interface Given {
  readonly apiVersion?: string;
  readonly metadata: Read<typeof objectMeta>;
  readonly spec: Readonly<Record<string, unknown>>;
}

type Problem = readonly [
  code: "BH0107" | "BH0109" | "BH0441",
  path: readonly string[],
  message: string,
  help?: string,
];

function* aboutPackets({ spec }: Given): Generator<Problem> {
  const { doNotTrack, preDNAT, applyOnForward, egress, types: given } = spec;
  if (doNotTrack === true && preDNAT === true)
    yield ["BH0109", ["spec", "preDNAT"], "`preDNAT` and `doNotTrack` exclude each other"];
  if ((doNotTrack === true || preDNAT === true) && applyOnForward !== true) {
    const key = doNotTrack === true ? "doNotTrack" : "preDNAT";
    yield ["BH0441", ["spec", key], `\`${key}\` needs \`applyOnForward: true\``];
  }
  if (preDNAT !== true) return;
  if (Array.isArray(egress) && egress.length > 0)
    yield ["BH0109", ["spec", "egress"], "`preDNAT` and `egress` exclude each other"];
  if (Array.isArray(given) && given.includes("Egress"))
    yield ["BH0109", ["spec", "types"], "`preDNAT` and type `Egress` exclude each other"];
}

/** A deletion says which policy, and nothing about it. `rest`: what may stand there nevertheless. */
function* aboutDeletion(
  { spec }: Given,
  node: TreeNode,
  rest: readonly string[],
): Generator<Problem> {
  if (spec["stagedAction"] !== "Delete" || node.kind !== "map") return;
  const body = node.entries.find(({ key }) => key === "spec")?.value;
  if (body?.kind !== "map") return;
  for (const { key, value } of body.entries) {
    const isNothing =
      (value.kind === "scalar" &&
        (value.value === null || value.value === "" || value.value === false)) ||
      (value.kind === "list" && value.items.length === 0) ||
      (value.kind === "map" && value.entries.length === 0);
    if (isNothing || rest.includes(key)) continue;
    yield ["BH0441", ["spec", key], `a staged \`Delete\` goes without \`${key}\``];
  }
}

function* problemsOf(given: Given, node: TreeNode, isGlobal: boolean): Generator<Problem> {
  const { metadata, spec } = given;
  if (!(isGlobal ? GLOBAL_NAME : NAMESPACED_NAME).test(metadata.name)) {
    const help = "lower case letters, digits and `-`; its tier may stand before it, with a dot";
    yield ["BH0107", ["metadata", "name"], `\`${metadata.name}\` is not a policy's name`, help];
  }
  const own = ["selector", "serviceAccountSelector", "namespaceSelector"];
  for (const key of withGlobal(spec, own)) yield ["BH0109", ["spec", key], GLOBAL_ELSEWHERE];
  yield* aboutDeletion(given, node, ["stagedAction", "tier"]);
  yield* aboutPackets(given);
}

/** Older versions of Calico know a policy's tier by its name, and refuse it where the two differ. */
const reportTier = ({ metadata, spec }: Given, node: TreeNode, at: Reader): void => {
  const { tier } = spec;
  const called = /^(.+?)\./.exec(metadata.name)?.[1];
  const inTier = typeof tier === "string" && tier !== "" ? tier : "default";
  if (called === undefined || called === inTier || /^(?:knp|ossg)$/.test(called)) return;
  const message = `policy \`${metadata.name}\` is called after tier \`${called}\`, and stands in \`${inTier}\``;
  const help = `call it \`${inTier}.${metadata.name.slice(called.length + 1)}\`, or set \`tier: ${called}\``;
  at.report("BH0441", extentAt(node, "metadata", "name"), message, help, "warning");
};

const policyShape = <T extends Given>(shape: Shape<T>, isGlobal: boolean): Shape<T> =>
  asWritten(
    mapped(shape, (given, node, at) => {
      const problems = [...problemsOf(given, node, isGlobal)];
      for (const [code, path, message, help] of problems)
        at.report(code, extentAt(node, ...path), message, help);
      if (problems.length > 0) return undefined;
      reportTier(given, node, at);
      return given;
    }),
    true,
  );

const policyOf = <const F extends typeof NAMESPACED | typeof GLOBAL>(
  kind: string,
  known: F,
  isGlobal: boolean,
): Shape<GlobalPolicy> =>
  policyShape(
    fields(`a ${kind}`, { ...head, spec: required(fields(`the spec of a ${kind}`, known)) }),
    isGlobal,
  ) as Shape<GlobalPolicy>;

const stagedGlobal = fields("a StagedGlobalNetworkPolicy", {
  ...head,
  spec: required(fields("the spec of a StagedGlobalNetworkPolicy", { ...GLOBAL, ...STAGED })),
});
export type GlobalPolicy = Read<typeof stagedGlobal>;

export const stagedGlobalNetworkPolicy = policyShape(stagedGlobal, true);
export const networkPolicy = policyOf("NetworkPolicy", NAMESPACED, false);
export const globalNetworkPolicy = policyOf("GlobalNetworkPolicy", GLOBAL, true);
export const stagedNetworkPolicy = policyOf(
  "StagedNetworkPolicy",
  { ...NAMESPACED, ...STAGED },
  false,
);

const stagedKubernetes = fields("a StagedKubernetesNetworkPolicy", {
  ...head,
  spec: required(
    fields("the spec of a StagedKubernetesNetworkPolicy", { ...networkPolicySpec, ...STAGED }),
  ),
});
export type StagedKubernetesPolicy = Read<typeof stagedKubernetes>;

/** A policy of Kubernetes that is tried. */
export const stagedKubernetesNetworkPolicy = asWritten(
  mapped(stagedKubernetes, (given, node, at): StagedKubernetesPolicy | undefined => {
    const problems = [...aboutDeletion(given, node, ["stagedAction"])];
    for (const [code, path, message] of problems) at.report(code, extentAt(node, ...path), message);
    return problems.length === 0 ? given : undefined;
  }),
  false,
);
