/**
 * Keeps what is known of units current, each part as often as it changes and as cheaply as it can be had: the tree of control
 * groups when something in it moved, waiting sockets at every look, and what needs a look at every process once in a while.
 *
 *   inotify ──► tree ──────────────┐
 *   sock_diag ─► waiting sockets ──┼──► units, the same object for as long as nothing changed
 *   /proc ─────► inspection ───────┘
 */
import { isPlainCgroup, type CgroupPath, type OwnedSocket } from "@bulkhead/model";
import type { DiscoveredProcess, UnitFacts } from "@bulkhead/wire";
import { cgroup2Mount } from "../../kernel/cgroup2.ts";
import { insideNetns } from "../../kernel/netns.ts";
import type { Container } from "../docker.ts";
import { readCgroupTree, type CgroupTree } from "./cgroup-tree.ts";
import { createExecutables, type Executables } from "./executables.ts";
import { watchFolders, type FolderWatch } from "./folder-watch.ts";
import { inspectUnits, NOTHING_INSPECTED, type Inspection } from "./inspection.ts";
import { createSocketReader, type WaitingSocket } from "./own-sockets.ts";
import { factsOf } from "./unit-facts.ts";
import { createUsers, type UserName } from "./users.ts";

export interface Units {
  /** Sorted by control group. */
  readonly processes: readonly DiscoveredProcess[];
  /** Why units of this machine are not told apart, or not all. */
  readonly processesProblem?: string;
}

export interface UnitScout {
  /** As things are now. Cheap; the same object while nothing changed. */
  look(): Units;
  /** What runtimes say runs, newest last. */
  containers(running: readonly Container[]): void;
  /** What runs in each unit, sorted by control group. Some milliseconds. */
  facts(): readonly UnitFacts[];
  stop(): void;
}

export interface ScoutOptions {
  readonly now: () => number;
  /** Called when a look would find other units: soon after one came or went. */
  readonly changed: () => void;
  /** Called at once when control groups come or go, before anybody has looked at them. */
  readonly stirred?: () => void;
  readonly onProblem: (problem: string) => void;
  readonly executables?: Executables;
  /** Default: where the machine has it. Null: nowhere. */
  readonly mount?: string | null;
  readonly users?: UserName;
  /** The process that probes in the name of others: its sockets are made in their groups, and it is none of them. */
  readonly prober?: () => number | undefined;
  readonly manager?: CgroupPath;
  /** Path of the network namespace that counts. Default: that of the calling thread. */
  readonly netns?: string;
}

/** New groups come in bursts. */
const GATHER_MS = 10;
/** Of waiting, so that a unit which starts by itself is not waited for: twice what was spent of a second, and this less. */
const FREE_MS = 100;
const LONGEST_WAIT_MS = 2_000;
const TREE_EVERY_MS = 20_000;
const INSPECT_EVERY_MS = 30_000;
/** Between two inspections, however much happens. */
const INSPECT_AFTER_MS = 10_000;
/** So long a new container is held back until its runtime has said who it is. */
const AWAIT_RUNTIME_MS = 3_000;

/** Of one unit. Those beyond are nobody's, and so closed where the unit is enforced. */
const MOST_SOCKETS = 512;
/** Anybody may wait at any of 127.0.0.0/8, and every address that somebody waits at is one more to compile for. */
const MOST_ADDRESSES = 64;

const NO_TREE: CgroupTree = {
  units: [],
  folders: [],
  empty: [],
  paths: new Map(),
  cutShort: false,
};

