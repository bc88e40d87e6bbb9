import { describe, expect, test } from "vitest";
import {
  NOWHERE,
  compareDiagnostics,
  createDiagnostic,
  DIAGNOSTICS,
  formatDiagnostic,
  hasErrors,
  sourceLookup,
} from "../src/index.ts";

const at = (file: string, line: number, column: number) =>
  createDiagnostic("BH0102", { file, line, column }, "x");
const span = { file: "shop.yaml", line: 2, column: 3, endLine: 2, endColumn: 7 };

describe("catalogue", () => {
  test("codes are `BH` and four digits, each with a title of its own", () => {
    const codes = [...DIAGNOSTICS.keys()];
    const titles = [...DIAGNOSTICS.values()].map(({ title }) => title);
    expect(codes.filter((code) => !/^BH\d{4}$/.test(code))).toEqual([]);
    expect(titles.filter((title, i) => titles.indexOf(title) !== i)).toEqual([]);
    expect(DIAGNOSTICS.size).toBeGreaterThan(20);
  });

  test("severity comes from the catalogue, unless an option overrides it", () => {
    expect(createDiagnostic("BH0303", span, "expired").severity).toBe("warning");
    expect(createDiagnostic("BH0403", span, "any", undefined, "error").severity).toBe("error");
    expect(() => createDiagnostic("BH9999", span, "no such code")).toThrow("BH9999");
    expect(hasErrors([createDiagnostic("BH0303", span, "expired")])).toBe(false);
    expect(hasErrors([createDiagnostic("BH0102", span, "unknown")])).toBe(true);
  });
});

describe("for people", () => {
  const files = [{ name: "shop.yaml", text: "spec:\n  teir: guardrail\r\n\tx: 1\n" }];
  const unknown = createDiagnostic("BH0102", span, "unknown field `teir`", "did you mean `tier`?");

  test("of a line that is too long what is around the column, and of a text its beginning", () => {
    const word = "x".repeat(3_000_000);
    const text = `${"a".repeat(500)}!${word}`;
    const place = { file: "long.yaml", line: 1, column: 501, endLine: 1, endColumn: 502 };
    const found = createDiagnostic("BH0102", place, `unknown field \`${word}\``, `not \`${word}\``);
    const lines = formatDiagnostic(found, sourceLookup([{ name: "long.yaml", text }])).split("\n");
    const [, source = "", caret = ""] = lines;
    expect(source[caret.indexOf("^")]).toBe("!");
    expect(caret.match(/\^/g)).toHaveLength(1);
    expect(source).toMatch(/^ {2}1 \| …a+!x+…$/);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(300);
    const atEnd = { ...place, column: text.length, endColumn: text.length + 1 };
    const [, last = "", under = ""] = formatDiagnostic(
      createDiagnostic("BH0102", atEnd, "end"),
      sourceLookup([{ name: "long.yaml", text }]),
    ).split("\n");
    expect(last).toMatch(/…x+$/);
    expect(under.indexOf("^")).toBe(last.length - 1);
  });

  test("place, code, message, source line with caret, help", () => {
    expect(formatDiagnostic(unknown, sourceLookup(files))).toBe(
      [
        "shop.yaml:2:3: error BH0102: unknown field `teir`",
        "  2 |   teir: guardrail",
        "    |   ^^^^",
        "  help: did you mean `tier`?",
      ].join("\n"),
    );
  });

  test("without the source, one line and the help", () => {
    expect(formatDiagnostic(unknown)).toBe(
      "shop.yaml:2:3: error BH0102: unknown field `teir`\n  help: did you mean `tier`?",
    );
    expect(
      formatDiagnostic({ ...unknown, span: { ...span, file: "other" } }, sourceLookup(files)),
    ).toBe("other:2:3: error BH0102: unknown field `teir`\n  help: did you mean `tier`?");
  });

  test("what stands in no file has no place", () => {
    const found = createDiagnostic("BH0602", NOWHERE, "address claimed twice", "give it up");
    expect(formatDiagnostic(found, sourceLookup([{ name: "-", text: "a: 1" }]))).toBe(
      "warning BH0602: address claimed twice\n  help: give it up",
    );
  });

  test("a tab takes one column, so that the caret stands under its character", () => {
    const tab = createDiagnostic("BH0003", { file: "shop.yaml", line: 3, column: 1 }, "tab");
    expect(formatDiagnostic(tab, sourceLookup(files))).toBe(
      "shop.yaml:3:1: error BH0003: tab\n  3 |  x: 1\n    | ^",
    );
  });

  test("order: file, line, column, code", () => {
    const sorted = [at("a", 1, 2), at("a", 2, 1), at("a", 10, 1), at("b", 1, 1)];
    expect(sorted.toReversed().toSorted(compareDiagnostics)).toEqual(sorted);
  });
});
