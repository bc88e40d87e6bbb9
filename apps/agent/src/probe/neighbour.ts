/**
 * Whether the agent's own namespace could hand a packet to an address at all: a probe that must not pass proves nothing
 * when the last hop to the destination is not resolved, because then nothing would arrive under any policy.
 */
import type { IpAddress } from "@bulkhead/model";
import { isKernelError } from "../kernel/kernel-error.ts";
import { attribute, attributesOf } from "../kernel/netlink-message.ts";
import type { NetlinkSocket } from "../kernel/netlink-socket.ts";
import { addressBytes, domainOf, familyOf } from "./socket-address.ts";

const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTM_NEWNEIGH = 28;
const RTM_GETNEIGH = 30;
const NLM_F_CREATE = 0x400;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const NDA_DST = 1;
const NTF_USE = 1;
/** REACHABLE, STALE, DELAY, PROBE, NOARP, PERMANENT: states in which packets are sent. */
const NUD_VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80;

/** The interface by which the address is reached directly; null when it is beyond a gateway, or there is no route. */
export function directInterface(socket: NetlinkSocket, address: IpAddress): number | null {
  const bytes = addressBytes(address);
  const header = Buffer.alloc(12);
  header.writeUInt8(domainOf(familyOf(address)), 0);
  header.writeUInt8(bytes.length * 8, 1);
  let found: number | null = null;
  try {
    socket.request(
      "looking up a route",
      RTM_GETROUTE,
      header,
      [attribute(RTA_DST, bytes)],
      (type, buffer, start, end) => {
        if (type !== RTM_NEWROUTE) return;
        const attributes = attributesOf(buffer, start + 12, end);
        if (!attributes.has(RTA_GATEWAY)) found = attributes.get(RTA_OIF)?.readInt32LE() ?? null;
      },
    );
  } catch (error) {
    if (isKernelError(error, "ENETUNREACH", "EHOSTUNREACH")) return null;
    throw error;
  }
  return found;
}

/** Asks the kernel to resolve the address now, as if a packet were waiting; the answer shows in `isResolved`. */
export function resolveNeighbour(socket: NetlinkSocket, ifindex: number, address: IpAddress): void {
  const header = neighbourHeader(ifindex, address);
  header.writeUInt8(NTF_USE, 10);
  try {
    socket.request(
      "resolving a neighbour",
      RTM_NEWNEIGH,
      header,
      [attribute(NDA_DST, addressBytes(address))],
      undefined,
      NLM_F_CREATE,
    );
  } catch (error) {
    // The interface went away: nothing will be resolved there.
    if (!isKernelError(error, "ENODEV", "EINVAL", "ENETDOWN")) throw error;
  }
}

/** Would a packet to the address be sent at once? */
export function isResolved(socket: NetlinkSocket, ifindex: number, address: IpAddress): boolean {
  let state = 0;
  try {
    socket.request(
      "looking at a neighbour",
      RTM_GETNEIGH,
      neighbourHeader(ifindex, address),
      [attribute(NDA_DST, addressBytes(address))],
      (type, buffer, start) => {
        if (type === RTM_NEWNEIGH) state = buffer.readUInt16LE(start + 8);
      },
    );
  } catch (error) {
    if (isKernelError(error, "ENOENT", "ENODEV", "EINVAL")) return false;
    throw error;
  }
  return (state & NUD_VALID) !== 0;
}

/** `struct ndmsg`; the kernel insists that a lookup carries neither state nor flags. */
function neighbourHeader(ifindex: number, address: IpAddress): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt8(domainOf(familyOf(address)), 0);
  header.writeInt32LE(ifindex, 4);
  return header;
}
