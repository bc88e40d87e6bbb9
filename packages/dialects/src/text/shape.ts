/**
 * Shapes: one description of a piece of a resource from which follow its reader (with every mistake reported in
 * place), its TypeScript type, and its JSON Schema. Shapes of values are here, shapes of maps in `fields.ts`.
 */
import type { DiagnosticCode } from "@bulkhead/model";
import type { ScalarNode, TreeNode } from "./document.ts";
import { didYouMean } from "./near.ts";
import { characterExtent, isNull, nodeKind, type Reader } from "./reader.ts";
import { TEMPLATE_HELP } from "./template.ts";

export type JsonSchema = { readonly [keyword: string]: unknown };

/** `read` gives undefined after it has reported at least one error. */
export interface Shape<T> {
  readonly schema: JsonSchema;
  readonly read: (node: TreeNode, at: Reader) => T | undefined;
}

export type Read<S> = S extends Shape<infer T> ? T : never;

export const wrongType = (
  node: TreeNode,
  expected: string,
  at: Reader,
  instead?: string,
): undefined => {
  const help = isNull(node) ? "give it a value, or leave the field out" : instead;
  at.report("BH0104", node, `expected ${expected}, found ${nodeKind(node)}`, help);
};

export const text: Shape<string> = {
  schema: { type: "string" },
  read: (node, at) => {
    if (node.kind === "scalar" && typeof node.value === "string") return node.value;
    if (node.kind === "scalar" && node.value !== null) {
      at.report(
        "BH0104",
        node,
        `expected text, found ${nodeKind(node)}`,
        `quote it: "${node.text}"`,
      );
      return undefined;
    }
    return wrongType(node, "text", at);
  },
};

export const flag: Shape<boolean> = {
  schema: { type: "boolean" },
  read: (node, at) =>
    node.kind === "scalar" && typeof node.value === "boolean"
      ? node.value
      : wrongType(node, "`true` or `false`", at),
};

export const integer = (min: number, max: number): Shape<number> => ({
  schema: { type: "integer", minimum: min, maximum: max },
  read: (node, at) => {
    if (node.kind !== "scalar" || typeof node.value !== "number") {
      return wrongType(node, `a whole number from ${min} to ${max}`, at);
    }
    if (Number.isInteger(node.value) && node.value >= min && node.value <= max) return node.value;
    at.report("BH0105", node, `\`${node.text}\` is not a whole number from ${min} to ${max}`);
    return undefined;
  },
});

/** Exactly one value, such as the `true` of `any: true`. */
export const constant = <const T extends string | boolean>(value: T): Shape<T> => ({
  schema: { const: value },
  read: (node, at) => {
    if (node.kind === "scalar" && node.value === value) return value;
    at.report("BH0105", node, `expected \`${value}\``);
    return undefined;
  },
});

export const word = <const T extends string>(what: string, ...words: readonly T[]): Shape<T> => ({
  schema: { type: "string", enum: words },
  read: (node, at) => {
    const value = text.read(node, at);
    if (value === undefined) return undefined;
    const found = words.find((one) => one === value);
    if (found === undefined) {
      at.report("BH0105", node, `unknown ${what} \`${value}\``, didYouMean(value, words));
    }
    return found;
  },
});

export type Refined<T> =
  | { readonly value: T; readonly warning?: Omit<RefinedError, "offset"> }
  | RefinedError;

interface RefinedError {
  readonly code: DiagnosticCode;
  readonly error: string;
  /** The character that cannot be; without it the whole text is meant. */
  readonly offset?: number;
  readonly help?: string;
}

const refine = <T>(
  node: ScalarNode,
  value: string,
  at: Reader,
  parse: (value: string) => Refined<T>,
): T | undefined => {
  const result = parse(value);
  if ("value" in result) {
    const { warning } = result;
    if (warning) at.report(warning.code, node, warning.error, warning.help, "warning");
    return result.value;
  }
  const extent = result.offset === undefined ? node : characterExtent(node, result.offset);
  const help = value.includes("{{") ? TEMPLATE_HELP : result.help;
  at.report(result.code, extent, result.error, help);
  return undefined;
};

/** Text with a meaning of its own. */
export const refined = <T>(
  parse: (value: string) => Refined<T>,
  keywords: JsonSchema = {},
): Shape<T> => ({
  schema: { type: "string", ...keywords },
  read: (node, at) => {
    const value = text.read(node, at);
    return value === undefined || node.kind !== "scalar"
      ? undefined
      : refine(node, value, at, parse);
  },
});

