/** Findings and PolicyTests as JUnit's XML. A finding is a failure if it is an error; a file without any is a case that passed. */
import type { Diagnostic } from "@bulkhead/model";
import { testSuites, xml } from "../tests.ts";
import type { Findings } from "./formats.ts";

export function findingsJunit({ findings, files, tests = [] }: Findings): string {
  const byFile = Map.groupBy(findings, ({ span }) => span.file);
  const names = [...new Set([...files.map(({ name }) => name), ...byFile.keys()])];
  const cases = names.reduce((sum, name) => sum + Math.max(1, byFile.get(name)?.length ?? 0), 0);
  const failed = findings.filter(isError).length + tests.filter(({ passed }) => !passed).length;
  const head = `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="bulkhead" tests="${cases + tests.length}" failures="${failed}" errors="0">\n`;
  const suites = names.map((name) => suite(name, byFile.get(name) ?? []));
  return `${head}${suites.join("")}${testSuites(tests)}</testsuites>\n`;
}

const isError = ({ severity }: Diagnostic): boolean => severity === "error";

function suite(file: string, findings: readonly Diagnostic[]): string {
  const head = `  <testsuite name="lint ${xml(file)}" tests="${Math.max(1, findings.length)}" failures="${findings.filter(isError).length}" errors="0">\n`;
  const cases =
    findings.length === 0
      ? `    <testcase classname="${xml(file)}" name="lint" file="${xml(file)}"/>\n`
      : findings.map(testcase).join("");
  return `${head}${cases}  </testsuite>\n`;
}

function testcase(finding: Diagnostic): string {
  const { code, message, help, severity, span } = finding;
  const title = `${code} ${span.line}:${span.column}`;
  const head = `    <testcase classname="${xml(span.file)}" name="${xml(title)}" file="${xml(span.file)}" line="${span.line}">\n`;
  const text = xml(`${span.file}:${span.line}: ${message}${help === undefined ? "" : `; ${help}`}`);
  const body = isError(finding)
    ? `<failure message="${xml(message)}">${text}</failure>`
    : `<system-out>${severity}: ${text}</system-out>`;
  return `${head}      ${body}\n    </testcase>\n`;
}
