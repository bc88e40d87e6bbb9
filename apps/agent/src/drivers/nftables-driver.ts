/**
 * The nftables driver: reconciles the kernel with a HostPolicy. It reads what is there, applies the difference in one
 * transaction, and reads back what the kernel then holds; the digest of that is the receipt. Calls are taken one at a
 * time. It touches three tables, all named bulkhead, and three kernel settings, and nothing else.
 */
import { createHash } from "node:crypto";
import {
  DEADLINE_TOLERANCE,
  DEFAULT_LIMITS,
  beforeLettingGo,
  checkCapacity,
  checkHostPolicy,
  currentVersions,
  effectiveAt,
  formatMarker,
  hasProcesses,
  isOwner,
  knownPorts,
  ownCounters,
  parseCounters,
  parseListings,
  parseMarker,
  planUpdate,
  printRuleset,
  readRuleset,
  renderRuleset,
  sumCounters,
  usageOf,
  withComment,
} from "@bulkhead/datapath";
import type {
  Before,
  CounterReading,
  Limits,
  Links,
  Marker,
  Ruleset,
  TableFamily,
  Usage,
  Versions,
} from "@bulkhead/datapath";
import { canonicalHostPolicy, countEntries, createInTurn } from "@bulkhead/model";
import type { CgroupPath, HostPolicy, MapSet, ProcessHandle, Receipt } from "@bulkhead/model";
import { rulesetGeneration } from "../kernel/generation.ts";
import { insideNetns } from "../kernel/netns.ts";
import { createAbsentGuards } from "./absent-guards.ts";
import { ATTEMPTS, createBoundProcesses } from "./bound-processes.ts";
import { createControlGroups } from "./control-groups.ts";
import type { ControlGroups } from "./control-groups.ts";
import { DriverError, fromNft, isRefused } from "./driver-error.ts";
import { gracePeriod } from "./grace.ts";
import { createHostCommands } from "./host-commands.ts";
import type { CommandResult } from "./started-command.ts";
import { putBack, readSettings, settingDifferences, turnOn } from "./kernel-settings.ts";

export interface NftablesDriverDeps {
  /** Stable for this installation: a restarted agent takes over its own tables, another one is refused. */
  readonly owner: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** Path of the network namespace to work in; absent = the agent's own. */
  readonly netns?: string;
  readonly limits?: Limits;
  /** How long one run of nft may take. */
  readonly patienceMs?: number;
  /** Where processes of this machine are; absent = its own hierarchy. */
  readonly controlGroups?: ControlGroups;
}

export type UnsignedReceipt = Omit<Receipt, "signature">;

export interface ReadBackResult {
  /** `sha256:…` over the canonical policy found, and over every difference that is no part of a policy. */
  readonly digest: string;
  /** What the digest must be, now, for nothing to differ; null before the first apply. */
  readonly desiredDigest: string | null;
  readonly policy: HostPolicy | null;
  /** Human sentences; empty iff the kernel holds exactly what was applied last. */
  readonly differences: readonly string[];
  readonly readAt: number;
  readonly entries: number;
}

export interface NftablesDriver {
  /**
   * Makes the kernel hold the policy, whole or not at all, and returns what it then holds. Throws `DriverError`; the
   * kernel then holds what it held before.
   */
  apply(policy: HostPolicy): Promise<UnsignedReceipt>;
  readBack(): Promise<ReadBackResult>;
  /** Applies the last policy again, over whatever is there; null when none was applied. */
  repair(): Promise<UnsignedReceipt | null>;
  /** The exact text for a machine that holds nothing of ours yet. */
  render(policy: HostPolicy): string;
  counters(): Promise<CounterReading[]>;
  /**
   * Tells the kernel which control groups of known processes there are now; true when that was news. To be called whenever one
   * comes or goes: until then, who is in a new one is unknown. Neither a change of policy nor drift, and cheap when nothing moved.
   */
  bindProcesses(): Promise<boolean>;
  /** Whose handle this is, in the policy in force. */
  cgroupOf(handle: ProcessHandle): CgroupPath | undefined;
  /** Deletes our tables and puts the kernel's settings back. */
  remove(): Promise<void>;
  /** What a policy would need and what the limits are. Problems are empty iff it fits. */
  capacity(policy: HostPolicy): { usage: Usage; limits: Limits; problems: readonly string[] };
  /**
   * A number that moves whenever anybody commits a change of rules, when a kernel setting that enforcement rests on is
   * turned off, and when an interface appears whose guard, or a process whose control group is still to be bound. Cheap: while it stands still, there is no
   * need to read back.
   */
  generation(): number;
}

