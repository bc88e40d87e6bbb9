/**
 * Files to resources: text → documents → objects, lists flattened, every diagnostic of every file collected. What has
 * errors of its own is left out of the result, so that the rest can still be judged.
 */
import {
  compareDiagnostics,
  createDiagnostic,
  formatSpan,
  type Diagnostic,
  type SourceSpan,
} from "@bulkhead/model";
import { listItems, readHead, readObject } from "./kinds.ts";
import { formatResourceName, resourceName, resourceSource, type Resource } from "./resource.ts";
import {
  parseText,
  TEXT_LIMITS,
  type SourceFile,
  type TextLimits,
  type TreeNode,
} from "./text/document.ts";
import { createReader, type Reader } from "./text/reader.ts";

export interface ParsedFiles {
  readonly resources: readonly Resource[];
  /** What could be read of those with errors: to find what else is wrong with them, and for nothing else. */
  readonly partial: readonly Resource[];
  /** Sorted by place. */
  readonly diagnostics: readonly Diagnostic[];
}

export interface ParseOptions {
  readonly limits?: TextLimits;
  /** Documents with neither `apiVersion` nor `kind`: a mistake (unless said otherwise), or somebody else's and left alone. */
  readonly strangers?: "refused" | "left";
}

interface Readers {
  readonly native: Reader;
  readonly lenient: Reader;
  readonly strangers: "refused" | "left";
}

const readTree = (
  tree: TreeNode,
  readers: Readers,
  into: { readonly resources: Resource[]; readonly partial: Resource[] },
  inherited?: { readonly apiVersion: string; readonly kind: string },
): void => {
  const head = readHead(tree, readers.native, inherited, readers.strangers);
  if (head === null) return;
  const list = listItems(head, readers.lenient);
  if (list !== null) {
    for (const item of list.items) readTree(item, readers, into, list.inherited);
    return;
  }
  const { resource, partial } = readObject(head, readers.native, readers.lenient);
  if (resource !== undefined) into.resources.push(resource);
  if (partial !== undefined) into.partial.push(partial);
};

const withoutDuplicates = (
  resources: readonly Resource[],
  diagnostics: Diagnostic[],
): readonly Resource[] => {
  const first = new Map<string, SourceSpan>();
  return resources.filter((resource) => {
    const name = formatResourceName(resourceName(resource));
    const span = resourceSource(resource);
    // Kinds of several dialects are called the same.
    const key = `${resource.dialect} ${name}`;
    const before = first.get(key);
    if (before === undefined) {
      first.set(key, span);
      return true;
    }
    diagnostics.push(
      createDiagnostic(
        "BH0108",
        span,
        `\`${name}\` is declared twice`,
        `first at ${formatSpan(before)}`,
      ),
    );
    return false;
  });
};

export const parseFiles = (
  files: readonly SourceFile[],
  { limits = TEXT_LIMITS, strangers = "refused" }: ParseOptions = {},
): ParsedFiles => {
  const diagnostics: Diagnostic[] = [];
  const resources: Resource[] = [];
  const partial: Resource[] = [];
  for (const file of files) {
    const { documents, diagnostics: problems, spanOf } = parseText(file, limits);
    for (const problem of problems) diagnostics.push(problem);
    const readers = {
      native: createReader(spanOf, diagnostics, false),
      lenient: createReader(spanOf, diagnostics, true),
      strangers,
    };
    for (const tree of documents) readTree(tree, readers, { resources, partial });
  }
  const unique = withoutDuplicates(resources, diagnostics);
  return { resources: unique, partial, diagnostics: diagnostics.toSorted(compareDiagnostics) };
};
