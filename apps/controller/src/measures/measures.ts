/**
 * What the measures are made of while it happens, and what they are when somebody asks. What spans weeks is in the state
 * store, counted by the hour or as incidents; the rest is asked of who knows it.
 *
 *   flows ────────► delay of alerts ──┐
 *   installs ─────► done, failed ─────┼──► hourly counts ──┐
 *   drift, receipts ► incidents ──────┤                    ├──► sloOf ──► `slo`, metrics
 *   changes of policy ► false denies ─┘    edges, coverage ┘
 */
import type { Logger } from "pino";
import {
  latencySchema,
  type FalseDenyAnswer,
  type Latency,
  type SloAnswer,
  type StatusAnswer,
} from "@bulkhead/api";
import {
  createInTurn,
  DAY_MS,
  isOwnRecord,
  type DriftReport,
  type Edge,
  type Flow,
  type Mode,
} from "@bulkhead/model";
import type { FlowStore, StateStore } from "@bulkhead/store";
import type { InForce } from "../policy/change.ts";
import { createJudgement } from "../queries/replay.ts";
import type { World } from "../world/world.ts";
import { countsOf } from "./alert-delay.ts";
import { fingerprintOf, isDenied, isScan } from "./denied.ts";
import { falseDenies } from "./false-denies.ts";
import { INSTALLS, sloOf, WEEK_MS } from "./slo.ts";
import { changesName, connectionsName } from "./tally-names.ts";

export interface MeasuresDeps {
  readonly state: StateStore;
  readonly flows: FlowStore;
  readonly log: Logger;
  readonly now: () => number;
  /** Stores what is waiting. */
  readonly flush: () => Promise<void>;
  readonly status: () => Promise<StatusAnswer>;
  readonly modes: () => Readonly<Record<string, Mode>>;
  readonly worldUnder: (inForce: InForce) => World;
}

export interface FalseDenyReport {
  readonly subject: string;
  readonly connections: number;
  readonly since: number;
  readonly author: string;
  readonly reason: string;
}

export interface Measured {
  readonly slo: SloAnswer;
  readonly status: StatusAnswer;
  readonly edges: readonly Edge[];
}

