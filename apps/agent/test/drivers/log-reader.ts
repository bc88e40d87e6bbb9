/** The packet log of a lab, read by tcpdump, so that neither our reader nor our writer vouches for itself. */
import { until } from "../kernel/netns-lab.ts";
import type { Lab } from "./lab.ts";

/**
 * The kernel gathers messages for up to a second; one with a threshold of 1 takes along what waits. Each workload sends
 * one after all else it has sent, so when both are here, so is everything before them.
 */
const LAST = "the last";
const LAST_RULE = `table ip last {
  chain pre {
    type filter hook prerouting priority -500
    ip daddr 10.86.0.1 udp dport 9 log prefix "${LAST}" group 1786 queue-threshold 1 drop
  }
}
`;

export interface LogReader {
  /** Prefixes of all messages since the last `clear`, in the kernel's order. */
  seen(): Promise<readonly string[]>;
  clear(): void;
  close(): void;
}

/** Prefixes out of a pcap stream of link type NFLOG: records of TLVs behind a header of four bytes. */
const prefixes = (found: (prefix: string) => void): ((chunk: Buffer) => void) => {
  let rest: Buffer = Buffer.alloc(0);
  let started = false;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    if (!started) {
      if (rest.length < 24) return;
      rest = rest.subarray(24);
      started = true;
    }
    while (rest.length >= 16) {
      const size = rest.readUInt32LE(8);
      if (rest.length < 16 + size) return;
      const packet = rest.subarray(16, 16 + size);
      rest = rest.subarray(16 + size);
      for (let at = 4; at + 4 <= packet.length;) {
        const length = packet.readUInt16LE(at);
        const text = packet.subarray(at + 4, at + length).toString("latin1");
        if (packet.readUInt16LE(at + 2) === 10) found(text.replace(/\0.*$/s, ""));
        at += Math.max(4, Math.ceil(length / 4) * 4);
      }
    }
  };
};

/** Once it is read. */
export const readLog = async (lab: Lab): Promise<LogReader> => {
  const messages: string[] = [];
  const tcpdump = "tcpdump -i nflog:1786 --immediate-mode -U -w -";
  const dump = lab.start(lab.host, tcpdump.split(" "));
  dump.stdout.on(
    "data",
    prefixes((prefix) => messages.push(prefix)),
  );
  lab.run(lab.host, ["nft", "-f", "-"], LAST_RULE);
  await new Promise<void>((resolve) => {
    dump.stderr.on("data", (text: Buffer) => {
      if (text.includes("listening")) resolve();
    });
  });
  return {
    async seen() {
      const senders = Object.values(lab.workloads);
      const last = () => messages.filter((message) => message === LAST).length;
      const before = last();
      for (const { netns } of senders)
        lab.run(netns, ["bash", "-c", "echo > /dev/udp/10.86.0.1/9"]);
      await until("the last message", () => last() === before + senders.length);
      return messages.filter((message) => message !== LAST);
    },
    clear() {
      messages.length = 0;
    },
    close() {
      dump.kill();
      lab.run(lab.host, ["nft", "delete", "table", "ip", "last"]);
    },
  };
};
