/** Reads the copies of DNS answers that the datapath logs: what each client was told, with every copy counted under one name. */
import type { IpAddress } from "@bulkhead/model";
import { DNS_PREFIX } from "@bulkhead/datapath";
import { createAddressTexts } from "../collector/flow-records.ts";
import { emptyLogParts, findLogParts, openNflog } from "../collector/nflog.ts";
import { decodePacket, emptyPacketFields } from "../collector/packet.ts";
import type { SharedStats } from "../collector/shared-stats.ts";
import { createBatchReceiver } from "../kernel/batch-receiver.ts";
import type { NetlinkSocket } from "../kernel/netlink-socket.ts";
import { readDnsAnswer, type NamedAddress } from "./dns-message.ts";
import { dnsPayloads } from "./dns-packet.ts";

/** What a client was told in one answer. */
export interface DnsAnswer {
  readonly client: IpAddress;
  /** As it was asked for. */
  readonly name: string;
  readonly addresses: readonly NamedAddress[];
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface DnsIntake {
  /** Answers that wait to be taken. */
  readonly size: number;
  /** Takes one batch; true when the socket may hold more. */
  read(now: number): boolean;
  /** Answers since the last call. */
  take(): readonly DnsAnswer[];
}

const DATAGRAMS = 16;
const DATAGRAM_BYTES = 4096;
const BUFFER_BYTES = 2 << 20;

/** Each copy is handed over at once: it has to be known before the connection that comes of it. */
export function openDnsLog(group: number): NetlinkSocket {
  const socket = openNflog(group, {
    copyRange: 1536,
    threshold: 1,
    flushMs: 10,
    datagramBytes: DATAGRAM_BYTES,
  });
  socket.growReceiveBuffer(BUFFER_BYTES);
  return socket;
}

export function createDnsIntake(fd: number, stats: SharedStats): DnsIntake {
  const batch = createBatchReceiver(DATAGRAMS, DATAGRAM_BYTES);
  const view = new DataView(batch.data.buffer, batch.data.byteOffset, batch.data.byteLength);
  const parts = emptyLogParts();
  const packet = emptyPacketFields();
  const prefix = Buffer.from(DNS_PREFIX);
  const texts = createAddressTexts();
  let answers: DnsAnswer[] = [];

  const isOurs = (): boolean =>
    parts.prefixEnd - parts.prefixStart >= prefix.length &&
    batch.data.compare(
      prefix,
      0,
      prefix.length,
      parts.prefixStart,
      parts.prefixStart + prefix.length,
    ) === 0;

  function take(now: number): void {
    stats.add("dnsRead", 1);
    const payloads = decodePacket(view, parts.payloadStart, parts.payloadEnd, packet)
      ? dnsPayloads(view, parts.payloadEnd, packet)
      : null;
    let malformed = payloads === null;
    for (const { message, cut } of payloads ?? []) {
      const reading = readDnsAnswer(message, cut);
      if (reading.kind === "malformed") malformed = true;
      if (reading.kind !== "answer") continue;
      stats.add("dnsAnswers", 1);
      const { name, addresses } = reading;
      const { family, d0, d1, d2, d3 } = packet;
      answers.push({
        client: texts.text(family === 4 ? 4 : 6, d0, d1, d2, d3),
        name,
        addresses,
        at: now,
      });
    }
    if (malformed) stats.add("dnsMalformed", 1);
  }

  return {
    get size() {
      return answers.length;
    },
    read(now) {
      const datagrams = batch.receive(fd);
      // What was dropped shows as a gap in the numbers.
      if (datagrams <= 0) return datagrams < 0;
      for (let slot = 0; slot < datagrams; slot++) {
        const length = batch.length(slot);
        if (length < 0) continue;
        let at = slot * batch.slotBytes;
        const end = at + length;
        while (at + 16 <= end) {
          const size = view.getUint32(at, true);
          if (size < 16 || at + size > end) break;
          const found = findLogParts(view, at, at + size, parts);
          at += (size + 3) & ~3;
          if (!found) continue;
          countLost(stats, parts.sequence);
          if (isOurs()) take(now);
        }
      }
      return true;
    },
    take() {
      const taken = answers;
      answers = [];
      return taken;
    },
  };
}

function countLost(stats: SharedStats, sequence: number): void {
  const next = stats.get("dnsNextSequence");
  if (next >= 0) stats.add("dnsLost", (sequence - next) >>> 0);
  stats.set("dnsNextSequence", (sequence + 1) >>> 0);
}
