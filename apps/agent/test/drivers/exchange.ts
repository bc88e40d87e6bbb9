/** A question put on one wire by hand, again and again, until its answer is seen on another. */
import {
  AF_PACKET,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  libc,
} from "../../src/kernel/libc.ts";
import { insideNetns } from "../../src/kernel/netns.ts";
import { linkAddressBuffer, packetProtocol } from "../../src/probe/socket-address.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { sleep } from "./traffic.ts";

/** Puts a frame on one wire and gives what `found` makes of the frames on another, or null when it makes nothing of any. */
export const exchange = async <T>(
  lab: Lab,
  from: LabWorkload,
  to: LabWorkload,
  bytes: Buffer,
  found: (frame: Buffer) => T | null,
  patience: number,
): Promise<T | null> => {
  const open = (path: string): number =>
    insideNetns(path, () =>
      libc().socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, packetProtocol(3)),
    );
  const [sender, receiver] = [open(from.path), open(to.path)];
  try {
    const index = Number.parseInt(lab.run(from.netns, ["ip", "-o", "link", "show", "eth0"]), 10);
    const address = linkAddressBuffer();
    address.writeInt32LE(index, 4);
    const buffer = Buffer.alloc(4096);
    const end = performance.now() + patience;
    let again = 0;
    while (performance.now() < end) {
      // A server that is busy forgets; clients ask again.
      if (performance.now() >= again) {
        libc().sendto(sender, bytes, MSG_DONTWAIT, address);
        again = performance.now() + 1000;
      }
      for (;;) {
        const size = libc().recvfrom(receiver, buffer, MSG_DONTWAIT);
        if (size === null) break;
        const answer = found(Buffer.from(buffer.subarray(0, size)));
        if (answer !== null) return answer;
      }
      await sleep(5);
    }
    return null;
  } finally {
    libc().close(sender);
    libc().close(receiver);
  }
};
