// Adds to package-lock.json the optional packages of other platforms that npm left out.
//
// npm drops an optional dependency from the lockfile when the registry in use does not carry it (a
// mirror that holds only what its own platform needs), and `npm ci` then calls the lockfile
// incomplete. The exact versions are known from the packages that ask for them; an entry made here
// has no integrity hash and a system it is for, so it is never installed on Linux x64. On Linux arm64 one of them is: the
// binding of DuckDB, which the registry in use had not.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

type Entry = {
  readonly version?: string;
  readonly optional?: boolean;
  readonly dev?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};

type Lockfile = { readonly packages: Readonly<Record<string, Entry>> };

const systems = [
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
];
const processors = [
  "arm",
  "arm64",
  "ia32",
  "loong64",
  "mips64el",
  "ppc64",
  "riscv64",
  "s390x",
  "x64",
];
const aliases: Readonly<Record<string, string>> = {
  armv7: "arm",
  i386: "ia32",
  loongarch64: "loong64",
  ppc64le: "ppc64",
};

/** The platform that a package name spells out, or undefined if it names none. */
function platformOf(name: string): Pick<Entry, "os" | "cpu" | "libc"> | undefined {
  const words = (name.split("/").at(-1) ?? name).split(/[-_]/).map((word) => aliases[word] ?? word);
  const os = systems.filter((system) => words.includes(system));
  const cpu = processors.filter((processor) => words.includes(processor));
  if (os.length !== 1) return undefined;
  const libc = words.some((word) => word.startsWith("musl"))
    ? ["musl"]
    : words.some((word) => word.startsWith("gnu"))
      ? ["glibc"]
      : [];
  return {
    ...(cpu.length > 0 ? { cpu } : {}),
    ...(libc.length > 0 ? { libc } : {}),
    os,
  };
}

/** Where npm would look for `name` from inside `parent`, nearest first. */
function candidates(parent: string, name: string): readonly string[] {
  const steps = parent.split("/node_modules/");
  const nested = steps.map(
    (_, index) =>
      `${steps.slice(0, steps.length - index).join("/node_modules/")}/node_modules/${name}`,
  );
  return [...nested, `node_modules/${name}`];
}

const path = join(import.meta.dirname, "../package-lock.json");
const lockfile = JSON.parse(readFileSync(path, "utf8")) as Lockfile;
const packages: Record<string, Entry> = { ...lockfile.packages };
let added = 0;
for (const [parent, entry] of Object.entries(lockfile.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (candidates(parent, name).some((candidate) => candidate in packages)) continue;
    const platform = platformOf(name);
    if (platform === undefined || !/^\d+\.\d+\.\d+[\w.+-]*$/.test(version)) {
      console.error(`complete-lockfile: cannot tell what ${name}@${version} is for`);
      process.exitCode = 1;
      continue;
    }
    // Fields in npm's own order, so that npm does not rewrite them.
    packages[`node_modules/${name}`] = {
      version,
      ...(platform.cpu === undefined ? {} : { cpu: platform.cpu }),
      ...(entry.dev === true ? { dev: true } : {}),
      ...(platform.libc === undefined ? {} : { libc: platform.libc }),
      optional: true,
      os: platform.os,
    };
    added += 1;
  }
}
const sorted = Object.fromEntries(
  Object.entries(packages).toSorted(([a], [b]) => (a < b ? -1 : 1)),
);
writeFileSync(path, `${JSON.stringify({ ...lockfile, packages: sorted }, undefined, 2)}\n`);
console.log(`${added} optional packages of other platforms added to package-lock.json`);
