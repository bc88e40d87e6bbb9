/** `bulkhead schema`: the JSON Schemas of what verbs print with `-o json`, and of the resources people write. */
import type { CommonOptions } from "../context.ts";
import { badInput } from "../failure.ts";
import { nearest } from "../ui/spell.ts";
import type { Verb } from "./verb.ts";

export const schema: Verb<CommonOptions> = async (_context, [name]) => {
  const { publishedSchemas } = await import("@bulkhead/api");
  const schemas: Readonly<Record<string, unknown>> = { ...publishedSchemas() };
  if (name === undefined) {
    const names = Object.keys(schemas);
    return {
      value: schemas,
      text: () => `${names.join("\n")}\n`,
      next: ["schema status", "schema -o json"],
      exitCode: 0,
    };
  }
  const found = schemas[name];
  if (found === undefined) {
    const near = nearest(name, Object.keys(schemas));
    throw badInput(
      `no schema is called \`${name}\``,
      near === undefined ? "`bulkhead schema` lists them" : `did you mean \`${near}\`?`,
    );
  }
  return {
    value: found,
    text: () => `${JSON.stringify(found, undefined, 2)}\n`,
    next: [],
    exitCode: 0,
  };
};
