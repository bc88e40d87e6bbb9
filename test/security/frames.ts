/** Frames made by hand, sent from one namespace, and what a plain UDP socket in another one hears of them. */
import {
  AF_INET6,
  AF_PACKET,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  libc,
} from "../../apps/agent/src/kernel/libc.ts";
import { insideNetns } from "../../apps/agent/src/kernel/netns.ts";
import {
  addressBytes,
  linkAddressBuffer,
  packetProtocol,
  socketAddress,
} from "../../apps/agent/src/probe/socket-address.ts";

const bytesOf = (mac: string): Buffer => Buffer.from(mac.replaceAll(":", ""), "hex");

const sumOf = (bytes: Buffer): number => {
  const even = bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)]);
  let sum = 0;
  for (let at = 0; at < even.length; at += 2) sum += even.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
};

export const datagram = (port: number, text: string, sourcePort = 4242): Buffer => {
  const bytes = Buffer.alloc(8 + text.length);
  bytes.writeUInt16BE(sourcePort, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.writeUInt16BE(bytes.length, 4);
  bytes.write(text, 8);
  return bytes;
};

/** A whole IPv4 packet; its UDP checksum is left out, as IPv4 allows. */
export const udp4 = (source: string, destination: string, port: number, text: string): Buffer => {
  const payload = datagram(port, text);
  const header = Buffer.from("450000000000000040110000", "hex");
  header.writeUInt16BE(20 + payload.length, 2);
  const whole = Buffer.concat([header, addressBytes(source), addressBytes(destination)]);
  whole.writeUInt16BE(sumOf(whole), 10);
  return Buffer.concat([whole, payload]);
};

export const udp6 = (source: string, destination: string, port: number, text: string): Buffer => {
  const payload = datagram(port, text);
  const ends = Buffer.concat([addressBytes(source), addressBytes(destination)]);
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(payload.length, 0);
  pseudo.writeUInt8(17, 7);
  payload.writeUInt16BE(sumOf(Buffer.concat([ends, pseudo, payload])) || 0xffff, 6);
  const header = Buffer.from("6000000000001140", "hex");
  header.writeUInt16BE(payload.length, 4);
  return Buffer.concat([header, ends, payload]);
};

/** `tags`: what stands between the MAC addresses and the packet, in hex; its last two bytes are the packet's type. */
export const frame = (to: string, from: string, tags: string, packet: Buffer): Buffer =>
  Buffer.concat([bytesOf(to), bytesOf(from), Buffer.from(tags, "hex"), packet]);

export interface Mouth {
  send(bytes: Buffer): void;
  close(): void;
}

/** Speaks out of interface number `ifindex` of a namespace. Closing takes the kernel milliseconds. */
export const openMouth = (path: string, ifindex: number): Mouth => {
  // Protocol 0: it is not to hear anything.
  const socket = insideNetns(path, () =>
    libc().socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
  );
  const address = linkAddressBuffer();
  address.writeInt32LE(ifindex, 4);
  return {
    send: (bytes) => void libc().sendto(socket, bytes, MSG_DONTWAIT, address),
    close: () => void libc().close(socket),
  };
};

/** Sends one frame out of interface number `ifindex` of a namespace. */
export const sendFrame = (path: string, ifindex: number, bytes: Buffer): void => {
  const mouth = openMouth(path, ifindex);
  mouth.send(bytes);
  mouth.close();
};

/** An IPv4 packet of any protocol; `options` in whole words. */
export const ip4 = (
  source: string,
  destination: string,
  protocol: number,
  payload: Buffer,
  {
    options = "",
    fragment = 0,
    id = 77,
  }: { options?: string; fragment?: number; id?: number } = {},
): Buffer => {
  const extra = Buffer.from(options, "hex");
  const header = Buffer.alloc(12);
  header.writeUInt8(0x40 | (5 + extra.length / 4), 0);
  header.writeUInt16BE(20 + extra.length + payload.length, 2);
  header.writeUInt16BE(id, 4);
  header.writeUInt16BE(fragment, 6);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  const whole = Buffer.concat([header, addressBytes(source), addressBytes(destination), extra]);
  whole.writeUInt16BE(sumOf(whole), 10);
  return Buffer.concat([whole, payload]);
};

/** An IPv6 packet whose payload begins with a header of kind `next`. */
export const ip6 = (source: string, destination: string, next: number, payload: Buffer): Buffer => {
  const header = Buffer.from("6000000000000040", "hex");
  header.writeUInt16BE(payload.length, 4);
  header.writeUInt8(next, 6);
  return Buffer.concat([header, addressBytes(source), addressBytes(destination), payload]);
};

/** Everything that comes in on a namespace's interfaces, whatever it is. */
export const sniff = (path: string): Ear => {
  const socket = insideNetns(path, () =>
    libc().socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, packetProtocol(3)),
  );
  return earOf(socket);
};

export interface Ear {
  /** What was heard since the last time. */
  heard(): readonly string[];
  close(): void;
}

/** A UDP socket on every address of a namespace, of both families, as a service would have. */
export const listen = (path: string, port: number): Ear => {
  const socket = insideNetns(path, () =>
    libc().socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
  );
  libc().bind(socket, socketAddress("::", port));
  return earOf(socket);
};

const earOf = (socket: number): Ear => {
  const buffer = Buffer.alloc(2048);
  return {
    heard: () => {
      const texts: string[] = [];
      for (;;) {
        const size = libc().recvfrom(socket, buffer, MSG_DONTWAIT);
        if (size === null) return texts;
        texts.push(buffer.subarray(0, size).toString("latin1"));
      }
    },
    close: () => void libc().close(socket),
  };
};

/** A port-unreachable error about a packet, with a word behind it that tells the error from the packet. */
export const icmp4 = (source: string, destination: string, about: Buffer): Buffer => {
  const message = Buffer.concat([
    Buffer.from("0303000000000000", "hex"),
    about,
    Buffer.from("ERR"),
  ]);
  message.writeUInt16BE(sumOf(message), 2);
  return ip4(source, destination, 1, message);
};

export const icmp6 = (source: string, destination: string, about: Buffer): Buffer => {
  const message = Buffer.concat([
    Buffer.from("0104000000000000", "hex"),
    about,
    Buffer.from("ERR"),
  ]);
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(message.length, 0);
  pseudo.writeUInt8(58, 7);
  const ends = Buffer.concat([addressBytes(source), addressBytes(destination)]);
  message.writeUInt16BE(sumOf(Buffer.concat([ends, pseudo, message])), 2);
  return ip6(source, destination, 58, message);
};

/** An ICMPv6 message of any type. */
export const icmpv6 = (
  source: string,
  destination: string,
  type: number,
  body: string,
  hopLimit: number,
): Buffer => {
  const message = Buffer.concat([Buffer.from([type, 0, 0, 0]), Buffer.from(body, "latin1")]);
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(message.length, 0);
  pseudo.writeUInt8(58, 7);
  const ends = Buffer.concat([addressBytes(source), addressBytes(destination)]);
  message.writeUInt16BE(sumOf(Buffer.concat([ends, pseudo, message])), 2);
  const packet = ip6(source, destination, 58, message);
  packet.writeUInt8(hopLimit, 7);
  return packet;
};
