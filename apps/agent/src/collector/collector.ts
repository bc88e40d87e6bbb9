/**
 * The agent's view of the kernel's events: opens the sockets, keeps the reader thread alive, turns its windows into flow
 * records, and says at any time what was received, delivered and lost. The sockets stay with this thread, so a reader
 * that dies is replaced without losing what the kernel still holds.
 */
import { MessageChannel, Worker, type MessagePort } from "node:worker_threads";
import type { FlowRecord, IpAddress } from "@bulkhead/model";
import { openDnsLog, type DnsAnswer } from "../dns/index.ts";
import { monotonicMs } from "../kernel/clock.ts";
import { NETLINK_NETFILTER, openNetlink, type NetlinkSocket } from "../kernel/netlink-socket.ts";
import { insideNetns } from "../kernel/netns.ts";
import { switchOnAccounting, type Accounting } from "./accounting.ts";
import { NFNLGRP_CONNTRACK_DESTROY } from "./conntrack-message.ts";
import { endpointAddresses } from "./endpoint-addresses.ts";
import { createAddressTexts, recordsOf } from "./flow-records.ts";
import { openNflog } from "./nflog.ts";
import type { EndpointAddresses, ReaderSetup, WindowMessage } from "./reader-protocol.ts";
import type { CollectorStats } from "./stats.ts";
import { sharedStats, type StatName } from "./shared-stats.ts";

export interface CollectorOptions {
  /** The packet log group that the datapath's rules log to (`NFLOG_GROUP`). */
  readonly group: number;
  /** Gets each window's records, in order. Must not throw; when it returns a promise, the next windows wait behind a bound. */
  readonly onFlows: (records: FlowRecord[]) => void | Promise<void>;
  /** The log group of copied DNS answers. Absent: none are read. */
  readonly dnsGroup?: number;
  /** Gets what DNS said, before the records of the connections that came of it. Must not throw. */
  readonly onAnswers?: (answers: readonly DnsAnswer[]) => void;
  /** Path of the network namespace to collect in. Default: that of the calling thread. */
  readonly netns?: string;
  /** Told once per occurrence, in a sentence: a reader that died, a setting the kernel refused. */
  readonly onProblem?: (problem: string) => void;
  /** Addresses of each endpoint; their sources have a guaranteed share, and their connections are followed. */
  readonly endpoints?: readonly (readonly IpAddress[])[];
  /** Connections that began before that were told by an earlier collector, and are no news. Milliseconds since the epoch. */
  readonly toldUntil?: number;
  /** Where to note the found accounting settings, so that a killed agent can still put them back. */
  readonly accountingFile?: string;
  /** Length of a window; at most a second. */
  readonly windowMs?: number;
  /** Distinct keys in one window. */
  readonly maxKeys?: number;
  /** Live connections whose bytes are followed between dumps. */
  readonly maxConnections?: number;
  /** Pause between dumps of live connections; dumps that take long pause longer, to stay under 5 % of the time. */
  readonly dumpEveryMs?: number;
  /** Receive buffer of the packet log in the kernel (which grants twice as much, for its own overhead). */
  readonly logBufferBytes?: number;
  /** The same for endings of connections: one datagram each, and they end in bursts. */
  readonly eventBufferBytes?: number;
  /** Fault switches of the tests; `dead-collector` makes the reader read nothing. Default: BULKHEAD_FAULT. */
  readonly fault?: string;
  /** For tests that kill it: each reader thread as it starts. */
  readonly onReader?: (reader: Worker) => void;
}

export interface Collector {
  stats(): CollectorStats;
  setEndpoints(endpoints: readonly (readonly IpAddress[])[]): void;
  /** Delivers what was read, then lets go of sockets and settings. */
  stop(): Promise<void>;
}

const HEARTBEAT_LIMIT_MS = 3000;
/** A heartbeat so long ago that it is none. */
const NEVER = -1_000_000;
const WATCH_EVERY_MS = 1000;
const MAX_RESTART_DELAY_MS = 5000;
const MEBIBYTE = 1 << 20;

/** Opens everything in the network namespace of the calling thread. Throws `KernelError` when the log group cannot be bound. */
export function startCollector(options: CollectorOptions): Collector {
  return new RunningCollector(options);
}

