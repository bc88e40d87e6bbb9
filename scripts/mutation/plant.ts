/**
 * Makes the mutants: Stryker's instrumenter puts all of them into the sources, each behind a switch. What comes out lies
 * beside the repository's own files, in a folder of its own, and is read in their place by `judge.ts`.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import { Instrumenter } from "@stryker-mutator/instrumenter";
import type { Area } from "./areas.ts";

export const ROOT = join(import.meta.dirname, "..", "..");

export interface Mutant {
  readonly id: string;
  readonly area: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly mutator: string;
  readonly replacement: string;
}

export interface Planted {
  readonly mutants: readonly Mutant[];
  readonly folder: string;
}

/** `names`: parts of file names, when not all are looked at. */
export async function plant(areas: readonly Area[], names: readonly string[]): Promise<Planted> {
  const folder = join(ROOT, ".stryker-tmp", `${process.pid}`);
  rmSync(folder, { recursive: true, force: true });
  const areaOf = new Map(
    areas.flatMap(({ name, files }) =>
      globSync(files, { cwd: ROOT })
        .filter((file) => names.length === 0 || names.some((one) => file.includes(one)))
        .map((file) => [file, name] as const),
    ),
  );
  const silent = { isDebugEnabled: () => false, debug: () => {}, info: () => {}, warn: () => {} };
  const instrumenter = new Instrumenter(silent as never);
  const sources = [...areaOf.keys()].toSorted().map((name) => ({
    name,
    mutate: true,
    content: readFileSync(join(ROOT, name), "utf8"),
  }));
  const options = { plugins: null, excludedMutations: [], ignorers: [] };
  const { files, mutants } = await instrumenter.instrument(sources, options as never);
  for (const { name, content } of files) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, stripTypeScriptTypes(content));
  }
  const listed = mutants.map(({ id, fileName, location, mutatorName, replacement }) => ({
    id,
    area: areaOf.get(fileName)!,
    file: fileName,
    line: location.start.line + 1,
    column: location.start.column + 1,
    mutator: mutatorName,
    replacement,
  }));
  writeFileSync(join(folder, "mutants.json"), JSON.stringify(listed));
  return { mutants: listed, folder };
}
