/** What is loaded before a verb is known: little, or every `--help` and every Tab would wait for schemas and parsers. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";

const source = join(import.meta.dirname, "..", "src");
const STATIC = /^(?:import|export)\s+(?!type\b)(?:[^;"']*?\sfrom\s+)?["']([^"']+)["']/gm;

/** Everything that importing a file imports at once; `import type` and `import()` do not count. */
function loadedWith(entry: string): {
  readonly files: Set<string>;
  readonly packages: Set<string>;
} {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    for (const [, name = ""] of readFileSync(path, "utf8").matchAll(STATIC)) {
      if (name.startsWith(".")) visit(join(dirname(path), name));
      else if (!name.startsWith("node:")) packages.add(name);
    }
  };
  visit(join(source, entry));
  return { files, packages };
}

it("loads commander and little else", () => {
  const { files, packages } = loadedWith("run.ts");
  expect([...packages]).toEqual(["commander"]);
  expect([...files].filter((path) => /\/(verbs|views|process)\//.test(path))).toEqual([]);
  expect(files.size).toBeGreaterThan(5);
});

it("sees what a verb loads", () => {
  expect([...loadedWith("verbs/schema.ts").packages]).toEqual([]);
  expect([...loadedWith("schemas.ts").packages].toSorted()).toEqual(["@bulkhead/api", "zod"]);
});
