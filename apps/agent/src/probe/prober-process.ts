/**
 * The probing process. It enters namespaces only to open sockets there, and looks at all of them in short turns, so that new
 * probes join those under way. It is a process of its own, so that whatever happens to it, the kernel takes its listeners
 * out of the workloads' namespaces. Argument: the namespace that is "the host", unless it is the one it was started in.
 */
import { isKernelError } from "../kernel/kernel-error.ts";
import { libc, SOCK_CLOEXEC, SOCK_DGRAM } from "../kernel/libc.ts";
import { NETLINK_ROUTE, openNetlink, type NetlinkSocket } from "../kernel/netlink-socket.ts";
import { enterNetns } from "../kernel/netns.ts";
import { directInterface, isResolved, resolveNeighbour } from "./neighbour.ts";
import type { ProbeRequest, ProbeResult } from "./probe.ts";
import { createProbeRun } from "./probe-run.ts";
import { domainOf, familyOf, socketAddress } from "./socket-address.ts";

export interface ProbeOrderMessage {
  readonly id: number;
  readonly request: ProbeRequest;
}

export interface ProbeResultMessage {
  readonly id: number;
  readonly result: ProbeResult;
}

/** Between looks. */
const NAP_MS = 2;
/** Probes under way at once; the rest wait their turn. */
const AT_ONCE = 128;

const [netns] = process.argv.slice(2);
if (netns !== undefined) enterNetns(netns);

const run = createProbeRun({ isOwnAddress, reachability }, () => performance.now());
const waiting: ProbeOrderMessage[] = [];
let napping = false;
let route: NetlinkSocket | undefined;

process.on("message", (order: ProbeOrderMessage) => {
  waiting.push(order);
  if (!napping) work();
});
// The agent is gone: nobody wants results any more.
process.on("disconnect", () => process.exit(0));

function work(): void {
  napping = false;
  while (run.active < AT_ONCE && waiting.length > 0) {
    const { id, request } = waiting.shift()!;
    run.start(request, (result) => process.send!({ id, result } satisfies ProbeResultMessage));
  }
  if (run.active === 0) return;
  run.step();
  napping = true;
  setTimeout(work, NAP_MS);
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

/**
 * Only a probe that must not pass needs this, and only towards a workload: one that passes shows it by itself. Behind a
 * gateway, or on a bridge where we have no address, the last hop is not ours.
 */
function reachability(
  { destination, expectPass }: ProbeRequest,
  place: string,
): () => boolean | null {
  if (expectPass || place !== "destination") return () => null;
  route ??= openNetlink(NETLINK_ROUTE);
  const socket = route;
  const ifindex = directInterface(socket, destination);
  if (ifindex === null) return () => null;
  resolveNeighbour(socket, ifindex, destination);
  return () => isResolved(socket, ifindex, destination);
}
