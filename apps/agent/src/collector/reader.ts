/**
 * The collector's thread: waits for the kernel, reads in batches, folds into windows and hands each finished window to
 * the main thread. It has a thread of its own so that nothing the agent does (rendering a ruleset, a garbage collection)
 * delays the reading, and it never waits longer than a moment, so that it can be told to stop.
 *
 * ```
 *  NFLOG group ──recvmmsg──► decode ──► FlowTable ──window──► main thread
 *  DESTROY events ─────────► ConnectionTable ──news──┘
 *  dump of live connections ──────┘
 * ```
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { createBatchReceiver } from "../kernel/batch-receiver.ts";
import { AF_NETLINK, libc, POLLIN, POLLNVAL, type PollEntry } from "../kernel/libc.ts";
import {
  encodeMessage,
  nfgenHeader,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "../kernel/netlink-message.ts";
import { createAddressIndex, type AddressIndex } from "./address-index.ts";
import { ConnectionTable } from "./connection-table.ts";
import { CONNTRACK_GET, decodeConnection, emptyConnection } from "./conntrack-message.ts";
import { FlowTable, packMeta } from "./flow-table.ts";
import { emptyPrefixFields, FORWARDED } from "./log-prefix.ts";
import { decodeLogMessage, type LogMessage } from "./nflog.ts";
import { emptyPacketFields, looksInverted, swapEnds, type PacketFields } from "./packet.ts";
import {
  ENDPOINT_WORDS,
  MAX_WINDOWS_UNDER_WAY,
  type EndpointAddresses,
  type ReaderSetup,
  type WindowMessage,
} from "./reader-protocol.ts";
import { sharedStats } from "./shared-stats.ts";

/** How long the reader may sleep in the kernel at most. */
const WAIT_MS = 50;
/** Batches taken from one socket before the others get their turn. */
const ROUNDS = 8;
/** Dumps may use at most this share of the time: the pause after one is its duration times this. */
const DUMP_PAUSE_FACTOR = 20;

const setup = workerData as ReaderSetup;
const stats = sharedStats(setup.stats);
const port = parentPort;
if (port === null) throw new Error("the reader is a worker thread");

const seed = (Math.random() * 0x1_0000_0000) | 0;
const flows = new FlowTable({
  maxKeys: setup.maxKeys,
  maxOtherSources: setup.maxOtherSources,
  seed,
});
const connections = new ConnectionTable(setup.maxConnections, setup.since, seed);
let endpoints: AddressIndex = createAddressIndex(8, seed);

function takeEndpoints({ endpoints: count, words }: EndpointAddresses): void {
  endpoints = createAddressIndex(words.length / ENDPOINT_WORDS, seed);
  for (let at = 0; at < words.length; at += ENDPOINT_WORDS)
    endpoints.add(
      words[at + 1]!,
      words[at + 2]!,
      words[at + 3]!,
      words[at + 4]!,
      words[at + 5]!,
      words[at]!,
    );
  flows.setEndpoints(endpoints, count);
}

// ---- packets -------------------------------------------------------------------------------------------------------

const log: LogMessage = { packet: emptyPacketFields(), prefix: emptyPrefixFields(), sequence: -1 };
const logBatch = createBatchReceiver(8, 128 * 1024);
const logView = viewOf(logBatch.data);
let pending = 0;

function fillKey(ends: PacketFields, verdict: number, direction: number, cookie: number): void {
  const key = flows.key;
  key[0] = packMeta(ends.family, verdict, direction, ends.protocol, ends.port);
  key[1] = cookie;
  key[2] = ends.s0;
  key[3] = ends.s1;
  key[4] = ends.s2;
  key[5] = ends.s3;
  key[6] = ends.d0;
  key[7] = ends.d1;
  key[8] = ends.d2;
  key[9] = ends.d3;
}

