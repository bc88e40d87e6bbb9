/**
 * Probes for the agent's main thread: one thread does them all, side by side, and is started on first use. A thread that
 * dies takes its probes with it as inconclusive, and the next probe starts another.
 */
import { Worker } from "node:worker_threads";
import type { ProbeRequest, ProbeResult } from "./probe.ts";
import type { ProbeOrderMessage, ProberSetup, ProbeResultMessage } from "./worker.ts";

export interface Prober {
  /** An empty namespace path means the same as none. Never rejects: what cannot be tried is `inconclusive`. Many may run at once. */
  probe(request: ProbeRequest): Promise<ProbeResult>;
  stop(): Promise<void>;
}

interface Pending {
  readonly request: ProbeRequest;
  readonly resolve: (result: ProbeResult) => void;
}

/** `netns`: path of the namespace that is "the host" for these probes; default: that of the calling thread. */
export function createProber(netns?: string): Prober {
  let worker: Worker | null = null;
  let nextId = 1;
  const pending = new Map<number, Pending>();

  const fail = (why: string): void => {
    for (const { request, resolve } of pending.values()) resolve(inconclusive(request, why));
    pending.clear();
  };
  const started = (): Worker => {
    if (worker !== null) return worker;
    const thread = new Worker(new URL("./worker.ts", import.meta.url), {
      name: "bulkhead-prober",
      workerData: { netns } satisfies ProberSetup,
    });
    let reason = "the prober ended";
    thread.on("message", ({ id, result }: ProbeResultMessage) => {
      pending.get(id)?.resolve(result);
      pending.delete(id);
      if (pending.size === 0) thread.unref();
    });
    thread.on("error", (error) => (reason = `the prober died: ${String(error)}`));
    thread.on("exit", () => {
      if (worker === thread) worker = null;
      fail(reason);
    });
    worker = thread;
    return thread;
  };

  return {
    probe: (request) =>
      new Promise((resolve) => {
        const thread = started();
        const id = nextId++;
        pending.set(id, { request, resolve });
        thread.ref();
        thread.postMessage(
          { id, request: withoutEmptyPaths(request) } satisfies ProbeOrderMessage,
          [],
        );
      }),
    async stop() {
      const thread = worker;
      worker = null;
      await thread?.terminate();
    },
  };
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
