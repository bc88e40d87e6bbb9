/**
 * The published JSON Schema of the native kinds, made from the same shapes that read them. Draft 7, because that is
 * what editors' YAML servers speak. What a schema cannot say (host bits, expiry, contradictions) `check` tells.
 */
import { sharedDefinitions, type JsonSchema } from "../text/shape.ts";
import { NATIVE_KINDS } from "./kinds.ts";

const DRAFT = "http://json-schema.org/draft-07/schema#";

/** The named shapes that a schema refers to, and those that these refer to. */
const withDefinitions = (schema: JsonSchema): JsonSchema => {
  const used = new Map<string, JsonSchema>();
  const collect = (part: unknown): void => {
    if (typeof part !== "object" || part === null) return;
    for (const [key, value] of Object.entries(part)) {
      if (key !== "$ref") {
        collect(value);
        continue;
      }
      const name = String(value).replace("#/definitions/", "");
      const definition = sharedDefinitions.get(name);
      if (definition === undefined || used.has(name)) continue;
      used.set(name, definition);
      collect(definition);
    }
  };
  collect(schema);
  return { ...schema, definitions: Object.fromEntries([...used].toSorted()) };
};

/** File name → schema: one per kind, and `resource.json` that takes any of them. */
export const nativeSchemas = (): Readonly<Record<string, JsonSchema>> => {
  const kinds = Object.entries(NATIVE_KINDS);
  const single = kinds.map(([kind, { schema }]): [string, JsonSchema] => [
    `${kind}.json`,
    withDefinitions({ $schema: DRAFT, ...schema }),
  ]);
  const any: JsonSchema = {
    $schema: DRAFT,
    title: "Bulkhead resource",
    type: "object",
    required: ["apiVersion", "kind"],
    properties: { kind: { enum: kinds.map(([kind]) => kind) } },
    // By kind, so that an editor complains about the kind at hand and not about all of them.
    allOf: kinds.map(([kind, { schema }]) => ({
      if: { properties: { kind: { const: kind } }, required: ["kind"] },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
      then: schema,
    })),
  };
  return Object.fromEntries([...single, ["resource.json", withDefinitions(any)]]);
};
