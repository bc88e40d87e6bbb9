// `npm run build:bpf`: the programs in bpf/ as objects in bpf/objects/, with a manifest of what they were made of. Needs clang,
// llvm and the headers of libbpf; machines that only run Bulkhead need none of them.
//
//   node scripts/build-bpf.ts                 all that are shipped
//   node scripts/build-bpf.ts FOLDER FILE …   these sources, into that folder, without a manifest (for tests)
import { mkdirSync, readFileSync, rmSync, globSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileObject, compiler, objectName, project } from "./bpf/compile.ts";
import {
  digestOf,
  MANIFEST,
  objectPath,
  OBJECTS,
  programs,
  sourceDigest,
  type Manifest,
  type ObjectRecord,
} from "./bpf/manifest.ts";

function buildShipped(): void {
  mkdirSync(join(project, OBJECTS), { recursive: true });
  for (const old of globSync(`${OBJECTS}/*.o`, { cwd: project })) rmSync(join(project, old));
  const objects: Record<string, ObjectRecord> = {};
  for (const source of programs()) {
    const path = objectPath(source);
    compileObject(join(project, source), path);
    const object = readFileSync(join(project, path));
    objects[objectName(source)] = {
      source: sourceDigest(source),
      object: digestOf(object),
      bytes: object.length,
    };
    console.log(`${path}  ${object.length} bytes`);
  }
  const manifest: Manifest = { compiler: compiler(), objects };
  writeFileSync(join(project, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
}

const [folder, ...sources] = process.argv.slice(2);
if (folder === undefined) buildShipped();
else for (const source of sources) compileObject(source, join(folder, `${objectName(source)}.o`));
