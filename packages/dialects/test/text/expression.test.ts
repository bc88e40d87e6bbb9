/** Regular expressions of other products: how long one may be, and what is said of one that is none. */
import { expect, test } from "vitest";
import { parseText } from "../../src/text/document.ts";
import { expression } from "../../src/text/expression.ts";
import { createReader } from "../../src/text/reader.ts";
import type { Diagnostic } from "@bulkhead/model";

const read = (value: string) => {
  const { documents, spanOf } = parseText({ name: "x", text: JSON.stringify([value]) });
  const [list] = documents;
  if (list?.kind !== "list") throw new Error("no list");
  const said: Diagnostic[] = [];
  const found = expression.read(list.items[0]!, createReader(spanOf, said, false));
  return { found, said: said.map(({ code, message, help }) => `${code} ${message}; ${help}`) };
};

test("as long as it may be, and longer", () => {
  const longest = "a".repeat(2000);
  expect(read(longest)).toEqual({ found: longest, said: [] });
  expect(read(`${longest}a`)).toEqual({
    found: undefined,
    said: ["BH0411 this regular expression is longer than 2000 characters; make it several rules"],
  });
});

test.each([
  ["(", "not a regular expression: missing closing ): `(`"],
  ["(?=a)", "not a regular expression: invalid or unsupported Perl syntax: `(?=`"],
])("%s is none", (value, message) => {
  const { found, said } = read(value);
  expect(found).toBeUndefined();
  expect(said).toEqual([
    `BH0411 ${message}; the syntax is RE2's, which has neither lookaround nor references back`,
  ]);
});
