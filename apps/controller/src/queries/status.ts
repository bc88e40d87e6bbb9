/** How things stand, in one answer: what is in force, who holds it, what was lost, and what is not well. */
import type {
  AgentView,
  Alarm,
  ReadinessAnswer,
  ReceiptSummary,
  StatusAnswer,
  UndecidedView,
} from "@bulkhead/api";
import type { LeftOut } from "@bulkhead/engine";
import { formatSpan, type Mode, type Profile } from "@bulkhead/model";
import type { ChainCheck, PendingConfirm, ProbeRun, StoredDrift } from "@bulkhead/store";
import type { AgentSession } from "../link/agent-session.ts";
import type { Compiled } from "../policy/distributor.ts";
import type { InForce } from "../policy/change.ts";
import { modesOf } from "../policy/modes.ts";
import { canaryView } from "../policy/rollout.ts";
import type { Unread } from "../world/anchors.ts";
import type { Restarts } from "../restarts.ts";
import { createNamer } from "../world/naming.ts";
import type { World } from "../world/world.ts";
import { contestedViews } from "./contested.ts";
import { enforcedBorrowers, isGone, reaching } from "./unit-notices.ts";

export interface StatusInput {
  readonly version: string;
  readonly now: number;
  readonly startedAt: number;
  readonly restarts?: Restarts | undefined;
  readonly inForce: InForce;
  readonly world: World;
  readonly wanted: Compiled | undefined;
  readonly problem: string | undefined;
  readonly modes: Readonly<Record<string, Mode>>;
  readonly session: AgentSession | undefined;
  readonly pending: PendingConfirm | null;
  readonly chain: ChainCheck;
  readonly drift: {
    readonly setting: "repair" | "report";
    readonly total: number;
    readonly last: StoredDrift | undefined;
  };
  readonly flows: StatusAnswer["flows"];
  readonly unread: readonly Unread[];
  /** Domain names that left the sets that stand for them, a sentence each. */
  readonly names: readonly string[];
  /** Connections with an end that several claim, since the controller started. */
  readonly ambiguousConnections: number;
  readonly alarms: readonly Alarm[];
  /** What the machine must be able to do. */
  readonly lastLook: StatusAnswer["invariants"];
  /** What started controller and agent, and would start them again, has gone. */
  readonly orphaned: boolean;
  readonly probe: ProbeRun | null;
  /** Of applications, as it was found last; nobody may have asked yet. */
  readonly readiness?: ReadinessAnswer | undefined;
}

/** A receipt that is older than this says nothing about now. */
const FRESH_MS = 30_000;
const CLOCK_TOLERANCE_MS = 2500;
/** Older alarms are still listed, but are no longer a problem of now. */
const ALARM_MS = 900_000;
/** What is being attached, or taken away, cannot be read for a moment either. */
const UNREAD_MS = 5000;

