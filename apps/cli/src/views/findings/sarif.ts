/**
 * Findings in SARIF 2.1.0 (OASIS), which code scanning reads: a rule for every code that comes up, a result for every finding,
 * for every PolicyTest that failed, and for what a change does to recorded connections.
 */
import { DIAGNOSTICS, type Diagnostic, type Severity, type SourceSpan } from "@bulkhead/model";
import { pathToFileURL } from "node:url";
import { isAbsolute } from "node:path";
import type { Findings } from "./formats.ts";
import { pathOf } from "./place.ts";

const SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json";
const LEVELS: Readonly<Record<Severity, string>> = {
  error: "error",
  warning: "warning",
  info: "note",
};
const TEST = "PolicyTest";

export function sarifText({ findings, tests = [], notices = [] }: Findings): string {
  const failed = tests.filter(({ passed }) => !passed);
  const codes = [...new Set(findings.map(({ code }) => code))].toSorted();
  const rules = [
    ...codes.map((code) => {
      const { title = code, severity = "warning" as const } = DIAGNOSTICS.get(code) ?? {};
      return {
        id: code,
        shortDescription: { text: title },
        defaultConfiguration: { level: LEVELS[severity] },
      };
    }),
    ...(failed.length === 0
      ? []
      : [
          {
            id: TEST,
            shortDescription: { text: "expectation of a PolicyTest that does not hold" },
            defaultConfiguration: { level: "error" },
          },
        ]),
    ...[...new Map(notices.map((one) => [one.id, one])).values()].map(({ id, title, level }) => ({
      id,
      shortDescription: { text: title },
      defaultConfiguration: { level },
    })),
  ];
  const indexOf = (id: string): number => rules.findIndex((rule) => rule.id === id);
  const result = (id: string, level: string, text: string, span: SourceSpan) => ({
    ruleId: id,
    ruleIndex: indexOf(id),
    level,
    message: { text },
    ...(span.file === "" ? {} : { locations: [{ physicalLocation: location(span) }] }),
  });
  const results = [
    ...findings.map((one: Diagnostic) =>
      result(
        one.code,
        LEVELS[one.severity],
        one.help === undefined ? one.message : `${one.message} (${one.help})`,
        one.span,
      ),
    ),
    ...failed.map(({ test, message, source }) =>
      result(TEST, "error", `${test}: ${message}`, source),
    ),
    ...notices.map(({ id, level, text, span }) => result(id, level, text, span)),
  ];
  const driver = { name: "bulkhead", rules };
  const log = {
    $schema: SCHEMA,
    version: "2.1.0",
    runs: [{ tool: { driver }, columnKind: "utf16CodeUnits", results }],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function location({ file, line, column, endLine, endColumn }: SourceSpan) {
  const end = endLine === undefined || endColumn === undefined ? {} : { endLine, endColumn };
  return {
    artifactLocation: { uri: uriOf(file) },
    region: { startLine: line, startColumn: column, ...end },
  };
}

function uriOf(file: string): string {
  const path = pathOf(file);
  if (path === "-") return "stdin";
  return isAbsolute(path)
    ? pathToFileURL(path).href
    : path.split("/").map(encodeURIComponent).join("/");
}
