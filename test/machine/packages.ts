// Debian packages for a booted machine: made as `make package` makes them, by the same code and with the same maintainer
// scripts, in any version. Node lies in them; the other npm packages are links to those of this checkout, which the
// machine is shown, so that a test need not pack hundreds of megabytes.
import { cpSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeDebian } from "../../scripts/package/archives.ts";
import { project } from "../../scripts/package/payload.ts";
import { unpacked } from "../../scripts/package/test/trees.ts";

/** To be shown to the machine. */
export const SHOWN = [project];

/** `change` may alter the payload before it is packed. */
export function debianPackage(
  folder: string,
  version: string,
  change: (payload: string) => void = () => undefined,
): string {
  const payload = unpacked(join(folder, version), version);
  const modules = join(payload, "node_modules");
  const node = `node-linux-${process.arch}`;
  for (const name of [".bin", node]) rmSync(join(modules, name), { recursive: true, force: true });
  mkdirSync(join(modules, ".bin"));
  const program = join(modules, node, "bin", "node");
  mkdirSync(dirname(program), { recursive: true });
  cpSync(process.execPath, program);
  symlinkSync(`../${node}/bin/node`, join(modules, ".bin", "node"));
  change(payload);
  const made = { payload, out: folder, arch: process.arch, date: 1_700_000_000 } as const;
  const file = makeDebian({ ...made, compression: "none" });
  rmSync(payload, { recursive: true });
  return file;
}
