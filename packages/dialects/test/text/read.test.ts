/** Text to trees and objects: JSON by itself, limits, what a document must be, and where each is said. */
import { describe, expect, test } from "vitest";
import { parseFiles } from "../../src/index.ts";
import { parseText, TEXT_LIMITS, type TreeNode } from "../../src/text/document.ts";
import { parseJson } from "../../src/text/json.ts";

/** The value, and where each scalar and key stands. */
const shown = (node: TreeNode | null): unknown => {
  if (node === null) return "none";
  const at = `${node.start}-${node.end}`;
  if (node.kind === "list") return [at, ...node.items.map(shown)];
  if (node.kind === "map")
    return {
      at,
      ...Object.fromEntries(
        node.entries.map(({ key, keyExtent, value }) => [
          `${key} ${keyExtent.start}-${keyExtent.end}`,
          shown(value),
        ]),
      ),
    };
  return `${at} ${JSON.stringify(node.value)} ${node.text} ${node.verbatim} ${node.textStart}`;
};

describe("JSON by itself", () => {
  test.each<[string, unknown]>([
    ["{}", { at: "0-2" }],
    [" [ ]\n", ["1-4"]],
    ["[1]", ["0-3", "1-2 1 1 true 1"]],
    ["[-0.125]", ["0-8", "1-7 -0.125 -0.125 true 1"]],
    ["[10.25e+12]", ["0-11", "1-10 10250000000000 10.25e+12 true 1"]],
    ["[2E3]", ["0-5", "1-4 2000 2E3 true 1"]],
    ["[2e-31]", ["0-7", "1-6 2e-31 2e-31 true 1"]],
    ["[0 , 12]", ["0-8", "1-2 0 0 true 1", "5-7 12 12 true 5"]],
    [
      "[true,false,null]",
      ["0-17", "1-5 true true true 1", "6-11 false false true 6", "12-16 null null true 12"],
    ],
    ['["ab"]', ["0-6", '1-5 "ab" ab true 2']],
    ['["a\\nb"]', ["0-8", '1-7 "a\\nb" a\nb false 1']],
    ['["\\u00e9\\/\\"\\\\"]', ["0-16", '1-15 "é/\\"\\\\" é/"\\ false 1']],
    [
      '{"a":{"b" : []},\t"c":1}',
      { at: "0-23", "a 1-4": { at: "5-15", "b 6-9": ["12-14"] }, "c 17-20": "21-22 1 1 true 21" },
    ],
    ["[[],{}]", ["0-7", ["1-3"], { at: "4-6" }]],
  ])("%s", (text, expected) => {
    expect(shown(parseJson(text, 8))).toEqual(expected);
  });

  test.each([
    "",
    "{",
    "{,}",
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{"a":1]',
    '{"a" 1}',
    "{a:1}",
    "{1:1}",
    '{"a":1 "b":2}',
    "[1 2]",
    "[1}",
    "[1",
    "[,]",
    "[-]",
    "[1.]",
    "[.5]",
    "[1e]",
    "[tru]",
    "[nul]",
    '["a]',
    '["\\u00g0"]',
    '["\\"]',
    "[]x",
    "[] []",
    '{"\\u0061":1,"a":2}',
  ])("not %s", (text) => {
    expect(parseJson(text, 8)).toBeNull();
  });

  test("as deep as it may be, and deeper", () => {
    expect(parseJson("[[]]", 1)).not.toBeNull();
    expect(parseJson("[[[]]]", 1)).toBeNull();
    expect(parseJson('{"a":{"b":1}}', 2)).not.toBeNull();
    expect(parseJson('{"a":{"b":1}}', 1)).toBeNull();
  });
});

const said = (text: string, limits: Partial<typeof TEXT_LIMITS> = {}) => {
  const { documents, diagnostics } = parseText({ name: "x", text }, { ...TEXT_LIMITS, ...limits });
  const found = diagnostics.map(
    ({ code, span, message, help }) => `${span.line}:${span.column} ${code} ${message}; ${help}`,
  );
  return { documents: documents.length, found };
};