class RunningCollector implements Collector {
  readonly #options: CollectorOptions;
  readonly #stats = sharedStats();
  readonly #texts = createAddressTexts();
  readonly #fault: string | null;
  readonly #log: NetlinkSocket;
  readonly #dns: NetlinkSocket | null;
  readonly #events: NetlinkSocket | null;
  readonly #dump: NetlinkSocket | null;
  readonly #accounting: Accounting | null;
  readonly #watch: NodeJS.Timeout;
  #reader: Worker | null = null;
  #control: MessagePort | null = null;
  #endpoints: EndpointAddresses;
  #exited: Promise<void> = Promise.resolve();
  #delivery: Promise<void> = Promise.resolve();
  #underWay = 0;
  #abandoned = 0;
  #restarts = 0;
  #startedAt = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: CollectorOptions) {
    this.#options = options;
    const fault = options.fault ?? process.env["BULKHEAD_FAULT"];
    this.#fault = fault === "dead-collector" ? fault : null;
    this.#endpoints = endpointAddresses(options.endpoints ?? []);
    this.#log = this.#inside(() => openNflog(options.group));
    this.#log.growReceiveBuffer(options.logBufferBytes ?? 32 * MEBIBYTE);
    this.#dns = this.#openDns(options.dnsGroup);
    const tracking = this.#inside(() =>
      this.#openTracking(options.eventBufferBytes ?? 64 * MEBIBYTE),
    );
    this.#events = tracking?.events ?? null;
    this.#dump = tracking?.dump ?? null;
    this.#accounting = tracking?.accounting ?? null;
    for (const refusal of this.#accounting?.refused ?? [])
      this.#problem(`connection accounting: ${refusal}`);
    this.#start(true);
    this.#watch = setInterval(() => this.#check(), WATCH_EVERY_MS);
    this.#watch.unref();
  }

  #inside<T>(work: () => T): T {
    const { netns } = this.#options;
    return netns === undefined ? work() : insideNetns(netns, work);
  }

  /** Names are worth having, but no reason not to collect flows. */
  #openDns(group: number | undefined): NetlinkSocket | null {
    if (group === undefined) return null;
    try {
      return this.#inside(() => openDnsLog(group));
    } catch (error) {
      this.#problem(`flows come without names: ${String(error)}`);
      return null;
    }
  }

  /** Connection tracking is worth having, but a kernel without it is no reason not to collect flows. */
  #openTracking(
    bytes: number,
  ): { events: NetlinkSocket; dump: NetlinkSocket; accounting: Accounting } | null {
    const opened: NetlinkSocket[] = [];
    try {
      const accounting = switchOnAccounting(this.#options.accountingFile);
      const events = openNetlink(NETLINK_NETFILTER);
      opened.push(events);
      events.growReceiveBuffer(bytes);
      events.join(NFNLGRP_CONNTRACK_DESTROY);
      const dump = openNetlink(NETLINK_NETFILTER);
      opened.push(dump);
      return { events, dump, accounting };
    } catch (error) {
      for (const socket of opened) socket.close();
      this.#problem(`flows come without bytes and outcomes: ${String(error)}`);
      return null;
    }
  }

  #start(first: boolean): void {
    const channel = new MessageChannel();
    const {
      windowMs = 150,
      maxKeys = 65_536,
      maxConnections = 131_072,
      dumpEveryMs = 1000,
    } = this.#options;
    this.#startedAt = monotonicMs();
    const setup: ReaderSetup = {
      stats: this.#stats.memory,
      logFd: this.#log.fd,
      eventsFd: this.#events?.fd ?? null,
      dumpFd: this.#dump?.fd ?? null,
      dnsFd: this.#dns?.fd ?? null,
      control: channel.port2,
      endpoints: this.#endpoints,
      windowMs: Math.min(windowMs, 1000),
      maxKeys,
      maxOtherSources: 256,
      maxConnections,
      dumpEveryMs,
      since: Date.now(),
      toldUntil: this.#options.toldUntil ?? 0,
      announceExisting: first,
      dead: this.#fault === "dead-collector",
    };
    this.#stats.set("stop", 0);
    this.#stats.set("heartbeat", this.#fault === null ? this.#startedAt : NEVER);
    this.#stats.set("windowsSent", 0);
    this.#stats.set("windowsDone", 0);
    const reader = new Worker(new URL("./reader.ts", import.meta.url), {
      workerData: setup,
      transferList: [channel.port2],
      name: "bulkhead-collector",
    });
    this.#reader = reader;
    this.#control = channel.port1;
    channel.port1.unref();
    reader.unref();
    reader.on("message", (window: WindowMessage) => this.#deliver(window, reader));
    reader.on("error", (error) => this.#problem(`the collector's reader died: ${String(error)}`));
    this.#exited = new Promise((resolve) => {
      reader.once("exit", () => {
        channel.port1.close();
        resolve();
        this.#ended(reader);
      });
    });
    this.#options.onReader?.(reader);
  }

  #deliver(window: WindowMessage, reader: Worker): void {
    this.#underWay += window.logged;
    const records = recordsOf(window, this.#texts);
    this.#delivery = this.#delivery.then(async () => {
      try {
        if (window.answers.length > 0) this.#options.onAnswers?.(window.answers);
        if (records.length > 0) await this.#options.onFlows(records);
        this.#stats.add("delivered", window.logged);
      } catch (error) {
        this.#abandoned += window.logged;
        this.#problem(`${records.length} flow records were refused: ${String(error)}`);
      }
      this.#underWay -= window.logged;
      if (reader === this.#reader) this.#stats.add("windowsDone", 1);
    });
  }

  #ended(reader: Worker): void {
    if (this.#stopping || reader !== this.#reader) return;
    this.#reader = null;
    // Whatever was read and has not reached this thread died with it.
    this.#abandoned += this.#queueDepth() - this.#underWay;
    this.#restarts++;
    const lived = monotonicMs() - this.#startedAt;
    // A reader that dies at once is retried with growing patience; one that worked is replaced at once.
    const delay =
      lived > 10_000 ? 0 : Math.min(MAX_RESTART_DELAY_MS, 100 * 2 ** Math.min(this.#restarts, 6));
    this.#restartTimer = setTimeout(() => this.#start(false), delay);
    this.#restartTimer.unref();
  }

  /** Ends a reader that hangs; its end starts the next. */
  #check(): void {
    if (this.#fault !== null || this.#reader === null || this.#stopping) return;
    const last = Math.max(this.#stats.get("heartbeat"), this.#startedAt);
    if (monotonicMs() - last < 2 * HEARTBEAT_LIMIT_MS) return;
    this.#problem("the collector's reader hangs and is replaced");
    void this.#reader.terminate();
  }

  #queueDepth(): number {
    const read = (name: StatName) => this.#stats.get(name);
    return (
      read("received") -
      read("delivered") -
      read("overflowed") -
      read("malformed") -
      this.#abandoned
    );
  }

  #problem(sentence: string): void {
    this.#options.onProblem?.(sentence);
  }

  setEndpoints(endpoints: readonly (readonly IpAddress[])[]): void {
    this.#endpoints = endpointAddresses(endpoints);
    this.#control?.postMessage(this.#endpoints);
  }

  stats(): CollectorStats {
    const read = (name: StatName) => this.#stats.get(name);
    const lastEventAt = read("lastEventAt");
    return {
      received: read("received"),
      delivered: read("delivered"),
      lost: read("lost"),
      overruns: read("overruns"),
      overflowed: read("overflowed"),
      malformed: read("malformed"),
      foreign: read("foreign"),
      abandoned: this.#abandoned,
      queueDepth: this.#queueDepth(),
      ...(lastEventAt === 0 ? {} : { lastEventAt }),
      alive:
        this.#reader !== null &&
        !this.#stopping &&
        monotonicMs() - read("heartbeat") < HEARTBEAT_LIMIT_MS,
      restarts: this.#restarts,
      fault: this.#fault,
      dns: {
        available: this.#dns !== null,
        read: read("dnsRead"),
        answers: read("dnsAnswers"),
        malformed: read("dnsMalformed"),
        lost: read("dnsLost"),
      },
      connections: {
        available: this.#events !== null,
        events: read("connectionEvents"),
        matched: read("connectionsMatched"),
        lost: this.#stopping ? this.#lostEvents : (this.#events?.drops() ?? 0),
        overflowed: read("connectionOverflow"),
        untracked: read("connectionUntracked"),
        orphaned: read("connectionOrphaned"),
        tracked: read("connectionsTracked"),
        dumps: read("dumps"),
        lastDumpMs: read("dumpMs"),
        refusedSettings: this.#accounting?.refused ?? [],
      },
    };
  }

  #lostEvents = 0;

  async stop(): Promise<void> {
    if (this.#stopping) return this.#exited;
    this.#lostEvents = this.#events?.drops() ?? 0;
    this.#stopping = true;
    clearInterval(this.#watch);
    clearTimeout(this.#restartTimer);
    this.#stats.set("stop", 1);
    // The thread is referenced again: its last window must still arrive.
    this.#reader?.ref();
    await this.#exited;
    await this.#delivery;
    this.#log.close();
    this.#dns?.close();
    this.#events?.close();
    this.#dump?.close();
    this.#inside(() => this.#accounting?.restore());
  }
}
