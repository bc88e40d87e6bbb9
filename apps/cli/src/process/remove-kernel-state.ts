/**
 * Runs the agent once to take out of the kernel what is ours, in the network namespace it was put into. That works also
 * when every process of ours was killed, as long as the namespace exists.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { cannotRun } from "../failure.ts";
import type { Found } from "./daemon.ts";
import { compileCache, nodeFlags, programs, type Layout } from "./layout.ts";
import { wordsOf } from "./last-words.ts";
import { isNotFound, networkNamespace } from "./marks.ts";

const NAMED = "/run/netns";
const PATIENCE_MS = 20_000;

/** A held namespace stays while the descriptor is open, even when its last process has gone. */
export interface HeldNamespace {
  readonly descriptor: number | undefined;
  readonly own: boolean;
  release(): void;
}

/** Undefined when the namespace has gone: then so has everything in it. */
export function holdNamespace(wanted: string, found: readonly Found[]): HeldNamespace | undefined {
  if (wanted === networkNamespace()) {
    return { descriptor: undefined, own: true, release: () => undefined };
  }
  const path = pathOf(wanted, found);
  if (path === undefined) return undefined;
  const descriptor = openSync(path, "r");
  return { descriptor, own: false, release: () => closeSync(descriptor) };
}

function pathOf(wanted: string, found: readonly Found[]): string | undefined {
  const alive = found.find((one) => one.mark.netns === wanted);
  if (alive !== undefined) return `/proc/${alive.mark.pid}/ns/net`;
  const inode = /\[(\d+)\]/.exec(wanted)?.[1];
  for (const candidate of candidates()) {
    const stat = statSync(candidate, { throwIfNoEntry: false });
    if (stat !== undefined && String(stat.ino) === inode) return candidate;
  }
  return undefined;
}

function candidates(): readonly string[] {
  const named = list(NAMED).map((name) => join(NAMED, name));
  const processes = list("/proc").filter((name) => /^\d+$/.test(name));
  return [...named, ...processes.map((pid) => `/proc/${pid}/ns/net`)];
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

/** What the agent said while it removed, for `-o json` and for trouble. */
export async function removeKernelState(layout: Layout, where: HeldNamespace): Promise<string> {
  const agent = [
    process.execPath,
    ...nodeFlags,
    programs.agent,
    "--remove",
    "--state",
    layout.root,
  ];
  const command =
    where.descriptor === undefined ? agent : ["nsenter", "--net=/proc/self/fd/3", "--", ...agent];
  const [program = "", ...args] = command;
  const { descriptor } = where;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe", ...(descriptor === undefined ? [] : [descriptor])],
      cwd: "/",
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
      timeout: PATIENCE_MS,
      killSignal: "SIGKILL",
    });
    let said = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.once("error", (error) =>
      reject(cannotRun(`cannot run \`${program}\`: ${error.message}`)),
    );
    child.once("close", (code) => {
      if (code === 0) resolve(said.trim());
      else {
        const words = said.split("\n").flatMap(wordsOf).join("\n");
        reject(cannotRun(`our rules could not be taken out of the kernel (exit ${code})`, words));
      }
    });
  });
}