describe("limits", () => {
  test("characters of YAML, for which JSON is none", () => {
    const limits = { yamlSize: 1_000_000 };
    const comment = (length: number) => `#${"x".repeat(length - 1)}`;
    expect(said(comment(1_000_000), limits).found).toEqual([]);
    expect(said(comment(1_000_001), limits)).toEqual({
      documents: 0,
      found: ["1:1 BH0007 more than 1 MB of YAML in one file: not read; as JSON it may be larger"],
    });
    const named = said(comment(1_000_001), { ...limits, option: "--limit" }).found;
    expect(named).toEqual([
      "1:1 BH0007 more than 1 MB of YAML in one file: not read; `--limit yaml-size=…` for more",
    ]);
    const json = `["${"x".repeat(1_000_001)}"]`;
    expect(said(json, limits)).toEqual({ documents: 1, found: [] });
  });

  test("depth, and nodes of aliases", () => {
    const option = "--limit";
    expect(said("a: [[1]]", { depth: 3, option }).found).toEqual([]);
    expect(said("a: [[1]]", { depth: 2, option }).found).toEqual([
      "1:6 BH0007 nested more than 2 deep; `--limit depth=…` for more",
    ]);
    // Deeper than the parser itself can follow; where it gives up depends on its stack.
    const endless = `a: ${"[".repeat(20_000)}`;
    expect(said(endless, { depth: 64, option }).found).toEqual([
      expect.stringMatching(/^1:\d+ BH0007 nested more than 64 deep; `--limit depth=…` for more$/),
    ]);
    expect(said(endless, { depth: 100_000, option }).found).toEqual([
      expect.stringMatching(/^1:\d+ BH0007 nested more deeply than can be read; undefined$/),
    ]);
    const aliases = "a: &a [1, 2]\nb: *a\nc: *a";
    expect(said(aliases, { aliasedNodes: 6 }).found).toEqual([]);
    expect(said(aliases, { aliasedNodes: 5 }).found[0]).toMatch(
      /BH0004 aliases add more than 5 nodes; undefined$/,
    );
  });
});

describe("documents", () => {
  test.each([
    ["", 0],
    ["---\n", 0],
    ["null", 0],
    ["~", 0],
    ["a", 1],
    ["7", 1],
    ["false", 1],
    ["[]", 1],
    ["a: 1\n---\nb: 2\n---\n", 2],
  ])("%j holds %d", (text, count) => {
    expect(said(text)).toEqual({ documents: count, found: [] });
  });

  test("what is wrong in one leaves the others", () => {
    const { documents, found } = said("a: 1\n---\nb: [\n---\nc: 3");
    expect(documents).toBe(2);
    expect(found).toHaveLength(1);
    expect(said("a: 1\nb: *x\n---\nc: 3").documents).toBe(1);
    expect(said("a: 1\na: 2\n---\nc: 3")).toEqual({
      documents: 1,
      found: [
        "2:1 BH0002 map keys must be unique; keep one of the two; YAML readers disagree about which one counts",
      ],
    });
    expect(said("a: {b: 1, b: 2, b: 3}").found).toHaveLength(2);
    expect(said("a: &a {b: 1, b: 2}\nc: *a").found).toHaveLength(1);
  });

  test.each(["!!binary aGk=", "!!timestamp 2030-01-01", "!!omap [b: 1]", "!!pairs [b: 1]"])(
    "a value of a type of its own is refused: %s",
    (value) => {
      expect(said(`a: ${value}`)).toEqual({
        documents: 0,
        found: [
          expect.stringMatching(/^1:\d+ BH0005 binary values and other types of their own are not/),
        ],
      });
    },
  );

  test.each([
    ["a: !!str 7", "7"],
    ["a: !!int '7'", "7"],
    ["a: 2030-01-01", "2030-01-01"],
  ])("%s", (text, shownAs) => {
    const [tree] = parseText({ name: "x", text }).documents;
    const value = tree?.kind === "map" ? tree.entries[0]?.value : undefined;
    expect(value).toMatchObject({ kind: "scalar", text: shownAs });
  });

  test.each([
    ["a:\n  b: 1\n c: 2", "align it with the entries it belongs to"],
    ["a:\n\tb: 1", "indent with spaces"],
    ["a: !x b", "resources need no tags; write the plain value"],
  ])("%j is told with help", (text, help) => {
    expect(said(text).found.join()).toContain(help);
  });

  test.each([
    ["a: *", ["1:4 BH0004 alias cannot be an empty string; undefined"]],
    ["a: *b\nc: &b 1", ["1:4 BH0004 alias `*b` has no anchor before it; undefined"]],
    ["a: 1\n: b", ["2:1 BH0005 a key must be text; undefined"]],
    ["{a: 1, : b}", ["1:8 BH0005 a key must be text; undefined"]],
    ["~: 1\nb: 2", ["1:1 BH0005 a key must be text; undefined"]],
    ["? [a]\n: b", ["1:3 BH0005 a key must be text; undefined"]],
    [
      "a: &x {b: 1}\nc:\n  <<: *x",
      ["3:3 BH0005 merge keys are not supported; write the fields out"],
    ],
    [
      "kind: a\nb: 1\nkind: c",
      [
        "3:1 BH0002 map keys must be unique; is this another resource? a line `---` must stand before it",
      ],
    ],
    [
      "a: {kind: b, kind: c}",
      [
        "1:14 BH0002 map keys must be unique; keep one of the two; YAML readers disagree about which one counts",
      ],
    ],
  ])("%j is told where it stands", (text, expected) => {
    expect(said(text).found).toEqual(expected);
  });

  test("places are those of the text, whatever ends its lines", () => {
    const { documents, spanOf } = parseText({ name: "x", text: "a: 1\r\nbc:\n  d: 'e'\n" });
    const [tree] = documents;
    const entry = tree?.kind === "map" ? tree.entries[1] : undefined;
    const inner = entry?.value.kind === "map" ? entry.value.entries[0] : undefined;
    expect(spanOf(entry!.keyExtent)).toEqual({
      file: "x",
      line: 2,
      column: 1,
      endLine: 2,
      endColumn: 3,
    });
    expect(spanOf(inner!.value)).toEqual({
      file: "x",
      line: 3,
      column: 6,
      endLine: 3,
      endColumn: 9,
    });
    expect(spanOf({ start: 999, end: 0 })).toMatchObject({
      line: 4,
      column: 1,
      endLine: 4,
      endColumn: 1,
    });
  });
});

