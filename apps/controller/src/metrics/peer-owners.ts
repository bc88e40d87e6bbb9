/**
 * Who is at the other end of TCP connections: for one from this machine the user whose socket it is, as the kernel lists it
 * (proc(5), /proc/net/tcp and tcp6), else the address. Asked for many at once, since the list is as long as the machine is busy.
 */
import { readFile } from "node:fs/promises";
import { endianness } from "node:os";
import { parseIp } from "@bulkhead/model";

export interface PeerSocket {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** Whose program has closed it: the kernel names root for those, and nobody waits for an answer. */
export const NOBODY = "nobody";

const LISTS = ["/proc/net/tcp", "/proc/net/tcp6"] as const;

export async function ownersOf<S extends PeerSocket>(
  sockets: readonly S[],
): Promise<ReadonlyMap<S, string>> {
  const wanted = new Map<string, S>();
  const towards = new Set<string>();
  const owners = new Map<S, string>();
  for (const socket of sockets) {
    owners.set(socket, `address ${networkOf(socket.remoteAddress ?? "")}`);
    for (const key of keysOf(socket)) {
      wanted.set(key, socket);
      towards.add(key.slice(key.indexOf(" ")));
    }
  }
  for (const list of LISTS) {
    // Where IPv6 is off there is no such list, and nobody in it.
    const text = await readFile(list, "latin1").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    for (const ours of towards) {
      // The list is as long as anybody likes to make it: only lines that end at us are read.
      for (let at = text.indexOf(ours); at >= 0; at = text.indexOf(ours, at + ours.length)) {
        const from = text.slice(text.lastIndexOf(" ", at - 1) + 1, at);
        const socket = wanted.get(`${from}${ours}`);
        if (socket === undefined) continue;
        const end = text.indexOf("\n", at);
        const [, , , , , uid = "", , inode = ""] = text
          .slice(at + 1, end < 0 ? undefined : end)
          .split(/\s+/);
        owners.set(socket, inode === "0" ? NOBODY : `user ${uid}`);
      }
    }
  }
  return owners;
}

/** The other end's line in each list. */
function keysOf({ remoteAddress, remotePort, localAddress, localPort }: PeerSocket): string[] {
  const [from, to] = [bytesOf(remoteAddress), bytesOf(localAddress)];
  if (from === undefined || to === undefined) return [];
  const forms = [from, to].every(isMapped) ? [16, 4] : [16];
  return forms.map(
    (length) =>
      `${wordsOf(from.subarray(-length))}:${portOf(remotePort)} ${wordsOf(to.subarray(-length))}:${portOf(localPort)} `,
  );
}

/** 16 of them; IPv4 as IPv6 maps it. */
function bytesOf(address = ""): Buffer | undefined {
  const parsed = parseIp(address.replace(/%.*$/, ""));
  if (parsed === null) return undefined;
  const value = parsed.family === 4 ? (0xffffn << 32n) | parsed.value : parsed.value;
  return Buffer.from(value.toString(16).padStart(32, "0"), "hex");
}

const isMapped = (bytes: Buffer): boolean =>
  bytes.toString("hex").startsWith(`${"0".repeat(20)}ffff`);

const LITTLE = endianness() === "LE";

function wordsOf(bytes: Buffer): string {
  const copy = Buffer.from(bytes);
  if (LITTLE) copy.swap32();
  return copy.toString("hex").toUpperCase();
}

const portOf = (port = 0): string => port.toString(16).toUpperCase().padStart(4, "0");

/** Whoever has one address of IPv6 has all of its network. */
function networkOf(address: string): string {
  const bytes = bytesOf(address);
  if (bytes === undefined) return address;
  return (isMapped(bytes) ? bytes : bytes.subarray(0, 8)).toString("hex");
}