export function statusOf(input: StatusInput): StatusAnswer {
  const { inForce, world, wanted, modes, now } = input;
  const counts = { observe: 0, audit: 0, enforce: 0 };
  const present = world.inventory.workloads.filter((one) => !isGone(one.id, input));
  for (const { id } of present) counts[modes[id] ?? "observe"] += 1;
  const resources = modesOf(inForce.held.map(({ stored }) => stored));
  const workloads = present.length;
  const underPolicy = counts.audit + counts.enforce;
  const agents = input.session === undefined ? [] : [agentView(input.session, wanted, now, world)];
  const problems = problemsOf(input, agents);
  const notices = [...noticesOf(input, agents), ...input.names];
  const nextChangeAt = wanted?.result.nextChangeAt ?? null;
  const collectorLost = agents.reduce((sum, agent) => sum + agent.collector.lost, 0);
  return {
    version: input.version,
    state: problems.some(({ failing }) => failing)
      ? "failing"
      : problems.length > 0
        ? "attention"
        : "ok",
    problems: problems.map(({ text }) => text),
    ...(notices.length === 0 ? {} : { notices }),
    startedAt: input.startedAt,
    ...(input.restarts === undefined ? {} : { restarts: { ...input.restarts } }),
    revision: inForce.revision,
    ...(inForce.record === null ? {} : { mode: resources.enforce > 0 ? "enforce" : "audit" }),
    resources,
    ...canaryView(inForce.held),
    ...(wanted === undefined ? {} : { digest: wanted.digest }),
    ...(input.pending === null
      ? {}
      : {
          confirm: {
            revision: input.pending.revision,
            by: input.pending.deadline,
            revertsTo: input.pending.revertsTo,
          },
        }),
    profile: profileView(inForce.reading.set.profile),
    modes: counts,
    coverage: {
      workloads,
      underPolicy,
      enforced: counts.enforce,
      ratio: workloads === 0 ? 0 : underPolicy / workloads,
      enforcedRatio: workloads === 0 ? 0 : counts.enforce / workloads,
    },
    agents,
    drift: {
      setting: input.drift.setting,
      total: input.drift.total,
      ...(input.drift.last === undefined ? {} : { last: driftView(input.drift.last) }),
    },
    flows: { ...input.flows },
    ...(input.lastLook === undefined ? {} : { invariants: input.lastLook }),
    ambiguous: {
      connections: input.ambiguousConnections,
      contested: contestedViews(input.world.index),
    },
    ...undecidedView(input),
    lostEvents: collectorLost + input.flows.unstored,
    alarms: [...input.alarms],
    ...(nextChangeAt === null ? {} : { nextChangeAt }),
    ...(input.readiness === undefined ? {} : { readiness: countsOf(input.readiness) }),
    ...(input.probe === null
      ? {}
      : {
          probe: {
            ...(input.probe.summary as NonNullable<StatusAnswer["probe"]>),
            at: input.probe.time,
          },
        }),
  };
}

function undecidedView({ session, world, inForce }: StatusInput): Pick<StatusAnswer, "undecided"> {
  const undecided = session?.undecided ?? [];
  if (undecided.length === 0) return {};
  const name = createNamer(world, inForce.reading.networkSets);
  const found = new Map<string, UndecidedView>();
  for (const { source, destination, protocol, port, until } of undecided) {
    const key = `${source} ${destination} ${protocol} ${port}`;
    const known = found.get(key);
    found.set(key, {
      source: name(source),
      destination: name(destination),
      protocol,
      port,
      connections: (known?.connections ?? 0) + 1,
      until: Math.max(until, known?.until ?? 0),
    });
  }
  return { undecided: [...found.values()] };
}

/** What somebody should know although nothing is wrong: what came back, what reaches too far, what is not seen. */
function noticesOf(input: StatusInput, agents: readonly AgentView[]): string[] {
  const { record, revision } = input.inForce;
  const { processesProblem } = input.world;
  const last = input.alarms.find(({ kind }) => kind === "drift");
  const wasDrift =
    last !== undefined && input.now - last.at <= ALARM_MS && isOver(last, agents[0])
      ? last
      : undefined;
  return [
    ...(wasDrift === undefined
      ? []
      : [
          `${wasDrift.message}${wasDrift.count > 1 ? ` (${wasDrift.count} times)` : ""}, at ${new Date(wasDrift.at).toISOString()}: the kernel holds what is wanted again (\`bulkhead drift\`)`,
        ]),
    ...(record?.kind === "revert"
      ? [`revision ${revision} holds what was in force before: ${record.reason}`]
      : []),
    ...(processesProblem === undefined
      ? []
      : [`services of this machine are not told apart: ${processesProblem}`]),
    ...reaching(input),
  ];
}

function profileView({ dhcp, dns, ...rest }: Profile): StatusAnswer["profile"] {
  return {
    ...rest,
    ...(dhcp === undefined ? {} : { dhcp: [...dhcp] }),
    ...(dns === undefined ? {} : { dns: dns.map((one) => ({ ...one })) }),
  };
}

export function driftView(report: StoredDrift): NonNullable<StatusAnswer["drift"]["last"]> {
  return { ...report, differences: [...report.differences] };
}

