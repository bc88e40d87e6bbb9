/**
 * Who holds the sockets at the local ends of flows: asked of the kernel's socket diagnostics in the end's own network namespace
 * while the flow is young. Sockets that have gone by then are missed, and what time does not suffice for: an end then has no
 * process. Nothing is guessed, and nothing decided by it.
 */
import { statSync } from "node:fs";
import {
  SCTP,
  TCP,
  UDP,
  type CgroupPath,
  type FlowProcess,
  type IpAddress,
  type ProcessHandle,
} from "@bulkhead/model";
import type { ObservedRecord } from "@bulkhead/wire";
import type { CollectedRecord } from "../collector/index.ts";
import type { UserName } from "../discovery/units/users.ts";
import { whileItIsThere } from "../discovery/units/vanishing.ts";
import { monotonicMs } from "../kernel/clock.ts";
import { cgroup2Mount, cgroupNumber } from "../kernel/cgroup2.ts";
import { insideNetns } from "../kernel/netns.ts";
import { TCP_LISTEN } from "../link/proc-net.ts";
import { socketOf, type DiagSocket, type SocketName } from "../link/sock-diag.ts";
import { createSocketHolders, printable } from "./socket-holders.ts";

export interface LocalAddresses {
  /** Path of the network namespace that has the addresses. */
  readonly netnsPath: string;
  readonly addresses: readonly IpAddress[];
}

export interface ProcessFinder {
  setAddresses(local: readonly LocalAddresses[]): void;
  /** The same records, with a process at each end where one was found, without their handles. */
  apply(records: readonly WithHandles[]): readonly ObservedRecord[];
  /** Ends that were not asked about, for there were too many at once. */
  readonly skipped: number;
}

/** By the kernel's word, whose socket was at an end: who has it now, and lies elsewhere, is at another connection's. */
type WithHandles = ObservedRecord & Pick<CollectedRecord, "sourceHandle" | "destinationHandle">;

/** For one batch of records: the agent has other things to do. */
export interface FinderLimits {
  readonly ends: number;
  readonly ms: number;
}

const LIMITS: FinderLimits = { ends: 256, ms: 15 };
const REMEMBERED_GROUPS = 4096;

interface End {
  readonly record: number;
  readonly side: "source" | "destination";
  readonly protocol: number;
  readonly name: SocketName;
}

