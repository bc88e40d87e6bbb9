/**
 * Frames made by hand and put on a workload's own wire, and a look at another one's wire: for packets that no socket would
 * send.
 */
import {
  AF_PACKET,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  libc,
} from "../../src/kernel/libc.ts";
import { insideNetns } from "../../src/kernel/netns.ts";
import { addressBytes, linkAddressBuffer, packetProtocol } from "../../src/probe/socket-address.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { sleep } from "./traffic.ts";

export const BROADCAST = "ff:ff:ff:ff:ff:ff";

export const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(":", ""), "hex");
export const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
};

export const frame = (to: string, from: string, etherType: number, payload: Buffer): Buffer =>
  Buffer.concat([macBytes(to), macBytes(from), word(etherType), payload]);

export const checksum = (bytes: Buffer): number => {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2)
    sum += at + 1 < bytes.length ? bytes.readUInt16BE(at) : (bytes[at] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
};

export const ipv4 = (
  source: string,
  destination: string,
  protocol: number,
  payload: Buffer,
): Buffer => {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  addressBytes(source).copy(header, 12);
  addressBytes(destination).copy(header, 16);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
};

export const udp = (text: string, port = 4343): Buffer => {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(4242, 0);
  header.writeUInt16BE(port, 2);
  header.writeUInt16BE(8 + text.length, 4);
  return Buffer.concat([header, Buffer.from(text)]);
};

export const ipv6 = (
  source: string,
  destination: string,
  next: number,
  hopLimit: number,
  payload: Buffer,
): Buffer => {
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(payload.length, 4);
  header.writeUInt8(next, 6);
  header.writeUInt8(hopLimit, 7);
  addressBytes(source).copy(header, 8);
  addressBytes(destination).copy(header, 24);
  return Buffer.concat([header, payload]);
};

export const icmpv6 = (source: string, destination: string, body: Buffer): Buffer => {
  const pseudo = Buffer.concat([
    addressBytes(source),
    addressBytes(destination),
    Buffer.alloc(8),
    body,
  ]);
  pseudo.writeUInt32BE(body.length, 32);
  pseudo.writeUInt8(58, 39);
  const message = Buffer.from(body);
  message.writeUInt16BE(checksum(pseudo), 2);
  return message;
};

/** An ARP packet under any names, with a mark behind it. */
export const arp = (senderMac: string, senderIp: string, targetIp: string, mark: string): Buffer =>
  Buffer.concat([
    Buffer.from("0001080006040002", "hex"),
    macBytes(senderMac),
    addressBytes(senderIp),
    macBytes(BROADCAST),
    addressBytes(targetIp),
    Buffer.from(mark),
  ]);

/** So long is waited for a frame that is not to come, where nothing says that it had its time. */
const PATIENCE_MS = 600;
/** After a frame that was sent behind it has come. */
const GRACE_MS = 20;
const BEHIND = "sent behind";

/**
 * Sends a frame out of a namespace's eth0 and says whether another one's eth0 received it, by a mark inside. An honest ARP
 * packet goes behind it: when that has come and the frame has not, it will not.
 */
export const send = async (
  lab: Lab,
  from: LabWorkload,
  to: LabWorkload,
  bytes: Buffer,
  mark: Buffer,
): Promise<boolean> => {
  const open = (path: string): number =>
    insideNetns(path, () =>
      libc().socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, packetProtocol(3)),
    );
  const sender = open(from.path);
  const receiver = open(to.path);
  try {
    const index = Number.parseInt(lab.run(from.netns, ["ip", "-o", "link", "show", "eth0"]), 10);
    const address = linkAddressBuffer();
    address.writeInt32LE(index, 4);
    libc().sendto(sender, bytes, MSG_DONTWAIT, address);
    const behind = frame(BROADCAST, from.mac, 0x0806, arp(from.mac, from.v4, from.v4, BEHIND));
    libc().sendto(sender, behind, MSG_DONTWAIT, address);
    const buffer = Buffer.alloc(4096);
    let end = performance.now() + PATIENCE_MS;
    for (;;) {
      const size = libc().recvfrom(receiver, buffer, MSG_DONTWAIT);
      const received = buffer.subarray(0, size ?? 0);
      if (received.includes(mark)) return true;
      if (received.includes(BEHIND)) end = Math.min(end, performance.now() + GRACE_MS);
      if (size !== null) continue;
      if (performance.now() > end) return false;
      await sleep(5);
    }
  } finally {
    libc().close(sender);
    libc().close(receiver);
  }
};
