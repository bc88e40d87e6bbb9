// With the compiler that set-up brings: what it makes of the sources is what is shipped, and the sources are in the house format.
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { compileObject, compiler, objectName, project } from "../compile.ts";
import { objectPath, programs, readManifest } from "../manifest.ts";

const folder = mkdtempSync(join(tmpdir(), "bulkhead-rebuild-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Instructions and maps; another compiler's names of types and lines do not count. */
function instructionsOf(object: string): string {
  const { stdout, status, stderr } = spawnSync(
    "llvm-objdump",
    ["--disassemble", "--reloc", "--no-show-raw-insn", object],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(stderr);
  return stdout.slice(stdout.indexOf("Disassembly"));
}

describe("what is shipped", () => {
  it("is what the compiler makes of the sources", () => {
    for (const source of programs()) {
      const object = join(folder, `${objectName(source)}.o`);
      const shipped = join(project, objectPath(source));
      compileObject(join(project, source), object);
      if (compiler() === readManifest().compiler)
        expect(readFileSync(object).equals(readFileSync(shipped)), source).toBe(true);
      else expect(instructionsOf(object), source).toBe(instructionsOf(shipped));
    }
  });

  it("does not depend on where it is built, nor when", () => {
    const source = join(project, "bpf/test/verdict.bpf.c");
    const objects = ["a.o", "b.o"].map((name) => join(folder, name));
    for (const object of objects) compileObject(source, object);
    const [one, other] = objects.map((object) => readFileSync(object));
    expect(one).toEqual(other);
    expect(one?.includes(project)).toBe(false);
    expect(instructionsOf(objects[0] ?? "")).toMatch(/exit/);
  });
});

it("sources in C are in the house format: `npm run format:bpf`", () => {
  const sources = globSync("bpf/**/*.{c,h}", { cwd: project });
  expect(sources.length).toBeGreaterThan(4);
  const { status, stderr } = spawnSync(
    "clang-format",
    ["--style=file", "--dry-run", "--Werror", ...sources],
    { cwd: project, encoding: "utf8" },
  );
  expect(stderr).toBe("");
  expect(status).toBe(0);
});
