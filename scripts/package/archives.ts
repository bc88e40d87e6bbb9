// The two archives of one payload: a tarball that `bulkhead install` is run from, and a Debian package.
// The same payload gives the same bytes: names sorted, owners root, times fixed, gzip without a name.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { UNITS, unitText } from "../../apps/cli/src/process/units.ts";
import { DEFAULT_STATE } from "../../apps/cli/src/context.ts";
import { fix, project, SHARED, version } from "./payload.ts";

export const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Where the Debian package keeps the payload. */
export const DEBIAN_ROOT = "/usr/lib/bulkhead";
const DEBIAN_SHARED: Readonly<Record<keyof typeof SHARED, string>> = {
  ...SHARED,
  zsh: "zsh/vendor-completions/_bulkhead",
};

export interface Made {
  readonly payload: string;
  /** A folder for the archives. */
  readonly out: string;
  /** As Node names it: x64, arm64. */
  readonly arch: string;
  /** Seconds since 1970. */
  readonly date: number;
  /** Of the Debian package; `none` where what is made is used once. */
  readonly compression?: "gzip" | "none";
}

function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): void {
  const { status, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C", ...env },
  });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr}`);
}

export function makeTarball({ payload, out, arch, date }: Made): string {
  const name = `bulkhead-${version(payload)}-linux-${arch}`;
  fix(payload, date);
  const file = join(out, `${name}.tar.gz`);
  const tar = `${file}.tar`;
  mkdirSync(out, { recursive: true });
  run("tar", [
    "--create",
    `--file=${tar}`,
    "--format=gnu",
    "--sort=name",
    `--mtime=@${date}`,
    "--owner=root:0",
    "--group=root:0",
    "--numeric-owner",
    `--transform=flags=rSH;s,^\\.,${name},`,
    `--directory=${payload}`,
    ".",
  ]);
  run("gzip", ["--no-name", "-6", "--force", tar]);
  renameSync(`${tar}.gz`, file);
  return file;
}

export function makeDebian({ payload, out, arch, date, compression = "gzip" }: Made): string {
  const debian = ARCHITECTURES[arch];
  if (debian === undefined) throw new Error(`Debian has no name for ${arch}`);
  const tree = join(out, `.debian-${debian}`);
  rmSync(tree, { recursive: true, force: true });
  const put = (path: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), content);
  };
  try {
    const lib = join(tree, DEBIAN_ROOT);
    mkdirSync(dirname(lib), { recursive: true });
    cpSync(payload, lib, { recursive: true, verbatimSymlinks: true });
    rmSync(join(lib, "share"), { recursive: true });
    for (const [what, path] of Object.entries(SHARED)) {
      const text = readFileSync(join(payload, "share", path));
      const to = DEBIAN_SHARED[what as keyof typeof SHARED];
      if (what === "man") put(`usr/share/${to}.gz`, gzipSync(text, { level: 9 }));
      else put(`usr/share/${to}`, text);
    }
    for (const name of ["README.md", "SECURITY.md"])
      renameSync(join(lib, name), join(tree, mkdirOf(tree, "usr/share/doc/bulkhead"), name));
    put("usr/share/doc/bulkhead/copyright", copyright());
    const where = { root: DEBIAN_ROOT, node: `${DEBIAN_ROOT}/node_modules/.bin/node` };
    for (const unit of UNITS)
      put(`usr/lib/systemd/system/${unit}`, unitText(unit, DEFAULT_STATE, where));
    mkdirOf(tree, "usr/bin");
    symlinkSync("../lib/bulkhead/bulkhead", join(tree, "usr/bin/bulkhead"));
    put("DEBIAN/md5sums", sums(tree));
    put("DEBIAN/control", control(version(payload), debian, sizeOf(tree)));
    for (const script of globSync("packaging/debian/p*", { cwd: project })) {
      put(`DEBIAN/${script.split("/").at(-1)}`, readFileSync(join(project, script)));
      chmodSync(join(tree, "DEBIAN", script.split("/").at(-1) ?? ""), 0o755);
    }
    fix(tree, date);
    const file = join(out, `bulkhead_${version(payload)}_${debian}.deb`);
    const packed = compression === "gzip" ? ["-Zgzip", "-z6"] : ["-Znone"];
    run("dpkg-deb", ["--root-owner-group", ...packed, "--build", tree, file], {
      SOURCE_DATE_EPOCH: String(date),
    });
    return file;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

function mkdirOf(tree: string, path: string): string {
  mkdirSync(join(tree, path), { recursive: true });
  return path;
}

function filesOf(folder: string): readonly string[] {
  return readdirSync(folder)
    .toSorted()
    .flatMap((name) => {
      const path = join(folder, name);
      const found = lstatSync(path);
      return found.isDirectory() ? filesOf(path) : found.isFile() ? [path] : [];
    });
}

function sums(tree: string): string {
  const files = filesOf(tree).filter((path) => !relative(tree, path).startsWith("DEBIAN/"));
  return files
    .map((path) => {
      const digest = createHash("md5").update(readFileSync(path)).digest("hex");
      return `${digest}  ${relative(tree, path)}\n`;
    })
    .join("");
}

/** In KiB, each file rounded up (deb-control(5), Installed-Size). */
const sizeOf = (tree: string): number =>
  filesOf(tree).reduce((sum, path) => sum + Math.ceil(statSync(path).size / 1024), 0);

function control(of: string, architecture: string, size: number): string {
  const template = readFileSync(join(project, "packaging/debian/control"), "utf8");
  return template
    .replace("@VERSION@", of)
    .replace("@ARCHITECTURE@", architecture)
    .replace("@SIZE@", String(size));
}

function copyright(): string {
  const file = join(project, "packaging/debian/copyright");
  if (!existsSync(file)) throw new Error("packaging/debian/copyright is missing");
  return readFileSync(file, "utf8");
}
