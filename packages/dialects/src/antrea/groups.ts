/** Tiers, ClusterGroups and Groups: every field of antrea-io/antrea `pkg/apis/crd/v1beta1/types.go`. */
import type { Selector, SourceSpan } from "@bulkhead/model";
import { objectMeta } from "../kubernetes/metadata.ts";
import { labelSelector } from "../native/values.ts";
import { fields, ignored, optional, refused, required } from "../text/fields.ts";
import { constant, integer, list, mapped, text, type Read, type Shape } from "../text/shape.ts";
import {
  ipBlock,
  isMulticast,
  namespacedName,
  type IpBlock,
  type NamespacedName,
} from "./peers.ts";

export interface AntreaTier {
  readonly kind: "AntreaTier";
  readonly metadata: Read<typeof objectMeta>;
  readonly priority: number;
  readonly source: SourceSpan;
}

export const tier: Shape<AntreaTier> = mapped(
  fields("a Tier", {
    apiVersion: optional(text),
    kind: optional(constant("Tier")),
    metadata: required(objectMeta),
    spec: required(
      fields("the spec of a Tier", {
        priority: required(integer(0, 255)),
        description: optional(text),
      }),
    ),
  }),
  ({ metadata, spec, source }) => ({
    kind: "AntreaTier",
    metadata,
    priority: spec.priority,
    source,
  }),
);

export type GroupContent =
  | { readonly kind: "pods"; readonly namespaces?: Selector; readonly pods?: Selector }
  | { readonly kind: "blocks"; readonly blocks: readonly IpBlock[] }
  | { readonly kind: "service"; readonly service: NamespacedName }
  | { readonly kind: "groups"; readonly groups: readonly string[] };

export interface AntreaGroup {
  readonly kind: "ClusterGroup" | "Group";
  readonly metadata: Read<typeof objectMeta>;
  readonly content: GroupContent;
  readonly source: SourceSpan;
}

/** Fields that say whom a group has; a selector of namespaces goes with one of pods. */
const HEADS = ["podSelector", "ipBlocks", "serviceReference", "childGroups"] as const;

const spec = mapped(
  fields("the spec of a group", {
    podSelector: optional(labelSelector),
    namespaceSelector: optional(labelSelector),
    externalEntitySelector: refused(
      "machines outside are declared in an Inventory, and named by their addresses",
    ),
    ipBlocks: optional(list(ipBlock, "ipBlocks")),
    serviceReference: optional(namespacedName),
    childGroups: optional(list(text, "names of groups")),
  }),
  (value, node, at): GroupContent | undefined => {
    const { podSelector: pods, namespaceSelector: namespaces } = value;
    const { ipBlocks: blocks, serviceReference: service, childGroups: groups } = value;
    const heads = HEADS.filter((key) => value[key] !== undefined);
    const selects = pods !== undefined || namespaces !== undefined;
    const others = heads.filter((key) => key !== "podSelector");
    if (others.length > (selects ? 0 : 1)) {
      const [one = "podSelector", other] = [
        ...(selects ? [pods === undefined ? "namespaceSelector" : "podSelector"] : []),
        ...others,
      ];
      const message = `\`${one}\` and \`${other}\` exclude each other`;
      at.report("BH0109", node, message, "make it two groups, and one of both by `childGroups`");
      return undefined;
    }
    if (!selects && others.length === 0) {
      const choices = HEADS.map((key) => `\`${key}\``).join(", ");
      at.report("BH0103", node, `a group needs one of ${choices}, \`namespaceSelector\``);
      return undefined;
    }
    const multicast = blocks?.filter(isMulticast).length ?? 0;
    if (multicast > 0 && multicast < (blocks?.length ?? 0)) {
      at.report("BH0430", node, "multicast and other addresses in one group", "make it two groups");
      return undefined;
    }
    if (blocks !== undefined) return { kind: "blocks", blocks };
    if (service !== undefined) return { kind: "service", service };
    if (groups !== undefined) return { kind: "groups", groups };
    return {
      kind: "pods",
      ...(namespaces === undefined ? {} : { namespaces }),
      ...(pods === undefined ? {} : { pods }),
    };
  },
);

const group = (kind: AntreaGroup["kind"]): Shape<AntreaGroup> =>
  mapped(
    fields(`a ${kind}`, {
      apiVersion: optional(text),
      kind: optional(constant(kind)),
      metadata: required(objectMeta),
      spec: required(spec),
      // Written by Antrea itself.
      status: ignored(),
    }),
    ({ metadata, spec: content, source }) => ({ kind, metadata, content, source }),
  );

export const clusterGroup = group("ClusterGroup");
export const namespacedGroup = group("Group");
