/**
 * Shapes of maps with known fields: required, optional, ignored or refused by name; unknown ones are errors with the
 * nearest spelling. What is read carries its place as `source`, unless it has a field of that name.
 */
import type { DiagnosticCode, SourceSpan } from "@bulkhead/model";
import type { MapEntry, MapNode } from "./document.ts";
import { didYouMean } from "./near.ts";
import { isNull, type Reader } from "./reader.ts";
import { wrongType, type JsonSchema, type Shape } from "./shape.ts";

type Required<T> = {
  readonly presence: "required";
  readonly shape: Shape<T>;
  /** Which diagnostic tells that it is missing. */
  readonly missing: DiagnosticCode;
};
type Optional<T> = { readonly presence: "optional"; readonly shape: Shape<T> };
type Skipped =
  /** Known, and nothing for us: silently skipped, or with a warning that says why. */
  | { readonly presence: "ignored"; readonly warning: string | null }
  /** Known, and not to be represented: an error that names it. */
  | { readonly presence: "refused"; readonly help: string };
export type AnyField = Required<unknown> | Optional<unknown> | Skipped;

type Simplify<T> = { [K in keyof T]: T[K] } & {};
export type FieldValues<F> = Simplify<
  {
    readonly [K in keyof F as F[K] extends Required<unknown> ? K : never]: F[K] extends Required<
      infer T
    >
      ? T
      : never;
  } & {
    readonly [K in keyof F as F[K] extends Optional<unknown> ? K : never]?: F[K] extends Optional<
      infer T
    >
      ? T
      : never;
  } & ("source" extends keyof F ? unknown : { readonly source: SourceSpan })
>;

const withDescription = <T>(shape: Shape<T>, description?: string): Shape<T> =>
  description === undefined ? shape : { ...shape, schema: { description, ...shape.schema } };

export const required = <T>(
  shape: Shape<T>,
  description?: string,
  missing: DiagnosticCode = "BH0103",
): Required<T> => ({
  presence: "required",
  missing,
  shape: withDescription(shape, description),
});
export const optional = <T>(shape: Shape<T>, description?: string): Optional<T> => ({
  presence: "optional",
  shape: withDescription(shape, description),
});
export const ignored = (warning: string | null = null): Skipped => ({
  presence: "ignored",
  warning,
});
export const refused = (help: string): Skipped => ({ presence: "refused", help });

const readField = (
  entry: MapEntry,
  field: AnyField | undefined,
  names: readonly string[],
  at: Reader,
): { readonly value: unknown } | "absent" | "failed" => {
  if (field === undefined) {
    at.report(
      "BH0102",
      entry.keyExtent,
      `unknown field \`${entry.key}\``,
      didYouMean(entry.key, names),
    );
    return "failed";
  }
  if (at.nullIsAbsent && isNull(entry.value)) return "absent";
  switch (field.presence) {
    case "ignored":
      if (field.warning !== null) {
        at.report("BH0404", entry.keyExtent, `\`${entry.key}\` has no effect here`, field.warning);
      }
      return "absent";
    case "refused":
      at.report("BH0402", entry.keyExtent, `\`${entry.key}\` cannot be represented`, field.help);
      return "failed";
    case "required":
    case "optional": {
      const value = field.shape.read(entry.value, at);
      return value === undefined ? "failed" : { value };
    }
  }
};

const fieldsSchema = (fields: Readonly<Record<string, AnyField>>): JsonSchema => {
  const properties: Record<string, JsonSchema> = {};
  const needed: string[] = [];
  for (const [key, field] of Object.entries(fields)) {
    if (field.presence === "ignored") properties[key] = {};
    if (field.presence === "required" || field.presence === "optional") {
      properties[key] = field.shape.schema;
    }
    if (field.presence === "required") needed.push(key);
  }
  return {
    type: "object",
    properties,
    ...(needed.length > 0 ? { required: needed } : {}),
    additionalProperties: false,
  };
};

/**
 * `name` as a person calls it, with its article: `a rule`, `the spec of a Policy`. `open` maps may hold fields that
 * are none of our business (a Pod's volumes).
 */
export const fields = <const F extends Readonly<Record<string, AnyField>>>(
  name: string,
  known: F,
  options: { readonly open?: boolean } = {},
): Shape<FieldValues<F>> => {
  const names = Object.keys(known).filter((key) => known[key]?.presence !== "ignored");
  // A map that has a field of this name tells its place by another.
  const takesSource = Object.hasOwn(known, "source");
  return {
    schema: fieldsSchema(known),
    read: (node, at) => {
      if (node.kind !== "map") return wrongType(node, name, at);
      const out: Record<string, unknown> = takesSource ? {} : { source: at.span(node) };
      let sound = true;
      const present = new Set<string>();
      for (const entry of node.entries) {
        const field = Object.hasOwn(known, entry.key) ? known[entry.key] : undefined;
        if (field === undefined && options.open === true) continue;
        const result = readField(entry, field, names, at);
        if (result === "failed") sound = false;
        if (result !== "absent") present.add(entry.key);
        if (typeof result === "object") out[entry.key] = result.value;
      }
      for (const [key, field] of Object.entries(known)) {
        if (field.presence !== "required" || present.has(key)) continue;
        at.report(field.missing, head(node), `${name} needs \`${key}\``);
        sound = false;
      }
      return sound ? (out as FieldValues<F>) : undefined;
    },
  };
};

/** Where to point for what a map lacks: its first key rather than its whole body. */
const head = (node: MapNode) => node.entries[0]?.keyExtent ?? node;

/**
 * A map whose kind shows in which one of several fields it has: `{selector: …}` or `{cidr: …}`. Two of them exclude
 * each other.
 */
export const variants = <const V extends Readonly<Record<string, Shape<unknown>>>>(
  name: string,
  byField: V,
): Shape<V[keyof V] extends Shape<infer T> ? T : never> => {
  const heads = Object.keys(byField);
  type Out = V[keyof V] extends Shape<infer T> ? T : never;
  return {
    schema: { anyOf: Object.values(byField).map(({ schema }) => schema) },
    read: (node, at) => {
      if (node.kind !== "map") return wrongType(node, name, at);
      const present = node.entries.filter(({ key }) => heads.includes(key));
      const [first, second] = present;
      if (first === undefined) {
        for (const { key, keyExtent } of node.entries) {
          at.report("BH0102", keyExtent, `unknown field \`${key}\``, didYouMean(key, heads));
        }
        if (node.entries.length === 0) {
          const choices = heads.map((key) => `\`${key}\``).join(", ");
          at.report("BH0103", node, `${name} needs one of ${choices}`);
        }
        return undefined;
      }
      if (second !== undefined) {
        at.report(
          "BH0109",
          second.keyExtent,
          `\`${first.key}\` and \`${second.key}\` exclude each other`,
          `make it two entries`,
        );
        return undefined;
      }
      return byField[first.key]?.read(node, at) as Out | undefined;
    },
  };
};
