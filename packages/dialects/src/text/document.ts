/**
 * YAML or JSON text to plain trees with places. Everything that YAML offers and resources do not need (custom tags,
 * merge keys, unbounded aliases, deep nesting) ends here with a diagnostic; what is left is maps, lists and scalars.
 */
import {
  createDiagnostic,
  type Diagnostic,
  type DiagnosticCode,
  type SourceSpan,
} from "@bulkhead/model";
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseAllDocuments,
  type Node as YamlNode,
  type ParsedNode,
  type YAMLMap,
} from "yaml";
import { parseJson } from "./json.ts";
import { syntaxProblem } from "./syntax.ts";
import { templatesIn, Unfilled } from "./template.ts";

/** Offsets into the file's text, end exclusive. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

export interface ScalarNode extends Extent {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
  /** As written, without quotes; for a number `010` that is `010`. */
  readonly text: string;
  /** Does character i of `value` stand at `textStart + i`? */
  readonly verbatim: boolean;
  readonly textStart: number;
}
export interface ListNode extends Extent {
  readonly kind: "list";
  readonly items: readonly TreeNode[];
}
export interface MapEntry {
  readonly key: string;
  readonly keyExtent: Extent;
  readonly value: TreeNode;
}
export interface MapNode extends Extent {
  readonly kind: "map";
  readonly entries: readonly MapEntry[];
}
export type TreeNode = ScalarNode | ListNode | MapNode;

export interface SourceFile {
  readonly name: string;
  readonly text: string;
}

export interface ParsedText {
  /** Documents that hold something; those with syntax errors are left out. */
  readonly documents: readonly TreeNode[];
  readonly diagnostics: readonly Diagnostic[];
  readonly spanOf: (extent: Extent) => SourceSpan;
}

/** What one document may ask of its reader. */
export interface TextLimits {
  readonly depth: number;
  /** Nodes that aliases may add: enough for shared blocks, too few for a bomb. */
  readonly aliasedNodes: number;
  /** Characters of one file that is not JSON: reading YAML takes some eighty times their memory. */
  readonly yamlSize: number;
  /** How to ask for others, for the help under the message: `--limit depth=…`, say. */
  readonly option?: string;
}

export const TEXT_LIMITS: TextLimits = { depth: 64, aliasedNodes: 10_000, yamlSize: 30_000_000 };

class Limit extends Error {
  readonly code: DiagnosticCode;
  readonly extent: Extent;
  /** What a person calls it who wants another. */
  readonly limit: string;
  constructor(code: DiagnosticCode, extent: Extent, message: string, limit: string) {
    super(message);
    this.code = code;
    this.extent = extent;
    this.limit = limit;
  }
}

interface Conversion {
  readonly limits: TextLimits;
  readonly reject: (code: DiagnosticCode, extent: Extent, message: string, help?: string) => void;
  /** Does an action of a template begin around a key that is no text? */
  readonly isTemplate: (at: number) => boolean;
  /** Anchored nodes met so far; aliases may only look back. */
  readonly anchors: Map<string, YamlNode>;
  aliased: number;
  insideAlias: number;
  /** Something is missing that a diagnostic has told: what would be said of the rest is noise. */
  broken: boolean;
}

const extentOf = (node: YamlNode, fallback: Extent): Extent => {
  const range = node.range;
  return range ? { start: range[0], end: range[1] } : fallback;
};

const scalar = (extent: Extent, value: unknown, source: string | undefined): ScalarNode => {
  const plain =
    typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  const text = source ?? (plain ? String(value) : "");
  const width = extent.end - extent.start;
  const quotes = width === text.length + 2 ? 1 : 0;
  return {
    kind: "scalar",
    ...extent,
    value: plain ? value : null,
    text,
    verbatim: width === text.length + quotes * 2,
    textStart: extent.start + quotes,
  };
};

const TWICE = "keep one of the two; YAML readers disagree about which one counts";
const RUN_TOGETHER = "is this another resource? a line `---` must stand before it";
/** Every resource has one of each. */
const HEADING = ["apiVersion", "kind"];

/** Depth of the entries of a document itself. */
const TOP = 1;

const entries = (map: YAMLMap, extent: Extent, to: Conversion, depth: number): MapEntry[] => {
  const out: MapEntry[] = [];
  const taken = new Set<string>();
  for (const { key, value } of map.items as readonly { key: unknown; value: unknown }[]) {
    // An absent one is an empty node.
    const keyNode = key as ParsedNode;
    if (!isScalar(keyNode) || keyNode.value === null) {
      const at = extentOf(keyNode, extent);
      if (to.isTemplate(at.start)) throw new Unfilled(at.start);
      to.reject("BH0005", at, "a key must be text");
      continue;
    }
    const keyExtent = extentOf(keyNode, extent);
    const name = typeof keyNode.value === "string" ? keyNode.value : (keyNode.source ?? "");
    if (name === "<<") {
      to.reject("BH0005", keyExtent, "merge keys are not supported", "write the fields out");
      continue;
    }
    if (taken.has(name)) {
      to.broken = true;
      // What an anchor holds was told where it stands.
      const help = depth === TOP && HEADING.includes(name) ? RUN_TOGETHER : TWICE;
      if (to.insideAlias === 0) to.reject("BH0002", keyExtent, "map keys must be unique", help);
      continue;
    }
    taken.add(name);
    out.push({
      key: name,
      keyExtent,
      value: convert(value as YamlNode | null, keyExtent, to, depth),
    });
  }
  return out;
};

