/**
 * What is said, word for word, when something in an object is not as it should be: every value of it in turn of another
 * kind, out of its bounds, or gone, and a field too many in every map. `wording/*.jsonl` holds objects that have every field
 * of their kind, and some that are wrong as they are; beside it stands what is said of them, and where.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parseFiles } from "../src/index.ts";

type Path = readonly (string | number)[];
interface Change {
  readonly what: string;
  readonly object: unknown;
}

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

function* changes(object: unknown): Generator<Change> {
  yield { what: "as it is", object };
  for (const [path, value] of places(object)) {
    if (path[0] === "apiVersion" || path[0] === "kind" || path[0] === "metadata") continue;
    for (const other of others(value)) {
      const shown = isMap(other) && "zebra" in other ? "with `zebra`" : JSON.stringify(other);
      yield { what: `${path.join(".")} ${shown}`, object: changed(object, path, other) };
    }
    const isItem = typeof path.at(-1) === "number";
    if (!isItem) yield { what: `${path.join(".")} gone`, object: changed(object, path, undefined) };
  }
}

/** Once for each thing that can be said, at the first change that has it said. */
function wordsOf(objects: readonly unknown[]): string {
  const said = new Map<string, string>();
  for (const { what, object } of objects.flatMap((one) => [...changes(one)])) {
    const { diagnostics } = parseFiles([{ name: "x", text: JSON.stringify(object) }]);
    for (const { code, message, help, severity } of diagnostics) {
      const words = `  ${code} ${severity}: ${message}${help === undefined ? "" : `\n    ${help}`}`;
      if (!said.has(words)) said.set(words, what);
    }
  }
  const groups = Map.groupBy(said, ([, what]) => what);
  const lines = [...groups].map(([what, all]) => [what, ...all.map(([words]) => words)].join("\n"));
  return `${lines.join("\n")}\n`;
}

const folder = fileURLToPath(new URL("wording/", import.meta.url));
const cases = readdirSync(folder)
  .filter((name) => name.endsWith(".jsonl"))
  .flatMap((file) => {
    const lines = readFileSync(folder + file, "utf8")
      .trimEnd()
      .split("\n");
    const objects = lines.map((line) => JSON.parse(line) as { readonly kind: string });
    const byKind = [...Map.groupBy(objects, ({ kind }) => kind)];
    return byKind.map(([kind, ofKind]) => ({ dialect: file.replace(".jsonl", ""), kind, ofKind }));
  });

test.each(cases)("$dialect $kind", async ({ dialect, kind, ofKind }) => {
  await expect(wordsOf(ofKind)).toMatchFileSnapshot(`${folder}${dialect}-${kind}.txt`);
});
