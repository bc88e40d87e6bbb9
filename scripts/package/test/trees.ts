// Unpacked tarballs for tests: the payload as it is packed, with the packages of this checkout linked in
// place of a fresh `npm ci`, and any version number.
import {
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { markSetUp, project, writeSources } from "../payload.ts";

export function unpacked(folder: string, version: string): string {
  writeSources(folder);
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "@bulkhead"), { recursive: true });
  const from = join(project, "node_modules");
  for (const name of readdirSync(from)) {
    if (name === "@bulkhead" || name === ".cache" || name === ".bulkhead-setup") continue;
    symlinkSync(join(from, name), join(modules, name));
  }
  // Ours are those of the tree.
  for (const name of readdirSync(join(from, "@bulkhead")))
    symlinkSync(readlinkSync(join(from, "@bulkhead", name)), join(modules, "@bulkhead", name));
  for (const own of globSync("{apps,packages}/*/node_modules", { cwd: project }))
    symlinkSync(join(project, own), join(folder, own));
  markSetUp(folder);
  for (const path of [
    "package.json",
    ...globSync("{apps,packages}/*/package.json", { cwd: folder }),
  ]) {
    const file = JSON.parse(readFileSync(join(folder, path), "utf8")) as object;
    writeFileSync(join(folder, path), JSON.stringify({ ...file, version }));
  }
  return folder;
}
