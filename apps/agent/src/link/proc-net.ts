/**
 * Sockets as `/proc/PID/net/{tcp,udp,…}` list them (proc(5)): addresses are hexadecimal words in host byte order, ports
 * are plain hexadecimal.
 */
import { endianness } from "node:os";
import { formatIp, type IpAddress } from "@bulkhead/model";

export interface ProcSocket {
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly state: number;
  readonly inode: number;
}

export const TCP_ESTABLISHED = 1;
export const TCP_LISTEN = 10;
/** An unconnected UDP socket: it takes from anyone. */
export const UDP_UNCONNECTED = 7;

const LITTLE = endianness() === "LE";

/** `family` is that of the file; IPv4-mapped addresses of an IPv6 socket come out as IPv4. */
export function parseProcNet(text: string, family: 4 | 6): readonly ProcSocket[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [, local = "", remote = "", state = "", , , , , , inode = ""] = fields;
      const [localAddress = "", localPort = ""] = local.split(":");
      const [remoteAddress = "", remotePort = ""] = remote.split(":");
      if (localPort === "" || remotePort === "") return [];
      return [
        {
          local: addressOf(localAddress, family),
          localPort: Number.parseInt(localPort, 16),
          remote: addressOf(remoteAddress, family),
          remotePort: Number.parseInt(remotePort, 16),
          state: Number.parseInt(state, 16),
          inode: Number(inode),
        },
      ];
    });
}

function addressOf(hex: string, family: 4 | 6): IpAddress {
  const bytes = Buffer.from(hex, "hex");
  if (LITTLE) bytes.swap32();
  const value = BigInt(`0x${bytes.toString("hex")}`);
  if (family === 6 && value >> 32n === 0xffffn) return formatIp(4, value & 0xffffffffn);
  return formatIp(family, value);
}
