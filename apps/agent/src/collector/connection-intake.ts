/**
 * Reads connection tracking: endings as they come, and dumps of what lives, piece by piece and no more often than their cost
 * allows. What is new about connections of endpoints goes into the window's table.
 */
import { createBatchReceiver } from "../kernel/batch-receiver.ts";
import { AF_NETLINK, libc, MSG_DONTWAIT } from "../kernel/libc.ts";
import {
  encodeMessage,
  nfgenHeader,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "../kernel/netlink-message.ts";
import type { AddressIndex } from "./address-index.ts";
import type { ConnectionTable } from "./connection-table.ts";
import {
  CONNTRACK_GET,
  decodeConnection,
  emptyConnection,
  type Connection,
} from "./conntrack-message.ts";
import { EarlyEndings, isUntold } from "./early-endings.ts";
import type { FlowTable } from "./flow-table.ts";
import { FORWARDED } from "./log-prefix.ts";
import { looksInverted, swapEnds } from "./packet.ts";
import type { ProcessNotes } from "./process-notes.ts";
import type { SharedStats } from "./shared-stats.ts";

export interface ConnectionIntakeParts {
  readonly eventsFd: number;
  readonly dumpFd: number;
  readonly flows: FlowTable;
  readonly connections: ConnectionTable;
  /** Whose connections the packet log said they are. */
  readonly notes: ProcessNotes;
  readonly stats: SharedStats;
  readonly dumpEveryMs: number;
  /** Tell connections that were there before, once, as new. */
  readonly announceExisting: boolean;
}

export interface ConnectionIntake {
  /** Whose connections are told. */
  setEndpoints(endpoints: AddressIndex): void;
  /** Takes one batch of endings; true when more may wait. */
  readEvents(now: number): boolean;
  /** `tick`: monotonic milliseconds. Begins a dump when it is time, or takes the next piece of one; true while more may wait. */
  readDump(now: number, tick: number): boolean;
}

const EVENTS_AT_ONCE = 256;
/** Refusals, within a moment: some hundred bytes each. */
const MOST_EARLY = 4096;
const EVENT_BYTES = 4096;
/**
 * Dumps may use at most this share of the time: the pause after one is its duration times this. The kernel walks the table of
 * all connections of all namespaces, whose size is the machine's, however few there are.
 */
const DUMP_PAUSE_FACTOR = 20;
/** While nothing begins, only the bytes of what is open change: a smaller share is enough … */
const CALM_PAUSE_FACTOR = 1000;
/** … but they are told so often at least. */
const CALM_PAUSE_MS = 10_000;
/** So long after the last log message its outcome may be waited for. */
const CALM_AFTER_MS = 12_000;

export function createConnectionIntake(
  parts: ConnectionIntakeParts,
  none: AddressIndex,
): ConnectionIntake {
  const { eventsFd, dumpFd, flows, connections, notes, stats, announceExisting } = parts;
  const decoded = emptyConnection();
  const early = new EarlyEndings(MOST_EARLY);
  const batch = createBatchReceiver(EVENTS_AT_ONCE, EVENT_BYTES);
  const batchView = new DataView(batch.data.buffer, batch.data.byteOffset, batch.data.byteLength);
  const dump = Buffer.alloc(64 * 1024);
  const dumpView = new DataView(dump.buffer, dump.byteOffset, dump.byteLength);
  let endpoints = none;
  let matched = 0;
  let dumping = false;
  let dumpSequence = 0;
  let dumpBusyMs = 0;
  let lastDumpAt = Number.NEGATIVE_INFINITY;

  /** Reports what is new about a connection, if it concerns an endpoint. */
  const tell = (connection: Connection, now: number): void => {
    const ends = connection.ends;
    if (connection.pickedUp && looksInverted(ends.sourcePort, ends.port)) swapEnds(ends);
    const family = ends.family === 6 ? 1 : 0;
    if (
      endpoints.get(family, ends.s0, ends.s1, ends.s2, ends.s3) < 0 &&
      endpoints.get(family, ends.d0, ends.d1, ends.d2, ends.d3) < 0
    )
      return;
    matched++;
    if (!connections.assess(connection, now)) {
      connections.settle(connection);
      return;
    }
    const news = connections.news;
    const counts = flows.counts;
    counts.connections = announceExisting ? news.connections : 0;
    counts.established = announceExisting || news.connections === 0 ? news.established : 0;
    counts.failed = news.failed;
    counts.bytes = news.bytes;
    counts.packets = news.packets;
    notes.find(ends);
    const { source, destination } = notes;
    flows.fillKey(ends, FORWARDED, 0, 0, connection.translated, source, destination);
    const fits = flows.add(ends.sourcePort, now);
    // A live connection tries again at the next dump; a finished one has no second chance.
    if (fits || connection.final) connections.settle(connection);
    if (!fits && connection.final) stats.add("connectionOverflow", 1);
  };

  const publish = (): void => {
    stats.add("connectionsMatched", matched);
    matched = 0;
    stats.set("connectionsTracked", connections.size);
    stats.set("connectionUntracked", connections.untracked);
    stats.set("connectionOrphaned", connections.orphaned);
  };

  /** How long the table may rest after a dump; what begins in the meantime ends a long rest. */
  const pause = (now: number): number => {
    const busy = Math.max(parts.dumpEveryMs, dumpBusyMs * DUMP_PAUSE_FACTOR);
    if (now - stats.get("lastEventAt") < CALM_AFTER_MS) return busy;
    return Math.max(busy, Math.min(CALM_PAUSE_MS, dumpBusyMs * CALM_PAUSE_FACTOR));
  };

  const startDump = (): void => {
    const begun = performance.now();
    const kernel = Buffer.alloc(12);
    kernel.writeUInt16LE(AF_NETLINK);
    const request = encodeMessage(
      CONNTRACK_GET,
      NLM_F_REQUEST | NLM_F_DUMP,
      ++dumpSequence,
      nfgenHeader(0),
    );
    libc().sendto(dumpFd, request, 0, kernel);
    dumping = true;
    // The kernel fills the first piece within this call.
    dumpBusyMs = performance.now() - begun;
  };

  return {
    setEndpoints(addresses) {
      endpoints = addresses;
    },
    readEvents(now) {
      for (const connection of early.take(now)) tell(connection, now);
      const datagrams = batch.receive(eventsFd);
      // The exact number of lost events is the socket's own drop counter; the main thread reads it.
      if (datagrams < 0) return true;
      if (datagrams === 0) return false;
      let events = 0;
      for (let slot = 0; slot < datagrams; slot++) {
        let at = slot * batch.slotBytes;
        const end = at + Math.max(batch.length(slot), 0);
        while (at + 16 <= end) {
          const size = batchView.getUint32(at, true);
          if (size < 16 || at + size > end) break;
          if (decodeConnection(batchView, at, at + size, decoded)) {
            events++;
            if (!isUntold(decoded, now) || !early.add(decoded)) tell(decoded, now);
          }
          at += (size + 3) & ~3;
        }
      }
      stats.add("connectionEvents", events);
      publish();
      return datagrams === EVENTS_AT_ONCE;
    },
    readDump(now, tick) {
      if (!dumping) {
        if (endpoints.size === 0 || tick < lastDumpAt + pause(now)) return false;
        startDump();
      }
      const begun = performance.now();
      const length = libc().recvfrom(dumpFd, dump, MSG_DONTWAIT);
      if (length === null) return false;
      let at = 0;
      while (at + 16 <= length) {
        const size = dumpView.getUint32(at, true);
        if (size < 16 || at + size > length) break;
        const type = dumpView.getUint16(at + 4, true);
        if (dumpView.getUint32(at + 8, true) === dumpSequence) {
          if (type === NLMSG_DONE || type === NLMSG_ERROR) {
            dumping = false;
            if (type === NLMSG_DONE) connections.endDump();
          } else if (decodeConnection(dumpView, at, at + size, decoded) && !isUntold(decoded, now))
            tell(decoded, now);
        }
        at += (size + 3) & ~3;
      }
      publish();
      dumpBusyMs += performance.now() - begun;
      if (!dumping) {
        lastDumpAt = tick;
        stats.add("dumps", 1);
        stats.set("dumpMs", dumpBusyMs);
      }
      return dumping;
    },
  };
}
