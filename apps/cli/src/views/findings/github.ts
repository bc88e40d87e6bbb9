/** Annotations as GitHub's runners read them from what a step prints: `::error file=…,line=…::message`. */
import type { Severity, SourceSpan } from "@bulkhead/model";
import type { Findings } from "./formats.ts";
import { pathOf } from "./place.ts";

const COMMANDS: Readonly<Record<Severity, string>> = {
  error: "error",
  warning: "warning",
  info: "notice",
};

export function githubText({ findings, tests = [], notices = [] }: Findings): string {
  const failed = tests.filter(({ passed }) => !passed);
  return [
    ...findings.map(({ severity, span, code, message, help }) =>
      annotation(
        COMMANDS[severity],
        span,
        code,
        help === undefined ? message : `${message}\n${help}`,
      ),
    ),
    ...failed.map(({ test, source, message }) =>
      annotation("error", source, `PolicyTest ${test}`, message),
    ),
    ...notices.map(({ level, span, title, text }) =>
      annotation(level === "note" ? "notice" : level, span, title, text),
    ),
  ].join("");
}

function annotation(command: string, span: SourceSpan, title: string, message: string): string {
  const place = { file: pathOf(span.file), line: span.line, col: span.column };
  const properties = Object.entries({ ...place, title }).map(
    ([name, value]) => `${name}=${property(String(value))}`,
  );
  return `::${command} ${properties.join(",")}::${data(message)}\n`;
}

/** As the runner's own toolkit does it (`actions/toolkit`, packages/core/src/command.ts). */
function data(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
