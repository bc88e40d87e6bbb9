/**
 * Keeps controller and agent running on this host: starts both with the same node, starts again what crashes, and ends
 * both when asked to end. What the kernel holds stays as it is: ending the programs is not lifting the policy.
 *
 *   up ──► supervisor ──┬──► controller   STATE/log/controller.log
 *                       └──► agent        STATE/log/agent.log
 */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { parseArgs } from "node:util";
import { createBackOff, type BackOff } from "./process/back-off.ts";
import {
  compileCache,
  layoutOf,
  nodeFlags,
  PARTS,
  programs,
  type Layout,
  type Part,
} from "./process/layout.ts";
import { markOf, removeMark, writeMark } from "./process/marks.ts";

/** A log that has grown so large is put aside when its program is started; one old one is kept. */
const LOG_LIMIT = 20_000_000;
const PATIENCE_MS = 10_000;

interface Running {
  readonly part: Part;
  readonly backOff: BackOff;
  child: ChildProcess | undefined;
  restart: NodeJS.Timeout | undefined;
  /** How often it ended by itself. */
  ends: number;
  /** When and how it did last, after their number: what the program is told when it is started again. */
  told: string;
}

export async function supervise(state: string, say: (text: string) => void): Promise<void> {
  const layout = layoutOf(state);
  mkdirSync(layout.log, { recursive: true, mode: 0o750 });
  const own = markOf(process.pid);
  if (own !== undefined) {
    writeMark(layout.guarded, own);
    writeMark(layout.mark("supervisor"), own);
  }
  const running = PARTS.map((part): Running => ({
    part,
    backOff: createBackOff(),
    child: undefined,
    restart: undefined,
    ends: 0,
    told: "",
  }));
  let ending = false;
  for (const one of running) start(one, layout, say, () => ending);

  await new Promise<void>((resolve) => {
    const end = (): void => resolve();
    process.once("SIGTERM", end);
    process.once("SIGINT", end);
  });
  ending = true;
  say("ending");
  // The agent first: it still has flows to hand over.
  for (const one of running.toReversed()) await stop(one);
  for (const part of PARTS) removeMark(layout.mark(part));
  removeMark(layout.mark("supervisor"));
}

function start(
  one: Running,
  layout: Layout,
  say: (text: string) => void,
  ending: () => boolean,
): void {
  const { part } = one;
  const log = openLog(layout.logFile(part));
  const started = Date.now();
  const child = spawn(process.execPath, [...nodeFlags, programs[part], "--state", layout.root], {
    stdio: ["ignore", log, log],
    cwd: "/",
    env: {
      ...process.env,
      BULKHEAD_STATE: layout.root,
      BULKHEAD_SUPERVISOR: String(process.pid),
      BULKHEAD_RESTARTS: one.told,
      NODE_COMPILE_CACHE: compileCache,
      // glibc gives every thread a heap of its own, and what V8 frees in one stays there: half of what we use at rest.
      MALLOC_ARENA_MAX: process.env["MALLOC_ARENA_MAX"] ?? "1",
    },
  });
  closeSync(log);
  one.child = child;
  const mark = child.pid === undefined ? undefined : markOf(child.pid);
  if (mark !== undefined) writeMark(layout.mark(part), mark);
  let over = false;
  const ended = (how: string): void => {
    if (over) return;
    over = true;
    one.child = undefined;
    if (ending()) return;
    one.ends += 1;
    one.told = `${one.ends} ${Date.now()} ${how}`;
    const wait = one.backOff.next(Date.now() - started);
    say(`${part} ended (${how}); starting it again in ${wait} ms`);
    one.restart = setTimeout(() => start(one, layout, say, ending), wait);
  };
  child.once("error", (error) => ended(error.message));
  child.once("exit", (code, name) => ended(name === null ? `exit ${code}` : name));
  say(`${part} started, pid ${child.pid ?? "none"}`);
}

async function stop(one: Running): Promise<void> {
  clearTimeout(one.restart);
  const { child } = one;
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
  });
  child.kill("SIGTERM");
  const insist = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  await gone;
  clearTimeout(insist);
}

function openLog(path: string): number {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_LIMIT) renameSync(path, `${path}.1`);
  return openSync(path, "a", 0o640);
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { state: { type: "string" } } });
  if (values.state === undefined) throw new Error("the supervisor needs --state");
  await supervise(values.state, (text) => {
    process.stdout.write(`${new Date().toISOString()} ${text}\n`);
  });
}