function agentView(
  session: AgentSession,
  wanted: Compiled | undefined,
  now: number,
  world: World,
): AgentView {
  const { hello, receipt, collector } = session;
  return {
    host: hello.host,
    connected: session.connected,
    since: session.since,
    pid: hello.pid,
    version: hello.version,
    driver: hello.driver,
    endpoints: world.endpoints.length,
    exemptions: { ...hello.exemptions, list: [...hello.exemptions.list] },
    counters: session.counters,
    ...refusedView(session),
    ...(receipt === undefined
      ? {}
      : {
          receipt: {
            ...summaryOf(hello.host, receipt, wanted, now),
            ageMs: Math.max(0, now - receipt.readAt),
            signed: session.receiptSigned,
          },
        }),
    collector: collector ?? { alive: false, received: 0, delivered: 0, lost: 0, queueDepth: 0 },
  };
}

function refusedView({ refused }: AgentSession): Pick<AgentView, "refused"> {
  const list = refused.list();
  return list.length === 0 ? {} : { refused: list.map((one) => ({ ...one })) };
}

const MOST_PLACES = 3;

function refusedText({ host, refused = [] }: AgentView): string {
  const total = refused.reduce((sum, { count }) => sum + count, 0);
  const places = refused
    .slice(0, MOST_PLACES)
    .map(({ place, why, count }) => `${count} by ${why} in \`${place}\``);
  const more = refused.length > MOST_PLACES ? ", …" : "";
  return `parts of what the agent of ${host} told are refused: ${total}, ${places.join(", ")}${more}; the rest of it is kept`;
}

export function summaryOf(
  host: string,
  receipt: NonNullable<AgentSession["receipt"]>,
  wanted: Compiled | undefined,
  now: number,
): ReceiptSummary {
  const { revision, digest, driver, readAt, entries } = receipt;
  return {
    host,
    revision,
    digest,
    driver,
    readAt,
    entries,
    matches: receiptMatches(receipt, wanted, now),
  };
}

/** Around a deadline the kernel's clock and ours may differ, and both digests are right for a moment. */
export function receiptMatches(
  { digest, revision }: { readonly digest: string; readonly revision: number },
  wanted: Compiled | undefined,
  now: number,
): boolean {
  if (wanted === undefined) return false;
  if (digest === wanted.digest && revision === wanted.intent.revision) return true;
  const { live, shadow, canary } = wanted.result.policy;
  const timed = [live, shadow, ...(canary === undefined ? [] : [canary.maps])].flatMap(
    ({ overlay, processOverlay = [] }) => [...overlay, ...processOverlay],
  );
  const near = timed.some(({ deadline }) => Math.abs(deadline - now) < CLOCK_TOLERANCE_MS);
  return near && revision === wanted.intent.revision;
}

/** The kernel has been read since the drift was found, and holds what is wanted. */
function isOver({ kind, at }: Alarm, agent: AgentView | undefined): boolean {
  const receipt = agent?.receipt;
  return kind === "drift" && receipt?.matches === true && receipt.signed && receipt.readAt > at;
}

function leftOutText({ interface: name, workload, mode }: LeftOut): string {
  const odd = `link \`${plainText(name)}\`${workload === undefined ? "" : ` of ${workload}`} has a name that no rule can hold`;
  const consequence =
    mode === "enforce"
      ? "its addresses are judged, but nothing guards what it sends or is sent, and other enforced workloads do not hear it"
      : "it is treated as a link that nobody knows: enforced workloads do not hear it";
  return `${odd}: ${consequence}; give it a plain name`;
}

