/** What a YAML parser says is wrong with a text, in our codes and words, with help where people commonly go astray. */
import type { DiagnosticCode } from "@bulkhead/model";
import type { ErrorCode, YAMLError } from "yaml";
import type { Extent } from "./document.ts";

const YAML_CODES: Partial<Record<ErrorCode, DiagnosticCode>> = {
  TAB_AS_INDENT: "BH0003",
  BAD_ALIAS: "BH0004",
  TAG_RESOLVE_FAILED: "BH0005",
  NON_STRING_KEY: "BH0005",
};
const YAML_HELP: Partial<Record<ErrorCode, string>> = {
  TAB_AS_INDENT: "indent with spaces",
  BAD_INDENT: "align it with the entries it belongs to",
  TAG_RESOLVE_FAILED: "resources need no tags; write the plain value",
};
const TEMPLATE =
  "is this a template? give what it becomes, for example the output of `helm template`";
/** Characters on either side of a problem: enough to tell a template by. */
const NEAR = 200;

/** `content`: the text that the problem is in. */
export const syntaxProblem = ({ code, message, pos: [start, end] }: YAMLError, content: string) => {
  const extent: Extent = { start, end };
  if (/call stack|stack overflow/i.test(message)) {
    return { code: "BH0007" as const, extent, message: "nested too deeply", help: undefined };
  }
  const line = message.split("\n", 1)[0] ?? message;
  return {
    code: YAML_CODES[code] ?? ("BH0001" as const),
    extent,
    message: line.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase()),
    help: YAML_HELP[code] ?? (lineAt(content, start).includes("{{") ? TEMPLATE : undefined),
  };
};

/** What of the line stands around the offset: a whole file may be one line, with as many problems. */
const lineAt = (content: string, offset: number): string => {
  const before = content.slice(Math.max(0, offset - NEAR), offset);
  const after = content.slice(offset, offset + NEAR);
  return before.slice(before.lastIndexOf("\n") + 1) + after.split("\n", 1)[0];
};
