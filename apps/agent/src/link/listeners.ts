/** On which ports something inside a workload's network namespace listens: what a probe of a boundary should knock on. */
import { readFileSync } from "node:fs";
import { TCP, UDP } from "@bulkhead/model";
import type { Listener } from "@bulkhead/wire";
import { insideNetns } from "../kernel/netns.ts";
import { parseProcNet, TCP_LISTEN, UDP_UNCONNECTED, type ProcSocket } from "./proc-net.ts";
import { socketsInState } from "./sock-diag.ts";

const KINDS = [
  { file: "tcp", protocol: TCP, family: 4, state: TCP_LISTEN },
  { file: "tcp6", protocol: TCP, family: 6, state: TCP_LISTEN },
  { file: "udp", protocol: UDP, family: 4, state: UDP_UNCONNECTED },
  { file: "udp6", protocol: UDP, family: 6, state: UDP_UNCONNECTED },
] as const;

/** Sorted, each once. A namespace that has vanished has no listeners. */
export function listenersIn(netnsPath: string): readonly Listener[] {
  try {
    return insideNetns(netnsPath, () => listenersAmong(KINDS.map(socketsOf)));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

type Kind = (typeof KINDS)[number];

function socketsOf({ file, protocol, family, state }: Kind): readonly ProcSocket[] {
  return socketsInState(protocol, family, state) ?? parseProcNet(readProc(file), family);
}

/** From the sockets of tcp, tcp6, udp and udp6, in this order. */
export function listenersAmong(sockets: readonly (readonly ProcSocket[])[]): readonly Listener[] {
  const found = new Map<string, Listener>();
  const add = (listener: Listener): void => {
    found.set(
      `${listener.protocol} ${listener.family} ${String(listener.port).padStart(5, "0")}`,
      listener,
    );
  };
  KINDS.forEach(({ protocol, family, state }, index) => {
    for (const socket of sockets[index] ?? []) {
      if (socket.state !== state || isLoopback(socket.local)) continue;
      // Who merely sends by UDP has an unconnected socket as well, but on a port the kernel chose.
      if (protocol === UDP && socket.localPort >= 32_768) continue;
      add({ protocol, port: socket.localPort, family });
      // An IPv6 wildcard takes IPv4 as well, unless told otherwise; a probe finds out.
      if (family === 6 && socket.local === "::")
        add({ protocol, port: socket.localPort, family: 4 });
    }
  });
  return [...found.entries()]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, listener]) => listener);
}

/** A kernel without IPv6 has no such file. */
function readProc(file: string): string {
  try {
    return readFileSync(`/proc/thread-self/net/${file}`, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}
