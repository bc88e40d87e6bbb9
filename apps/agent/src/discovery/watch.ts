/**
 * Keeps a discovery current: events of the kernel (links and addresses, ours and those of attached namespaces), of
 * /run/netns and of the container runtime lead to a new scan, many at once to one. A slow periodic scan covers whatever
 * sends no event. Only current state counts: an event says "look again", never what changed.
 */
import { watch as watchFolder, type FSWatcher } from "node:fs";
import { isKernelError } from "../kernel/kernel-error.ts";
import { libc, MSG_DONTWAIT, SOL_NETLINK, watchReadable } from "../kernel/libc.ts";
import { i32le } from "../kernel/netlink-message.ts";
import { NETLINK_ROUTE, openNetlink, type NetlinkSocket } from "../kernel/netlink-socket.ts";
import { insideNetns } from "../kernel/netns.ts";
import { discover, type DiscoverOptions, type Discovery } from "./discover.ts";
import { runtimeSockets, watchContainers } from "./docker.ts";
import { NETNS_FOLDER } from "./namespaces.ts";

const RTNLGRP_LINK = 1;
const RTNLGRP_IPV4_IFADDR = 5;
const RTNLGRP_IPV6_IFADDR = 9;
const RTNLGRP_NSID = 28;
const NETLINK_LISTEN_ALL_NSID = 8;

const LONGEST_WAIT_MS = 2000;

export interface WatchOptions extends DiscoverOptions {
  /** Quiet time after an event before the scan; bursts of events become one scan. */
  readonly debounceMs?: number;
  readonly rescanMs?: number;
  /** Told when a scan or an event source fails; the next scan tries again. */
  readonly onProblem?: (problem: string) => void;
}

export interface Watch {
  /** Scans now, whatever the events say; resolves when the result has been told. */
  rescan(): Promise<void>;
  stop(): void;
}

/** Calls `changed` with the first discovery and with every one that differs from the one before. */
export function watchEndpoints(
  changed: (discovery: Discovery) => void,
  options: WatchOptions = {},
): Watch {
  const { debounceMs = 50, rescanMs = 10_000 } = options;
  const folder = options.netnsFolder ?? NETNS_FOLDER;
  const containerSockets = options.containerSockets ?? runtimeSockets();
  const problem = options.onProblem ?? (() => undefined);
  let stopped = false;
  let last = "";
  let running: Promise<void> | null = null;
  let again = false;
  let timer: NodeJS.Timeout | undefined;

  let lastScanMs = 0;

  const scanOnce = async (): Promise<void> => {
    const from = performance.now();
    try {
      const discovery = await discover({ ...options, containerSockets, netnsFolder: folder });
      const text = JSON.stringify(discovery);
      if (stopped || text === last) return;
      last = text;
      changed(discovery);
    } catch (error) {
      problem(`looking for workloads failed: ${String(error)}`);
    } finally {
      lastScanMs = performance.now() - from;
    }
  };
  const scanUntilQuiet = async (): Promise<void> => {
    again = false;
    await scanOnce();
    running = null;
    if (again && !stopped) await scan();
  };
  const scan = (): Promise<void> => {
    if (running !== null) {
      again = true;
      return running;
    }
    running = scanUntilQuiet();
    return running;
  };
  const soon = (): void => {
    if (timer !== undefined || stopped) return;
    // Whoever makes events without end, or looks expensive, gets a fifth of our time and no more.
    const wait = Math.max(debounceMs, Math.min(4 * lastScanMs, LONGEST_WAIT_MS));
    timer = setTimeout(() => {
      timer = undefined;
      void scan();
    }, wait);
    timer.unref();
  };

  const route =
    options.netns === undefined ? openRouteEvents() : insideNetns(options.netns, openRouteEvents);
  const buffer = Buffer.alloc(64 * 1024);
  const readable = watchReadable(route.fd, () => {
    drain(route, buffer);
    soon();
  });
  let folderWatch: FSWatcher | null = null;
  const runtimes = new Map<string, () => void>();
  const connectSources = (): void => {
    folderWatch ??= watchIfThere(folder, soon, () => (folderWatch = null));
    for (const path of containerSockets)
      if (!runtimes.has(path))
        runtimes.set(
          path,
          watchContainers(path, soon, () => void runtimes.delete(path)),
        );
  };
  connectSources();
  const slow = setInterval(() => {
    connectSources();
    void scan();
  }, rescanMs);
  slow.unref();
  void scan();

  return {
    rescan: scan,
    stop() {
      stopped = true;
      clearTimeout(timer);
      clearInterval(slow);
      readable.close();
      route.close();
      folderWatch?.close();
      for (const close of runtimes.values()) close();
    },
  };
}

function openRouteEvents(): NetlinkSocket {
  const socket = openNetlink(NETLINK_ROUTE);
  for (const group of [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_NSID])
    socket.join(group);
  // Also from namespaces that have a number in ours: that is how a new address inside a workload is heard of at once.
  libc().setsockopt(socket.fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, i32le(1));
  return socket;
}

/** Events are only a reason to look again: their content, and how many the kernel had to drop, do not matter. */
function drain(socket: NetlinkSocket, buffer: Buffer): void {
  for (;;) {
    try {
      if (libc().recvfrom(socket.fd, buffer, MSG_DONTWAIT) === null) return;
    } catch (error) {
      if (!isKernelError(error, "ENOBUFS")) throw error;
    }
  }
}

/** Null when the folder does not exist (yet). */
function watchIfThere(folder: string, changed: () => void, ended: () => void): FSWatcher | null {
  try {
    const watcher = watchFolder(folder, { persistent: false }, changed);
    watcher.on("error", () => {
      watcher.close();
      ended();
    });
    return watcher;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
