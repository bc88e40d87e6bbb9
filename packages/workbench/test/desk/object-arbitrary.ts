/**
 * Objects of every kind that any dialect reads, drawn from the schemas that their shapes carry: of the right form nearly
 * everywhere, and with words in them that mean something in one dialect and nothing in another.
 */
import { kindSchemas, parseFiles, schemaDefinitions, type JsonSchema } from "@bulkhead/dialects";
import fc from "fast-check";
import { isCollection, isNode, isPair, parseDocument, type Document } from "yaml";

const KINDS = kindSchemas();

const WORDS = [
  "web",
  "db",
  "shop",
  "app=web",
  "app in (web, db)",
  "app",
  "default",
  "cluster.local/ns/shop/sa/web",
  "shop/web",
  "*",
  "/api/*",
  "GET",
  "/{**}",
  "(a+)+$",
  "[",
  "\\",
  "example.com",
  "*.example.com",
  "10.0.0.0/8",
  "10.0.0.1",
  "10.1.2.3/8",
  "::ffff:10.0.0.0/104",
  "2001:db8::/32",
  "0.0.0.0/0",
  "80",
  "80:90",
  "http",
  "1/2",
  "TCP",
  "all()",
  "has(app) && app == 'web'",
  "global()",
  "constructor",
  "__proto__",
  "kubernetes.io/metadata.name",
  "k8s:app",
  "reserved:host",
  "ß",
  "",
] as const;
/** What fits a field of this name, in some dialect. */
const FITTING: readonly (readonly [field: RegExp, words: readonly (string | number)[]])[] = [
  [
    /cidr|nets|ipBlock|except|prefixes|addresses|expectedIPs/i,
    ["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "10.1.2.3/8", "10.0.0.1", "2001:db8::/32"],
  ],
  [/^ports?$|notPorts|endPort|^number$/i, [80, 443, "80", "http", "8000:9000", 65535]],
  [
    /selector|subject|that/i,
    ["app == 'web'", "all()", "has(app)", "app=web", "app in (web, db)", "!app"],
  ],
  [/protocol/i, ["TCP", "UDP", "SCTP", "ICMP", 6]],
  [/principals/i, ["cluster.local/ns/shop/sa/web", "*", "cluster.local/ns/*"]],
  [/serviceAccounts?$/i, ["web", "shop/web"]],
  [/paths?$|exact|prefix/i, ["/api", "/api/*", "/api/{*}"]],
  [/methods?$/i, ["GET", "POST"]],
  [/hosts?$|fqdn|matchName|sni|domain/i, ["example.com", "api.example.com"]],
  [/matchPattern/i, ["*.example.com", "*"]],
  [
    /^key$|Labels$/i,
    ["app", "env", "request.headers[x]", "source.ip", "destination.port", "remote.ip"],
  ],
  [/types/i, ["Ingress", "Egress"]],
  [/tier/i, ["default", "application", "securityops"]],
  [/priority|order/i, [1, 5, 10, 100]],
  [/type$|code$/i, [8, 0, "EchoRequest"]],
  [/expires|until|from$|at$/i, ["2027-01-01T00:00:00Z"]],
  [/entities/i, ["world", "cluster", "host", "all"]],
];
const WHOLE = [0, 1, 4, 8, 80, 100, 443, 65535] as const;
const PLAIN = ["web", "db", "shop", "default", "app"] as const;
const NUMBERS = [0, 1, 2, 8, 53, 80, 90, 443, 65535, 65536, -1, 1.5] as const;

const MOST_OPTIONAL = 3;

/** Nearly always one that fits. */
function value(field: string): fc.Arbitrary<unknown> {
  const fitting = FITTING.find(([name]) => name.test(field))?.[1] ?? PLAIN;
  return fc.oneof(
    { weight: 40, arbitrary: fc.constantFrom(...fitting) },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(...WORDS, ...NUMBERS, null, [], {}) },
  );
}

