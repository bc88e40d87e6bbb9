/**
 * Sends a given number of UDP packets, each the first of a flow of its own, as fast as asked: raw IPv4 packets, many to a
 * system call. Runs in the network namespace it is started in. Usage: collector-flood.ts SOURCE DESTINATION PACKETS RATE,
 * rate 0 = as fast as possible. Prints `{sent, seconds}` as JSON.
 */
import { parseIp } from "@bulkhead/model";
import { AF_INET, libc, SOCK_CLOEXEC, SOCK_RAW } from "../apps/agent/src/kernel/index.ts";

const IPPROTO_RAW = 255;
const PACKET = 28;
const MMSGHDR = 64;
const IOVEC = 16;
const BATCH = 512;
const SOURCE_PORTS = 60_000;

function flood(
  source: string,
  destination: string,
  packets: number,
  rate: number,
): { sent: number; seconds: number } {
  const c = libc();
  const fd = c.socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  const memory = c.map(BATCH * (MMSGHDR + IOVEC + PACKET) + 16);
  const { buffer, address } = memory;
  const iovecs = BATCH * MMSGHDR;
  const bodies = iovecs + BATCH * IOVEC;
  const name = bodies + BATCH * PACKET;
  buffer.writeUInt16LE(AF_INET, name);
  buffer.writeUInt32BE(wordOf(destination), name + 4);
  for (let index = 0; index < BATCH; index++) {
    const header = index * MMSGHDR;
    const iovec = iovecs + index * IOVEC;
    const body = bodies + index * PACKET;
    buffer.writeBigUInt64LE(address + BigInt(name), header);
    buffer.writeUInt32LE(16, header + 8);
    buffer.writeBigUInt64LE(address + BigInt(iovec), header + 16);
    buffer.writeBigUInt64LE(1n, header + 24);
    buffer.writeBigUInt64LE(address + BigInt(body), iovec);
    buffer.writeBigUInt64LE(BigInt(PACKET), iovec + 8);
    // The kernel fills in length, identification and checksum of the IP header.
    buffer.writeUInt8(0x45, body);
    buffer.writeUInt8(64, body + 8);
    buffer.writeUInt8(17, body + 9);
    buffer.writeUInt32BE(wordOf(source), body + 12);
    buffer.writeUInt32BE(wordOf(destination), body + 16);
    buffer.writeUInt16BE(8, body + 24);
  }
  const begun = process.hrtime.bigint();
  const elapsed = (): number => Number(process.hrtime.bigint() - begun) / 1e9;
  let sent = 0;
  while (sent < packets) {
    if (rate > 0 && sent > elapsed() * rate) continue;
    const count = Math.min(BATCH, packets - sent);
    for (let index = 0; index < count; index++) {
      const flow = sent + index;
      const body = bodies + index * PACKET;
      buffer.writeUInt16BE(1024 + (flow % SOURCE_PORTS), body + 20);
      buffer.writeUInt16BE(5000 + Math.floor(flow / SOURCE_PORTS), body + 22);
    }
    sent += c.sendmmsg(fd, address, count, 0);
  }
  const seconds = elapsed();
  c.unmap(memory);
  c.close(fd);
  return { sent, seconds };
}

function wordOf(address: string): number {
  const parsed = parseIp(address);
  if (parsed?.family !== 4) throw new Error(`not an IPv4 address: ${address}`);
  return Number(parsed.value);
}

const [source = "", destination = "", packets = "0", rate = "0"] = process.argv.slice(2);
process.stdout.write(
  `${JSON.stringify(flood(source, destination, Number(packets), Number(rate)))}\n`,
);
