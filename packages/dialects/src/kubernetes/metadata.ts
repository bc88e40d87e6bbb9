/** `metav1.ObjectMeta`: what of it matters to policy, and the rest by name. */
import { fields, ignored, optional, required } from "../text/fields.ts";
import { dictionary, flag, list, text } from "../text/shape.ts";

const anyKey = (): null => null;
const texts = dictionary("texts", text, anyKey);

const ownerReference = fields(
  "an owner reference",
  { kind: optional(text), name: required(text), controller: optional(flag) },
  { open: true },
);

export const objectMeta = fields("metadata", {
  name: required(text),
  namespace: optional(text),
  labels: optional(texts),
  annotations: optional(texts),
  ownerReferences: optional(list(ownerReference, "owner references")),
  generateName: ignored(),
  selfLink: ignored(),
  uid: ignored(),
  resourceVersion: ignored(),
  generation: ignored(),
  creationTimestamp: ignored(),
  deletionTimestamp: ignored(),
  deletionGracePeriodSeconds: ignored(),
  finalizers: ignored(),
  managedFields: ignored(),
  clusterName: ignored(),
});
