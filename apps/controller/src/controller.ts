/**
 * The controller's wiring: its parts, and what flows between them.
 *
 *                 API (unix socket)
 *                      │
 *   state store ◄── governor ──► distributor ──► link ◄──► agent ──► the kernel
 *   (revisions)        │              ▲            │
 *                      ▼              │            ├─ surroundings ──► world ──► names
 *                   reading ──────────┴────────────┤
 *                                                  └─ flows ──► intake ──► flow store
 *                                                                  └─► referee ──► alarms
 */
import { dirname } from "node:path";
import type { Logger } from "pino";
import {
  ApiFailure,
  type Alarm,
  type StatusAnswer,
  type UnderWay,
  type RetentionDays,
} from "@bulkhead/api";
import {
  DAY_MS,
  type ConfiguredDependency,
  type Flow,
  type Mode,
  type Schedule,
  type WorkloadId,
} from "@bulkhead/model";
import { openStateStore, type FlowStats, type FlowStore, type StateStore } from "@bulkhead/store";
import {
  CONFIGURATION_SOURCES,
  type AgentSettings,
  type ConfigurationSource,
  type DriftSetting,
} from "@bulkhead/wire";
import { createAlarms } from "./alarms.ts";
import { createExpectations } from "./expectation/expectations.ts";
import { createAcquaintances } from "./flows/acquaintances.ts";
import { ruleNames, type RuleNames } from "./flows/rule-names.ts";
import { AmbiguousCount } from "./flows/ambiguous.ts";
import { createFlowExporter, type FlowExporter } from "./flows/flow-exporter.ts";
import { createFlowImporter, type FlowImporter } from "./flows/flow-importer.ts";
import { startFlowIntake, type FlowIntake } from "./flows/flow-intake.ts";
import { watchBlindSpots, type BlindSpots } from "./measures/blind-spots.ts";
import { startMeasures, type Measures } from "./measures/measures.ts";
import { openFlows } from "./flows/open-flows.ts";
import { readRetention, retentionAt } from "./flows/retention.ts";
import { withPatience } from "./flows/patient-store.ts";
import { createNameWatch } from "./flows/name-watch.ts";
import { Referee } from "./flows/referee.ts";
import type { AgentSession } from "./link/agent-session.ts";
import { createAgentListener } from "./link/agent-listener.ts";
import { startLinkServer } from "./link/link-server.ts";
import { Distributor, type Compiled } from "./policy/distributor.ts";
import { domainSetsOf, saidRanges } from "./policy/domain-sets.ts";
import { watchChain } from "./policy/chain-watch.ts";
import { Governor } from "./policy/governor.ts";
import type { Reading } from "./policy/reading.ts";
import { AFTER_DEADLINE_MS, TRIAL_MS, TRIAL_NOTE } from "./policy/trial.ts";
import { openDoubtBook, type DoubtBook } from "./queries/doubt-book.ts";
import { createReadiness, type ReadinessQueries } from "./queries/readiness.ts";
import { ruledBy } from "./queries/ruled.ts";
import { receiptMatches, statusOf } from "./queries/status.ts";
import { askUnderWay, type WhatCuts } from "./queries/under-way.ts";
import type { Restarts } from "./restarts.ts";
import { loadSigningKey } from "./signing-key.ts";
import type { StateDirectory } from "./state-directory.ts";
import { createGatekeeper } from "./world/gatekeeper.ts";
import { createUnitMemory } from "./world/unit-memory.ts";
import { createNamer } from "./world/naming.ts";
import { WorldKeeper } from "./world/world-keeper.ts";
import type { World } from "./world/world.ts";

