/** JSON is read as YAML reads it, place by place; what is not plain JSON is left to the reader of YAML. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { parseText } from "../src/text/document.ts";
import { parseJson } from "../src/text/json.ts";

/** A comment makes it YAML, and moves nothing. */
const asYaml = (text: string) => parseText({ name: "a", text: `${text} # yaml` });

describe("JSON", () => {
  it("gives the tree that YAML gives", () => {
    const value = fc.json({ maxDepth: 4 }).map((text): unknown => JSON.parse(text));
    const written = fc
      .tuple(
        fc.oneof(fc.array(value), fc.dictionary(fc.string(), value)),
        fc.integer({ min: 0, max: 2 }),
      )
      .map(([one, indent]) => JSON.stringify(one, undefined, indent));
    fc.assert(
      fc.property(written, (text) => {
        fc.pre(parseAllDocuments(`${text} # yaml`).every(({ errors }) => errors.length === 0));
        const { documents, diagnostics } = asYaml(text);
        fc.pre(diagnostics.length === 0);
        expect(parseText({ name: "a", text }).documents).toEqual(documents);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ["{} {}", "two values"],
    ["{} # and more", "a comment"],
    ["[1,]", "a comma too many"],
    ["{a: 1}", "a key without quotes"],
    ['{"a": 1, "a": 2}', "a key twice"],
    ['{"<<": {"a": 1}}', "a merge key"],
    ["[01]", "a number that begins with nought"],
    ['["\\x"]', "an escape of somebody else's"],
    ["[[[[[]]]]]", "too deep"],
    ["[", "an end too soon"],
    ["[truely]", "a word that only begins so"],
    ['["a\nb"]', "a line end in a text"],
  ])("is not %s: %s", (text) => {
    expect(parseJson(text, 3)).toBeNull();
  });

  it("keeps places, after a byte order mark too", () => {
    const { documents, spanOf } = parseText({ name: "a", text: '\uFEFF{\n  "kind": "Pod" }' });
    const [tree] = documents;
    expect(tree?.kind === "map" && spanOf(tree.entries[0]!.value)).toMatchObject({
      line: 2,
      column: 11,
    });
  });
});
