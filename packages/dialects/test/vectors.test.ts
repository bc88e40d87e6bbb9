import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { compareDiagnostics, DIAGNOSTICS } from "@bulkhead/model";
import { buildPolicySet, parseFiles } from "../src/index.ts";

interface Vector {
  readonly name: string;
  readonly text: string;
  /** `BH0102 4:3`, with a severity where it is not the catalogue's. */
  readonly expect: readonly string[];
  /** Each must be the help of one of the diagnostics. */
  readonly help?: readonly string[];
  readonly strict?: boolean;
}

const NOW = Date.UTC(2030, 0, 1);
const folder = new URL("../../../spec/vectors/parse/", import.meta.url);
/** One file a dialect, and `diagnostics.yaml` for the rest. */
const vectors = readdirSync(folder)
  .filter((name) => name.endsWith(".yaml"))
  .flatMap((name) => parse(readFileSync(new URL(name, folder), "utf8")) as readonly Vector[]);

const diagnose = ({ text, strict }: Vector) => {
  const parsed = parseFiles([{ name: "case.yaml", text }]);
  const built = buildPolicySet(parsed.resources, {
    now: NOW,
    strict: strict ?? false,
    mode: "enforce",
    target: "desk",
  });
  return [...parsed.diagnostics, ...built.diagnostics].toSorted(compareDiagnostics);
};

describe("what is said about a text", () => {
  test.each(vectors)("$name", (vector) => {
    const diagnostics = diagnose(vector);
    const said = diagnostics.map(({ code, span, severity }) => {
      const usual = severity === DIAGNOSTICS.get(code)?.severity;
      return `${code} ${span.line}:${span.column}${usual ? "" : ` ${severity}`}`;
    });
    expect(said).toEqual(vector.expect);
    const help = diagnostics.map((one) => one.help);
    expect(help).toEqual(expect.arrayContaining([...(vector.help ?? [])]));
  });

  test("every code that reading can give is in a vector", () => {
    const raised = new Set(vectors.flatMap((one) => one.expect.map((text) => text.slice(0, 6))));
    const ours = [...DIAGNOSTICS.keys()].filter((code) => code < "BH05");
    expect(ours.filter((code) => !raised.has(code))).toEqual([]);
  });

  test("messages are one line, lower case, and end without a stop", () => {
    const messages = vectors.flatMap(diagnose).map(({ message }) => message);
    expect(messages.filter((message) => !/^[^A-Z\n][^\n]*[^.\n]$/.test(message))).toEqual([]);
  });
});
