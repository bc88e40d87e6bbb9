/**
 * Probes for the agent: one process does them all, side by side, and is started on first use. A process that dies takes
 * its probes with it as inconclusive, and the next probe starts another.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ProbeRequest, ProbeResult } from "./probe.ts";
import type { ProbeOrderMessage, ProbeResultMessage } from "./prober-process.ts";

export interface Prober {
  /** An empty namespace path means the same as none. Never rejects: what cannot be tried is `inconclusive`. Many may run at once. */
  probe(request: ProbeRequest): Promise<ProbeResult>;
  /** Of the process that probes, while there is one. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

interface Pending {
  readonly request: ProbeRequest;
  readonly resolve: (result: ProbeResult) => void;
}

const PROGRAM = fileURLToPath(new URL("./prober-process.ts", import.meta.url));

/** Without any result while some are awaited: a probe takes two seconds, a process may take long to start where much goes on. */
const PATIENCE_MS = 15_000;

/**
 * `netns`: path of the namespace that is "the host" for these probes; default: that of the calling thread. Whoever may freeze a
 * group that it speaks from could hold it there for ever: it is ended then, which frozen processes can be.
 */
export function createProber(netns?: string, patienceMs = PATIENCE_MS): Prober {
  let running: ChildProcess | null = null;
  let nextId = 1;
  const pending = new Map<number, Pending>();

  let stuck: NodeJS.Timeout | undefined;
  const expect = (child: ChildProcess): void => {
    clearTimeout(stuck);
    if (pending.size > 0) stuck = setTimeout(() => child.kill("SIGKILL"), patienceMs);
  };

  const start = (): ChildProcess => {
    const child = spawn(process.execPath, [PROGRAM, ...(netns === undefined ? [] : [netns])], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    let reason = "the prober ended";
    const ended = (): void => {
      clearTimeout(stuck);
      if (running === child) running = null;
      for (const { request, resolve } of pending.values()) resolve(inconclusive(request, reason));
      pending.clear();
    };
    child.on("message", (message) => {
      const { id, result } = message as ProbeResultMessage;
      pending.get(id)?.resolve(result);
      pending.delete(id);
      expect(child);
      if (pending.size === 0) hold(child, false);
    });
    child.on("error", (error) => {
      reason = `the prober could not be started or reached: ${error.message}`;
      ended();
    });
    child.on("exit", (code, signal) => {
      reason = `the prober ended (${signal ?? `exit status ${code}`})`;
      ended();
    });
    running = child;
    return child;
  };

  return {
    get pid() {
      return running?.pid;
    },
    probe: (request) =>
      new Promise((resolve) => {
        const child = running ?? start();
        const id = nextId++;
        pending.set(id, { request, resolve });
        if (pending.size === 1) expect(child);
        hold(child, true);
        const order: ProbeOrderMessage = { id, request: withoutEmptyPaths(request) };
        child.send(order, (error) => {
          if (error === null || !pending.delete(id)) return;
          resolve(inconclusive(request, `the prober could not be reached: ${error.message}`));
        });
      }),
    async stop() {
      const child = running;
      running = null;
      if (child === null) return;
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** A prober at rest keeps nobody from ending. */
function hold(child: ChildProcess, busy: boolean): void {
  if (busy) {
    child.ref();
    child.channel?.ref();
  } else {
    child.unref();
    child.channel?.unref();
  }
}

function withoutEmptyPaths({ sourceNetns, destinationNetns, ...rest }: ProbeRequest): ProbeRequest {
  return {
    ...rest,
    ...(sourceNetns === undefined || sourceNetns === "" ? {} : { sourceNetns }),
    ...(destinationNetns === undefined || destinationNetns === "" ? {} : { destinationNetns }),
  };
}

function inconclusive({ expectPass }: ProbeRequest, detail: string): ProbeResult {
  return {
    expected: expectPass ? "pass" : "blocked",
    sent: false,
    connected: false,
    witnessed: false,
    agree: false,
    outcome: "inconclusive",
    detail,
    latencyMs: 0,
    sourcePort: 0,
  };
}
