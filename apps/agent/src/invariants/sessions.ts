/**
 * Whether SSH connections that are open still carry what is sent: what is said again and again without being heard is
 * stuck. One on which nobody speaks tells nothing, and one that has ended may have been hung up.
 */
import { TCP, type Invariant, type InvariantCheck } from "@bulkhead/model";
import { TCP_ESTABLISHED } from "../link/proc-net.ts";
import { socketsInState, type DiagSocket } from "../link/sock-diag.ts";

/** The third is sent some 1.4 s after the segment itself (RFC 6298, with Linux' least timeout of 200 ms). */
const STUCK = 3;
const LOOK_EVERY_MS = 100;

export async function watchSessions(
  invariant: Invariant,
  patienceMs: number,
): Promise<Pick<InvariantCheck, "outcome" | "detail" | "local">> {
  for (const until = Date.now() + patienceMs; ;) {
    const sockets = socketsOf(invariant);
    const [local] = sockets.map((socket) => socket.local);
    if (local === undefined) return { outcome: "untold", detail: "no connection is open" };
    const stuck = sockets.some(({ retransmits }) => (retransmits ?? 0) >= STUCK);
    if (stuck) return { outcome: "failed", local, detail: "what is sent does not arrive" };
    const waiting = sockets.some(({ retransmits }) => (retransmits ?? 0) > 0);
    if (!waiting || Date.now() > until) return { outcome: "held", local };
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function socketsOf({ address, port }: Invariant): readonly DiagSocket[] {
  return ([4, 6] as const)
    .flatMap((family) => socketsInState(TCP, family, TCP_ESTABLISHED) ?? [])
    .filter(({ remote, localPort }) => remote === address && localPort === port);
}
