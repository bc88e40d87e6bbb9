/** The head that every native resource has: apiVersion, kind, metadata. */
import { API_VERSION } from "@bulkhead/model";
import { fields, optional, required } from "../text/fields.ts";
import { constant, type Shape } from "../text/shape.ts";
import { annotations, labels, name, namespaceName } from "./values.ts";

const metadata = fields("metadata", {
  name: required(name, "Unique among the resources of its kind and namespace."),
  namespace: optional(namespaceName, "`default` when absent."),
  labels: optional(labels),
  annotations: optional(annotations),
});

export const resource = <K extends string, S>(kind: K, description: string, spec: Shape<S>) => {
  const shape = fields(`a ${kind}`, {
    apiVersion: required(constant(API_VERSION)),
    kind: required(constant(kind)),
    metadata: required(metadata),
    spec: required(spec),
  });
  return { ...shape, schema: { title: kind, description, ...shape.schema } };
};
