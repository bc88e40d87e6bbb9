import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { nativeSchemas, parseFiles } from "../src/index.ts";
import { manifest } from "./arbitrary.ts";

const published = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../spec/schema/${name}`, import.meta.url), "utf8"));

const ajv = new Ajv({ strict: false, validateFormats: false });
const any = ajv.compile(nativeSchemas()["resource.json"] ?? {});
const single = new Map(
  Object.entries(nativeSchemas())
    .filter(([name]) => name !== "resource.json")
    .map(([name, schema]) => [name.replace(".json", ""), ajv.compile(schema)]),
);

/** Mistakes of shape, which a schema can see; meaning (host bits, expiry, contradictions) it cannot. */
const SHAPE_CODES = ["BH0102", "BH0103", "BH0104", "BH0105", "BH0302"];

const shapeErrors = (object: unknown): readonly string[] =>
  parseFiles([{ name: "x", text: JSON.stringify(object) }])
    .diagnostics.map(({ code }) => code)
    .filter((code) => SHAPE_CODES.includes(code));

describe("the published schema", () => {
  test.each(Object.keys(nativeSchemas()))(
    "%s is what the shapes say; otherwise run node packages/dialects/write-schemas.ts",
    (name) => {
      expect(published(name)).toEqual(nativeSchemas()[name]);
    },
  );

  test("every field has a place in it that an editor can explain", () => {
    const text = JSON.stringify(published("Policy.json"));
    expect(text).toContain("`[]` denies everything that comes in.");
    expect(text).toContain('"examples":["app=db,tier in (a,b)"]');
  });

  test("takes whatever the reader takes", () => {
    fc.assert(
      fc.property(manifest, (one) => {
        expect(parseFiles([{ name: "x", text: JSON.stringify(one) }]).diagnostics).toEqual([]);
        expect({ valid: any(one), errors: any.errors }).toEqual({ valid: true, errors: null });
        expect(single.get(one.kind)?.(one)).toBe(true);
      }),
    );
  });

  test("refuses, as the reader does, a resource with one thing wrong in its shape", () => {
    const places = (
      value: unknown,
      path: readonly (string | number)[] = [],
    ): (readonly (string | number)[])[] =>
      typeof value === "object" && value !== null
        ? [
            path,
            ...Object.entries(value).flatMap(([key, part]) =>
              places(part, [...path, Array.isArray(value) ? Number(key) : key]),
            ),
          ]
        : [path];
    const change = (
      value: unknown,
      path: readonly (string | number)[],
      to: (old: unknown) => unknown,
    ): unknown => {
      const [head, ...rest] = path;
      if (head === undefined) return to(value);
      if (Array.isArray(value)) {
        return value.map((part: unknown, i) => (i === head ? change(part, rest, to) : part));
      }
      return Object.fromEntries(
        Object.entries(value as Record<string, unknown>).map(([key, part]) => [
          key,
          key === head ? change(part, rest, to) : part,
        ]),
      );
    };
    const mistake = fc.constantFrom<(old: unknown) => unknown>(
      () => ({ zebra: 1 }),
      () => [[]],
      () => 1.5,
      () => null,
      (old) =>
        typeof old === "object" && old !== null && !Array.isArray(old) ? { ...old, zebra: 1 } : {},
    );
    fc.assert(
      fc.property(manifest, fc.nat(), mistake, (one, where, to) => {
        const inside = places(one).filter((path) => path[0] === "spec" || path[0] === "metadata");
        const path = inside[where % inside.length] ?? [];
        // Labels and annotations are free maps: nothing in them is unknown.
        fc.pre(
          !path.some((key) => key === "labels" || key === "annotations" || key === "matchLabels"),
        );
        const wrong = change(one, path, to);
        expect({ path, refused: !any(wrong) }).toEqual({
          path,
          refused: shapeErrors(wrong).length > 0,
        });
      }),
      { numRuns: 500 },
    );
  });

  test("refuses what the vectors call unknown, missing, mistyped or not allowed", () => {
    const vectors = parse(
      readFileSync(
        new URL("../../../spec/vectors/parse/diagnostics.yaml", import.meta.url),
        "utf8",
      ),
    ) as readonly { name: string; text: string; expect: readonly string[] }[];
    const wrong = vectors.filter(
      ({ text, expect: codes }) =>
        text.startsWith("apiVersion: bulkhead.dev/v1\n") &&
        !text.includes("\n---\n") &&
        codes.length > 0 &&
        codes.every((code) => SHAPE_CODES.includes(code.slice(0, 6))),
    );
    expect(wrong.length).toBeGreaterThan(5);
    expect(wrong.filter(({ text }) => any(parse(text))).map(({ name }) => name)).toEqual([]);
  });
});
