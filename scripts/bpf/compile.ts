// From a program in C to an object for the kernel. The same source gives the same bytes with the same compiler: no debugging
// sections, no paths of this machine. What is kept of types and source lines (BTF) is what loading and the verifier's words need.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, join, relative } from "node:path";

export const project = join(import.meta.dirname, "..", "..");

/** Where Debian has the headers that differ by machine. */
const MACHINE_HEADERS: Readonly<Partial<Record<NodeJS.Architecture, string>>> = {
  x64: "/usr/include/x86_64-linux-gnu",
  arm64: "/usr/include/aarch64-linux-gnu",
};

const FLAGS = [
  "-target",
  "bpf",
  "-mcpu=v3",
  "-g",
  "-O2",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-fdebug-compilation-dir=.",
];

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: project,
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr}`);
  return stdout;
}

/** First line of what the compiler says of itself: `Debian clang version 14.0.6`. */
export const compiler = (): string => run("clang", ["--version"]).split("\n")[0] ?? "";

/** `source`: path of a `.bpf.c`. Throws with the compiler's complaints. */
export function compileObject(source: string, object: string): void {
  const headers = MACHINE_HEADERS[process.arch];
  const machine = headers !== undefined && existsSync(headers) ? ["-idirafter", headers] : [];
  run("clang", [...FLAGS, ...machine, "-c", relative(project, source), "-o", object]);
  run("llvm-strip", ["-g", object]);
}

/** `netfilter` for `bpf/netfilter.bpf.c`. */
export const objectName = (source: string): string => basename(source, ".bpf.c");
