// What the shipped objects were made of: for each the digest of its source with all headers of ours that it includes, and the
// digest of the object. So a machine without a compiler can tell whether an object is older than its source.
import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { objectName, project } from "./compile.ts";

export const OBJECTS = "bpf/objects";
export const MANIFEST = `${OBJECTS}/manifest.json`;

export interface ObjectRecord {
  /** Digest (SHA-256) of all files that the object is made of. */
  readonly source: string;
  readonly object: string;
  readonly bytes: number;
}

export interface Manifest {
  readonly compiler: string;
  readonly objects: Readonly<Record<string, ObjectRecord>>;
}

/** Paths of the programs that are shipped, from the root of the project. */
export const programs = (): readonly string[] =>
  globSync("bpf/*.bpf.c", { cwd: project }).toSorted();

/** A file and the headers of ours (`#include "…"`) that it includes, directly or not, in order of their paths. */
export function filesOf(source: string, root = project): readonly string[] {
  const found = new Set<string>();
  const visit = (path: string): void => {
    if (found.has(path)) return;
    found.add(path);
    const text = readFileSync(join(root, path), "utf8");
    for (const [, name = ""] of text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm))
      visit(join(dirname(path), name));
  };
  visit(relative(root, resolve(root, source)));
  return [...found].toSorted();
}

export function sourceDigest(source: string, root = project): string {
  const hash = createHash("sha256");
  for (const path of filesOf(source, root))
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update("\0");
  return hash.digest("hex");
}

export const digestOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

export const objectPath = (source: string): string => `${OBJECTS}/${objectName(source)}.o`;

export function readManifest(): Manifest {
  return JSON.parse(readFileSync(join(project, MANIFEST), "utf8")) as Manifest;
}