const codeOf = (said: string): string | undefined => said.split(" ")[1];

describe("objects", () => {
  const codes = (text: string, name = "x.yaml") =>
    parseFiles([{ name, text }]).diagnostics.map(
      ({ code, span, message }) => `${span.line}:${span.column} ${code} ${message}`,
    );

  test.each([
    ["kustomization.yaml", true],
    ["base/Kustomization", true],
    ["a\\kustomization.yml", true],
    ["my-kustomization.yaml", false],
    ["kustomization.yaml.txt", false],
    ["kustomization.yaml/a.yaml", false],
    ["Chart.yaml", true],
    ["a/values.yaml", true],
    ["my-values.yaml", false],
    ["values.yaml.bak", false],
    ["values-yaml", false],
  ])("%s says how manifests are made: %s", (name, isRecipe) => {
    const [first] = codes("a: 1", name);
    expect(first).toMatch(isRecipe ? /BH0401 this says how manifests are made/ : /BH0006/);
  });

  test("what lacks apiVersion, kind or both, and where it is said", () => {
    expect(codes("kind: Pod")).toEqual(["1:1 BH0006 a resource needs `apiVersion`, as text"]);
    expect(codes("a: 1\napiVersion: v1")).toEqual(["1:1 BH0006 a resource needs `kind`, as text"]);
    expect(codes("apiVersion: v1\nkind: 7")).toEqual([
      "2:1 BH0006 a resource needs `kind`, as text",
    ]);
    expect(codes("a: 1\napiVersion: 7\nkind: Pod")).toEqual([
      "2:1 BH0006 a resource needs `apiVersion`, as text",
    ]);
    const left = (text: string) =>
      parseFiles([{ name: "x", text }], { strangers: "left" }).diagnostics.map(
        ({ code, severity }) => `${code} ${severity}`,
      );
    expect(left("a: 1")).toEqual(["BH0006 warning"]);
    expect(left("7")).toEqual(["BH0006 warning"]);
    expect(left("kind: Pod")).toEqual(["BH0006 error"]);
    expect(left("apiVersion: v1")).toEqual(["BH0006 error"]);
  });

  test("only the configuration of a product is read of ConfigMaps, and that by its group", () => {
    const config = (apiVersion: string, kind: string) =>
      `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: cilium-config, namespace: kube-system }\ndata: { enable-policy: sometimes }`;
    expect(codes(config("v1", "ConfigMap")).map(codeOf)).toEqual(["BH0105"]);
    expect(codes(config("x.example/v1", "ConfigMap")).map(codeOf)).toEqual(["BH0401"]);
    expect(codes(config("v1", "Secret")).map(codeOf)).toEqual(["BH0401"]);
  });
});
