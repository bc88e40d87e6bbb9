/**
 * The collector's thread: waits for the kernel, reads in batches, folds into windows and hands each finished window to
 * the main thread. It has a thread of its own so that nothing the agent does (rendering a ruleset, a garbage collection)
 * delays the reading, and it never waits longer than a moment, so that it can be told to stop.
 *
 * ```
 *  packet log ──────► log intake ─────────────────► flow table ──window──► main thread
 *  DNS answers ─────► DNS intake ────────────────────────────────────┘
 *  endings ─────────► connection intake ──news──────────┘
 *  dumps ──────────────────┘    └► connection table
 * ```
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { createDnsIntake } from "../dns/index.ts";
import { monotonicMs } from "../kernel/clock.ts";
import { libc, POLLIN, POLLNVAL, type PollEntry } from "../kernel/libc.ts";
import { createAddressIndex, type AddressIndex } from "./address-index.ts";
import { createConnectionIntake, type ConnectionIntake } from "./connection-intake.ts";
import { ConnectionTable } from "./connection-table.ts";
import { FlowTable } from "./flow-table.ts";
import { createLogIntake } from "./log-intake.ts";
import { createProcessNotes, type ProcessNotes } from "./process-notes.ts";
import {
  ENDPOINT_WORDS,
  MAX_WINDOWS_UNDER_WAY,
  type EndpointAddresses,
  type ReaderSetup,
  type WindowMessage,
} from "./reader-protocol.ts";
import { sharedStats } from "./shared-stats.ts";

/** How long the reader may sleep in the kernel at most: the kernel wakes it, but nobody wakes it to stop. */
/** Connections whose processes are remembered: for the message behind a note, and for news that come later. */
const NOTED = 8192;
const WAIT_MS = 200;
/** What comes after a silence does not wait for a whole window: people who follow flows look at it. */
const PROMPT_MS = 50;
/** Batches taken from one socket before the others get their turn. */
const ROUNDS = 8;
/** Batches still taken when told to stop: what the kernel had handed over by then. */
const LAST_ROUNDS = 64;

const setup = workerData as ReaderSetup;
const stats = sharedStats(setup.stats);
const port = parentPort;
if (port === null) throw new Error("the reader is a worker thread");

if (setup.dead) playDead();
else read();
// The control port would keep the thread alive.
setup.control.close();

function read(): void {
  // Collisions in the tables must not be for others to arrange.
  const seed = (Math.random() * 0x1_0000_0000) | 0;
  const { maxKeys, maxOtherSources, maxConnections, since, toldUntil, windowMs } = setup;
  const flows = new FlowTable({ maxKeys, maxOtherSources, seed });
  const notes = createProcessNotes(NOTED, seed);
  const log = createLogIntake(setup.logFd, flows, notes, stats);
  const dns = setup.dnsFd === null ? null : createDnsIntake(setup.dnsFd, stats);
  const connections = openConnections(
    flows,
    notes,
    new ConnectionTable(maxConnections, since, seed, toldUntil),
    seed,
  );

  const takeEndpoints = (addresses: EndpointAddresses): void => {
    const index = indexOf(addresses, seed);
    flows.setEndpoints(index, addresses.endpoints);
    connections?.setEndpoints(index);
  };
  const sendWindow = (): void => {
    const answers = dns?.take() ?? [];
    const batch = flows.take();
    const window: WindowMessage = { ...batch, logged: log.takeLogged(), answers };
    stats.add("windowsSent", 1);
    port!.postMessage(window, [
      batch.keys.buffer as ArrayBuffer,
      batch.values.buffer as ArrayBuffer,
    ]);
  };

  takeEndpoints(setup.endpoints);
  const entries: PollEntry[] = [setup.logFd, setup.eventsFd, setup.dumpFd, setup.dnsFd].flatMap(
    (fd) => (fd === null ? [] : [{ fd, events: POLLIN, revents: 0 }]),
  );
  // Times in records are the wall clock's; intervals are not, because it may be set while we run.
  let lastWindow = 0;
  /** Of the window that has begun; null while nothing has come. */
  let windowEnd: number | null = null;
  const isEmpty = (): boolean => flows.size === 0 && (dns?.size ?? 0) === 0;
  while (stats.get("stop") === 0) {
    libc().poll(entries, Math.max(0, Math.min(WAIT_MS, (windowEnd ?? Infinity) - monotonicMs())));
    for (const { fd, revents } of entries)
      if ((revents & POLLNVAL) !== 0)
        throw new Error(`descriptor ${fd} was closed under the reader`);
    const now = Date.now();
    const tick = monotonicMs();
    stats.set("heartbeat", tick);
    for (let round = 0; round < ROUNDS && log.read(now); round++);
    // After the log: the answer to a look-up was copied before the connection that came of it.
    for (let round = 0; round < ROUNDS && dns?.read(now) === true; round++);
    if (connections !== null) {
      for (let round = 0; round < ROUNDS && connections.readEvents(now); round++);
      for (let round = 0; round < ROUNDS && connections.readDump(now, tick); round++);
    }
    const news = receiveMessageOnPort(setup.control) as { message: EndpointAddresses } | undefined;
    if (news !== undefined) takeEndpoints(news.message);
    if (isEmpty()) continue;
    windowEnd ??= Math.max(lastWindow + windowMs, tick + PROMPT_MS);
    // A main thread that lags holds windows back: the current one then grows longer, not more numerous.
    if (
      tick < windowEnd ||
      stats.get("windowsSent") - stats.get("windowsDone") >= MAX_WINDOWS_UNDER_WAY
    )
      continue;
    sendWindow();
    lastWindow = tick;
    windowEnd = null;
  }
  for (let round = 0; round < LAST_ROUNDS && log.read(Date.now()); round++);
  for (let round = 0; round < LAST_ROUNDS && dns?.read(Date.now()) === true; round++);
  if (!isEmpty()) sendWindow();
}

function openConnections(
  flows: FlowTable,
  notes: ProcessNotes,
  connections: ConnectionTable,
  seed: number,
): ConnectionIntake | null {
  const { eventsFd, dumpFd, dumpEveryMs, announceExisting } = setup;
  if (eventsFd === null || dumpFd === null) return null;
  return createConnectionIntake(
    { eventsFd, dumpFd, flows, connections, notes, stats, dumpEveryMs, announceExisting },
    createAddressIndex(0, seed),
  );
}

function indexOf({ words }: EndpointAddresses, seed: number): AddressIndex {
  const index = createAddressIndex(words.length / ENDPOINT_WORDS, seed);
  for (let at = 0; at < words.length; at += ENDPOINT_WORDS)
    index.add(
      words[at + 1]!,
      words[at + 2]!,
      words[at + 3]!,
      words[at + 4]!,
      words[at + 5]!,
      words[at]!,
    );
  return index;
}

/** The tests' fault: alive as a thread, and deaf. */
function playDead(): void {
  const never = new Int32Array(new SharedArrayBuffer(4));
  while (stats.get("stop") === 0) Atomics.wait(never, 0, 0, WAIT_MS);
}
