/**
 * What the product says about input: every diagnostic has a stable code from the catalogue
 * `spec/diagnostics.json`, a place, a one-line message, and help. Parsers collect all of them.
 */
import catalogue from "../../../spec/diagnostics.json" with { type: "json" };

/** 1-based line and column; `file` as the user named it (`-` for standard input). */
export interface SourceSpan {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine?: number;
  readonly endColumn?: number;
}

export type Severity = "error" | "warning" | "info";

/** `BH` and four digits; the catalogue says what each means. */
export type DiagnosticCode = `BH${string}`;

export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly severity: Severity;
  readonly span: SourceSpan;
  /** One lowercase line, user input in `backticks`. */
  readonly message: string;
  /** What to do; may name a near spelling. */
  readonly help?: string;
}

export interface CatalogueEntry {
  readonly severity: Severity;
  readonly title: string;
}

const isSeverity = (text: string): text is Severity =>
  text === "error" || text === "warning" || text === "info";

/** Every code with its usual severity and what it means in general. */
export const DIAGNOSTICS: ReadonlyMap<string, CatalogueEntry> = new Map(
  Object.entries(catalogue).map(([code, { severity, title }]) => {
    if (!isSeverity(severity)) throw new Error(`${code}: unknown severity ${severity}`);
    return [code, { severity, title }];
  }),
);

/**
 * A diagnostic with the catalogue's severity; `severity` overrides it where an option does (`--strict`).
 * Throws on a code that the catalogue lacks, so that none is ever printed.
 */
export const createDiagnostic = (
  code: DiagnosticCode,
  span: SourceSpan,
  message: string,
  help?: string,
  severity?: Severity,
): Diagnostic => {
  const entry = DIAGNOSTICS.get(code);
  if (entry === undefined) throw new Error(`${code} is not in spec/diagnostics.json`);
  return {
    code,
    severity: severity ?? entry.severity,
    span,
    message: shortened(message),
    ...(help === undefined ? {} : { help: shortened(help) }),
  };
};

/** What was given may be megabytes; a person knows it by its beginning. It may hold line breaks, and must make no lines of its own. */
const LONGEST_QUOTE = 200;
const LONG_QUOTE = new RegExp(`(\`[^\`]{${LONGEST_QUOTE}})[^\`]+\``, "g");
const shortened = (given: string): string => {
  const text = given.replaceAll(/[\p{Cc}\u2028\u2029]/gu, "�");
  return text.length <= LONGEST_QUOTE ? text : text.replaceAll(LONG_QUOTE, "$1…`");
};

export const hasErrors = (diagnostics: readonly Diagnostic[]): boolean =>
  diagnostics.some(({ severity }) => severity === "error");

/** By file, line, column, code: the order in which they are printed. */
export const compareDiagnostics = (a: Diagnostic, b: Diagnostic): number =>
  (a.span.file < b.span.file ? -1 : a.span.file > b.span.file ? 1 : 0) ||
  a.span.line - b.span.line ||
  a.span.column - b.span.column ||
  (a.code < b.code ? -1 : a.code > b.code ? 1 : 0);

/** The place of what stands in no file: it was found on the machine. */
export const NOWHERE: SourceSpan = { file: "", line: 0, column: 0 };

/** Empty for `NOWHERE`. */
export const formatSpan = (span: SourceSpan): string =>
  span.file === "" ? "" : `${span.file}:${span.line}:${span.column}`;

/** A line longer than this is shown around the column. */
const LONGEST_LINE = 160;
const BEFORE = 40;

/** The line, or what of it is near the column, and how much was cut off before that. */
const windowOf = (
  line: string,
  column: number,
): { readonly text: string; readonly cut: number } => {
  if (line.length <= LONGEST_LINE) return { text: line, cut: 0 };
  const start = Math.max(0, Math.min(column - 1 - BEFORE, line.length - LONGEST_LINE));
  const end = start + LONGEST_LINE;
  const [before, after] = [start > 0 ? "…" : "", end < line.length ? "…" : ""];
  return { text: `${before}${line.slice(start, end)}${after}`, cut: start - before.length };
};

const sourceLines = (span: SourceSpan, line: string): string => {
  const { text, cut } = windowOf(line, span.column);
  const tabless = text.replaceAll("\t", " ");
  const gutter = String(span.line);
  const end =
    span.endLine === span.line && span.endColumn !== undefined ? span.endColumn : span.column + 1;
  const column = span.column - cut;
  const width = Math.max(1, Math.min(end - cut, tabless.length + 1) - column);
  const caret = `${" ".repeat(Math.max(0, column - 1))}${"^".repeat(width)}`;
  return `\n  ${gutter} | ${tabless}\n  ${" ".repeat(gutter.length)} | ${caret}`;
};

/**
 * For people: `file:line:col: error BH0102: message`, then the source line with a caret where `lineOf` knows it,
 * then `help: …`. No colours, no trailing newline.
 */
export const formatDiagnostic = (
  diagnostic: Diagnostic,
  lineOf?: (file: string, line: number) => string | undefined,
): string => {
  const { span, severity, code, message, help } = diagnostic;
  const line = lineOf?.(span.file, span.line);
  const place = formatSpan(span);
  return [
    `${place === "" ? "" : `${place}: `}${severity} ${code}: ${message}`,
    line === undefined ? "" : sourceLines(span, line),
    help === undefined ? "" : `\n  help: ${help}`,
  ].join("");
};

/** `lineOf` for `formatDiagnostic` over texts at hand. */
export const sourceLookup = (
  files: readonly { readonly name: string; readonly text: string }[],
): ((file: string, line: number) => string | undefined) => {
  const lines = new Map<string, readonly string[]>();
  return (file, line) => {
    let known = lines.get(file);
    if (known === undefined) {
      known = files.find(({ name }) => name === file)?.text.split(/\r\n|\n|\r/) ?? [];
      lines.set(file, known);
    }
    return known[line - 1];
  };
};
