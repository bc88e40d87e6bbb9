// Reads what a source file imports and which impure globals it uses, from its syntax tree, so that
// comments, strings and property names never count.
import { parseSync } from "oxc-parser";

export type Import = {
  /** The text between the quotes; undefined where it is computed when the program runs. */
  readonly specifier: string | undefined;
  readonly line: number;
};

export type ImpureUse = { readonly what: string; readonly line: number };

export type Scan = { readonly imports: readonly Import[]; readonly impure: readonly ImpureUse[] };

type Node = { readonly type: string; readonly start: number } & Readonly<Record<string, unknown>>;

/** Globals that read a clock, a random source, a machine, or wait on one. */
const impureGlobals = new Set([
  "process",
  "performance",
  "crypto",
  "Buffer",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "fetch",
  "globalThis",
  "require",
  "Worker",
  "navigator",
  "localStorage",
]);

const impureMembers = new Set(["Math.random", "Date.now", "Temporal.Now"]);

function isNode(value: unknown): value is Node {
  return (
    typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"
  );
}

function childrenOf(node: Node): readonly Node[] {
  return Object.values(node).flatMap((value) =>
    Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [],
  );
}

function nameOf(value: unknown): string | undefined {
  return isNode(value) && value.type === "Identifier" && typeof value["name"] === "string"
    ? value["name"]
    : undefined;
}

/** Names that this file itself declares: a parameter called `process` is not the global. */
function declaredNames(root: Node): ReadonlySet<string> {
  const names = new Set<string>();
  const addPattern = (pattern: unknown): void => {
    if (!isNode(pattern)) return;
    const name = nameOf(pattern);
    if (name !== undefined) names.add(name);
    else if (pattern.type === "Property") addPattern(pattern["value"]);
    else if (pattern.type === "AssignmentPattern") addPattern(pattern["left"]);
    else if (/^(ObjectPattern|ArrayPattern|RestElement)$/.test(pattern.type)) {
      for (const child of childrenOf(pattern)) addPattern(child);
    }
  };
  const visit = (node: Node): void => {
    if (node.type === "VariableDeclarator") addPattern(node["id"]);
    if (/Function/.test(node.type) && Array.isArray(node["params"])) {
      for (const parameter of node["params"]) addPattern(parameter);
    }
    if (/^(FunctionDeclaration|ClassDeclaration)$/.test(node.type)) addPattern(node["id"]);
    if (/^Import(Default|Namespace)?Specifier$/.test(node.type)) addPattern(node["local"]);
    for (const child of childrenOf(node)) visit(child);
  };
  visit(root);
  return names;
}

/** Children that are read as values, leaving out names that only label something. */
function valueChildren(node: Node): readonly Node[] {
  const skipped = new Set<unknown>();
  if (node["computed"] !== true) {
    if (node.type === "MemberExpression") skipped.add(node["property"]);
    if (/^(Property|PropertyDefinition|MethodDefinition)$/.test(node.type))
      skipped.add(node["key"]);
  }
  return childrenOf(node).filter(
    // Types vanish before a program runs.
    (child) => !skipped.has(child) && !/^TS(Type|Interface|Property|Method)/.test(child.type),
  );
}

export function scan(file: string, text: string): Scan {
  const parsed = parseSync(file, text);
  const firstError = parsed.errors[0];
  if (firstError !== undefined) throw new Error(`${file} does not parse: ${firstError.message}`);

  const lineOf = (offset: number): number => text.slice(0, offset).split("\n").length;
  const at = (node: Node): number => lineOf(node.start);
  const imports: Import[] = [];
  const impure: ImpureUse[] = [];
  const program = parsed.program as unknown as Node;
  const declared = declaredNames(program);

  for (const { moduleRequest } of parsed.module.staticImports) {
    imports.push({ specifier: moduleRequest.value, line: lineOf(moduleRequest.start) });
  }
  for (const { entries } of parsed.module.staticExports) {
    const request = entries.find((entry) => entry.moduleRequest)?.moduleRequest;
    if (request) imports.push({ specifier: request.value, line: lineOf(request.start) });
  }

  const addSource = (source: unknown, node: Node): void => {
    const literal = isNode(source) && typeof source["value"] === "string";
    imports.push({ specifier: literal ? (source["value"] as string) : undefined, line: at(node) });
  };

  const findImports = (node: Node): void => {
    if (node.type === "ImportExpression") addSource(node["source"], node);
    if (node.type === "TSImportType") addSource(node["source"] ?? node["argument"], node);
    for (const child of childrenOf(node)) findImports(child);
  };

  const findImpure = (node: Node): void => {
    if (node.type === "MemberExpression") {
      const member = `${nameOf(node["object"])}.${nameOf(node["property"])}`;
      if (impureMembers.has(member)) impure.push({ what: member, line: at(node) });
    }
    if (/^(New|Call)Expression$/.test(node.type) && nameOf(node["callee"]) === "Date") {
      const given = Array.isArray(node["arguments"]) ? node["arguments"].length : 0;
      if (given === 0 || node.type === "CallExpression") {
        impure.push({ what: "Date without an argument", line: at(node) });
      }
    }
    const name = nameOf(node);
    if (name !== undefined && impureGlobals.has(name) && !declared.has(name)) {
      impure.push({ what: name, line: at(node) });
    }
    for (const child of valueChildren(node)) findImpure(child);
  };

  findImports(program);
  findImpure(program);
  return { imports, impure };
}
