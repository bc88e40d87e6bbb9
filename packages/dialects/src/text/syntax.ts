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

export const syntaxProblem = ({ code, message, pos: [start, end] }: YAMLError) => {
  const extent: Extent = { start, end };
  if (/call stack|stack overflow/i.test(message)) {
    return { code: "BH0007" as const, extent, message: "nested too deeply", help: undefined };
  }
  const line = message.split("\n", 1)[0] ?? message;
  return {
    code: YAML_CODES[code] ?? ("BH0001" as const),
    extent,
    message: line.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase()),
    help: YAML_HELP[code],
  };
};
