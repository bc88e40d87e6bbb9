// The shipped objects are those of the sources beside them: on any machine, with or without a compiler.
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { objectName, project } from "../compile.ts";
import {
  digestOf,
  filesOf,
  objectPath,
  OBJECTS,
  programs,
  readManifest,
  sourceDigest,
} from "../manifest.ts";

const folder = mkdtempSync(join(tmpdir(), "bulkhead-objects-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("every object is made of the source as it is: `npm run build:bpf` was run after the last change", () => {
  const { objects } = readManifest();
  expect(
    Object.fromEntries(
      programs().map((source) => {
        const path = join(project, objectPath(source));
        const object = existsSync(path) ? digestOf(readFileSync(path)) : "missing";
        return [objectName(source), { source: sourceDigest(source), object }];
      }),
    ),
  ).toEqual(
    Object.fromEntries(
      Object.entries(objects).map(([name, { source, object }]) => [name, { source, object }]),
    ),
  );
  expect(globSync("*.o", { cwd: join(project, OBJECTS) }).toSorted()).toEqual(
    Object.keys(objects).map((name) => `${name}.o`),
  );
});

it("a change in an included header is a change of the source", () => {
  const place = (name: string): string => join(folder, name);
  writeFileSync(place("one.bpf.c"), '#include <linux/bpf.h>\n  # include "two.h"\n');
  writeFileSync(place("two.h"), '#include "three.h"\n');
  writeFileSync(place("three.h"), '#include "two.h"\nint three;\n');
  const before = sourceDigest(place("one.bpf.c"), "/");
  expect(filesOf(place("one.bpf.c"), "/")).toEqual(
    ["one.bpf.c", "three.h", "two.h"].map((name) => place(name).slice(1)),
  );
  writeFileSync(place("three.h"), '#include "two.h"\nint four;\n');
  expect(sourceDigest(place("one.bpf.c"), "/")).not.toBe(before);
});