export function createProcessFinder(
  users: UserName,
  now: () => number,
  limits: FinderLimits = LIMITS,
  cgroupOf: (handle: ProcessHandle) => CgroupPath | undefined = () => undefined,
): ProcessFinder {
  const holders = createSocketHolders(now);
  const mount = cgroup2Mount();
  /** Paths by number; the number of a group is never another's. */
  const groups = new Map<number, string>();
  let netnsOf: ReadonlyMap<IpAddress, string> = new Map();
  let skipped = 0;

  function endsOf(record: ObservedRecord, index: number): readonly End[] {
    const { protocol, source, sourcePort, destination, port, verdict } = record;
    const asked = protocol === TCP || protocol === UDP || protocol === SCTP;
    if (!asked || record.connections === 0 || record.probe === true || sourcePort === 0) return [];
    const ends: End[] = [];
    if (netnsOf.has(source) && verdict !== "spoofed")
      ends.push({
        record: index,
        side: "source",
        protocol,
        name: { local: source, localPort: sourcePort, remote: destination, remotePort: port },
      });
    // What was denied has not come to anybody.
    if (netnsOf.has(destination) && (verdict === "forwarded" || verdict === "audit"))
      ends.push({
        record: index,
        side: "destination",
        protocol,
        name: { local: destination, localPort: port, remote: source, remotePort: sourcePort },
      });
    return ends;
  }

  function processOf(
    { side, protocol, name }: End,
    netns: number,
    outOfTime: () => boolean,
  ): FlowProcess | undefined {
    const found = socketOf(protocol, name);
    if (found === null) return undefined;
    // A connection that nobody has taken yet has no inode; who waits for it has.
    const socket = found.inode === 0 && side === "destination" ? waiting(protocol, name) : found;
    if (socket === null || socket.inode === 0 || !isAt(socket, name)) return undefined;
    if (side === "source" && protocol === TCP && socket.state === TCP_LISTEN) return undefined;
    return tell(socket, netns, outOfTime);
  }

  function tell(socket: DiagSocket, netns: number, outOfTime: () => boolean): FlowProcess {
    const holder = holders.holder(socket.inode, netns, outOfTime);
    const user = users(socket.uid);
    const cgroup = pathOf(socket.cgroup, holder?.cgroup);
    const unit = cgroup === undefined ? undefined : unitOf(cgroup);
    return {
      ...(holder === undefined ? {} : { name: holder.name, pid: holder.pid }),
      uid: socket.uid,
      ...(user === undefined ? {} : { user }),
      ...(cgroup === undefined ? {} : { cgroup }),
      ...(unit === undefined ? {} : { unit }),
    };
  }

  /** The holder's group, if it is the one that the socket was made in; else one that was before. */
  function pathOf(number: number | undefined, candidate: string | undefined): string | undefined {
    if (number === undefined || mount === null) return undefined;
    const before = groups.get(number);
    if (before !== undefined) return before;
    if (candidate === undefined) return undefined;
    if (whileItIsThere(() => cgroupNumber(mount, candidate)) !== number) return undefined;
    if (groups.size >= REMEMBERED_GROUPS) groups.clear();
    const path = printable(candidate);
    groups.set(number, path);
    return path;
  }

  function askIn(
    netnsPath: string,
    ends: readonly End[],
    outOfTime: () => boolean,
  ): readonly (readonly [End, FlowProcess])[] {
    const netns = whileItIsThere(() => statSync(netnsPath).ino);
    if (netns === undefined) return [];
    // Sockets are asked for inside; processes are looked for in the machine's own /proc, wherever the thread is.
    const found = whileItIsThere(() =>
      insideNetns(netnsPath, () =>
        ends.flatMap((end): readonly (readonly [End, FlowProcess])[] => {
          if (outOfTime()) {
            skipped++;
            return [];
          }
          const process = processOf(end, netns, outOfTime);
          return process === undefined ? [] : [[end, process]];
        }),
      ),
    );
    return found ?? [];
  }

  /**
   * What was found at an end, as far as it fits what the kernel told of it. Where the socket had gone, or is another's by now, the
   * kernel's word is what is left.
   */
  function fitting(
    found: FlowProcess | undefined,
    handle: ProcessHandle | undefined,
  ): FlowProcess | undefined {
    const told = handle === undefined ? undefined : cgroupOf(handle);
    if (told === undefined) return found;
    const unit = unitOf(told);
    const known = { cgroup: told, ...(unit === undefined ? {} : { unit }) };
    if (found === undefined) return known;
    const { cgroup } = found;
    if (cgroup === undefined) return { ...found, ...known };
    return cgroup === told || cgroup.startsWith(`${told}/`) ? found : known;
  }

  return {
    get skipped() {
      return skipped;
    },

    setAddresses(local) {
      netnsOf = new Map(
        local.flatMap(({ netnsPath, addresses }) =>
          addresses.map((address): [IpAddress, string] => [address, netnsPath]),
        ),
      );
    },

    apply(records) {
      const ends = records.flatMap(endsOf);
      const isTold = (one: WithHandles): boolean =>
        "sourceHandle" in one || "destinationHandle" in one;
      if (ends.length === 0 && !records.some(isTold)) return records;
      skipped += Math.max(0, ends.length - limits.ends);
      const until = monotonicMs() + limits.ms;
      const outOfTime = (): boolean => monotonicMs() > until;
      const byNetns = Map.groupBy(
        ends.slice(0, limits.ends),
        ({ name }) => netnsOf.get(name.local) ?? "",
      );
      const told = new Map<number, { source?: FlowProcess; destination?: FlowProcess }>();
      for (const [netnsPath, some] of byNetns)
        for (const [{ record, side }, process] of askIn(netnsPath, some, outOfTime))
          told.set(record, { ...told.get(record), [side]: process });
      return records.map(({ sourceHandle, destinationHandle, ...record }, index) => {
        const source = fitting(told.get(index)?.source, sourceHandle);
        const destination = fitting(told.get(index)?.destination, destinationHandle);
        if (source === undefined && destination === undefined) return record;
        return {
          ...record,
          ...(source === undefined ? {} : { sourceProcess: source }),
          ...(destination === undefined ? {} : { destinationProcess: destination }),
        };
      });
    },
  };
}

/** The socket that waits for connections such as this one. */
function waiting(protocol: number, { local, localPort }: SocketName): DiagSocket | null {
  const remote = local.includes(":") ? "::" : "0.0.0.0";
  return socketOf(protocol, { local, localPort, remote, remotePort: 0 });
}

/** The kernel answers with whoever would receive: that must be of these ports, and connected to nobody else. */
function isAt(socket: DiagSocket, { localPort, remotePort }: SocketName): boolean {
  return (
    socket.localPort === localPort && (socket.remotePort === 0 || socket.remotePort === remotePort)
  );
}

/** Of `/system.slice/nginx.service`, `nginx.service`; also where the unit has divided itself below. */
function unitOf(cgroup: string): string | undefined {
  return cgroup.split("/").findLast((part) => /\.(?:service|scope|socket|mount|swap)$/.test(part));
}
