// Exits 0 if node_modules holds exactly what package-lock.json asks for on this machine, 1 if not. With the argument `use`
// packages that only tests and checks need may be absent.
// npm writes what it installed to node_modules/.package-lock.json; optional packages that are for
// another processor or system may be absent from it.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

type Entry = {
  readonly version?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly optional?: boolean;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
};

type Lockfile = { readonly packages: Readonly<Record<string, Entry>> };

const root = join(import.meta.dirname, "..");
const wantedPath = join(root, "package-lock.json");
const installedPath = join(root, "node_modules/.package-lock.json");

function packagesOf(path: string): ReadonlyMap<string, Entry> {
  const lockfile = JSON.parse(readFileSync(path, "utf8")) as Lockfile;
  return new Map(Object.entries(lockfile.packages));
}

const forUse = process.argv[2] === "use";

const isLeftOut = ({ dev, devOptional }: Entry): boolean =>
  forUse && (dev === true || devOptional === true);

/** True if `installed` satisfies the lockfile entry `wanted`. */
function satisfies(wanted: Entry, installed: Entry | undefined): boolean {
  if (installed === undefined) return wanted.optional === true || isLeftOut(wanted);
  if (wanted.link === true) return installed.link === true;
  return wanted.version === installed.version && wanted.integrity === installed.integrity;
}

function matches(): boolean {
  if (!existsSync(installedPath)) return false;
  const installed = packagesOf(installedPath);
  for (const [path, wanted] of packagesOf(wantedPath)) {
    // Entries outside node_modules are the project itself and its workspaces.
    if (!path.includes("node_modules/")) continue;
    if (!satisfies(wanted, installed.get(path))) return false;
    if (installed.has(path) && !existsSync(join(root, path))) return false;
  }
  return true;
}

process.exitCode = matches() ? 0 : 1;
