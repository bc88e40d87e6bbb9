// What is installed, as one folder: the sources as they run, production packages with the pinned Node,
// units, set-up, manual page, completions. Both packages are made of it, and `bulkhead install` copies it.
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  lutimesSync,
  writeFileSync,
} from "node:fs";
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { completionScript, SHELLS } from "../../apps/cli/src/verbs/completion.ts";
import { manualPage } from "./man.ts";

export const project = join(import.meta.dirname, "..", "..");

/** Where each shell looks below a `share` folder; also the manual. */
export const SHARED = {
  man: "man/man1/bulkhead.1",
  bash: "bash-completion/completions/bulkhead",
  zsh: "zsh/site-functions/_bulkhead",
  fish: "fish/vendor_completions.d/bulkhead.fish",
} as const;

/** Sources of every room that runs on a machine: what tests, and only tests, need stays behind. */
const SOURCES = [
  "bulkhead",
  "LICENSE",
  "README.md",
  "SECURITY.md",
  "package.json",
  "package-lock.json",
  "spec/diagnostics.json",
  "bpf/objects/*",
  "packaging/systemd/*",
  "packaging/prometheus/*",
  "packaging/grafana/*",
  "scripts/setup.sh",
  "{apps,packages}/*/package.json",
  "{apps,packages}/*/src/**/*",
];

/** Packages with compiled code, from where they are used. */
const PARTS = ["koffi", "@duckdb/node-api"];

/** Of the pinned Node only the program: headers are for compiling, and we compile nothing. */
const NOT_OF_NODE = ["include", "share", "CHANGELOG.md", "README.md"];

export function version(root: string = project): string {
  const file = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly version: string;
  };
  return file.version;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

export function writeSources(folder: string): void {
  for (const path of globSync(SOURCES, { cwd: project }).toSorted()) {
    if (!lstatSync(join(project, path)).isFile()) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(project, path), join(folder, path));
  }
  const share = join(folder, "share");
  write(join(share, SHARED.man), manualPage(version()));
  for (const shell of SHELLS)
    write(join(share, SHARED[shell as keyof typeof SHARED]), completionScript(shell) ?? "");
}

/** The production packages of the lockfile, checked against its hashes, from the registry or npm's cache. */
export function installModules(folder: string): void {
  for (const path of [".npmrc", ...globSync("examples/*/package.json", { cwd: project })]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(project, path), join(folder, path));
  }
  const apps = ["cli", "controller", "agent"].flatMap((name) => ["--workspace", `apps/${name}`]);
  const { status, stderr, error } = spawnSync(
    "npm",
    [
      "ci",
      "--omit=dev",
      "--include-workspace-root",
      ...apps,
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
    ],
    { cwd: folder, encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`npm ci failed: ${error?.message ?? stderr}`);
  tryParts(folder);
  // npm wants them to agree with the lockfile; they are nothing to install.
  for (const path of [".npmrc", "examples", "node_modules/.package-lock.json"])
    rmSync(join(folder, path), { recursive: true, force: true });
  for (const node of globSync("node_modules/node-linux-*", { cwd: folder }))
    for (const name of NOT_OF_NODE)
      rmSync(join(folder, node, name), { recursive: true, force: true });
  markSetUp(folder);
}

/** What is compiled is optional to npm, which leaves out without a word what the registry has not for this machine. */
export function tryParts(folder: string): void {
  const node = join(folder, "node_modules", ".bin", "node");
  const program = PARTS.map((name) => `await import(${JSON.stringify(name)});`).join("\n");
  const script = ["--input-type=module", "--eval", program];
  const { status, stderr, error } = spawnSync(node, script, { cwd: folder, encoding: "utf8" });
  if (status !== 0)
    throw new Error(
      `a package for ${process.arch} would lack a part, or have one that does not load here: ${error?.message ?? stderr}`,
    );
}

/** Tells the launcher and scripts/setup.sh that the packages are those of this lockfile, so that npm is never asked for. */
export function markSetUp(folder: string): void {
  const lock = readFileSync(join(folder, "package-lock.json"));
  const { stdout } = spawnSync("cksum", { input: lock, encoding: "utf8" });
  write(join(folder, "node_modules", ".bulkhead-setup"), stdout);
}

/** The same input, the same bytes: times and permissions no longer tell when, where, or by whom it was made. */
export function fix(folder: string, seconds: number): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const found = lstatSync(path);
    if (found.isDirectory()) fix(path, seconds);
    else if (found.isFile()) chmodSync(path, (found.mode & 0o100) === 0 ? 0o644 : 0o755);
    lutimesSync(path, seconds, seconds);
  }
  chmodSync(folder, 0o755);
  lutimesSync(folder, seconds, seconds);
}

/** SOURCE_DATE_EPOCH, or the time of the last commit. */
export function sourceDate(env: Readonly<Record<string, string | undefined>>): number {
  const said = env["SOURCE_DATE_EPOCH"];
  if (said !== undefined && /^\d+$/.test(said)) return Number(said);
  if (existsSync(join(project, ".git"))) {
    const { stdout } = spawnSync("git", ["log", "-1", "--format=%ct"], {
      cwd: project,
      encoding: "utf8",
    });
    if (/^\d+\s*$/.test(stdout)) return Number(stdout);
  }
  return 0;
}
