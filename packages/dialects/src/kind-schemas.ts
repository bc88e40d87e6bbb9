/** The schemas of every policy kind that is read, of whatever dialect, as their shapes give them. */
import { API_VERSION } from "@bulkhead/model";
import { DIALECTS } from "./dialect-list.ts";
import { networkPolicy } from "./kubernetes/network-policy.ts";
import { NATIVE_KINDS } from "./native/kinds.ts";
import { sharedDefinitions, type JsonSchema } from "./text/shape.ts";

export interface KindSchema {
  readonly apiVersion: string;
  readonly kind: string;
  /** `$ref`s of it are to `definitions` below. */
  readonly schema: JsonSchema;
}

export const kindSchemas = (): readonly KindSchema[] => [
  { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", schema: networkPolicy.schema },
  ...Object.entries(NATIVE_KINDS).map(([kind, { schema }]) => ({
    apiVersion: API_VERSION,
    kind,
    schema,
  })),
  ...DIALECTS.flatMap(({ group, kinds }) =>
    kinds.map(({ kind, versions, shape }) => ({
      apiVersion: `${group}/${versions[0]!}`,
      kind,
      schema: shape.schema,
    })),
  ),
];

/** By name: `#/definitions/NAME`. */
export const schemaDefinitions: ReadonlyMap<string, JsonSchema> = sharedDefinitions;
