/**
 * The second pair of eyes: sockets that see a probe's first packet where it arrives. Inside a workload's namespace that is
 * a packet socket, before any firewall of the workload's own; on the host itself a raw socket, because a packet socket
 * would see what the host's own rules drop afterwards; for destinations beyond, a packet socket on what leaves. The same
 * socket shows that a probe has left its source at all.
 */
import { formatIp, type IpAddress } from "@bulkhead/model";
import { isKernelError } from "../kernel/kernel-error.ts";
import {
  AF_PACKET,
  libc,
  MSG_DONTWAIT,
  SO_RCVBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
} from "../kernel/libc.ts";
import { i32le } from "../kernel/netlink-message.ts";
import { insideNetns } from "../kernel/netns.ts";
import { attachProbeFilter } from "./packet-filter.ts";
import { sightingIn, sightingInTransport, type Sighting } from "./sighting.ts";
import {
  domainOf,
  ETH_P_ALL,
  ETH_P_IP,
  ETH_P_IPV6,
  linkAddressBuffer,
  PACKET_OUTGOING,
  packetProtocol,
  packetTypeOf,
  socketAddress,
} from "./socket-address.ts";

export interface Witness {
  readonly fd: number;
  /** Reports everything that came since the last call, and whether it came in or went out. */
  drain(seen: (sighting: Sighting, outgoing: boolean) => void): void;
  /** Packets dropped before this witness could look at them, since it was opened. */
  missed(): number;
  close(): void;
}

const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
const RECEIVE_BUFFER = 16 << 20;
const packet = Buffer.alloc(2048);

/** Sees what arrives in the namespace. */
export function openPacketWitness(netns: string, family: 4 | 6): Witness {
  const protocol = packetProtocol(family === 4 ? ETH_P_IP : ETH_P_IPV6);
  return packetWitness(insideNetns(netns, () => openPacketSocket(protocol)));
}

/**
 * Sees what comes into the agent's own namespace, before any rule, and what it sends out, after its rules and address
 * translation. Takes all protocols, because frames that a bridge carries on show themselves to nothing less.
 */
export function openTransitWitness(): Witness {
  return packetWitness(openPacketSocket(packetProtocol(ETH_P_ALL)));
}

function openPacketSocket(protocol: number): number {
  return libc().socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

function packetWitness(fd: number): Witness {
  attachProbeFilter(fd);
  grow(fd);
  const from = linkAddressBuffer();
  let missed = 0;
  return {
    fd,
    drain(seen) {
      for (;;) {
        const length = receive(fd, from);
        if (length === null) return;
        const sighting = sightingIn(packet, Math.min(length, packet.length));
        if (sighting !== null) seen(sighting, packetTypeOf(from) === PACKET_OUTGOING);
      }
    },
    missed() {
      const statistics = Buffer.alloc(8);
      // Reading resets the kernel's counters.
      libc().getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, statistics);
      missed += statistics.readUInt32LE(4);
      return missed;
    },
    close: () => libc().close(fd),
  };
}

/** Sees what the agent's own namespace accepts for the address, after its input rules. */
export function openHostWitness(protocol: number, destination: IpAddress, family: 4 | 6): Witness {
  const fd = libc().socket(domainOf(family), SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  try {
    libc().bind(fd, socketAddress(destination, 0));
  } catch (error) {
    libc().close(fd);
    throw error;
  }
  grow(fd);
  const from = Buffer.alloc(28);
  return {
    fd,
    drain(seen) {
      for (;;) {
        const length = receive(fd, from);
        if (length === null) return;
        const size = Math.min(length, packet.length);
        const sighting =
          family === 4
            ? sightingIn(packet, size)
            : sightingInTransport(
                protocol,
                formatIp(6, BigInt(`0x${from.subarray(8, 24).toString("hex")}`)),
                destination,
                packet,
                size,
              );
        if (sighting !== null) seen(sighting, false);
      }
    },
    // Raw sockets keep no such count; with this much room and one destination address it does not fill up.
    missed: () => 0,
    close: () => libc().close(fd),
  };
}

function receive(fd: number, from: Buffer): number | null {
  try {
    return libc().recvfrom(fd, packet, MSG_DONTWAIT, from);
  } catch (error) {
    // An interface went down beneath the witness; the others go on.
    if (isKernelError(error, "ENETDOWN")) return null;
    throw error;
  }
}

function grow(fd: number): void {
  try {
    libc().setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, i32le(RECEIVE_BUFFER));
  } catch (error) {
    // Without the privilege the default has to do: what it misses is counted.
    if (!isKernelError(error, "EPERM")) throw error;
  }
}