/** Whoever made the link chose these bytes. */
function plainText(name: string): string {
  return name.replaceAll(
    /[^\w.:@=+-]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}

interface Problem {
  readonly text: string;
  /** Enforcement or its proof is in doubt; otherwise it only wants attention. */
  readonly failing: boolean;
}

function countsOf({ at, subjects }: ReadinessAnswer): StatusAnswer["readiness"] {
  // What is awaited of nobody who is known is no application.
  const known = subjects.filter(({ subject }) => subject.workloads.length > 0);
  const counts = { at, applications: known.length, ready: 0, readyExcept: 0, learning: 0 };
  for (const { state } of known) {
    if (state === "ready") counts.ready += 1;
    else if (state === "learning") counts.learning += 1;
    else counts.readyExcept += 1;
  }
  return counts;
}

function problemsOf(input: StatusInput, agents: readonly AgentView[]): readonly Problem[] {
  const problems: Problem[] = [];
  const add = (failing: boolean, text: string): void => void problems.push({ failing, text });
  const agent = agents[0];
  if (agent === undefined)
    add(true, "no agent is connected; the kernel goes on with what it holds");
  else {
    if (agent.refused !== undefined) add(false, refusedText(agent));
    if (!agent.collector.alive) add(true, "the collector is dead: flows are not seen");
    const { receipt } = agent;
    if (receipt === undefined) add(true, "the agent has given no receipt");
    else if (!receipt.signed) add(true, "the agent's receipt does not bear its host's signature");
    else if (!receipt.matches) {
      add(
        true,
        `the kernel does not hold what is wanted: its receipt is of revision ${receipt.revision}, ${receipt.digest.slice(0, 19)}…`,
      );
    } else if (receipt.ageMs > FRESH_MS) {
      add(true, `the kernel was last read ${Math.round(receipt.ageMs / 1000)} s ago`);
    }
  }
  if (input.problem !== undefined) add(true, input.problem);
  if (input.orphaned)
    add(
      false,
      "the supervisor was killed: what crashes now is not started again; `sudo bulkhead restart` brings it back",
    );
  // Found while compiling for the machine as it is now: whoever attaches later may bring them.
  for (const { code, message, span } of input.wanted?.result.diagnostics ?? []) {
    const place = formatSpan(span);
    add(false, `${code}: ${message}${place === "" ? "" : ` (${place})`}`);
  }
  for (const link of input.wanted?.result.leftOut ?? [])
    add(link.mode === "enforce", leftOutText(link));
  for (const text of enforcedBorrowers(input)) add(true, text);
  for (const { interface: link, name, since } of input.unread) {
    if (input.now - since < UNREAD_MS) continue;
    add(
      name === undefined,
      `nobody can look behind link \`${plainText(link)}\`: ${
        name === undefined
          ? "a workload there is not known, and no policy is in force for it"
          : `policy goes by what ${name} was when it was last seen`
      }`,
    );
  }
  const { relays } = input.world;
  const judged = Object.values(input.modes).some((mode) => mode !== "observe");
  if (relays.length > 0 && judged && input.inForce.reading.set.profile.nodeExempt)
    add(
      false,
      `${relays.join(", ")} passes connections on to workloads as this machine, whose own traffic is exempt from their ingress policy; \`machine.nodeExempt: false\` in an Inventory ends that`,
    );
  if (!input.chain.intact)
    add(true, `the history is broken: revision ${input.chain.brokenAt} was altered`);
  if (input.flows.problem !== undefined) add(true, input.flows.problem);
  if (input.flows.redated > 0)
    add(
      false,
      `${input.flows.redated} flow records claimed to be from the future, and are told as of when they came: look at the clock of the machine that saw them`,
    );
  const { sharedOrigins = 0 } = input.flows;
  if (sharedOrigins > 0)
    add(
      false,
      `imported flows came to be known in so many ways that edges do not tell ${sharedOrigins} of them apart: what they say of sampling and summing may be another's`,
    );
  if (input.flows.unstored > 0) add(false, `${input.flows.unstored} flows could not be stored`);
  const lost = agent?.collector.lost ?? 0;
  if (lost > 0) add(false, `${lost} events were lost before they could be recorded`);
  for (const { name, after, detail } of input.lastLook?.checks ?? [])
    if (after === "failed")
      add(
        false,
        `${name} worked before revision ${input.lastLook?.revision}, which was forced, and no longer did after it: ${detail ?? "no answer"}`,
      );
  if (input.pending !== null) {
    const seconds = Math.max(0, Math.round((input.pending.deadline - input.now) / 1000));
    add(false, `revision ${input.pending.revision} reverts in ${seconds} s unless confirmed`);
  }
  for (const alarm of input.alarms.slice(0, 10)) {
    if (input.now - alarm.at > ALARM_MS || isOver(alarm, agent)) continue;
    add(
      alarm.kind === "verdict",
      `${alarm.message}${alarm.count > 1 ? ` (${alarm.count} times)` : ""}`,
    );
  }
  return problems;
}
