import { readdirSync, readFileSync } from "node:fs";
import type { Diagnostic } from "@bulkhead/model";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { buildPolicySet, parseFiles, printResources } from "../src/index.ts";
import { manifest } from "./arbitrary.ts";

/** Whatever the text, reading ends, and never with an exception: what it says of places that are not in the text. */
const misplaced = (text: string): readonly Diagnostic[] => {
  const { resources, diagnostics } = parseFiles([{ name: "x", text }]);
  const built = buildPolicySet(resources, { now: 0, strict: true, mode: "enforce" });
  const lines = text.split(/\r\n|\n|\r/);
  return [...diagnostics, ...built.diagnostics].filter(
    ({ span }) =>
      span.line < 1 ||
      span.line > lines.length ||
      span.column < 1 ||
      span.column > (lines[span.line - 1]?.length ?? 0) + 2,
  );
};

const SNIPPETS = [
  "\t",
  "  ",
  "\n",
  ":",
  "- ",
  "{",
  "}",
  "[",
  "]",
  "&a ",
  "*a",
  "!x ",
  "'",
  '"',
  "|",
  "#",
  "---\n",
  "null",
  "<<: ",
  "%",
  "\u0000",
  "\uFEFF",
  "é",
  "🦀",
];

const edits = fc.array(fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom(...SNIPPETS, "")), {
  minLength: 1,
  maxLength: 4,
});
const edited = (
  sound: string,
  changes: readonly (readonly [where: number, length: number, put: string])[],
): string =>
  changes.reduce((text, [where, length, put]) => {
    const at = where % (text.length + 1);
    return text.slice(0, at) + put + text.slice(at + length);
  }, sound);

test("sound text with a few characters changed", () => {
  fc.assert(
    fc.property(manifest, edits, (one, changes) => {
      expect(misplaced(edited(printResources([one]), changes))).toEqual([]);
    }),
    { numRuns: 1000 },
  );
});

/** Every object of every dialect that the vectors hold. */
const objects = (): readonly string[] => {
  const folder = new URL("../../../spec/vectors/decide/", import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  return files.flatMap((name) => {
    const { inventory, cases } = parse(readFileSync(new URL(name, folder), "utf8")) as {
      readonly inventory: string;
      readonly cases: readonly { readonly policy: string }[];
    };
    const texts = [inventory, ...cases.map(({ policy }) => policy)];
    return texts.flatMap((text) => text.split(/^---$/m)).filter((text) => text.trim() !== "");
  });
};

/** Leaves of an object, where something else is put: `null`, a list, a map, a number. */
const WORDS = /(?<=[:[{,] ?)(?:"[^"]*"|[\w./*-]+)/g;
const OTHERS = [
  "null",
  "[]",
  "{}",
  "[null]",
  "{a: 1}",
  "-1",
  "99999999999",
  "''",
  "[[[]]]",
  "true",
];

test("objects of every dialect with a few characters changed", () => {
  fc.assert(
    fc.property(fc.constantFrom(...objects()), edits, (one, changes) => {
      expect(misplaced(edited(one, changes))).toEqual([]);
    }),
    { numRuns: 600 },
  );
});

test("objects of every dialect with another kind of value in one place", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...objects()),
      fc.nat(),
      fc.constantFrom(...OTHERS),
      (one, where, other) => {
        const places = [...one.matchAll(WORDS)];
        const place = places[where % Math.max(1, places.length)];
        fc.pre(place !== undefined);
        const text = one.slice(0, place.index) + other + one.slice(place.index + place[0].length);
        expect(misplaced(text)).toEqual([]);
      },
    ),
    { numRuns: 600 },
  );
});

test("soup of YAML", () => {
  const unit = fc.constantFrom(
    ...SNIPPETS,
    "apiVersion: bulkhead.dev/v1",
    "kind: Policy",
    "metadata: ",
    "spec:",
    "a",
    "1",
  );
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 30 }), (text) => {
      expect(misplaced(text)).toEqual([]);
    }),
    { numRuns: 1000 },
  );
});

test("ten thousand prefixes and as many workloads, read and built", () => {
  const numbers = Array.from({ length: 10_000 }, (_, i) => i);
  const address = (i: number): string => `10.${i >> 8}.${i & 255}`;
  const text = `apiVersion: bulkhead.dev/v1
kind: NetworkSet
metadata: {name: big}
spec:
  cidrs:
${numbers.map((i) => `    - ${address(i)}.0/24`).join("\n")}
---
apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: {name: big}
spec:
  workloads:
${numbers.map((i) => `    - {name: w${i}, labels: {app: a${i % 50}}, addresses: [${address(i)}.1]}`).join("\n")}
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: {name: p}
spec: {subject: app=a1, egress: [{to: [{networkSet: big}], ports: [443]}]}
`;
  const { resources, diagnostics } = parseFiles([{ name: "x", text }]);
  const built = buildPolicySet(resources, { now: 0, strict: false, mode: "audit" });
  expect([...diagnostics, ...built.diagnostics]).toEqual([]);
  expect(built.inventory.workloads).toHaveLength(10_000);
  const application = built.set.stages.find(({ id }) => id === "application");
  expect(application?.blocks[0]?.rules[0]?.peers).toHaveLength(10_000);
});

test("a hundred thousand keys of one map, and one of them twice", () => {
  const keys = Array.from({ length: 100_000 }, (_, at) => `k${at}: 1`);
  const { diagnostics } = parseFiles([{ name: "x", text: `a: {${keys.join(", ")}, k7: 2}` }]);
  expect(diagnostics.map(({ code }) => code)).toContain("BH0002");
});
