/** What runs of one state directory, and starting, awaiting and ending it. */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import type { ApiClient, StatusAnswer } from "@bulkhead/api";
import { cannotRun } from "../failure.ts";
import { layoutOf, nodeFlags, PARTS, programs, type Layout, type Part } from "./layout.ts";
import {
  endProcesses,
  isAlive,
  isNotFound,
  readMark,
  removeMark,
  type ProcessMark,
} from "./marks.ts";

export interface Found {
  readonly name: Part | "supervisor";
  readonly mark: ProcessMark;
}

/** Supervisor first. */
export function findProcesses(layout: Layout): readonly Found[] {
  return (["supervisor", ...PARTS] as const).flatMap((name) => {
    const mark = readMark(layout.mark(name));
    return mark !== undefined && isAlive(mark) ? [{ name, mark }] : [];
  });
}

/** The namespace that was guarded last, also when everything has been killed. */
export function lastNamespace(layout: Layout): string | undefined {
  for (const name of ["supervisor", ...PARTS] as const) {
    const mark = readMark(layout.mark(name));
    if (mark !== undefined) return mark.netns;
  }
  return undefined;
}

/** The supervisor first, so that it restarts nothing. Returns what could not be ended. */
export async function endAll(layout: Layout): Promise<readonly Found[]> {
  const found = findProcesses(layout);
  const supervisor = found.filter((one) => one.name === "supervisor").map((one) => one.mark);
  await endProcesses(supervisor, 15_000);
  await endProcesses(
    found.filter((one) => one.name !== "supervisor").map((one) => one.mark),
    10_000,
  );
  return found.filter((one) => isAlive(one.mark));
}

export function forgetProcesses(layout: Layout): void {
  for (const name of ["supervisor", ...PARTS] as const) removeMark(layout.mark(name));
}

/** Starts the supervisor so that it outlives this process and its terminal. */
export function startSupervisor(state: string): number {
  const layout = layoutOf(state);
  mkdirSync(layout.log, { recursive: true, mode: 0o750 });
  const log = openSync(layout.logFile("supervisor"), "a", 0o640);
  try {
    const child = spawn(
      process.execPath,
      [...nodeFlags, programs.supervisor, "--state", layout.root],
      { detached: true, stdio: ["ignore", log, log], cwd: "/", env: process.env },
    );
    child.unref();
    if (child.pid === undefined) throw cannotRun(`\`${process.execPath}\` could not be started`);
    return child.pid;
  } finally {
    closeSync(log);
  }
}

export interface Readiness {
  readonly status: StatusAnswer | undefined;
  /** Why it is not ready, in words. */
  readonly missing: string | undefined;
}

/** Ready = the controller answers, and an agent that reads the kernel's events is connected to it. */
export async function readiness(client: ApiClient): Promise<Readiness> {
  try {
    const status = await client.call("status", {});
    const agent = status.agents.find((one) => one.connected);
    if (agent === undefined) return { status, missing: "the agent has not connected" };
    return { status, missing: undefined };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { status: undefined, missing: `the controller does not answer: ${message}` };
  }
}

export async function waitUntilReady(
  client: ApiClient,
  patienceMs: number,
  stillRunning: () => boolean,
): Promise<Readiness> {
  const until = Date.now() + patienceMs;
  for (;;) {
    const now = await readiness(client);
    if (now.missing === undefined || Date.now() > until || !stillRunning()) return now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The last lines of the logs, for a person who has to find out why. */
export function lastWords(layout: Layout, lines = 5): string {
  return (["supervisor", ...PARTS] as const)
    .flatMap((name) => {
      const tail = readTail(layout.logFile(name), lines);
      return tail === "" ? [] : [`${layout.logFile(name)}:\n${tail}`];
    })
    .join("\n");
}

function readTail(path: string, lines: number): string {
  try {
    const all = readFileSync(path, "utf8").trimEnd().split("\n");
    return all
      .slice(-lines)
      .map((line) => `  ${line}\n`)
      .join("");
  } catch (error) {
    if (isNotFound(error)) return "";
    throw error;
  }
}