export function createUnitScout(options: ScoutOptions): UnitScout {
  const { now, changed, onProblem, users = createUsers() } = options;
  const { executables = createExecutables() } = options;
  const mount = options.mount === undefined ? cgroup2Mount() : options.mount;
  if (mount === null) return nothingToTell("no control groups of version 2 are mounted");
  const where = mount;
  const reader = createSocketReader(now);
  const { netns } = options;
  const readSockets = netns === undefined ? reader : () => insideNetns(netns, reader);
  let tree = NO_TREE;
  let treeAt = Number.NEGATIVE_INFINITY;
  let waiting: readonly WaitingSocket[] | null = [];
  let running: ReadonlyMap<string, Container> = new Map();
  let inspection: Inspection = NOTHING_INSPECTED;
  let inspectedAt = Number.NEGATIVE_INFINITY;
  let inspecting = false;
  let inspected = "";
  /** Numbers of groups that sockets were made in and that no look has found. */
  let strangers: ReadonlySet<number> = new Set();
  let toldText = "";
  let units: Units = { processes: [] };
  /** On reading the tree, in milliseconds of processor time; what is long ago counts less. */
  let spent = 0;
  let spentAt = 0;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  /** When each unit was first seen. */
  let since: ReadonlyMap<CgroupPath, number> = new Map();

  const folders: FolderWatch = watchFolders(
    mount,
    () => {
      options.stirred?.();
      soon(GATHER_MS);
    },
    onProblem,
  );

  function soon(afterMs: number): void {
    if (stopped || timer !== undefined) return;
    // Whoever makes groups without end gets a tenth of our time and no more.
    const wait = Math.max(afterMs, Math.min(2 * spentLately() - FREE_MS, LONGEST_WAIT_MS));
    timer = setTimeout(() => {
      timer = undefined;
      try {
        readTree();
        changed();
      } catch (error) {
        onProblem(`control groups could not be read: ${String(error)}`);
      }
    }, wait);
    timer.unref();
  }

  const spentLately = (): number => spent * Math.exp((spentAt - performance.now()) / 1000);

  function readTree(): void {
    const before = process.threadCpuUsage();
    tree = readCgroupTree(where, netns, undefined, options.prober?.());
    const { user, system } = process.threadCpuUsage(before);
    spent = spentLately() + (user + system) / 1000;
    spentAt = performance.now();
    treeAt = now();
    const known = since;
    since = new Map(tree.units.map(({ cgroup }) => [cgroup, known.get(cgroup) ?? treeAt]));
    // Nothing is heard of what was made in a new folder, or began in an empty group, before it was followed.
    const empty = tree.empty.map(({ cgroup }) => cgroup);
    if (!folders.follow(tree.folders, empty)) return;
    options.stirred?.();
    soon(GATHER_MS);
  }

  function look(): Units {
    if (now() - treeAt >= TREE_EVERY_MS) readTree();
    waiting = readSockets();
    // Made in a group that we have not seen: one came, or a unit divided itself. One that has gone is looked for once.
    const unseen = strangersAmong(waiting ?? []);
    if (unseen.some((number) => !strangers.has(number)) && now() - treeAt > 1000) {
      readTree();
      strangers = new Set(strangersAmong(waiting ?? []));
    }
    inspectIfDue();
    return put();
  }

  function strangersAmong(sockets: readonly WaitingSocket[]): readonly number[] {
    return sockets.flatMap(({ cgroup }) => (tree.paths.has(cgroup) ? [] : [cgroup]));
  }

  function put(): Units {
    const byGroup = Map.groupBy(waiting ?? [], ({ cgroup }) => cgroup);
    // The kernel judges by the group that a socket was made in, whether anybody is there or not.
    const waited = tree.empty.filter(({ numbers }) => numbers.some((one) => byGroup.has(one)));
    const here = [...tree.units, ...waited].toSorted((a, b) => (a.cgroup < b.cgroup ? -1 : 1));
    const named = here.filter(({ cgroup }) => isPlainCgroup(cgroup));
    const processes = named.flatMap((unit): DiscoveredProcess[] => {
      const { cgroup, form, unit: name, uid, containerId, pids } = unit;
      const told = containerId === undefined ? undefined : running.get(containerId);
      // Whoever may make groups may give one a container's id; the container's first process is in the real one.
      const container = told !== undefined && pids.includes(told.pid) ? told : undefined;
      const age = now() - (since.get(cgroup) ?? 0);
      if (containerId !== undefined && container === undefined && age < AWAIT_RUNTIME_MS) return [];
      const user = uid === undefined ? undefined : users(uid);
      const borrowed = inspection.borrowed.get(cgroup);
      const capabilities = inspection.capabilities.get(cgroup);
      const sockets = unit.numbers.flatMap((number) => byGroup.get(number) ?? []);
      return [
        {
          cgroup,
          form,
          unit: name,
          ...(user === undefined ? {} : { user }),
          ...(container === undefined
            ? {}
            : {
                container: container.name,
                containerLabels: container.labels,
                image: container.image,
              }),
          sockets: distinct(sockets.flatMap(({ owned }) => owned)),
          ...(borrowed === undefined ? {} : { borrowed }),
          ...(capabilities === undefined ? {} : { capabilities }),
        },
      ];
    });
    const problem = problemOf(tree, waiting, here.length - named.length);
    const text = JSON.stringify([processes, problem]);
    if (text !== toldText) {
      toldText = text;
      units = { processes, ...(problem === undefined ? {} : { processesProblem: problem }) };
    }
    return units;
  }

  /** Sooner when there are other units or sockets than at the last one. */
  function inspectIfDue(): void {
    if (inspecting || stopped) return;
    const age = now() - inspectedAt;
    if (age < INSPECT_AFTER_MS) return;
    const seen = [
      ...tree.units.map(({ cgroup }) => cgroup),
      ...(waiting ?? []).map(({ inode }) => inode),
    ].join("\n");
    if (seen === inspected && age < INSPECT_EVERY_MS) return;
    inspecting = true;
    inspected = seen;
    const { manager } = options;
    inspectUnits(tree, {
      ...(manager === undefined ? {} : { manager }),
      ...(netns === undefined ? {} : { netns }),
      prober: options.prober?.(),
    })
      .then((found) => {
        inspection = found;
        // Whoever asks for them finds digests and packages read.
        for (const unit of tree.units) factsOf(unit, users, executables);
        const before = units;
        if (!stopped && put() !== before) changed();
      })
      .catch((error: unknown) => onProblem(`units could not be inspected: ${String(error)}`))
      .finally(() => {
        inspecting = false;
        inspectedAt = now();
      });
  }

  return {
    look,
    containers(list) {
      running = new Map(list.map((container) => [container.id, container]));
    },
    facts: () => tree.units.map((unit) => factsOf(unit, users, executables)),
    stop() {
      stopped = true;
      executables.stop();
      clearTimeout(timer);
      folders.stop();
    },
  };
}