const convert = (
  node: YamlNode | null,
  fallback: Extent,
  to: Conversion,
  depth: number,
): TreeNode => {
  if (node === null) return scalar({ start: fallback.end, end: fallback.end }, null, "");
  const extent = extentOf(node, fallback);
  const { limits } = to;
  if (depth > limits.depth) {
    throw new Limit("BH0007", extent, `nested more than ${limits.depth} deep`, "depth");
  }
  if (to.insideAlias > 0 && (to.aliased += 1) > limits.aliasedNodes) {
    const message = `aliases add more than ${limits.aliasedNodes} nodes`;
    throw new Limit("BH0004", extent, message, "aliases");
  }
  if (isAlias(node)) {
    const target = to.anchors.get(node.source);
    if (target === undefined) {
      to.reject("BH0004", extent, `alias \`*${node.source}\` has no anchor before it`);
      to.broken = true;
      return scalar(extent, null, "");
    }
    to.insideAlias += 1;
    const converted = convert(target, extent, to, depth + 1);
    to.insideAlias -= 1;
    return converted;
  }
  if ("anchor" in node && typeof node.anchor === "string") to.anchors.set(node.anchor, node);
  if (isMap(node)) {
    return { kind: "map", ...extent, entries: entries(node, extent, to, depth + 1) };
  }
  if (isSeq(node)) {
    const items = node.items as readonly (YamlNode | null)[];
    return {
      kind: "list",
      ...extent,
      items: items.map((item) => convert(item, extent, to, depth + 1)),
    };
  }
  // Dates and bytes are objects; entries of `!!omap` and `!!pairs` are no nodes.
  if (isScalar(node) && (typeof node.value !== "object" || node.value === null))
    return scalar(extent, node.value, node.source);
  to.reject("BH0005", extent, "binary values and other types of their own are not supported");
  to.broken = true;
  return scalar(extent, null, "");
};

/** Offset → 1-based line and column; offsets behind the end are the end. */
const createPlaces = (text: string) => {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset: number): { readonly line: number; readonly column: number } => {
    const at = Math.max(0, Math.min(offset, text.length));
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: at - (starts[low] ?? 0) + 1 };
  };
};

const inHelp = ({ option }: TextLimits, limit: string) =>
  option && `\`${option} ${limit}=…\` for more`;

/** To such a depth the parser's own stack lasts by far; where it did not, the text is deeper than this. */
const PARSED_SURELY = 500;

/** The limit that a text went beyond which the parser gave up: the one that was set, where the parser reaches it. */
const tooDeep = (limits: TextLimits): [message: string, help?: string] =>
  limits.depth <= PARSED_SURELY
    ? [`nested more than ${limits.depth} deep`, inHelp(limits, "depth")]
    : ["nested more deeply than can be read"];

/** All documents of a text and everything wrong with its syntax. Never throws on any text. */
export const parseText = (
  { name, text }: SourceFile,
  limits: TextLimits = TEXT_LIMITS,
): ParsedText => {
  // A byte order mark is no content; offsets are those of the text without it.
  const content = text.replace(/^\uFEFF/, "");
  const place = createPlaces(content);
  const diagnostics: Diagnostic[] = [];
  const spanOf = ({ start, end }: Extent): SourceSpan => {
    const from = place(start);
    const to = place(Math.max(start, end));
    return { file: name, ...from, endLine: to.line, endColumn: to.column };
  };
  const reject = (code: DiagnosticCode, extent: Extent, message: string, help?: string): void => {
    diagnostics.push(createDiagnostic(code, spanOf(extent), message, help));
  };
  const json = /^\s*[{[]/.test(content) ? parseJson(content, limits.depth) : null;
  if (json !== null) return { documents: [json], diagnostics, spanOf };
  if (content.length > limits.yamlSize) {
    const message = `more than ${limits.yamlSize / 1e6} MB of YAML in one file: not read`;
    reject(
      "BH0007",
      { start: 0, end: 0 },
      message,
      inHelp(limits, "yaml-size") ?? "as JSON it may be larger",
    );
    return { documents: [], diagnostics, spanOf };
  }
  const parsed = parseAllDocuments(content, {
    prettyErrors: false,
    // It would compare each with every other.
    uniqueKeys: false,
    version: "1.2",
    schema: "core",
    merge: false,
  });
  const documents: TreeNode[] = [];
  const found = Array.isArray(parsed) ? parsed : [];
  const problemsOf = (document: (typeof found)[number]) => [
    ...document.errors,
    ...document.warnings,
  ];
  const templates = templatesIn(content, (extent, message, help) => {
    reject("BH0001", extent, message, help);
  });
  templates.tell(found.flatMap(problemsOf).map(({ pos }) => pos[0]));
  for (const document of found) {
    if (templates.isTold(document.range[0])) continue;
    for (const problem of problemsOf(document)) {
      const { code, extent, message, help } = syntaxProblem(problem);
      if (templates.isTold(extent.start)) continue;
      // The parser ran out of stack: whatever follows is an echo of it.
      if (code === "BH0007") {
        reject(code, extent, ...tooDeep(limits));
        break;
      }
      reject(code, extent, message, help);
    }
    if (document.errors.length > 0 || document.contents === null) continue;
    const to: Conversion = {
      limits,
      reject,
      isTemplate: (at) => content.startsWith("{{", at - 1),
      anchors: new Map(),
      aliased: 0,
      insideAlias: 0,
      broken: false,
    };
    try {
      const [start, end] = document.range;
      const tree = convert(document.contents, { start, end }, to, 0);
      if (!to.broken && (tree.kind !== "scalar" || tree.value !== null)) documents.push(tree);
    } catch (limit) {
      if (limit instanceof Unfilled) {
        templates.tell([limit.at]);
        continue;
      }
      if (!(limit instanceof Limit)) throw limit;
      reject(limit.code, limit.extent, limit.message, inHelp(limits, limit.limit));
    }
  }
  return { documents, diagnostics, spanOf };
};
