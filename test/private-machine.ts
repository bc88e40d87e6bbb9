// A copy of this machine for one command: a mount namespace in which the system's programs, units and
// /run are overlaid, so that a test may remove a program, replace apt, or break the kernel's tools,
// and nothing of it reaches the real ones.
import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Outcome = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export const root = join(import.meta.dirname, "..");

/** Mounts the overlays, then runs the rest as it is. `$WORK` is a scratch folder that vanishes. */
const prelude = `
set -e
mount -t tmpfs none "$WORK"
for folder in sbin bin lib; do
  mkdir "$WORK/$folder-upper" "$WORK/$folder-work"
  mount -t overlay overlay -o "lowerdir=/usr/$folder,upperdir=$WORK/$folder-upper,workdir=$WORK/$folder-work" "/usr/$folder"
done
mount -t tmpfs none /run
set +e
`;

/** Writes a program of the private machine; to be used inside a script. */
export function program(path: string, body: string): string {
  return `rm -f ${path}\ncat >${path} <<'END_OF_PROGRAM'\n#!/bin/sh\n${body}\nEND_OF_PROGRAM\nchmod 755 ${path}\n`;
}

export function start(script: string): {
  readonly child: ChildProcess;
  readonly ended: Promise<Outcome>;
} {
  const work = mkdtempSync(join(tmpdir(), "bhs-machine-"));
  const child = spawn("unshare", ["--mount", "sh", "-c", `${prelude}${script}`], {
    env: { ...process.env, WORK: work, ROOT: root },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, so that a test can interrupt all of it.
    detached: true,
  });
  const output = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      rmSync(work, { recursive: true, force: true });
      resolve({ code, ...output });
    });
  });
  return { child, ended };
}

export function run(script: string): Promise<Outcome> {
  return start(script).ended;
}

/** A copy of the project that was never set up, readable by everyone. */
export function freshCopy(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "bhs-fresh-"));
  mkdirSync(join(folder, "scripts"));
  for (const file of ["scripts/setup.sh", "package.json", "package-lock.json", ".npmrc"]) {
    cpSync(join(root, file), join(folder, file));
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