export interface Controller {
  readonly state: StateStore;
  readonly flows: FlowStore;
  readonly intake: FlowIntake;
  readonly importer: FlowImporter;
  readonly exporter: FlowExporter;
  readonly governor: Governor;
  readonly distributor: Distributor;
  readonly now: () => number;
  world(): World;
  /** How the world looks under a reading: the same surroundings, other names. */
  worldUnder(reading: Reading): World;
  modes(): Readonly<Record<string, Mode>>;
  /** What is known to be coming, as far as files and agents tell. */
  schedules(): readonly Schedule[];
  dependencies(): readonly ConfiguredDependency[];
  /** What of it could not be read, in sentences. */
  unreadable(): readonly string[];
  /** Workloads at an end of a recorded flow. */
  seen(): Promise<ReadonlySet<WorkloadId>>;
  session(): AgentSession | undefined;
  requireSession(): AgentSession;
  driftSetting(): DriftSetting;
  setDrift(setting: DriftSetting): Promise<void>;
  /** What of workloads' configuration agents may read for destinations. */
  retention(): RetentionDays;
  setRetention(days: Partial<RetentionDays>): Promise<void>;
  readConfiguration(): readonly ConfigurationSource[];
  setReadConfiguration(sources: readonly ConfigurationSource[]): Promise<void>;
  render(compiled: Compiled): Promise<string>;
  /** Since when the kernel holds the policy as it is now; undefined while that changes. */
  heldSince(): number | undefined;
  /** Connections open now that it cuts; undefined when no agent tells. */
  underWay(what: WhatCuts): Promise<UnderWay[] | undefined>;
  status(): Promise<StatusAnswer>;
  readonly measures: Measures;
  readonly readiness: ReadinessQueries;
  readonly doubts: DoubtBook;
  /** Somebody should look at it. */
  alarm(kind: Alarm["kind"], message: string): void;
  stop(): Promise<void>;
}

export interface ControllerOptions {
  readonly directory: StateDirectory;
  readonly log: Logger;
  readonly now: () => number;
  readonly version: string;
  /** Space on disk that flows must leave to the rest. */
  readonly minFreeBytes?: number;
  /** How often a supervisor had to start this again. */
  readonly restarts?: Restarts | undefined;
  /** Whether what started this has gone; absent where nothing was to look after it. */
  readonly isOrphaned?: () => boolean;
  /** How long an agent may take to put a policy in force. */
  readonly applyTimeoutMs?: number;
  /** How often what the kernel denied is compared with what is on record. */
  readonly reconcileEveryMs?: number;
}

const PRUNE_EVERY_MS = 600_000;
/** For an answer out of history: more than any takes, less than a person waits. */
const FLOW_PATIENCE_MS = 30_000;
const STATS_PATIENCE_MS = 2000;
const RENDER_TIMEOUT_MS = 30_000;
/** An agent needs less than half of it, unless it hangs. */
const CHECK_TIMEOUT_MS = 5000;