const nothingToTell = (processesProblem: string): UnitScout => {
  const units: Units = { processes: [], processesProblem };
  return { look: () => units, containers: () => undefined, facts: () => [], stop: () => undefined };
};

function problemOf(
  tree: CgroupTree,
  waiting: readonly WaitingSocket[] | null,
  unnamed: number,
): string | undefined {
  if (waiting === null) return "this kernel does not tell the control groups of sockets";
  if (tree.cutShort) return "there are more control groups than are looked at";
  return unnamed === 0 ? undefined : `${unnamed} of them have names that no rule can hold`;
}

/** Sorted by port; workers that share a port are told once. */
function distinct(sockets: readonly OwnedSocket[]): readonly OwnedSocket[] {
  const byText = new Map(
    sockets.map((socket) => {
      const { port, protocol, family, address = "" } = socket;
      return [`${String(port).padStart(5, "0")} ${protocol} ${family} ${address}`, socket];
    }),
  );
  const sorted = [...byText].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, socket]) => socket);
  const addresses = new Set(sorted.flatMap(({ address }) => address ?? []));
  const kept = new Set([...addresses].slice(0, MOST_ADDRESSES));
  return sorted
    .filter(({ address }) => address === undefined || kept.has(address))
    .slice(0, MOST_SOCKETS);
}
