/**
 * Findings, PolicyTests and what a change does to recorded connections as JUnit's XML. A finding is a failure if it is an error; a
 * file without any is a case that passed. What is newly denied or allowed is for people to judge, and fails nothing.
 */
import type { Diagnostic } from "@bulkhead/model";
import { testSuites, xml } from "../tests.ts";
import type { Findings } from "./formats.ts";
import type { Notice } from "./replay-notices.ts";

export function findingsJunit({ findings, files, tests = [], notices }: Findings): string {
  const byFile = Map.groupBy(findings, ({ span }) => span.file);
  const names = [...new Set([...files.map(({ name }) => name), ...byFile.keys()])];
  const cases = names.reduce((sum, name) => sum + Math.max(1, byFile.get(name)?.length ?? 0), 0);
  const failed = findings.filter(isError).length + tests.filter(({ passed }) => !passed).length;
  const replayed = notices === undefined ? 0 : Math.max(1, notices.length);
  const head = `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="bulkhead" tests="${cases + tests.length + replayed}" failures="${failed}" errors="0">\n`;
  const suites = names.map((name) => suite(name, byFile.get(name) ?? []));
  return `${head}${suites.join("")}${testSuites(tests)}${replaySuite(notices)}</testsuites>\n`;
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

/** Absent: nothing was replayed. One case that passed: nothing changes. */
function replaySuite(notices: readonly Notice[] | undefined): string {
  if (notices === undefined) return "";
  const cases = notices.map(({ id, level, span, text }) => {
    const place = span.file === "" ? "" : ` file="${xml(span.file)}" line="${span.line}"`;
    return `    <testcase classname="replay" name="${xml(`${id} ${text.slice(0, text.indexOf(":"))}`)}"${place}>\n      <system-out>${level}: ${xml(text)}</system-out>\n    </testcase>\n`;
  });
  const body =
    cases.length === 0
      ? `    <testcase classname="replay" name="nothing changes for recorded connections"/>\n`
      : cases.join("");
  return `  <testsuite name="replay" tests="${Math.max(1, cases.length)}" failures="0" errors="0">\n${body}  </testsuite>\n`;
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
