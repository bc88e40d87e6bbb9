// `make package`: the payload, assembled in a scratch folder, as a tarball and as a Debian package in dist/.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeDebian, makeTarball } from "./archives.ts";
import { installModules, project, sourceDate, writeSources } from "./payload.ts";

const scratch = mkdtempSync(join(tmpdir(), "bulkhead-package-"));
process.once("exit", () => rmSync(scratch, { recursive: true, force: true }));
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => process.exit(130));

const payload = join(scratch, "payload");
writeSources(payload);
installModules(payload);
const made = {
  payload,
  out: join(project, "dist"),
  arch: process.arch,
  date: sourceDate(process.env),
};
for (const file of [makeTarball(made), makeDebian(made)])
  console.log(`${file.slice(project.length + 1)}  ${Math.ceil(statSync(file).size / 1e6)} MB`);
