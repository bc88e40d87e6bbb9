/**
 * The nftables driver: reconciles the kernel with a HostPolicy. It reads what is there, applies the difference in one
 * transaction, and reads back what the kernel then holds; the digest of that is the receipt. Calls are taken one at a
 * time. It touches three tables, all named bulkhead, and three kernel settings, and nothing else.
 *
 *   apply ──► reading ──► difference ──► writing ──► the kernel ──► reading ──► receipt
 *               ▲                           ▲
 *             the last listing            guards of absent interfaces, numbers of control groups
 */
import {
  DEFAULT_LIMITS,
  beforeLettingGo,
  checkCapacity,
  formatMarker,
  hasProcesses,
  isOwner,
  knownPorts,
  printRuleset,
  readRuleset,
  renderRuleset,
  usageOf,
  withComment,
} from "@bulkhead/datapath";
import type { Ruleset } from "@bulkhead/datapath";
import { createInTurn } from "@bulkhead/model";
import type { HostPolicy } from "@bulkhead/model";
import { createControlGroups } from "../control-groups.ts";
import { DriverError, isRefused } from "../driver-error.ts";
import type { Driver, DriverDeps, ReadBackResult, UnsignedReceipt } from "../driver.ts";
import { createHostCommands } from "../host-commands.ts";
import { readSettings, settingDifferences } from "../kernel-settings.ts";
import { hasDeadlines } from "../policy-digest.ts";
import { readBackOf } from "../read-back.ts";
import { requireFit, requireSound } from "../refusals.ts";
import { createAbsentGuards } from "../tables/absent-guards.ts";
import { ATTEMPTS, createBoundProcesses } from "../tables/bound-processes.ts";
import { createReading } from "../tables/reading.ts";
import type { Found } from "../tables/reading.ts";
import { createWriting } from "../tables/writing.ts";

const NAME = "nftables";
/** How often rules are read that change while they are. */
const READINGS = 4;
/** How often deadlines that are off are written again. */
const LATE_AGAIN = 2;