export async function startController(options: ControllerOptions): Promise<Controller> {
  const { directory, log, now } = options;
  const startedAt = now();
  const alarms = createAlarms(now);
  // DuckDB takes one writer: a second controller on this directory ends here, before it touches a socket.
  const { store, setAside } = await openFlows(directory, {
    now,
    env: process.env,
    minFreeBytes: options.minFreeBytes,
  });
  const flows = withPatience(store, FLOW_PATIENCE_MS);
  if (setAside !== undefined) {
    const message = `the flow file could not be read and lies in \`${setAside}\`: history begins anew`;
    log.error(message);
    alarms.raise("store", message);
  }
  const state = await openStateStore(directory.state);
  const key = loadSigningKey(directory.signingKey);
  let drift: DriftSetting = (await state.setting("drift")) === "report" ? "report" : "repair";
  let retention = readRetention(await state.setting("retention"));
  let readConfiguration = readableSources((await state.setting("read-configuration")) ?? "");
  const settings = (): AgentSettings => ({ drift, readConfiguration });
  let sequence = Number((await state.setting("sequence")) ?? 0);
  let nameRule: RuleNames = ruleNames([]);
  const chain = watchChain(state, now);
  const referee = new Referee();
  const ambiguous = new AmbiguousCount();
  const nameWatch = createNameWatch();
  const gatekeeper = createGatekeeper({
    now,
    log,
    stored: await state.setting("anchors"),
    save: (text) => state.saveSetting("anchors", text),
    alarm: (message) => alarms.raise("spoofing", message),
  });

  const governor: Governor = await Governor.load({
    store: state,
    log,
    now,
    chain,
    worldUnder: (reading) => keeper.under(reading),
    requireAgent: () => void requireSession(),
    distributor: () => distributor,
    render,
    capacity: () => link.session()?.capacity ?? 0,
    underWay,
    check: (invariants, found) => requireSession().check(invariants, found, CHECK_TIMEOUT_MS),
    onChange: (inForce) => {
      const before = lastInForce;
      lastInForce = inForce;
      keeper.adopt(inForce.reading);
      nameWatch.adopt(domainSetsOf(inForce.held));
      measures.noteChange(before, inForce);
    },
  });
  let lastInForce = governor.inForce;

  const units = createUnitMemory({
    stored: await state.setting("units"),
    save: (text) => background(state.saveSetting("units", text)),
  });
  const keeper = new WorldKeeper(governor.inForce.reading, {
    now,
    gatekeeper,
    units,
    confined: () => distributor.wanted?.result.policy.endpoints,
  });

  nameWatch.adopt(domainSetsOf(governor.inForce.held));

  const distributor: Distributor = new Distributor(
    { revision: governor.inForce.revision, set: governor.inForce.reading.set },
    {
      log,
      now,
      key,
      session: () => link.session(),
      world: () => keeper.world,
      nextSequence: async () => {
        sequence += 1;
        await state.saveSetting("sequence", String(sequence));
        return sequence;
      },
      onChanging: () => referee.suspend(),
      applyTimeoutMs: options.applyTimeoutMs,
      onInstall: (failure) => measures.noteInstall(failure),
      onInForce: (compiled, receipt) => {
        nameRule = ruleNames(compiled.result.cookies);
        referee.adopt({ set: compiled.intent.set, index: compiled.world.index, since: now() });
        const session = link.session();
        if (session !== undefined) listener.takeReceipt(session, receipt);
        if (keeper.reconsider()) distributor.refresh();
      },
    },
    await leftOnTrial(state, now()),
  );

  const expectations = createExpectations({
    now,
    resources: () => governor.inForce.held.map(({ resource }) => resource),
    world: () => keeper.world,
    stored: await state.setting("expectations"),
    save: (text) => background(state.saveSetting("expectations", text)),
  });
  const met = createAcquaintances(flows, now);

  const intake = startFlowIntake({
    store: flows,
    log,
    namer: () => keeper.namer,
    ruleOf: (cookie) => nameRule(cookie),
    denial: (flow) => referee.denial(flow, now()),
    onFlows: examine,
    now,
  });

  const measures: Measures = await startMeasures({
    state,
    flows,
    log,
    now,
    flush: () => intake.flush(),
    status,
    modes,
    worldUnder: ({ reading }) => keeper.under(reading),
  });

  const importer = createFlowImporter({
    store: flows,
    now,
    namer: () => keeper.namer,
    heldAt: (address, time) => keeper.tenure.heldAt(address, time),
    onFlow: (flow) => met.note(flow),
    keepMs: () => retention.flows * DAY_MS,
  });

  const exporter = createFlowExporter({
    store: flows,
    folder: dirname(directory.flows),
    flush: () => intake.flush(),
  });

  function examine(seen: readonly Flow[]): void {
    const time = now();
    measures.noteFlows(seen);
    blindSpots.noteFlows(seen);
    ambiguous.see(seen, keeper.world.index);
    nameWatch.see(seen);
    for (const flow of seen) {
      met.note(flow);
      if (flow.verdict === "spoofed") {
        alarms.raise(
          "spoofing",
          `somebody sends as ${flow.source.name} (${flow.source.address}) who is not`,
        );
      }
      const finding = referee.judge(flow, time);
      if (finding !== null) {
        alarms.raise("verdict", finding);
        log.error({ flow }, finding);
      }
    }
  }

  const listener = createAgentListener({
    log,
    alarms,
    state,
    intake: () => intake,
    publicKey: key.publicKey,
    settings,
    onExpected: (host, found) => expectations.told(host, found),
    matches: (receipt) => receiptMatches(receipt, distributor.wanted, now()),
    onDrift: (host, report) => measures.noteDrift(host, report),
    onHeld: (host, readAt) => measures.noteHeld(host, readAt),
    onWentBack: ({ revision }) => background(governor.wentBack(revision)),
    onDiscovered: (found, first) => {
      keeper.discovered(found);
      // Only now is it known who is attached; a policy for nobody would confine nobody.
      if (first) distributor.agentConnected();
      else distributor.refresh();
    },
  });
  const link = await startLinkServer(directory.agentSocket, listener, { log, now });

  async function render(compiled: Compiled): Promise<string> {
    const { ruleset, error } = await requireSession().render(
      compiled.result.policy,
      RENDER_TIMEOUT_MS,
    );
    if (error !== undefined) throw new ApiFailure("capacity", error);
    return ruleset;
  }

  function underWay({ reading, world, mode }: WhatCuts): Promise<UnderWay[] | undefined> {
    const { set } = governor.inForce.reading;
    return askUnderWay(link.session(), log, {
      before: { set, index: keeper.under(governor.inForce.reading).index },
      after: { set: reading.set, index: world.index },
      mode,
      name: createNamer(world, reading.networkSets),
      now: now(),
    });
  }

  function modes(): Readonly<Record<string, Mode>> {
    const { revision, reading } = governor.inForce;
    return (distributor.wanted ?? distributor.compile({ revision, set: reading.set })).result.modes;
  }

  function requireSession(): AgentSession {
    const session = link.session();
    if (session === undefined) {
      throw new ApiFailure("agent-away", "no agent is connected", {
        help: "`bulkhead status` tells more",
      });
    }
    return session;
  }

  function background(work: Promise<unknown>): void {
    work.catch((error: unknown) => log.error({ err: error }, "something in the background failed"));
  }

  /** Days are summed before what they were summed of is forgotten. */
  async function prune(): Promise<void> {
    await flows.compact(now());
    const forgotten = await flows.prune(retentionAt(now(), retention));
    if (forgotten.flows + forgotten.days > 0) log.info({ forgotten }, "old flows are forgotten");
  }

  const doubts = await openDoubtBook(state, now);
  const readiness = createReadiness({
    async histories() {
      await intake.flush();
      return flows.histories({ probes: false });
    },
    watch: () => flows.watch(),
    inventory: () => keeper.world.inventory,
    schedules: () => expectations.schedules(),
    dependencies: () => expectations.dependencies(),
    domainSets: () => domainSetsOf(governor.inForce.held),
    ranges: () => saidRanges(governor.inForce.held),
    book: doubts,
    ruled: () => ruledBy(governor.inForce.reading.set, keeper.world.index, now()),
    held: () => governor.inForce.held,
    now,
  });

  let lastStats: FlowStats = { stored: 0, bytes: 0 };

  function flowStatus(stats: FlowStats | null): StatusAnswer["flows"] {
    lastStats = stats ?? lastStats;
    const problem =
      intake.problem ?? (stats === null ? "the flow store does not answer" : undefined);
    return {
      ...lastStats,
      waiting: intake.waiting,
      redated: intake.redated,
      unstored: intake.unstored,
      writable: problem === undefined,
      ...(problem === undefined ? {} : { problem }),
    };
  }

  async function status(): Promise<StatusAnswer> {
    const [pending, intact, drifts, stats, probe] = await Promise.all([
      state.pendingConfirm(),
      chain.check(),
      state.drifts(1),
      // A silent store must not keep anybody from knowing the rest.
      withPatience(flows, STATS_PATIENCE_MS)
        .stats()
        .catch(() => null),
      state.lastProbeRun(),
    ]);
    return statusOf({
      version: options.version,
      now: now(),
      startedAt,
      restarts: options.restarts,
      inForce: governor.inForce,
      world: keeper.world,
      wanted: distributor.wanted,
      problem: distributor.problem,
      modes: modes(),
      session: link.session(),
      pending,
      chain: intact,
      drift: { setting: drift, total: drifts.total, last: drifts.reports[0] },
      flows: flowStatus(stats),
      unread: gatekeeper.unread,
      names: nameWatch.notices(),
      ambiguousConnections: ambiguous.connections,
      alarms: alarms.list(),
      lastLook: governor.lastLook,
      orphaned: options.isOrphaned?.() ?? false,
      readiness: readiness.last("application"),
      probe,
    });
  }

  const blindSpots: BlindSpots = watchBlindSpots({
    session: () => link.session(),
    state,
    alarm: (message) => alarms.raise("blind-spot", message),
    ruleOf: (cookie) => nameRule(cookie),
    log,
    now,
    ...(options.reconcileEveryMs === undefined ? {} : { everyMs: options.reconcileEveryMs }),
  });

  const pruning = setInterval(() => background(prune()), PRUNE_EVERY_MS);
  await governor.resume();

  return {
    state,
    flows,
    intake,
    importer,
    exporter,
    governor,
    distributor,
    now,
    world: () => keeper.world,
    worldUnder: (reading) => keeper.under(reading),
    modes,
    schedules: () => expectations.schedules(),
    dependencies: () => expectations.dependencies(),
    unreadable: () => expectations.problems(),
    seen: () => met.all(),
    session: () => link.session(),
    requireSession,
    driftSetting: () => drift,
    async setDrift(setting) {
      await state.saveSetting("drift", setting);
      drift = setting;
      link.session()?.send({ kind: "settings", ...settings() });
    },
    retention: () => retention,
    async setRetention(days) {
      const next = { ...retention, ...days };
      await state.saveSetting("retention", JSON.stringify(next));
      retention = next;
      log.warn({ days: next }, "how long flows are kept has changed");
    },
    readConfiguration: () => readConfiguration,
    async setReadConfiguration(sources) {
      const allowed = CONFIGURATION_SOURCES.filter((one) => sources.includes(one));
      await state.saveSetting("read-configuration", allowed.join());
      if (allowed.join() !== readConfiguration.join())
        log.warn({ sources: allowed }, "what of workloads' configuration is read has changed");
      readConfiguration = allowed;
      link.session()?.send({ kind: "settings", ...settings() });
    },
    render,
    underWay,
    heldSince: () => referee.since,
    status,
    measures,
    readiness,
    doubts,
    alarm: (kind, message) => alarms.raise(kind, message),
    async stop() {
      clearInterval(pruning);
      await blindSpots.stop();
      await governor.stop();
      await distributor.stop();
      await link.stop();
      await intake.stop();
      await measures.stop();
      await flows.close();
      await state.close();
    },
  };
}

function readableSources(text: string): readonly ConfigurationSource[] {
  return CONFIGURATION_SOURCES.filter((one) => text.split(",").includes(one));
}

/** Until when what a former run left unconfirmed, or untried, is on trial. */
async function leftOnTrial(state: StateStore, now: number): Promise<number | undefined> {
  const pending = await state.pendingConfirm();
  if (pending !== null) return pending.deadline + AFTER_DEADLINE_MS;
  return (await state.setting(TRIAL_NOTE)) ? now + TRIAL_MS : undefined;
}
