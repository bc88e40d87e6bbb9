/** Templates that nobody filled in: told once a document, where the first action stands, and nothing else said of it. */
import { describe, expect, test } from "vitest";
import { parseText } from "../../src/text/document.ts";

const read = (text: string) => {
  const { documents, diagnostics } = parseText({ name: "x", text });
  const said = diagnostics.map(({ code, span, message, help }) => {
    const place = `${span.line}:${span.column}-${span.endLine}:${span.endColumn}`;
    return message === "a template that was not filled in" && help?.includes("helm template")
      ? `template ${place}`
      : `${code} ${place} ${message}`;
  });
  return { documents: documents.length, said };
};

describe("a template is told where its first action stands", () => {
  test.each([
    ["a: {{ x }}", "1:4-1:11"],
    ["a: {{ x }}\nb: {{ y }}", "1:4-1:11"],
    ["a: {{\n  x }}\n", "1:4-1:6"],
    ["a: 1\n{{ if x }}\nb: [\n", "2:1-2:11"],
    ["a: [\n{{ b", "2:1-2:5"],
    ["# {{ a }}\nb: {{ c }}", "2:4-2:11"],
    ["a: b # {{ c }}\nd: {{ e }}", "2:4-2:11"],
    ["a: x#{{ y }}\nb: {{ z }}", "1:6-1:13"],
    ["a: 1\n---\n  b: {{ c }}", "3:6-3:13"],
    ["{{- if x }}\n  a: 1\n{{- end }}\n  b: 2", "1:1-1:12"],
  ])("%j", (text, place) => {
    expect(read(text)).toEqual({
      documents: text.includes("---") ? 1 : 0,
      said: [`template ${place}`],
    });
  });
});

test("each document by itself, and what is wrong in others is told as ever", () => {
  expect(read("a: {{ b }}\n---\nc: {{ d }}\n---\ne: 1\ne: 2\n---\nf: 1").said).toEqual([
    "template 1:4-1:11",
    "template 3:4-3:11",
    expect.stringMatching(/^BH0002 6:1-6:2 /),
  ]);
  expect(read("a: 1\n---\nb: {{ c }}\n---\nd: 1")).toEqual({
    documents: 2,
    said: ["template 3:4-3:11"],
  });
  const { said } = read("kind: {{ a }}-x\n---\nb: [\n---\nc: 1");
  expect(said[0]).toBe("template 1:7-1:14");
  expect(said.slice(1).map((one) => one.split(" ")[0])).toContain("BH0001");
  // Three dashes begin a document only by themselves.
  expect(read("---x: {{ a }}\nb: {{ c }}").said).toEqual(["template 1:7-1:14"]);
});

test.each([
  "b: [ # {{ x }}\n",
  "a: '{{ x }}'\nb: [\n",
  "a: '{{ x }}'\nb: 1\nb: 2",
  `a: [ ${" ".repeat(250)}\n# {{ x }}\n`,
])("what is wrong elsewhere is no template: %j", (text) => {
  const { said } = read(text);
  expect(said.length).toBeGreaterThan(0);
  expect(said.filter((one) => one.startsWith("template"))).toEqual([]);
});

test("of a long line, only what is near is looked at", () => {
  const broken = (length: number) => `{ "a": "{{ x }}", ${" ".repeat(length)} b: 1, : [}`;
  expect(read(broken(100)).said).toEqual(["template 1:9-1:16"]);
  expect(read(broken(300)).said.filter((one) => one.startsWith("template"))).toEqual([]);
});
