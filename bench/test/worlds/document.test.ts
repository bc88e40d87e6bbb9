import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AIM_HEAD, aimRows } from "../../worlds/aims.ts";
import { LAWS, UNITS } from "../../worlds/coverage.ts";
import { replaceSection, sectionOf } from "../../worlds/document.ts";
import { ALL_FAMILIES, FAMILIES } from "../../worlds/families.ts";
import { HEADS, lineOf } from "../../worlds/tables.ts";
import { METHODS } from "../../worlds/trial.ts";

const document = readFileSync(join(import.meta.dirname, "../../../docs/learning.md"), "utf8");
const titles = (heldOut: boolean) =>
  ALL_FAMILIES.filter((family) => FAMILIES[family].heldOut === heldOut).map(
    (family) => FAMILIES[family].title,
  );

describe("docs/learning.md", () => {
  it.each(["comparison", "readiness", "roles", "coverage"] as const)(
    "has the table of %s as it is printed",
    (name) => {
      expect(sectionOf(document, name)).toContain(lineOf(HEADS[name]));
    },
  );

  it("has a line of every method for every family, and the held-out family in the last tables alone", () => {
    for (const title of titles(false)) {
      for (const { name } of METHODS)
        expect(sectionOf(document, "comparison")).toContain(`| ${title} | ${name} |`);
      expect(sectionOf(document, "roles")).toContain(`| ${title} |`);
    }
    for (const title of titles(true)) {
      for (const name of ["comparison", "readiness", "roles"])
        expect(sectionOf(document, name)).not.toContain(title);
      expect(sectionOf(document, "final")).toContain(`| ${title} | Bulkhead |`);
    }
  });

  it("has a line of every law, and of every aim", () => {
    const coverage = sectionOf(document, "coverage");
    for (const { name } of LAWS) {
      for (const units of UNITS) expect(coverage).toContain(`| ${name} | ${units} | 1000 |`);
    }
    const final = sectionOf(document, "final");
    expect(final).toContain(lineOf(AIM_HEAD));
    for (const [aim] of aimRows([], [], [])) expect(final).toContain(`| ${aim} |`);
  });
});

it("a section is replaced and found again, and nothing else moves", () => {
  const text =
    "before\n\n<!-- worlds: a -->\nold\n<!-- /worlds -->\n\nbetween\n\n<!-- worlds: b -->\n<!-- /worlds -->\nafter";
  const replaced = replaceSection(replaceSection(text, "b", "new b"), "a", "new a");
  expect(sectionOf(replaced, "a")).toBe("new a");
  expect(sectionOf(replaced, "b")).toBe("new b");
  expect(replaced).toMatch(/^before[^]*between[^]*after$/);
  expect(replaced).not.toContain("old");
  expect(() => replaceSection(text, "c", "")).toThrow("no place for c");
});
