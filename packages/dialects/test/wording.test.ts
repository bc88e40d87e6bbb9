/**
 * What is said, word for word, when something in an object is not as it should be: every value of it in turn of another
 * kind, out of its bounds, or gone, and a field too many in every map. `wording/*.jsonl` holds objects that have every field
 * of their kind, and some that are wrong as they are; `built.texts` what is wrong only in what it comes to. Beside them stands what
 * must be said of one or another of them; more may be. `UPDATE_WORDING=1` writes that anew.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Diagnostic } from "@bulkhead/model";
import { buildPolicySet, parseFiles } from "../src/index.ts";

type Path = readonly (string | number)[];
const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** With `to` at the place; undefined there takes it out. */
function changed(value: unknown, [head, ...rest]: Path, to: unknown): unknown {
  if (head === undefined) return to;
  if (Array.isArray(value)) return value.with(Number(head), changed(value[Number(head)], rest, to));
  const map = value as Readonly<Record<string, unknown>>;
  return { ...map, [head]: changed(map[head], rest, to) };
}

function* places(value: unknown, path: Path = []): Generator<readonly [Path, unknown]> {
  if (path.length > 0) yield [path, value];
  const inside = Array.isArray(value) ? value.entries() : Object.entries(isMap(value) ? value : {});
  for (const [key, one] of inside) yield* places(one, [...path, key]);
}

/** Of a number: another kind, and bounds that none keeps; of text: another kind, and no word that anyone knows. */
const others = (value: unknown): readonly unknown[] => {
  if (isMap(value)) return [7, { ...value, zebra: 1 }, {}];
  if (Array.isArray(value)) return [7, "zebra", []];
  return typeof value === "string" ? [7, "? zebra", "", []] : [{}, -1, 1e6, "zebra"];
};

function* changes(object: unknown): Generator<unknown> {
  yield object;
  for (const other of [undefined, 7, {}, { name: "p", annotations: 7, labels: 7, zebra: 1 }])
    yield changed(object, ["metadata"], other);
  for (const [path, value] of places(object)) {
    if (path[0] === "apiVersion" || path[0] === "kind" || path[0] === "metadata") continue;
    for (const other of others(value)) yield changed(object, path, other);
    if (typeof path.at(-1) !== "number") yield changed(object, path, undefined);
  }
}

/** Which words may stand at a place is told elsewhere, and there are more of them from release to release. */
const worded = ({ code, message, help, severity }: Diagnostic): string => {
  const shown = help?.replace(/^allowed here: .*/, "allowed here: …");
  return `${code} ${severity}: ${message}${shown === undefined ? "" : `\n    ${shown}`}`;
};

function saidOf(objects: readonly unknown[]): readonly string[] {
  const texts = objects.flatMap((one) => [...changes(one)]).map((one) => JSON.stringify(one));
  return texts.flatMap((text) => parseFiles([{ name: "x", text }]).diagnostics.map(worded));
}

function saidOnceBuilt(text: string): readonly string[] {
  const { resources } = parseFiles([{ name: "x", text }]);
  return (["desk", "kernel"] as const).flatMap((target) => {
    const options = { now: Date.UTC(2030, 0, 1), strict: false, mode: "enforce", target } as const;
    return buildPolicySet(resources, options).diagnostics.map(worded);
  });
}

const folder = fileURLToPath(new URL("wording/", import.meta.url));
const read = (name: string): string => readFileSync(folder + name, "utf8");

/** What is missing of what is written down. */
function unsaid(name: string, said: readonly string[]): readonly string[] {
  const file = `${folder}${name}.txt`;
  const all = [...new Set(said)].toSorted();
  if (process.env["UPDATE_WORDING"] === "1") writeFileSync(file, `${all.join("\n")}\n`);
  const wanted = existsSync(file)
    ? read(`${name}.txt`)
        .trimEnd()
        .split(/\n(?! )/)
    : ["nothing"];
  return wanted.filter((one) => !all.includes(one));
}

const cases = readdirSync(folder)
  .filter((name) => name.endsWith(".jsonl"))
  .flatMap((file) => {
    const lines = read(file).trimEnd().split("\n");
    const objects = lines.map((line) => JSON.parse(line) as { readonly kind: string });
    const byKind = [...Map.groupBy(objects, ({ kind }) => kind)];
    return byKind.map(([kind, ofKind]) => ({ name: file.replace("jsonl", kind), ofKind }));
  });

test.each(cases)("$name", ({ name, ofKind }) => {
  expect(unsaid(name, saidOf(ofKind))).toEqual([]);
});

test("what is wrong in what objects come to", () => {
  const texts = read("built.texts").split("=====\n");
  expect(unsaid("built", texts.flatMap(saidOnceBuilt))).toEqual([]);
});
