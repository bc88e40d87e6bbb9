/** What `test` prints: a line for every test, for people; or JUnit's XML, which every CI system reads. */
import type { TestResult } from "@bulkhead/workbench";
import type { Ui } from "../ui/ui.ts";
import { count } from "../ui/words.ts";

export interface TestsAnswer {
  readonly passed: number;
  readonly failed: number;
  readonly tests: readonly TestResult[];
}

/** `nothing`: why there is none, if there is none. */
export function testsText({ passed, failed, tests }: TestsAnswer, nothing: string, ui: Ui): string {
  const { style } = ui;
  if (tests.length === 0) return `${nothing}: nothing was tested\n`;
  const lines = tests.map(({ test, passed: good, message, source }) => {
    const mark = good ? style.green("✓") : style.red("✗");
    const place = style.dim(`(${source.file}:${source.line})`);
    return `${mark} ${test} ${place}${good ? "" : `\n    ${message}`}`;
  });
  const bad = failed === 0 ? "" : `, ${style.red(`${failed} failed`)}`;
  return `${lines.join("\n")}\n\n${count(tests.length, "test")}: ${passed} passed${bad}\n`;
}

/** One suite a file. */
export function junitText({ failed, tests }: TestsAnswer): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="bulkhead" tests="${tests.length}" failures="${failed}" errors="0">\n${testSuites(tests)}</testsuites>\n`;
}

export function testSuites(tests: readonly TestResult[]): string {
  const suites = [...Map.groupBy(tests, ({ source }) => source.file)].map(([file, own]) => {
    const failures = own.filter(({ passed }) => !passed).length;
    const head = `  <testsuite name="${xml(file)}" tests="${own.length}" failures="${failures}" errors="0">\n`;
    return `${head}${own.map(junitCase).join("")}  </testsuite>\n`;
  });
  return suites.join("");
}

function junitCase({ test, passed, message, source: { file, line } }: TestResult): string {
  const head = `    <testcase classname="${xml(file)}" name="${xml(test)}" file="${xml(file)}" line="${line}"`;
  if (passed) return `${head}/>\n`;
  return `${head}>\n      <failure message="${xml(message)}">${xml(`${file}:${line}: ${message}`)}</failure>\n    </testcase>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\n": "&#10;",
  "\t": "&#9;",
};

/** XML 1.0 has no other control characters, not even escaped. */
export function xml(text: string): string {
  return text
    .replaceAll(/[&<>"\n\t]/g, (character) => ENTITIES[character]!)
    .replaceAll(/[\p{Cc}\uFFFE\uFFFF]|\p{Cs}/gu, "\uFFFD");
}
