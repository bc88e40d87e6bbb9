/**
 * What is odd about units, by a look at each of their processes: sockets in use that were made in another control group, by
 * which the kernel goes on judging them, and capabilities that reach past any policy. Slow, so it gives way in between.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { TCP, UDP, type CgroupPath } from "@bulkhead/model";
import type { BorrowedSockets } from "@bulkhead/wire";
import { insideNetns } from "../../kernel/netns.ts";
import { permittedIn, REACHING_FROM_HERE } from "../../link/capabilities.ts";
import { TCP_LISTEN, UDP_UNCONNECTED } from "../../link/proc-net.ts";
import { socketsInStates } from "../../link/sock-diag.ts";
import { OWN_NETNS, type CgroupTree } from "./cgroup-tree.ts";
import { whileItIsThere } from "./vanishing.ts";

export interface Inspection {
  /** By the path of the unit that uses them. */
  readonly borrowed: ReadonlyMap<CgroupPath, readonly BorrowedSockets[]>;
  /** Held by any process of the unit in the machine's own user namespace, sorted. */
  readonly capabilities: ReadonlyMap<CgroupPath, readonly string[]>;
}

export const NOTHING_INSPECTED: Inspection = { borrowed: new Map(), capabilities: new Map() };

/** Where systemd itself is: it makes the sockets of units that are started by their first connection. */
export const MANAGER: CgroupPath = "/init.scope";

/** A process counts for as much as some open files do. */
const AT_ONCE = 1_000;
const PROCESS = 30;
/** Of one process, and of one unit; nobody shall keep us busy by opening files. */
const MOST_FILES = 20_000;
const MOST_FILES_OF_UNIT = 60_000;
/** Kinds of borrowed sockets told of one unit, and ports of one kind. */
const MOST_TOLD = 16;
/** All but TIME-WAIT and NEW-SYN-RECV, which belong to no process. */
const WITH_OWNER = [1, 2, 3, 4, 5, 7, 8, 9, 10, 11];

interface Made {
  readonly maker: CgroupPath;
  readonly protocol: number;
  readonly port: number;
  readonly waiting: boolean;
}

export async function inspectUnits(
  tree: CgroupTree,
  {
    manager = MANAGER,
    netns = OWN_NETNS,
    proc = "/proc",
    prober,
  }: { manager?: CgroupPath; netns?: string; proc?: string; prober?: number | undefined } = {},
): Promise<Inspection> {
  const unitAt = new Map(
    tree.units.flatMap((unit) => unit.numbers.map((number) => [number, unit.cgroup] as const)),
  );
  const sockets = insideNetns(netns, () => socketsByInode(tree, unitAt));
  const waitingOf = new Set(
    [...sockets.values()]
      .filter(({ waiting }) => waiting)
      .map(({ maker, protocol, port }) => `${maker} ${protocol} ${port}`),
  );
  const howOf = ({ maker, protocol, port, waiting }: Made): BorrowedSockets["how"] => {
    // Where it tells sockets apart by BPF, systemd makes them in a group of the socket unit's own.
    if (maker === manager || maker.endsWith(".socket")) return "activated";
    return !waiting && waitingOf.has(`${maker} ${protocol} ${port}`) ? "accepted" : "moved";
  };

  const userns = readlinkSync(`${proc}/self/ns/user`);
  const borrowed = new Map<CgroupPath, readonly BorrowedSockets[]>();
  const capabilities = new Map<CgroupPath, readonly string[]>();
  let since = 0;
  const worked = async (amount: number): Promise<void> => {
    since += amount;
    if (since < AT_ONCE) return;
    since = 0;
    await new Promise((resolve) => setImmediate(resolve));
  };
  for (const unit of tree.units) {
    const found = new Set<Made>();
    const held = new Set<string>();
    let files = 0;
    for (const pid of unit.pids) {
      await worked(PROCESS);
      // Whoever probes for us holds sockets of those in whose name it does.
      for (const file of pid === prober ? [] : filesOf(proc, pid, MOST_FILES_OF_UNIT - files)) {
        await worked(1);
        files += 1;
        const made = sockets.get(socketAt(file) ?? 0);
        if (made !== undefined && made.maker !== unit.cgroup) found.add(made);
      }
      for (const one of capabilitiesOf(proc, pid, userns)) held.add(one);
    }
    if (found.size > 0 && unit.cgroup !== manager)
      borrowed.set(unit.cgroup, foldBorrowed(found, howOf));
    if (held.size > 0) capabilities.set(unit.cgroup, [...held].toSorted());
  }
  return { borrowed, capabilities };
}

function socketsByInode(
  tree: CgroupTree,
  unitAt: ReadonlyMap<number, CgroupPath>,
): ReadonlyMap<number, Made> {
  const sockets = new Map<number, Made>();
  for (const protocol of [TCP, UDP])
    for (const family of [4, 6] as const)
      for (const socket of socketsInStates(protocol, family, WITH_OWNER) ?? []) {
        const { cgroup, inode, localPort: port, state } = socket;
        if (cgroup === undefined || inode === 0) continue;
        const maker = unitAt.get(cgroup) ?? tree.paths.get(cgroup) ?? "";
        const waiting = state === (protocol === TCP ? TCP_LISTEN : UDP_UNCONNECTED);
        sockets.set(inode, { maker, protocol, port, waiting });
      }
  return sockets;
}

function filesOf(proc: string, pid: number, most: number): readonly string[] {
  const folder = `${proc}/${pid}/fd`;
  const files = most <= 0 ? [] : (whileItIsThere(() => readdirSync(folder)) ?? []);
  return files.slice(0, Math.min(most, MOST_FILES)).map((file) => `${folder}/${file}`);
}

function socketAt(file: string): number | undefined {
  const link = whileItIsThere(() => readlinkSync(file)) ?? "";
  return link.startsWith("socket:[") ? Number(link.slice(8, -1)) : undefined;
}

function capabilitiesOf(proc: string, pid: number, userns: string): readonly string[] {
  if (whileItIsThere(() => readlinkSync(`${proc}/${pid}/ns/user`)) !== userns) return [];
  const status = whileItIsThere(() => readFileSync(`${proc}/${pid}/status`, "latin1"));
  return status === undefined ? [] : permittedIn(status, REACHING_FROM_HERE);
}

function foldBorrowed(
  found: ReadonlySet<Made>,
  howOf: (made: Made) => BorrowedSockets["how"],
): readonly BorrowedSockets[] {
  const kinds = new Map<
    string,
    { maker: string; how: BorrowedSockets["how"]; ports: Set<string> }
  >();
  for (const made of found) {
    const how = howOf(made);
    const key = `${made.maker} ${how}`;
    const kind = kinds.get(key) ?? { maker: made.maker, how, ports: new Set() };
    kinds.set(key, kind);
    // Ports of connections come and go; those that wait are what the unit is known by.
    if (made.waiting) kind.ports.add(`${made.protocol} ${made.port}`);
  }
  return [...kinds]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, MOST_TOLD)
    .map(([, { maker, how, ports }]) => ({
      maker,
      how,
      ports: [...ports]
        .map((text) => text.split(" ").map(Number))
        .map(([protocol = 0, port = 0]) => ({ protocol, port }))
        .toSorted((a, b) => a.protocol - b.protocol || a.port - b.port)
        .slice(0, MOST_TOLD),
    }));
}