const sha256 = (text: string): string =>
  `sha256:${createHash("sha256").update(text).digest("hex")}`;

/** Of policies without an end, so that each is digested once. */
const digests = new WeakMap<HostPolicy, string>();

const isTimed = ({ overlay, processOverlay = [] }: MapSet): boolean =>
  overlay.length + processOverlay.length > 0;

/** The digest of a policy in force at `now`. */
export const digestOf = (policy: HostPolicy, now: number): string => {
  const sets = [policy.live, policy.shadow, policy.canary?.maps];
  if (sets.some((set) => set !== undefined && isTimed(set)))
    return sha256(canonicalHostPolicy(effectiveAt(policy, now)));
  const digest = digests.get(policy) ?? sha256(canonicalHostPolicy(policy));
  digests.set(policy, digest);
  return digest;
};

/** How often rules are read that change while they are. */
const READINGS = 4;

const MISSING = /No such file or directory/;
/** A kernel may have been built without bridges; then there is none to guard. */
const WITHOUT = /not supported/;

const isMissing = (family: TableFamily, said: string): boolean =>
  MISSING.test(said) || (family === "bridge" && WITHOUT.test(said));
/** Protocols and priorities as numbers, whatever /etc/protocols says. */
const LIST = ["-p", "-y", "list"];

interface Found {
  readonly ruleset: Ruleset;
  readonly marker: Marker | null;
  readonly readAt: number;
}