export interface Measures {
  noteFlows(flows: readonly Flow[]): void;
  /** An agent took a policy, or did not: then why. */
  noteInstall(failure?: string): void;
  noteDrift(host: string, report: DriftReport): void;
  /** The kernel was read and holds what is wanted. */
  noteHeld(host: string, readAt: number): void;
  /** Another policy is in force. */
  noteChange(before: InForce, after: InForce): void;
  reportFalseDeny(report: FalseDenyReport): Promise<FalseDenyAnswer>;
  saveLatency(latency: Latency): Promise<void>;
  slo(since?: number): Promise<SloAnswer>;
  /** As `slo`, with the edges of the window that it was made of. */
  measured(since?: number): Promise<Measured>;
  /** What has been noted is on disk. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

const SAVE_EVERY_MS = 10_000;
/** Denials from before are no longer anybody's question. */
const REPAIR_WINDOW_MS = 30 * DAY_MS;
const KEPT_MS = 400 * DAY_MS;
const TOLD_EVERY_MS = 3_600_000;
/** Lines in the log about denials in `TOLD_EVERY_MS`. */
const MOST_TOLD = 100;
const LATENCY = "latency";

export async function startMeasures(deps: MeasuresDeps): Promise<Measures> {
  const { state, flows, log, now } = deps;
  const inTurn = createInTurn();
  let counts: Record<string, number> = {};
  /** Hosts whose drift nobody has repaired yet. */
  const drifted = new Set(
    (await state.incidents(now())).flatMap((one) =>
      one.kind === "drift" && one.endedAt === undefined ? [one.subject] : [],
    ),
  );
  let told = new Set<string>();
  let toldFrom = 0;

  function background(work: () => Promise<unknown>): void {
    inTurn(work).catch((error: unknown) =>
      log.error({ err: error }, "a measure could not be kept"),
    );
  }

  function add(more: Readonly<Record<string, number>>): void {
    for (const [name, count] of Object.entries(more)) counts[name] = (counts[name] ?? 0) + count;
  }

  async function save(): Promise<void> {
    const taken = counts;
    counts = {};
    await state.tally(now(), taken);
  }

  function tell(flow: Flow): void {
    if (now() - toldFrom >= TOLD_EVERY_MS) {
      told = new Set();
      toldFrom = now();
    }
    const subject = fingerprintOf(flow);
    if (told.size >= MOST_TOLD || told.has(subject)) return;
    told.add(subject);
    const { verdict, rule = null, direction = null } = flow;
    log.warn({ denied: subject, verdict, rule, direction }, "a connection was denied");
  }

  async function confirmFalseDenies(before: InForce, after: InForce): Promise<void> {
    const { record } = after;
    if (record === null || record.kind === "delete") return;
    await deps.flush();
    const recent = { probes: false, since: now() - REPAIR_WINDOW_MS } as const;
    const denied = await flows.edges({ ...recent, verdicts: ["dropped", "rejected"] });
    const edges = denied.filter(isOwnRecord);
    if (edges.length === 0) return;
    const judge = createJudgement({
      before: before.reading.set,
      after: after.reading.set,
      was: deps.worldUnder(before),
      world: deps.worldUnder(after),
      now: now(),
    });
    const newlyAllowed = edges.flatMap((edge) => {
      const change = judge(edge);
      return change?.after.verdict === "allow" ? [change] : [];
    });
    if (newlyAllowed.length === 0) return;
    const takenBack = record.kind !== "apply";
    const passed = new Map<string, number>();
    if (takenBack) {
      for (const edge of await flows.edges({ ...recent, verdicts: ["forwarded", "audit"] })) {
        if (!isOwnRecord(edge)) continue;
        const key = fingerprintOf(edge);
        passed.set(key, Math.min(edge.firstSeen, passed.get(key) ?? edge.firstSeen));
      }
    }
    const found = falseDenies(
      newlyAllowed,
      takenBack,
      (key, moment) => (passed.get(key) ?? Infinity) < moment,
    );
    for (const { subject, connections, since } of found) {
      const end = { at: record.time, by: `revision ${after.revision}` };
      if ((await state.endIncidents({ kind: "false-deny", subject }, end)) > 0) continue;
      await state.openIncident({
        kind: "false-deny",
        subject,
        message: `denied ${connections} times, and permitted since revision ${after.revision}`,
        detectedAt: since,
        endedAt: end.at,
        endedBy: end.by,
      });
    }
  }

  async function endDrift(host: string, at: number, by: string): Promise<void> {
    drifted.delete(host);
    await state.endIncidents({ kind: "drift", subject: host }, { at, by });
  }

  const saving = setInterval(() => background(save), SAVE_EVERY_MS);
  saving.unref();
  background(() => state.forgetMeasures(now() - KEPT_MS));

  return {
    noteFlows(seen) {
      const time = now();
      for (const flow of seen) {
        if (flow.probe !== true) add({ [connectionsName(flow.verdict)]: flow.connections });
        if (!isDenied(flow) || flow.connections === 0 || flow.probe === true || isScan(flow))
          continue;
        add(countsOf(Math.max(0, time - flow.start), flow.connections));
        tell(flow);
      }
    },

    noteInstall(failure) {
      add({ [failure === undefined ? INSTALLS.done : INSTALLS.failed]: 1 });
    },

    noteDrift(host, report) {
      const { detectedAt, repaired, differences } = report;
      const message = differences[0] ?? "the kernel holds something else";
      const incident = { kind: "drift", subject: host, message, detectedAt } as const;
      if (!repaired) drifted.add(host);
      background(async () => {
        if (!repaired) {
          await state.openIncident(incident);
          return;
        }
        const at = Math.max(now(), detectedAt);
        const by = "repaired by the agent";
        await endDrift(host, at, by);
        await state.openIncident({ ...incident, endedAt: at, endedBy: by });
      });
    },

    noteHeld(host, readAt) {
      if (drifted.delete(host))
        background(() => endDrift(host, readAt, "the kernel holds it again"));
    },

    noteChange(before, after) {
      if (after.record !== null) add({ [changesName(after.record.kind)]: 1 });
      background(() => confirmFalseDenies(before, after));
    },

    reportFalseDeny: ({ subject, connections, since, author, reason }) =>
      inTurn(async () => ({
        subject,
        connections,
        opened: await state.openIncident({
          kind: "false-deny",
          subject,
          message: `${author}: ${reason}`,
          detectedAt: since,
        }),
      })),

    saveLatency: (latency) => inTurn(() => state.saveSetting(LATENCY, JSON.stringify(latency))),

    slo: async (since) => (await measured(since)).slo,
    measured,
    settled: () => inTurn(save),

    async stop() {
      clearInterval(saving);
      await inTurn(save);
    },
  };

  async function measured(since = now() - WEEK_MS): Promise<Measured> {
    await deps.flush();
    await inTurn(save);
    const [status, recorded, incidents, drift, tallies, stats, latency] = await Promise.all([
      deps.status(),
      flows.edges({ since, probes: false }),
      state.incidents(since),
      state.driftSince(since),
      state.tallies(since),
      flows.stats(),
      state.setting(LATENCY),
    ]);
    const edges = recorded.filter(isOwnRecord);
    const slo = sloOf({
      now: now(),
      since,
      ...(stats.oldest === undefined ? {} : { oldest: stats.oldest }),
      coverage: status.coverage,
      modes: deps.modes(),
      edges,
      incidents,
      drift,
      tallies,
      latency: latency === null ? undefined : latencySchema.parse(JSON.parse(latency)),
    });
    return { slo, status, edges };
  }
}