/** True when the socket may hold more. */
function readLog(now: number): boolean {
  const datagrams = logBatch.receive(setup.logFd);
  if (datagrams < 0) {
    stats.add("overruns", 1);
    return true;
  }
  if (datagrams === 0) return false;
  let received = 0;
  let overflowed = 0;
  let malformed = 0;
  let foreign = 0;
  let lost = 0;
  let next = stats.get("nextSequence");
  for (let slot = 0; slot < datagrams; slot++) {
    const length = logBatch.length(slot);
    // A datagram larger than asked for cannot come; if it ever did, its messages show as a gap in the numbers.
    if (length < 0) continue;
    let at = slot * logBatch.slotBytes;
    const end = at + length;
    while (at + 16 <= end) {
      const size = logView.getUint32(at, true);
      if (size < 16 || at + size > end) break;
      const kind = decodeLogMessage(logView, at, at + size, log);
      at += (size + 3) & ~3;
      if (kind === "none") continue;
      if (log.sequence >= 0) {
        if (next >= 0) lost += (log.sequence - next) >>> 0;
        next = (log.sequence + 1) >>> 0;
      }
      if (kind === "foreign") {
        foreign++;
        continue;
      }
      received++;
      if (kind === "malformed") {
        malformed++;
        continue;
      }
      const { packet, prefix } = log;
      fillKey(packet, prefix.verdict, prefix.direction, prefix.cookie);
      const counts = flows.counts;
      counts.connections = 1;
      counts.established = counts.failed = 0;
      // Connections that come about have their bytes counted by connection tracking, first packet included.
      const counted = prefix.verdict === FORWARDED || prefix.verdict === 3;
      counts.bytes = counted ? 0 : packet.bytes;
      counts.packets = counted ? 0 : 1;
      if (flows.add(packet.sourcePort, now)) pending++;
      else overflowed++;
    }
  }
  stats.set("nextSequence", next);
  stats.add("lost", lost);
  stats.add("foreign", foreign);
  stats.add("malformed", malformed);
  stats.add("overflowed", overflowed);
  stats.add("received", received);
  if (received > 0) stats.set("lastEventAt", now);
  return true;
}

// ---- connections ---------------------------------------------------------------------------------------------------

const connection = emptyConnection();
const eventBatch = createBatchReceiver(256, 4096);
const eventView = viewOf(eventBatch.data);
const dumpBuffer = Buffer.alloc(64 * 1024);
const dumpView = viewOf(dumpBuffer);
let connectionLogged = 0;

/** Reports what is new about the decoded connection, if it concerns an endpoint. */
function tell(now: number): void {
  const ends = connection.ends;
  if (connection.pickedUp && looksInverted(ends.sourcePort, ends.port)) swapEnds(ends);
  const family = ends.family === 6 ? 1 : 0;
  if (
    endpoints.get(family, ends.s0, ends.s1, ends.s2, ends.s3) < 0 &&
    endpoints.get(family, ends.d0, ends.d1, ends.d2, ends.d3) < 0
  )
    return;
  connectionLogged++;
  if (!connections.assess(connection, now)) {
    connections.settle(connection);
    return;
  }
  const news = connections.news;
  const counts = flows.counts;
  counts.connections = setup.announceExisting ? news.connections : 0;
  counts.established = setup.announceExisting || news.connections === 0 ? news.established : 0;
  counts.failed = news.failed;
  counts.bytes = news.bytes;
  counts.packets = news.packets;
  fillKey(ends, FORWARDED, 0, 0);
  const fits = flows.add(ends.sourcePort, now);
  // A live connection tries again at the next dump; a finished one has no second chance.
  if (fits || connection.final) connections.settle(connection);
  if (!fits && connection.final) stats.add("connectionOverflow", 1);
}

function readEvents(fd: number, now: number): boolean {
  const datagrams = eventBatch.receive(fd);
  // The exact number of lost events is the socket's own drop counter; the main thread reads it.
  if (datagrams < 0) return true;
  if (datagrams === 0) return false;
  let events = 0;
  for (let slot = 0; slot < datagrams; slot++) {
    const length = eventBatch.length(slot);
    let at = slot * eventBatch.slotBytes;
    const end = at + Math.max(length, 0);
    while (at + 16 <= end) {
      const size = eventView.getUint32(at, true);
      if (size < 16 || at + size > end) break;
      if (decodeConnection(eventView, at, at + size, connection)) {
        events++;
        tell(now);
      }
      at += (size + 3) & ~3;
    }
  }
  stats.add("connectionEvents", events);
  publishConnections();
  return datagrams === 256;
}

