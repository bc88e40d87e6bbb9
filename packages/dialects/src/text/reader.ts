/**
 * What every shape needs while it reads a tree: where it is, and where to put what is wrong. One Reader per file;
 * it only collects.
 */
import {
  createDiagnostic,
  type Diagnostic,
  type DiagnosticCode,
  type Severity,
  type SourceSpan,
} from "@bulkhead/model";
import type { Extent, ScalarNode, TreeNode } from "./document.ts";

export interface Reader {
  /** Kubernetes writes `null` for "unset"; native resources take it for a slip of the pen. */
  readonly nullIsAbsent: boolean;
  readonly span: (extent: Extent) => SourceSpan;
  readonly report: (
    code: DiagnosticCode,
    extent: Extent,
    message: string,
    help?: string,
    severity?: Severity,
  ) => void;
}

export const createReader = (
  span: (extent: Extent) => SourceSpan,
  into: Diagnostic[],
  nullIsAbsent: boolean,
): Reader => ({
  nullIsAbsent,
  span,
  report: (code, extent, message, help, severity) => {
    into.push(createDiagnostic(code, span(extent), message, help, severity));
  },
});

/** The place of one character of a scalar; the scalar's own place where escapes make that unknowable. */
export const characterExtent = (node: ScalarNode, offset: number): Extent => {
  if (!node.verbatim) return { start: node.start, end: node.end };
  const start = node.textStart + Math.min(offset, node.text.length);
  return { start, end: start + 1 };
};

/** `text`, `a number`, `a list`, …: what a person calls this node. */
export const nodeKind = (node: TreeNode): string => {
  if (node.kind === "list") return "a list";
  if (node.kind === "map") return "a map of fields";
  switch (typeof node.value) {
    case "string":
      return "text";
    case "number":
      return "a number";
    case "boolean":
      return `\`${node.text}\` (true or false)`;
    default:
      return "nothing";
  }
};

export const isNull = (node: TreeNode): boolean => node.kind === "scalar" && node.value === null;