export const createNftablesDriver = (deps: NftablesDriverDeps): NftablesDriver => {
  const { owner, now, limits = DEFAULT_LIMITS } = deps;
  if (!isOwner(owner)) throw new DriverError("invalid-policy", `\`${owner}\` is no owner name`);
  const host = createHostCommands(deps.netns, deps.patienceMs);
  const guards = createAbsentGuards(host);
  let applied: HostPolicy | null = null;
  /** The interfaces there were when it was applied. */
  let links: Links = new Map();
  /** The settings before us, should somebody delete the tables that tell. */
  let remembered: Before | null = null;
  /** The two most expensive things, kept while they hold. */
  let rendered: { readonly policy: HostPolicy; readonly ruleset: Ruleset } | null = null;
  let seen: { readonly found: Found; readonly generation: number } | null = null;
  const inTurn = createInTurn();
  /** Within a turn, or, to bind, beside one that reads. */
  const writing = createInTurn();
  const groups = deps.controlGroups ?? createControlGroups();
  const processes = createBoundProcesses(groups);
  /** The names under which the kernel holds look-ups. */
  let versions: Versions = {};

  /** May the table name control groups? */
  const mayNameGroups = (family: TableFamily): boolean =>
    family === "inet" && groups.exist && (applied === null || hasProcesses(applied));

  const list = async (family: TableFamily): Promise<string> => {
    const asked = [...LIST, "table", family, "bulkhead"];
    const { code, stdout, stderr } = await (mayNameGroups(family)
      ? host.nftBlind(asked)
      : host.nft(asked));
    if (code === 0) return stdout;
    if (isMissing(family, stderr)) return "";
    throw fromNft(stderr);
  };

  const generation = (): number =>
    deps.netns === undefined
      ? rulesetGeneration().id
      : insideNetns(deps.netns, () => rulesetGeneration().id);

  const render = (policy: HostPolicy): Ruleset => {
    if (rendered?.policy !== policy) rendered = { policy, ruleset: renderRuleset(policy, "") };
    return rendered.ruleset;
  };

  const find = async (): Promise<Found> => {
    const before = generation();
    const found = await read();
    versions = currentVersions(found.ruleset);
    seen = before === generation() ? { found, generation: before } : null;
    return found;
  };

  /** What was found last, if nobody has changed any rules since. */
  const recall = async (): Promise<Found> =>
    seen !== null && seen.generation === generation() ? seen.found : await find();

  const read = async (): Promise<Found> => {
    const [inet, netdev, bridge] = await Promise.all([
      list("inet"),
      list("netdev"),
      list("bridge"),
    ]);
    const readAt = now();
    const ruleset = parseListings({ inet, netdev, bridge }, readAt, host.interfaces());
    for (const table of Object.values(ruleset)) {
      const marker = parseMarker(table.comment ?? "");
      if (marker?.owner !== owner)
        throw new DriverError(
          "owned-by-another",
          `table ${table.family} ${table.name} belongs to ${marker === null ? "somebody else" : `another agent (${marker.owner})`}; it is left alone`,
        );
    }
    const comment = (ruleset.inet ?? ruleset.netdev ?? ruleset.bridge)?.comment;
    return { ruleset, marker: comment === undefined ? null : parseMarker(comment), readAt };
  };

  const settle = (found: Found, settings: readonly string[]): ReadBackResult => {
    const { ruleset, readAt } = found;
    const expected =
      applied === null
        ? undefined
        : processes.expected(knownPorts(guards.expected(render(applied)), links));
    const { policy, differences: tables } = readRuleset(
      ruleset,
      applied,
      readAt,
      expected,
      (wanted, of) => processes.desired(wanted, of).ruleset,
    );
    const differences = [...tables, ...settings];
    const body = policy === null ? "unreadable" : canonicalHostPolicy(policy);
    const digest = sha256([body, ...differences].join("\n"));
    let desiredDigest = applied === null ? null : digestOf(applied, readAt);
    if (applied !== null) {
      // An element may have gone a moment before its time, by the kernel's clock, or been listed a moment before it went.
      for (const wobble of [DEADLINE_TOLERANCE, -DEADLINE_TOLERANCE]) {
        if (digest === desiredDigest) break;
        const near = digestOf(applied, readAt + wobble);
        if (digest === near) desiredDigest = near;
      }
    }
    return {
      digest,
      desiredDigest,
      policy,
      differences,
      readAt,
      entries: policy === null ? 0 : countEntries(policy),
    };
  };

  const lookWhileNobodyBinds = async (): Promise<ReadBackResult> => {
    if (applied !== null) await guards.bindArrivals(render(applied), load);
    let found = await find();
    try {
      if (await bind()) found = await find();
    } catch (error) {
      // Somebody took away what was to be changed, and that is what the reader is about to be told.
      if (!isRefused(error)) throw error;
    }
    return settle(found, settingDifferences(readSettings(host)));
  };

  /** Reading takes long, and a unit that starts meanwhile loses packets until it is bound: that does not wait. */
  const look = async (): Promise<ReadBackResult> => {
    const rules = applied === null ? null : render(applied);
    if (rules !== null) await writing(() => guards.bindArrivals(rules, load));
    for (let attempt = 1; attempt <= READINGS; attempt += 1) {
      const before = processes.round;
      const found = await find();
      const isCalm = before % 2 === 0 && processes.round === before;
      if (applied === null || (isCalm && !processes.isBehind(applied)))
        return settle(found, settingDifferences(readSettings(host)));
      try {
        await bindProcesses();
      } catch (error) {
        if (!isRefused(error)) throw error;
        break;
      }
    }
    // Units come and go without end, and wait for once, or somebody took away what was to be changed.
    return await writing(lookWhileNobodyBinds);
  };

  const bind = async (): Promise<boolean> =>
    applied !== null && (await processes.bind(applied, render(applied), versions, loadAtOnce, now));

  const bindNow = async (): Promise<boolean> => {
    const isNews = await bind();
    if (applied !== null && hasProcesses(applied)) host.getReady();
    return isNews;
  };

  /** Somebody may have started, and loses packets until it is done. */
  const bindProcesses = (): Promise<boolean> => writing(bindNow);

  const loadWith =
    (nft: (script: string) => Promise<CommandResult>) =>
    async (script: string): Promise<void> => {
      if (script === "") return;
      const { code, stderr } = await nft(script);
      if (code !== 0) throw fromNft(stderr);
    };
  const load = loadWith((script) => host.nft(["-f", "-"], script));
  const loadAtOnce = loadWith((script) => host.nftAtOnce(script));

  const capacity = (policy: HostPolicy) => {
    const usage = usageOf(render(policy));
    return { usage, limits, problems: checkCapacity(usage, limits) };
  };

  const change = async (policy: HostPolicy, calm: boolean): Promise<void> => {
    const found = await recall();
    const settings = readSettings(host);
    const before = found.marker?.before ?? remembered ?? settings;
    remembered = before;
    const there = host.interfaces();
    const marked = withComment(render(policy), formatMarker({ owner, before }));
    const desired = processes.desired(knownPorts(marked, there), policy, calm);
    turnOn(host, settings);
    try {
      await guards.write(desired.ruleset, (ruleset) => reconcile(found, ruleset));
      links = there;
      desired.told();
    } catch (error) {
      if (found.marker === null) putBack(host, before);
      throw error;
    }
  };

  const reconcile = async (found: Found, desired: Ruleset): Promise<void> => {
    const update = planUpdate(found.ruleset, desired, now());
    let prepared = false;
    try {
      await load(update.clear);
      if (found.ruleset.inet === undefined) {
        // Nothing of ours is there yet, so no packet can be on its way through it.
        await load(update.prepare + update.switch);
      } else {
        await load(update.prepare);
        prepared = true;
        await load(update.switch);
      }
    } catch (error) {
      if (prepared) await load(update.undo);
      throw error;
    }
    for (const later of [update.open, update.cleanup]) {
      if (later === "") continue;
      await gracePeriod();
      await load(later);
    }
  };

  const insist = async (policy: HostPolicy): Promise<void> => {
    // Elements may expire, units may stop, and strangers may interfere, between reading and writing: look again.
    const attempts = hasProcesses(policy) ? ATTEMPTS : 2;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await change(policy, attempt > 2);
      } catch (error) {
        if (attempt === attempts || !isRefused(error)) throw error;
        seen = null;
      }
    }
  };

  const apply = async (policy: HostPolicy): Promise<UnsignedReceipt> => {
    const problems = checkHostPolicy(policy);
    if (problems.length > 0)
      throw new DriverError("invalid-policy", "the compiled policy is not sound", problems);
    groups.check(policy);
    const fit = capacity(policy);
    if (fit.problems.length > 0)
      throw new DriverError(
        "does-not-fit",
        "the policy does not fit; the old one stays",
        fit.problems,
      );
    const former = applied;
    const between = beforeLettingGo(former, policy);
    if (between !== null) await insist(between);
    try {
      await insist(policy);
    } catch (error) {
      if (between !== null && former !== null) await insist(former);
      throw error;
    }
    applied = policy;
    const { digest, readAt, entries } = await lookWhileNobodyBinds();
    return { revision: policy.revision, digest, driver: "nftables", readAt, entries };
  };

  return {
    apply: (policy) => inTurn(() => writing(() => apply(policy))),
    readBack: () => inTurn(look),
    repair: () =>
      inTurn(() => writing(async () => (applied === null ? null : await apply(applied)))),
    render: (policy) => {
      const before = { bridgeIptables: "-", bridgeIp6tables: "-", accounting: "-" };
      const marked = withComment(render(policy), formatMarker({ owner, before }));
      return printRuleset(processes.desired(marked, policy).ruleset, now());
    },
    counters: () =>
      inTurn(async () => {
        // All tables at once: three programs would cost three times as much as what they do.
        const { code, stdout, stderr } = await host.nft([...LIST, "counters"]);
        if (code !== 0) throw fromNft(stderr);
        return sumCounters(parseCounters(ownCounters(stdout)));
      }),
    remove: () =>
      inTurn(() =>
        writing(async () => {
          const { ruleset, marker } = await find();
          await load(planUpdate(ruleset, {}, now()).switch);
          const before = marker?.before ?? remembered;
          if (before !== null) putBack(host, before);
          applied = null;
          remembered = null;
        }),
      ),
    bindProcesses,
    cgroupOf: (wanted) => applied?.processes?.find(({ handle }) => handle === wanted)?.cgroup,
    capacity,
    generation: () => {
      const id = generation();
      const moved = settingDifferences(readSettings(host)).length === 0 ? id : -1 - id;
      const isUnbound = applied !== null && processes.isBehind(applied);
      return moved + (guards.hasArrivals() ? 0.5 : 0) + (isUnbound ? 0.25 : 0);
    },
  };
};
