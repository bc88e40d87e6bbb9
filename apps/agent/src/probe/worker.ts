/**
 * The probing thread. It enters namespaces only to open sockets there and waits in short naps, so that new probes join
 * those under way and the agent's main thread is never held up.
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { isKernelError } from "../kernel/kernel-error.ts";
import { libc, SOCK_CLOEXEC, SOCK_DGRAM } from "../kernel/libc.ts";
import { enterNetns } from "../kernel/netns.ts";
import type { ProbeRequest, ProbeResult } from "./probe.ts";
import { createProbeRun } from "./probe-run.ts";
import { domainOf, familyOf, socketAddress } from "./socket-address.ts";

export interface ProberSetup {
  readonly netns: string | undefined;
}

export interface ProbeOrderMessage {
  readonly id: number;
  readonly request: ProbeRequest;
}

export interface ProbeResultMessage {
  readonly id: number;
  readonly result: ProbeResult;
}

/** Between looks; the clock of latencies is finer than this only by luck. */
const NAP_MS = 2;
/** Sockets under way at once; the rest wait their turn. */
const AT_ONCE = 128;

const port = parentPort;
if (port === null) throw new Error("the prober is a worker thread");
const { netns } = workerData as ProberSetup;
if (netns !== undefined) enterNetns(netns);
const run = createProbeRun(isOwnAddress, () => performance.now());
const waiting: ProbeOrderMessage[] = [];
let busy = false;

port.on("message", (order: ProbeOrderMessage) => {
  waiting.push(order);
  if (!busy) work();
});

function work(): void {
  busy = true;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    for (
      let more = receiveMessageOnPort(port!);
      more !== undefined;
      more = receiveMessageOnPort(port!)
    )
      waiting.push(more.message as ProbeOrderMessage);
    while (run.active < AT_ONCE && waiting.length > 0) {
      const { id, request } = waiting.shift()!;
      run.start(request, (result) =>
        port!.postMessage({ id, result } satisfies ProbeResultMessage, []),
      );
    }
    if (run.active === 0) break;
    run.step();
    Atomics.wait(sleeper, 0, 0, NAP_MS);
  }
  busy = false;
}

/** Binding to an address is allowed exactly when this namespace has it. */
function isOwnAddress(address: string): boolean {
  const fd = libc().socket(domainOf(familyOf(address)), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    libc().bind(fd, socketAddress(address, 0));
    return true;
  } catch (error) {
    if (isKernelError(error, "EADDRNOTAVAIL")) return false;
    throw error;
  } finally {
    libc().close(fd);
  }
}
