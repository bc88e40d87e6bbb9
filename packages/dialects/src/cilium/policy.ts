/**
 * `cilium.io/v2` CiliumNetworkPolicy, CiliumClusterwideNetworkPolicy and CiliumCIDRGroup, every field of them: mapped,
 * refused by name, or ignored. Meaning is given in `blocks.ts`; here what Cilium's own checks would say.
 */
import { objectMeta } from "../kubernetes/metadata.ts";
import { cidr } from "../kubernetes/network-policy.ts";
import type { TreeNode } from "../text/document.ts";
import { fields, ignored, optional, required } from "../text/fields.ts";
import type { Reader } from "../text/reader.ts";
import { constant, flag, list, mapped, text, word, type Read, type Shape } from "../text/shape.ts";
import {
  egressDenyRule,
  egressRule,
  ingressDenyRule,
  ingressRule,
  type CiliumRule,
} from "./rules.ts";
import type { ciliumConfig } from "./config.ts";
import { ciliumSelector } from "./selector.ts";

const specFields = fields("the spec of a Cilium policy", {
  endpointSelector: optional(ciliumSelector),
  nodeSelector: optional(ciliumSelector),
  ingress: optional(list(ingressRule, "ingress rules")),
  ingressDeny: optional(list(ingressDenyRule, "ingress denials")),
  egress: optional(list(egressRule, "egress rules")),
  egressDeny: optional(list(egressDenyRule, "egress denials")),
  enableDefaultDeny: optional(
    fields("a default", { ingress: optional(flag), egress: optional(flag) }),
  ),
  description: optional(text),
  // What Cilium finds the rule again by, and what it writes beside a flow: nothing about who may connect.
  labels: ignored(),
  log: ignored(),
});

type SpecFields = Read<typeof specFields>;
export type CiliumSpec = Omit<SpecFields, "endpointSelector" | "nodeSelector"> & {
  readonly subject: NonNullable<SpecFields["endpointSelector"]>;
  readonly isHost: boolean;
};

const SECTIONS = ["ingress", "ingressDeny", "egress", "egressDeny"] as const;

/** In a policy of hosts only DNS is looked into, on its way out. */
const asksRequests = (rules: readonly CiliumRule[] | undefined, dns: boolean): CiliumRule[] =>
  (rules ?? []).filter(({ ports }) =>
    ports.some(
      (port) =>
        "rules" in port && port.rules !== undefined && !(dns && port.rules.dns !== undefined),
    ),
  );

const hostProblems = (spec: SpecFields, node: TreeNode, at: Reader): boolean => {
  const found = [...asksRequests(spec.ingress, false), ...asksRequests(spec.egress, true)];
  if (found.length > 0) {
    at.report(
      "BH0410",
      node,
      "a policy of nodes cannot look into requests",
      "Cilium rejects the whole policy for it",
    );
  }
  return found.length > 0;
};

const specOf = (clusterwide: boolean): Shape<CiliumSpec> =>
  mapped(specFields, (value, node, at): CiliumSpec | undefined => {
    const { endpointSelector, nodeSelector, ...rest } = value;
    const place = (field: string) =>
      node.kind === "map"
        ? (node.entries.find(({ key }) => key === field)?.keyExtent ?? node)
        : node;
    if (SECTIONS.every((section) => value[section] === undefined)) {
      at.report(
        "BH0103",
        node,
        `a Cilium policy needs one of ${SECTIONS.map((one) => `\`${one}\``).join(", ")}`,
      );
      return undefined;
    }
    if (nodeSelector !== undefined && !clusterwide) {
      at.report(
        "BH0410",
        place("nodeSelector"),
        "`nodeSelector` can stand only in a CiliumClusterwideNetworkPolicy",
        "nodes are in no namespace",
      );
      return undefined;
    }
    if (endpointSelector !== undefined && nodeSelector !== undefined) {
      at.report(
        "BH0109",
        place("nodeSelector"),
        "`endpointSelector` and `nodeSelector` exclude each other",
        "make it two entries of `specs`",
      );
      return undefined;
    }
    const subject = endpointSelector ?? nodeSelector;
    if (subject === undefined) {
      const which = clusterwide
        ? "one of `endpointSelector`, `nodeSelector`"
        : "`endpointSelector`";
      at.report(
        "BH0103",
        node,
        `a Cilium policy needs ${which}`,
        "for every pod write `endpointSelector: {}`",
      );
      return undefined;
    }
    const isHost = nodeSelector !== undefined;
    return isHost && hostProblems(value, node, at) ? undefined : { ...rest, subject, isHost };
  });

const policyOf = <const K extends string>(kind: K, clusterwide: boolean) => {
  const spec = specOf(clusterwide);
  return mapped(
    fields(`a ${kind}`, {
      // Absent in the items of a list as the API serves it.
      apiVersion: optional(constant("cilium.io/v2")),
      kind: optional(constant(kind)),
      metadata: required(objectMeta),
      spec: optional(spec),
      specs: optional(list(spec, "specs")),
      // Where upstream's own examples had it once; the server drops it.
      description: ignored("it belongs into `spec`"),
      status: ignored(),
    }),
    ({ metadata, spec: one, specs = [], source }, node, at) => {
      if (one === undefined && specs.length === 0) {
        at.report("BH0103", node, `a ${kind} needs one of \`spec\`, \`specs\``);
        return undefined;
      }
      return {
        dialect: "cilium" as const,
        object: {
          kind,
          metadata,
          source,
          specs: [
            ...(one === undefined ? [] : [{ id: "", spec: one }]),
            ...specs.map((spec, i) => ({ id: `.${i}`, spec })),
          ],
        },
      };
    },
  );
};

export const ciliumNetworkPolicy = policyOf("CiliumNetworkPolicy", false);
export const ciliumClusterwideNetworkPolicy = policyOf("CiliumClusterwideNetworkPolicy", true);

export const ciliumCidrGroup = mapped(
  fields("a CiliumCIDRGroup", {
    apiVersion: optional(word("version", "cilium.io/v2", "cilium.io/v2alpha1")),
    kind: optional(constant("CiliumCIDRGroup")),
    metadata: required(objectMeta),
    spec: required(
      fields("the spec of a CiliumCIDRGroup", { externalCIDRs: required(list(cidr, "prefixes")) }),
    ),
  }),
  ({ metadata, spec, source }) => ({
    dialect: "cilium" as const,
    object: { kind: "CiliumCIDRGroup" as const, metadata, source, cidrs: spec.externalCIDRs },
  }),
);

export type CiliumPolicy = (
  | Read<typeof ciliumNetworkPolicy>
  | Read<typeof ciliumClusterwideNetworkPolicy>
)["object"];
export type CiliumCidrGroup = Read<typeof ciliumCidrGroup>["object"];
export type CiliumConfig = Read<typeof ciliumConfig>["object"];
export type CiliumResource = {
  readonly dialect: "cilium";
  readonly object: CiliumPolicy | CiliumCidrGroup | CiliumConfig;
};