/** `depth` bounds what is optional: whatever lies deeper is a word. */
function ofSchema(schema: JsonSchema, field: string, depth: number): fc.Arbitrary<unknown> {
  const under = (one: unknown, name = field): fc.Arbitrary<unknown> =>
    ofSchema(one as JsonSchema, name, depth - 1);
  if (depth <= 0) return value(field);
  if ("const" in schema) return fc.constant(schema["const"]);
  if (Array.isArray(schema["enum"])) return fc.constantFrom<unknown>(...schema["enum"]);
  const ref = schema["$ref"];
  if (typeof ref === "string") {
    return under(schemaDefinitions.get(ref.split("/").at(-1)!));
  }
  const choices = (schema["anyOf"] ?? schema["oneOf"] ?? schema["allOf"]) as unknown;
  if (Array.isArray(choices)) return fc.oneof(...choices.map((one) => under(one)));
  switch (schema["type"]) {
    case "object":
      return map(schema, under);
    case "array":
      return fc.array(under(schema["items"] ?? {}), { minLength: 1, maxLength: 2, size: "max" });
    case "boolean":
      return fc.boolean();
    case "integer":
    case "number":
      return fc.constantFrom(...WHOLE);
    default:
      return value(field);
  }
}

/** Few of the fields that may be absent are there, or no two would ever go together. */
function map(
  schema: JsonSchema,
  under: (one: unknown, name?: string) => fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema["properties"] ?? {}) as Record<string, unknown>);
  const needed = new Set((schema["required"] ?? []) as readonly string[]);
  const others = schema["additionalProperties"];
  const more =
    typeof others === "object" && others !== null
      ? fc.dictionary(fc.constantFrom("app", "env", "80"), under(others), { maxKeys: 2 })
      : fc.constant({});
  const optional = properties.map(([key]) => key).filter((key) => !needed.has(key));
  const some = fc.subarray(optional, {
    minLength: Math.min(needed.size > 0 ? 0 : 1, optional.length),
    maxLength: Math.min(MOST_OPTIONAL, optional.length),
  });
  return fc
    .tuple(some, more)
    .chain(([chosen, rest]) =>
      fc
        .record(
          Object.fromEntries(
            properties
              .filter(([key]) => needed.has(key) || chosen.includes(key))
              .map(([key, one]) => [key, under(one, key)]),
          ),
        )
        .map((own) => ({ ...rest, ...own })),
    );
}

const NAMED = fc.record({
  name: fc.constantFrom("one", "two", "default"),
  namespace: fc.constantFrom("shop", "dev"),
});

/** As JSON, which is YAML; it may be wrong in several places. */
export const roughObject: fc.Arbitrary<string> = fc
  .constantFrom(...KINDS)
  .chain(({ apiVersion, kind, schema }) => {
    const {
      metadata: _,
      apiVersion: __,
      kind: ___,
      ...rest
    } = (schema["properties"] ?? {}) as Record<string, unknown>;
    return fc
      .tuple(NAMED, ofSchema({ ...schema, properties: rest }, kind, 14))
      .map(([metadata, body]) =>
        JSON.stringify({ apiVersion, kind, metadata, ...(body as object) }),
      );
  });

const MOST_REPAIRS = 40;

/** Sound. */
export const soundObject: fc.Arbitrary<string> = roughObject.map(repaired);

/** Without what is wrong in it: such parts are left out one after the other, or the whole of which a part is missing. */
function repaired(object: string): string {
  let text = object;
  for (let at = 0; at < MOST_REPAIRS; at += 1) {
    const { diagnostics } = parseFiles([{ name: "object.json", text }]);
    const wrong = diagnostics.find(({ severity }) => severity === "error");
    if (wrong === undefined) return text;
    const document = parseDocument(text);
    const path = pathTo(document, wrong.span.column - 1);
    if (path.length === 0) return "";
    document.deleteIn(path);
    text = JSON.stringify(document);
  }
  return "";
}

/** Of the innermost item that reaches over this character. */
function pathTo(document: Document, offset: number): readonly (string | number)[] {
  const path: (string | number)[] = [];
  const holds = (node: unknown): boolean =>
    isNode(node) &&
    node.range !== undefined &&
    node.range !== null &&
    node.range[0] <= offset &&
    offset < node.range[2];
  let node: unknown = document.contents;
  while (isCollection(node)) {
    const at: number = node.items.findIndex((one) =>
      isPair(one) ? holds(one.key) || holds(one.value) : holds(one),
    );
    if (at < 0) break;
    const item: unknown = node.items[at];
    path.push(isPair(item) ? String(item.key) : at);
    node = isPair(item) ? item.value : item;
  }
  return path;
}
