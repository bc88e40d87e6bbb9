/**
 * Which sockets of our network namespace wait for connections, and which control group each was made in. A port that the
 * kernel picked for a question by UDP is no service's: in that range a socket counts once it has been there for a while.
 */
import { readFileSync } from "node:fs";
import { TCP, UDP, type OwnedSocket } from "@bulkhead/model";
import { TCP_LISTEN, UDP_UNCONNECTED } from "../../link/proc-net.ts";
import { socketsInState, type DiagSocket } from "../../link/sock-diag.ts";

export interface WaitingSocket {
  readonly inode: number;
  /** Number of the group it was made in. */
  readonly cgroup: number;
  /** One for each family that it takes. */
  readonly owned: readonly OwnedSocket[];
}

const KINDS = [
  { protocol: TCP, family: 4, state: TCP_LISTEN },
  { protocol: TCP, family: 6, state: TCP_LISTEN },
  { protocol: UDP, family: 4, state: UDP_UNCONNECTED },
  { protocol: UDP, family: 6, state: UDP_UNCONNECTED },
] as const;

const LASTING_MS = 10_000;
const ANY: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** A reader that remembers since when it has seen each socket. Null where the kernel does not tell sockets' groups. */
export function createSocketReader(
  now: () => number,
  read: typeof socketsInState = socketsInState,
  portRange = readPortRange,
): () => readonly WaitingSocket[] | null {
  let since: ReadonlyMap<number, number> = new Map();
  return () => {
    const seen = new Map<number, number>();
    const range = portRange();
    const found: WaitingSocket[] = [];
    for (const { protocol, family, state } of KINDS) {
      const sockets = read(protocol, family, state);
      if (sockets === null || sockets.some(({ cgroup }) => cgroup === undefined)) return null;
      for (const socket of sockets) {
        const { inode, cgroup = 0, localPort } = socket;
        if (localPort === 0) continue;
        if (protocol === UDP && range.first <= localPort && localPort <= range.last) {
          const at = since.get(inode) ?? now();
          seen.set(inode, at);
          if (now() - at < LASTING_MS) continue;
        }
        found.push({ inode, cgroup, owned: ownedBy(socket, protocol, family) });
      }
    }
    since = seen;
    return found;
  };
}

export function ownedBy(
  { local, localPort: port, v6Only }: DiagSocket,
  protocol: number,
  family: 4 | 6,
): readonly OwnedSocket[] {
  if (!ANY.has(local))
    return [{ address: local, family: local.includes(":") ? 6 : 4, protocol, port }];
  const families = family === 6 && v6Only !== true ? ([4, 6] as const) : ([family] as const);
  return families.map((one) => ({ family: one, protocol, port }));
}

/** From which the kernel picks ports for those who do not ask for one (ip_local_port_range of ip-sysctl). */
function readPortRange(): { readonly first: number; readonly last: number } {
  const text = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
  const [first = 32_768, last = 60_999] = text.trim().split(/\s+/).map(Number);
  return { first, last };
}
