/** What runs of one state directory, and starting, awaiting and ending it. */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import type { ApiClient, StatusAnswer, WorkloadView } from "@bulkhead/api";
import { cannotRun } from "../failure.ts";
import { layoutOf, nodeFlags, PARTS, programs, type Layout, type Part } from "./layout.ts";
import { readMark, removeMark, type ProcessMark } from "./marks.ts";
import { endProcesses, isAlive, startTimeOf } from "./running.ts";

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

/** The namespace that may hold rules of ours, also when everything has been killed, or has ended in good order. */
export function guardedNamespace(layout: Layout): string | undefined {
  return readMark(layout.guarded)?.netns;
}

export function forgetNamespace(layout: Layout): void {
  removeMark(layout.guarded);
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
  readonly warnings: readonly string[];
}

/**
 * Ready = the controller answers, and an agent is connected to it. That it reads the kernel's events and shows what the
 * kernel holds is waited for a moment, and its lack is a warning: `status` tells more than a refusal to start.
 */
export async function readiness(client: ApiClient): Promise<Readiness> {
  try {
    const status = await client.call("status", {});
    const agent = status.agents.find((one) => one.connected);
    if (agent === undefined)
      return { status, missing: "the agent has not connected", warnings: [] };
    const warnings = [
      ...(agent.receipt === undefined ? ["the agent has not shown what the kernel holds"] : []),
      ...(agent.collector.alive ? [] : ["the agent's collector does not run: no flows are seen"]),
    ];
    return { status, missing: undefined, warnings };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return {
      status: undefined,
      missing: `the controller does not answer: ${message}`,
      warnings: [],
    };
  }
}

/** How long a connected agent may take to be whole: on a busy machine it tests the kernel for seconds. */
const WHOLE_MS = 10_000;

export async function waitUntilReady(
  client: ApiClient,
  patienceMs: number,
  hopeless: () => string | undefined,
): Promise<Readiness> {
  const until = Date.now() + patienceMs;
  let connectedAt: number | undefined;
  for (;;) {
    const now = await readiness(client);
    if (now.missing === undefined) {
      connectedAt ??= Date.now();
      if (now.warnings.length === 0 || Date.now() - connectedAt > WHOLE_MS) return now;
    }
    const reason = hopeless();
    if (reason !== undefined) return { ...now, missing: reason };
    if (Date.now() > until) return now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A look around takes the agent a moment: nobody found at once is not nobody. */
const LOOK_MS = 1500;

export async function waitForWorkloads(client: ApiClient): Promise<WorkloadView[]> {
  const until = Date.now() + LOOK_MS;
  for (;;) {
    const { workloads } = await client.call("workloads", {});
    if (workloads.some((workload) => workload.attached) || Date.now() > until) return workloads;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** So many starts within one wait are no accident. */
const STARTS = 3;

/**
 * Tells when waiting has become pointless: the supervisor has gone, or what it starts ends again and again; or its agent
 * has ended once, while somebody else's has guarded this namespace all along.
 */
export function watchForCrashes(
  layout: Layout,
  supervisor: number,
  guardedByAnother: () => boolean,
): () => string | undefined {
  const started = new Map<Part, Set<number>>(PARTS.map((part) => [part, new Set()]));
  return () => {
    if (startTimeOf(supervisor) === undefined) return "the supervisor ended";
    for (const [part, pids] of started) {
      const mark = readMark(layout.mark(part));
      if (mark !== undefined) pids.add(mark.pid);
      if (part === "agent" && mark !== undefined && !isAlive(mark) && guardedByAnother())
        return "somebody else's agent guards this network namespace";
      if (pids.size > STARTS) return `the ${part} ends again and again`;
    }
    return undefined;
  };
}