/** Like `refined`, and a bare number counts as its text: `5432` for `"5432"`. */
export const refinedOrNumber = <T>(
  name: string,
  parse: (value: string) => Refined<T>,
  keywords: JsonSchema = {},
): Shape<T> => ({
  schema: { anyOf: [{ type: "string", ...keywords }, { type: "integer" }] },
  read: (node, at) => {
    if (
      node.kind === "scalar" &&
      (typeof node.value === "string" || Number.isInteger(node.value))
    ) {
      return refine(node, node.text, at, parse);
    }
    return wrongType(node, name, at);
  },
});

/** One thing without its brackets, or something else altogether. */
function listOf(node: TreeNode, { schema }: Shape<unknown>): string | undefined {
  if (node.kind === "scalar" && typeof node.value === "string")
    return `write it as a list: [${node.text}]`;
  const [example] = Array.isArray(schema["examples"]) ? schema["examples"] : [];
  return typeof example === "string" ? `for example [${example}]` : undefined;
}

export const list = <T>(
  item: Shape<T>,
  what: string,
  keywords: JsonSchema = {},
): Shape<readonly T[]> => ({
  schema: { type: "array", items: item.schema, ...keywords },
  read: (node, at) => {
    if (node.kind !== "list") return wrongType(node, `a list of ${what}`, at, listOf(node, item));
    const out: T[] = [];
    for (const child of node.items) {
      const value = item.read(child, at);
      if (value !== undefined) out.push(value);
    }
    return out.length === node.items.length ? out : undefined;
  },
});

/** A map of free keys, each key checked by `keyProblem` (its message, or null). */
export const dictionary = <T>(
  what: string,
  value: Shape<T>,
  keyProblem: (key: string) => string | null,
): Shape<Readonly<Record<string, T>>> => ({
  schema: { type: "object", additionalProperties: value.schema },
  read: (node, at) => {
    if (node.kind !== "map") return wrongType(node, `a map of ${what}`, at);
    const out: [string, T][] = [];
    for (const entry of node.entries) {
      const problem = keyProblem(entry.key);
      if (problem !== null) at.report("BH0202", entry.keyExtent, `\`${entry.key}\`: ${problem}`);
      const read = value.read(entry.value, at);
      if (problem === null && read !== undefined) out.push([entry.key, read]);
    }
    return out.length === node.entries.length ? Object.fromEntries(out) : undefined;
  },
});

/** Another shape for each kind of node: the short form and the long form of one thing. */
export const either = <A, B>(name: string, scalars: Shape<A>, maps: Shape<B>): Shape<A | B> => ({
  schema: { anyOf: [scalars.schema, maps.schema] },
  read: (node, at): A | B | undefined => {
    if (node.kind === "map") return maps.read(node, at);
    if (node.kind === "scalar" && typeof node.value === "string") return scalars.read(node, at);
    return wrongType(node, name, at);
  },
});

/** The same text and errors, another value. */
export const mapped = <A, B>(
  shape: Shape<A>,
  to: (value: A, node: TreeNode, at: Reader) => B | undefined,
): Shape<B> => ({
  schema: shape.schema,
  read: (node, at) => {
    const value = shape.read(node, at);
    return value === undefined ? undefined : to(value, node, at);
  },
});

export const described = <T>(
  shape: Shape<T>,
  description: string,
  ...examples: readonly unknown[]
): Shape<T> => ({
  ...shape,
  schema: { description, ...(examples.length > 0 ? { examples } : {}), ...shape.schema },
});

const definitions = new Map<string, JsonSchema>();

/** The schemas of all shapes that were given a name, for `#/definitions`. */
export const sharedDefinitions: ReadonlyMap<string, JsonSchema> = definitions;

/**
 * A shape that many others use: its schema is written once, under this name, and referred to. (In a list of one,
 * because draft 7 ignores what stands beside a bare `$ref`.)
 */
export const shared = <T>(name: string, shape: Shape<T>): Shape<T> => {
  if (definitions.has(name)) throw new Error(`two shapes are called ${name}`);
  definitions.set(name, shape.schema);
  return { ...shape, schema: { allOf: [{ $ref: `#/definitions/${name}` }] } };
};
