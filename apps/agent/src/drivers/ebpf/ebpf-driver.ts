/**
 * The eBPF driver: packets are judged by programs at the hooks of netfilter, by maps that this driver keeps; guards of links, and
 * what no look-up needs, are tables of nftables beside them (`renderGuards`). All of it is pinned or in tables and outlives
 * this process. It holds policies for addresses; what it does not hold it refuses (`unheld.ts`).
 *
 *   apply ──► maps, beside what is in force ──► links ──► guards ──► one epoch ──► reading ──► receipt
 *                 │ refused: taken back whole ◄───┴────────┘
 *
 * Maps have no number that moves with their content, so `generation` moves every few seconds by itself: drift in them is found
 * by reading, as often as that.
 */
import {
  GUARDS_NAME,
  formatMarker,
  isOwner,
  knownPorts,
  printRuleset,
  readGuards,
  renderGuards,
  sumCounters,
  withComment,
} from "@bulkhead/datapath";
import type { Ruleset } from "@bulkhead/datapath";
import { createInTurn } from "@bulkhead/model";
import type { HostPolicy } from "@bulkhead/model";
import { insideNetns } from "../../kernel/index.ts";
import { createControlGroups } from "../control-groups.ts";
import { DriverError, isRefused } from "../driver-error.ts";
import type { Driver, DriverDeps, ReadBackResult, UnsignedReceipt } from "../driver.ts";
import { createHostCommands } from "../host-commands.ts";
import { readSettings, settingDifferences } from "../kernel-settings.ts";
import { readBackOf } from "../read-back.ts";
import { requireFit, requireSound } from "../refusals.ts";
import { createAbsentGuards } from "../tables/absent-guards.ts";
import { createBoundProcesses } from "../tables/bound-processes.ts";
import { createReading } from "../tables/reading.ts";
import { createWriting } from "../tables/writing.ts";
import { readCounters } from "./ebpf-counters.ts";
import { policyOfMaps } from "./found-policy.ts";
import { createHookLinks } from "./hook-links.ts";
import { readClocks } from "./kernel-maps.ts";
import { createPinFolder } from "./pin-folder.ts";
import { createPinnedMaps } from "./pinned-maps.ts";
import { printMaps } from "./print-tables.ts";
import { roomFor } from "./room.ts";
import { requireHeld } from "./unheld.ts";

const NAME = "ebpf";
const PINS = "/run/bulkhead/bpf";
const LIMIT = 1_000_000;
/** How often maps are to be read although nobody says that they changed. */
const TICK_MS = 4000;

export interface EbpfDriverDeps extends DriverDeps {
  /** Where the file system for pins is, or is to be mounted; absent = the machine's own place for it. */
  readonly pins?: string;
}

