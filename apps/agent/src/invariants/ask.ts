/** One question to one server: a datagram and its answer, or a TCP connection. Always ends within its time. */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import {
  canonicalIp,
  invariantProtocol,
  UDP,
  type Invariant,
  type InvariantCheck,
  type IpAddress,
} from "@bulkhead/model";
import { questionFor, type AskedKind } from "./questions.ts";

type Found = Pick<InvariantCheck, "outcome" | "detail" | "local">;

/** A datagram may be lost by anybody's fault. */
const TRIES = 3;
const DHCP_CLIENT = 68;

export function ask(invariant: Invariant, id: number, patienceMs: number): Promise<Found> {
  return invariantProtocol(invariant.kind) === UDP
    ? askByDatagram(invariant as Invariant & { kind: AskedKind }, id, patienceMs)
    : askByConnection(invariant, patienceMs);
}

function askByDatagram(
  { kind, address, port }: Invariant & { readonly kind: AskedKind },
  id: number,
  patienceMs: number,
): Promise<Found> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: address.includes(":") ? "udp6" : "udp4", reuseAddr: true });
    let local: IpAddress | undefined;
    const timers: NodeJS.Timeout[] = [];
    const end = (outcome: Found["outcome"], detail?: string): void => {
      for (const timer of timers) clearTimeout(timer);
      socket.removeAllListeners().on("error", () => undefined);
      socket.close();
      resolve({ outcome, ...(detail && { detail }), ...(local && { local }) });
    };
    timers.push(
      setTimeout(() => end("failed", `no answer within ${patienceMs / 1000} s`), patienceMs),
    );
    socket.on("error", (error: NodeJS.ErrnoException) => {
      // The machine's own client holds the port that servers answer to.
      const taken = error.code === "EADDRINUSE";
      end(taken ? "untold" : "failed", taken ? "the port is in use" : error.message);
    });
    const askNow = (refused?: Error): void => {
      if (refused !== undefined) {
        end("failed", refused.message);
        return;
      }
      local = canonicalIp(socket.address().address) ?? undefined;
      const question = questionFor(kind, { id, local: local ?? address, mac: macOf(local) });
      socket.on("message", (answer) => {
        const judged = question.judge(answer);
        if (judged !== null) end(judged.detail === undefined ? "held" : "failed", judged.detail);
      });
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        const send = (): void =>
          socket.send(question.datagram, (error) => {
            // Refusals come and go with rules; only silence to the last is silence.
            if (error !== null && attempt === TRIES - 1) end("failed", error.message);
          });
        timers.push(setTimeout(send, (attempt * patienceMs) / TRIES));
      }
    };
    const go = (): void => {
      try {
        socket.connect(port, address, askNow);
      } catch (error) {
        end("failed", error instanceof Error ? error.message : String(error));
      }
    };
    if (kind === "dhcp") socket.bind(DHCP_CLIENT, go);
    else go();
  });
}

function askByConnection({ address, port }: Invariant, patienceMs: number): Promise<Found> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    let local: IpAddress | undefined;
    const end = (outcome: Found["outcome"], detail?: string): void => {
      clearTimeout(timer);
      socket.removeAllListeners().on("error", () => undefined);
      socket.destroy();
      resolve({ outcome, ...(detail && { detail }), ...(local && { local }) });
    };
    const timer = setTimeout(
      () => end("failed", `no answer within ${patienceMs / 1000} s`),
      patienceMs,
    );
    socket.on("connect", () => {
      local = canonicalIp(socket.localAddress ?? "") ?? undefined;
      end("held");
    });
    socket.on("error", (error) => end("failed", error.message));
  });
}

function macOf(local: IpAddress | undefined): string {
  const found = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.address === local);
  return found?.mac ?? "00:00:00:00:00:00";
}
