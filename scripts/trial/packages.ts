// The packages of the trial: the one of `make package`, and the same again under the next number, for the upgrade.
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ARCHITECTURES, makeDebian } from "../package/archives.ts";
import { project, version } from "../package/payload.ts";

export interface Packages {
  readonly now: string;
  readonly next: string;
}

const run = (command: string, ...args: readonly string[]): void => {
  const { status, stderr } = spawnSync(command, args, { cwd: project, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
};

export function packagesIn(folder: string): Packages {
  run("make", "package");
  const arch = process.arch;
  const payload = join(folder, "payload");
  mkdirSync(payload);
  const tarball = join(project, "dist", `bulkhead-${version()}-linux-${arch}.tar.gz`);
  run("tar", "--extract", "--strip-components=1", `--directory=${payload}`, `--file=${tarball}`);
  const next = version().replace(/\d+$/, (last) => String(Number(last) + 1));
  for (const path of [
    "package.json",
    ...globSync("{apps,packages}/*/package.json", { cwd: payload }),
  ]) {
    const file = JSON.parse(readFileSync(join(payload, path), "utf8")) as object;
    writeFileSync(join(payload, path), JSON.stringify({ ...file, version: next }));
  }
  return {
    now: join(project, "dist", `bulkhead_${version()}_${ARCHITECTURES[arch]}.deb`),
    next: makeDebian({ payload, out: folder, arch, date: 0, compression: "none" }),
  };
}