export const createEbpfDriver = (deps: EbpfDriverDeps): Driver => {
  const { owner, now, netns } = deps;
  if (!isOwner(owner)) throw new DriverError("invalid-policy", `\`${owner}\` is no owner name`);
  const limit = deps.maxEntries ?? LIMIT;
  const host = createHostCommands(netns, deps.patienceMs);
  const guards = createAbsentGuards(host);
  const folder = createPinFolder(deps.pins ?? PINS, owner, netns);
  const links = createHookLinks(folder.path, (work) =>
    netns === undefined ? work() : insideNetns(netns, work),
  );
  const pinned = createPinnedMaps(folder, now);
  const inTurn = createInTurn();
  let applied: HostPolicy | null = null;
  let seen = { state: "", moves: 0 };

  const render = (policy: HostPolicy): Ruleset => renderGuards(policy, "");
  const reading = createReading({
    host,
    owner,
    now,
    netns,
    table: GUARDS_NAME,
    mayNameGroups: () => false,
  });
  const processes = createBoundProcesses(deps.controlGroups ?? createControlGroups());
  const kernel = createWriting({ host, owner, now, reading, guards, processes, render });

  const records = async () => {
    const found = readGuards((await reading.find()).ruleset);
    return typeof found === "string" ? null : found;
  };

  const look = async (): Promise<ReadBackResult> => {
    folder.requireOwn();
    if (applied !== null) await guards.bindArrivals(render(applied), kernel.load);
    const { ruleset, readAt } = await reading.find();
    const settings = settingDifferences(readSettings(host));
    const open = pinned.existing();
    if (open === null) {
      const nothing = ["the maps of this driver are not there"];
      return readBackOf({ policy: null, differences: [...nothing, ...settings], readAt }, applied);
    }
    const expected = (policy: HostPolicy): Ruleset =>
      policy === applied
        ? knownPorts(guards.expected(render(policy)), kernel.links)
        : knownPorts(render(policy), host.interfaces());
    const raw = open.maps.raw();
    const found = policyOfMaps({ raw, ruleset, readAt }, applied, readClocks(now), expected);
    const differences = [
      ...found.differences,
      ...links.missing(open.object),
      ...pinned.differences(),
      ...settings,
    ];
    return readBackOf({ ...found, differences }, applied);
  };

  /** Strangers may interfere between reading and writing: look again, once. */
  const writeGuards = async (policy: HostPolicy): Promise<void> => {
    try {
      await kernel.change(policy, false);
    } catch (error) {
      if (!isRefused(error)) throw error;
      reading.forget();
      await kernel.change(policy, false);
    }
  };

  const takeOut = async (leaveSettings: boolean): Promise<void> => {
    links.detach();
    pinned.close();
    folder.clear();
    await kernel.takeOut(leaveSettings);
  };

  const write = async (policy: HostPolicy): Promise<void> => {
    const isFirst = folder.names().length === 0;
    folder.make();
    const { tables, object } = pinned.open();
    let undo: (() => void) | undefined;
    try {
      const prepared = await tables.prepare(policy, records);
      undo = prepared.undo;
      links.ensure(object);
      await writeGuards(policy);
      undo = undefined;
      await prepared.commit();
    } catch (error) {
      undo?.();
      if (isFirst) {
        links.detach();
        pinned.close();
        folder.clear();
      }
      throw error;
    }
  };

  const apply = async (policy: HostPolicy): Promise<UnsignedReceipt> => {
    requireSound(policy);
    requireHeld(policy);
    requireFit(roomFor(policy, limit));
    folder.requireOwn();
    await reading.recall();
    await write(policy);
    applied = policy;
    let found = await look();
    if (found.differences.length > 0 || found.digest !== found.desiredDigest) {
      // Somebody changed what this process remembers.
      pinned.forget();
      await write(policy);
      found = await look();
    }
    const { digest, readAt, entries } = found;
    return { revision: policy.revision, digest, driver: NAME, readAt, entries };
  };

  const repair = async (): Promise<UnsignedReceipt | null> => {
    if (applied === null) return null;
    pinned.forget();
    return await apply(applied);
  };

  const counters = async () => {
    const open = pinned.existing();
    const tables = await reading.counters();
    return open === null || applied === null
      ? tables
      : sumCounters([...readCounters(open.object, open.maps, applied, readClocks(now)), ...tables]);
  };

  const generation = (): number => {
    const open = pinned.current();
    const state = [
      reading.generation(),
      settingDifferences(readSettings(host)).join(),
      guards.hasArrivals(),
      folder.names().join(),
      open === null ? "" : [...links.missing(open.object), ...pinned.differences()].join(),
      open === null ? "" : Math.floor(now() / TICK_MS),
    ].join("\n");
    if (state !== seen.state) seen = { state, moves: seen.moves + 1 };
    return seen.moves;
  };

  return {
    name: NAME,
    limit,
    apply: (policy) => inTurn(() => apply(policy)),
    readBack: () => inTurn(look),
    repair: () => inTurn(repair),
    render(policy) {
      const before = { bridgeIptables: "-", bridgeIp6tables: "-", accounting: "-" };
      const marked = withComment(render(policy), formatMarker({ owner, before }));
      return `${printMaps(policy)}\n${printRuleset(marked, now())}`;
    },
    counters: () => inTurn(counters),
    // Processes are not judged here, so there is nobody to be bound.
    bindProcesses: () => Promise.resolve(false),
    cgroupOf: () => undefined,
    isInForce: () => inTurn(async () => (await reading.isThere()) || folder.isUsed()),
    settingsBefore: () => inTurn(async () => (await reading.find()).marker?.before ?? null),
    inherit: (before) => kernel.inherit(before),
    remove: (options) =>
      inTurn(async () => {
        folder.requireOwn();
        await reading.find();
        await takeOut(options?.settings === "kept");
        applied = null;
      }),
    capacity: (policy) => roomFor(policy, limit),
    generation,
  };
};
