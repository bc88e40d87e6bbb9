/** `metav1.ObjectMeta`: what of it matters to policy, and the rest by name. */
import { isReservedLabel } from "@bulkhead/model";
import { name as plainName, namespaceName } from "../native/values.ts";
import { fields, ignored, optional, required } from "../text/fields.ts";
import { dictionary, flag, list, mapped, refined, type Shape, text } from "../text/shape.ts";

/**
 * Labels as objects bear them. The API server has checked them, save for keys that stand for an authority's word: such a
 * label would be believed.
 */
export const objectLabels = dictionary("texts", text, (key) =>
  isReservedLabel(key) ? "a key that begins with `:` is reserved" : null,
);
const texts = dictionary("texts", text, () => null);

/**
 * Servers take more kinds of names than those of pods, but none that could pass for a line, a path or markup where it is told:
 * names of what made a pod stand in lists, and those of nodes in names of workloads.
 */
const tellableName = refined<string>((value) =>
  /^[\w.:@~+-]{1,253}$/.test(value)
    ? { value }
    : {
        code: "BH0107",
        error: `\`${value.slice(0, 253)}\` is not a name`,
        help: "letters, digits, `-` and `.`",
      },
);

const ownerReference = fields(
  "an owner reference",
  { kind: optional(tellableName), name: required(tellableName), controller: optional(flag) },
  { open: true },
);

/** Empty is what templates write who mean none. */
const namespace: Shape<string> = {
  ...namespaceName,
  read: (node, at) =>
    node.kind === "scalar" && node.value === "" ? "" : namespaceName.read(node, at),
};

/** The server's own word, which nobody writes: whatever it is, it is no mistake. Texts of one form, so that they sort by time. */
const moment: Shape<string> = {
  schema: {},
  read: (node) => (node.kind === "scalar" && typeof node.value === "string" ? node.value : ""),
};

const known = {
  namespace: optional(namespace),
  labels: optional(objectLabels),
  annotations: optional(texts),
  ownerReferences: optional(list(ownerReference, "owner references")),
  selfLink: ignored(),
  uid: ignored(),
  resourceVersion: ignored(),
  generation: ignored(),
  creationTimestamp: optional(moment),
  deletionTimestamp: ignored(),
  deletionGracePeriodSeconds: ignored(),
  finalizers: ignored(),
  managedFields: ignored(),
  clusterName: ignored(),
} as const;

const placed = <T extends { readonly namespace?: string }>({ namespace: home, ...rest }: T) => ({
  ...rest,
  ...(home ? { namespace: home } : {}),
});

export const objectMeta = mapped(
  fields("metadata", { name: required(tellableName), generateName: ignored(), ...known }),
  placed,
);

/** A namespace's name is a part of its inhabitants'. */
export const namespaceMeta = mapped(
  fields("metadata", { name: required(namespaceName), generateName: ignored(), ...known }),
  placed,
);

/** Of what may be created under a name that the server completes. */
export const generatedMeta = mapped(
  fields("metadata", { name: optional(plainName), generateName: optional(text), ...known }),
  ({ name, generateName, ...rest }, node, at) => {
    const called = name ?? generateName?.replace(/-+$/, "");
    if (called !== undefined && called !== "") return placed({ name: called, ...rest });
    const place = node.kind === "map" ? (node.entries[0]?.keyExtent ?? node) : node;
    at.report("BH0103", place, "metadata needs `name`");
    return undefined;
  },
);