function publishConnections(): void {
  stats.add("connectionsMatched", connectionLogged);
  connectionLogged = 0;
  stats.set("connectionsTracked", connections.size);
  stats.set("connectionUntracked", connections.untracked);
  stats.set("connectionOrphaned", connections.orphaned);
}

let dumping = false;
let dumpSequence = 0;
let dumpBusyMs = 0;
let nextDumpAt = 0;

function startDump(fd: number): void {
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK);
  libc().sendto(
    fd,
    encodeMessage(CONNTRACK_GET, NLM_F_REQUEST | NLM_F_DUMP, ++dumpSequence, nfgenHeader(0)),
    0,
    address,
  );
  dumping = true;
  dumpBusyMs = 0;
}

/** Takes one piece of the dump; true while more may wait. */
function readDump(fd: number, now: number): boolean {
  const begun = performance.now();
  const length = libc().recvfrom(fd, dumpBuffer, 0x40);
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
      } else if (decodeConnection(dumpView, at, at + size, connection)) tell(now);
    }
    at += (size + 3) & ~3;
  }
  publishConnections();
  dumpBusyMs += performance.now() - begun;
  if (!dumping) {
    nextDumpAt = now + Math.max(setup.dumpEveryMs, dumpBusyMs * DUMP_PAUSE_FACTOR);
    stats.add("dumps", 1);
    stats.set("dumpMs", dumpBusyMs);
  }
  return dumping;
}

// ---- the loop ------------------------------------------------------------------------------------------------------

function sendWindow(): void {
  const batch = flows.take();
  const message: WindowMessage = { ...batch, logged: pending };
  pending = 0;
  stats.add("windowsSent", 1);
  port!.postMessage(message, [
    batch.keys.buffer as ArrayBuffer,
    batch.values.buffer as ArrayBuffer,
  ]);
}

function run(): void {
  takeEndpoints(setup.endpoints);
  const entries: PollEntry[] = [{ fd: setup.logFd, events: POLLIN, revents: 0 }];
  if (setup.eventsFd !== null) entries.push({ fd: setup.eventsFd, events: POLLIN, revents: 0 });
  if (setup.dumpFd !== null) entries.push({ fd: setup.dumpFd, events: POLLIN, revents: 0 });
  let windowEnd = Date.now() + setup.windowMs;
  while (stats.get("stop") === 0) {
    const wait = Math.max(0, Math.min(WAIT_MS, windowEnd - Date.now()));
    libc().poll(entries, wait);
    for (const entry of entries)
      if ((entry.revents & POLLNVAL) !== 0)
        throw new Error(`descriptor ${entry.fd} was closed under the reader`);
    const now = Date.now();
    stats.set("heartbeat", now);
    for (let round = 0; round < ROUNDS && readLog(now); round++);
    if (setup.eventsFd !== null)
      for (let round = 0; round < ROUNDS && readEvents(setup.eventsFd, now); round++);
    if (setup.dumpFd !== null) {
      if (!dumping && now >= nextDumpAt && endpoints.size > 0) startDump(setup.dumpFd);
      for (let round = 0; round < ROUNDS && dumping && readDump(setup.dumpFd, now); round++);
    }
    if (
      now >= windowEnd &&
      stats.get("windowsSent") - stats.get("windowsDone") < MAX_WINDOWS_UNDER_WAY
    ) {
      if (flows.size > 0) sendWindow();
      windowEnd = now + setup.windowMs;
      const news = receiveMessageOnPort(setup.control) as
        | { message: EndpointAddresses }
        | undefined;
      if (news !== undefined) takeEndpoints(news.message);
    }
  }
  // What the kernel already handed over is still told.
  for (let round = 0; round < 64 && readLog(Date.now()); round++);
  if (flows.size > 0) sendWindow();
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

function playDead(): void {
  const never = new Int32Array(new SharedArrayBuffer(4));
  while (stats.get("stop") === 0) Atomics.wait(never, 0, 0, WAIT_MS);
}

if (setup.dead) playDead();
else run();
// The control port would keep the thread alive.
setup.control.close();