export const createNftablesDriver = (deps: DriverDeps): Driver => {
  const { owner, now } = deps;
  if (!isOwner(owner)) throw new DriverError("invalid-policy", `\`${owner}\` is no owner name`);
  const limits = { ...DEFAULT_LIMITS, elements: deps.maxEntries ?? DEFAULT_LIMITS.elements };
  const host = createHostCommands(deps.netns, deps.patienceMs);
  const groups = deps.controlGroups ?? createControlGroups();
  const guards = createAbsentGuards(host);
  const processes = createBoundProcesses(groups);
  let applied: HostPolicy | null = null;
  /** As expensive as reading, and kept while it holds. */
  let rendered: { readonly policy: HostPolicy; readonly ruleset: Ruleset } | null = null;
  const inTurn = createInTurn();
  /** Within a turn, or, to bind, beside one that reads. */
  const writing = createInTurn();

  const render = (policy: HostPolicy): Ruleset => {
    if (rendered?.policy !== policy) rendered = { policy, ruleset: renderRuleset(policy, "") };
    return rendered.ruleset;
  };

  const reading = createReading({
    host,
    owner,
    now,
    netns: deps.netns,
    mayNameGroups: () => groups.exist && (applied === null || hasProcesses(applied)),
  });
  const kernel = createWriting({ host, owner, now, reading, guards, processes, render });

  const settle = ({ ruleset, readAt }: Found, settings: readonly string[]): ReadBackResult => {
    const expected =
      applied === null
        ? undefined
        : processes.expected(knownPorts(guards.expected(render(applied)), kernel.links));
    const { policy, differences } = readRuleset(
      ruleset,
      applied,
      readAt,
      expected,
      (wanted, of) => processes.desired(wanted, of).ruleset,
    );
    return readBackOf({ policy, differences: [...differences, ...settings], readAt }, applied);
  };

  const lookWhileNobodyBinds = async (): Promise<ReadBackResult> => {
    if (applied !== null) await guards.bindArrivals(render(applied), kernel.load);
    let found = await reading.find();
    try {
      if (await bind()) found = await reading.find();
    } catch (error) {
      // Somebody took away what was to be changed, and that is what the reader is about to be told.
      if (!isRefused(error)) throw error;
    }
    return settle(found, settingDifferences(readSettings(host)));
  };

  /** Reading takes long, and a unit that starts meanwhile loses packets until it is bound: that does not wait. */
  const look = async (): Promise<ReadBackResult> => {
    const rules = applied === null ? null : render(applied);
    if (rules !== null) await writing(() => guards.bindArrivals(rules, kernel.load));
    for (let attempt = 1; attempt <= READINGS; attempt += 1) {
      const before = processes.round;
      const found = await reading.find();
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
    applied !== null &&
    (await processes.bind(applied, render(applied), reading.versions, kernel.loadAtOnce, now));

  const bindNow = async (): Promise<boolean> => {
    const isNews = await bind();
    if (applied !== null && hasProcesses(applied)) host.getReady();
    return isNews;
  };

  /** Somebody may have started, and loses packets until it is done. */
  const bindProcesses = (): Promise<boolean> => writing(bindNow);

  const capacity = (policy: HostPolicy) => {
    const usage = usageOf(render(policy));
    return { entries: usage.elements, problems: checkCapacity(usage, limits) };
  };

  const insist = async (policy: HostPolicy): Promise<void> => {
    // Elements may expire, units may stop, and strangers may interfere, between reading and writing: look again.
    const attempts = hasProcesses(policy) ? ATTEMPTS : 2;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await kernel.change(policy, attempt > 2);
      } catch (error) {
        if (attempt === attempts || !isRefused(error)) throw error;
        reading.forget();
      }
    }
  };

  /** Deadlines are written as time left: where writing took long, or the clock was put right meanwhile, they are written again. */
  const lookForLateness = async (policy: HostPolicy): Promise<ReadBackResult> => {
    for (let again = LATE_AGAIN; ; again -= 1) {
      const found = await lookWhileNobodyBinds();
      const isLate = found.digest !== found.desiredDigest && hasDeadlines(policy);
      if (!isLate || again === 0) return found;
      await insist(policy);
    }
  };

  const apply = async (policy: HostPolicy): Promise<UnsignedReceipt> => {
    requireSound(policy);
    groups.check(policy);
    requireFit(capacity(policy));
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
    const { digest, readAt, entries } = await lookForLateness(policy);
    return { revision: policy.revision, digest, driver: NAME, readAt, entries };
  };

  return {
    name: NAME,
    limit: limits.elements,
    apply: (policy) => inTurn(() => writing(() => apply(policy))),
    readBack: () => inTurn(look),
    repair: () =>
      inTurn(() => writing(async () => (applied === null ? null : await apply(applied)))),
    render: (policy) => {
      const before = { bridgeIptables: "-", bridgeIp6tables: "-", accounting: "-" };
      const marked = withComment(render(policy), formatMarker({ owner, before }));
      return printRuleset(processes.desired(marked, policy).ruleset, now());
    },
    counters: () => inTurn(() => reading.counters()),
    isInForce: () => inTurn(() => reading.isThere()),
    settingsBefore: () => inTurn(async () => (await reading.find()).marker?.before ?? null),
    inherit: (before) => kernel.inherit(before),
    remove: (options) =>
      inTurn(() =>
        writing(async () => {
          await kernel.takeOut(options?.settings === "kept");
          applied = null;
        }),
      ),
    bindProcesses,
    cgroupOf: (wanted) => applied?.processes?.find(({ handle }) => handle === wanted)?.cgroup,
    capacity,
    generation: () => {
      const id = reading.generation();
      const moved = settingDifferences(readSettings(host)).length === 0 ? id : -1 - id;
      const isUnbound = applied !== null && processes.isBehind(applied);
      return moved + (guards.hasArrivals() ? 0.5 : 0) + (isUnbound ? 0.25 : 0);
    },
  };
};
