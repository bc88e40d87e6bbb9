/** Questions to servers that a machine lives by, as datagrams, and what counts as an answer. Nothing is changed by any of them. */
import { parseIp, type IpAddress, type InvariantKind } from "@bulkhead/model";

export interface Question {
  readonly datagram: Buffer;
  /** Null when it is no answer to this; else why it is none that helps, or nothing. */
  judge(answer: Buffer): { readonly detail?: string } | null;
}

export type AskedKind = Extract<InvariantKind, "dns" | "ntp" | "dhcp">;

export interface Asker {
  /** Unlike any other question under way. */
  readonly id: number;
  /** This machine's own address on the way there, and the hardware address of its interface. */
  readonly local: IpAddress;
  readonly mac: string;
}

export function questionFor(kind: AskedKind, asker: Asker): Question {
  switch (kind) {
    case "dns":
      return dns(asker.id & 0xffff);
    case "ntp":
      return ntp(asker.id);
    case "dhcp":
      return dhcp(asker);
  }
}

const SERVFAIL = 2;

/** The name servers of the root: every resolver knows them, or has to ask for them (RFC 1035 §4). */
function dns(id: number): Question {
  const datagram = Buffer.alloc(12 + 5);
  datagram.writeUInt16BE(id, 0);
  datagram.writeUInt16BE(0x0100, 2); // recursion desired
  datagram.writeUInt16BE(1, 4);
  datagram.writeUInt16BE(2, 13); // NS
  datagram.writeUInt16BE(1, 15); // IN
  return {
    datagram,
    judge: (answer) => {
      if (answer.length < 12 || answer.readUInt16BE(0) !== id) return null;
      const flags = answer.readUInt16BE(2);
      if ((flags & 0x8000) === 0) return null;
      return (flags & 0xf) === SERVFAIL ? { detail: "it answers that it cannot tell" } : {};
    },
  };
}

const NTP_LENGTH = 48;

/** RFC 5905 §7.3: version 4, client; the server gives our time of sending back as its origin. */
function ntp(id: number): Question {
  const datagram = Buffer.alloc(NTP_LENGTH);
  datagram[0] = (4 << 3) | 3;
  datagram.writeUInt32BE(id >>> 0, 40);
  datagram.writeUInt32BE(0x62686b64, 44);
  return {
    datagram,
    judge: (answer) => {
      if (answer.length < NTP_LENGTH || (answer.readUInt8(0) & 7) !== 4) return null;
      return answer.subarray(24, 32).equals(datagram.subarray(40, 48)) ? {} : null;
    },
  };
}

const COOKIE = 0x63825363;
const MESSAGE_TYPE = 53;
const INFORM = 8;
const DHCP_LENGTH = 300;

/** RFC 2131 §4.4.3: asks for settings only; no lease is made, prolonged or given up. */
function dhcp({ id, local, mac }: Asker): Question {
  const datagram = Buffer.alloc(DHCP_LENGTH);
  datagram.set([1, 1, 6, 0]);
  datagram.writeUInt32BE(id >>> 0, 4);
  const parsed = parseIp(local);
  if (parsed?.family === 4) datagram.writeUInt32BE(Number(parsed.value), 12);
  datagram.set(Buffer.from(mac.replaceAll(":", ""), "hex"), 28);
  datagram.writeUInt32BE(COOKIE, 236);
  datagram.set([MESSAGE_TYPE, 1, INFORM, 255], 240);
  return {
    datagram,
    judge: (answer) =>
      answer.length >= 240 && answer[0] === 2 && answer.readUInt32BE(4) === id >>> 0 ? {} : null,
  };
}
