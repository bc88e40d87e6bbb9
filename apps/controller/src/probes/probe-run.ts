/** Carries a plan out through the agent, several at once, and tells each finding as it comes. */
import type { ProbeEvent, ProbeResultView, ProbeSummary } from "@bulkhead/api";
import type { AgentSession } from "../link/agent-session.ts";
import type { PlannedProbe, ProbePlan, SkippedProbe } from "./probe-plan.ts";

export interface RunOptions {
  readonly revision: number;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** Boundary probes mostly wait for nothing to come: many at once make a proof quick. */
const AT_ONCE = 64;
const TIMEOUT_MS = 20_000;

export async function* runProbes(
  plan: ProbePlan,
  session: AgentSession,
  { revision, now, signal }: RunOptions,
): AsyncGenerator<ProbeEvent> {
  const startedAt = now();
  const total = plan.length;
  const rules = plan.filter(({ view }) => view.purpose === "rule").length;
  yield { type: "plan", total, rules, boundaries: total - rules };
  const spared = plan.filter(({ view }) => view.spared === true).length;
  const counts = { passed: 0, failed: 0, skipped: 0 };
  let next = 0;
  const running = new Map<
    number,
    Promise<{ readonly at: number; readonly result: ProbeResultView }>
  >();
  const launch = (): void => {
    while (running.size < AT_ONCE && next < total && !signal.aborted) {
      const at = next;
      const item = plan[at];
      next += 1;
      if (item !== undefined)
        running.set(
          at,
          one(item, session, now).then((result) => ({ at, result })),
        );
    }
  };
  let index = 0;
  launch();
  while (running.size > 0) {
    const { at, result } = await Promise.race(running.values());
    running.delete(at);
    launch();
    counts[result.outcome] += 1;
    index += 1;
    yield { type: "result", index, total, result };
  }
  // What was called off was not proven.
  counts.skipped += total - index;
  const summary: ProbeSummary = {
    revision,
    rules,
    boundaries: total - rules,
    ...(spared === 0 ? {} : { spared }),
    ...counts,
    proven: total > 0 && counts.failed === 0 && counts.skipped === 0,
    tookMs: now() - startedAt,
  };
  yield { type: "summary", summary };
}

async function one(
  item: PlannedProbe | SkippedProbe,
  session: AgentSession,
  now: () => number,
): Promise<ProbeResultView> {
  const nothing = { probe: item.view, sent: false, received: false, agree: false };
  if ("skipped" in item) return { ...nothing, outcome: "skipped", detail: item.skipped, at: now() };
  const { view, from, to } = item;
  try {
    const { sent, received, agree, outcome, detail, error } = await session.probe(
      {
        sourceNetns: from.netnsPath ?? "",
        ...(to.netnsPath === undefined ? {} : { destinationNetns: to.netnsPath }),
        ...(from.cgroup === undefined ? {} : { sourceCgroup: from.cgroup }),
        ...(to.cgroup === undefined ? {} : { destinationCgroup: to.cgroup }),
        source: view.source,
        destination: view.destination,
        protocol: view.protocol,
        port: view.port,
        expectPass: view.expected === "pass",
      },
      TIMEOUT_MS,
    );
    return {
      probe: view,
      outcome: outcome === "pass" ? "passed" : outcome === "fail" ? "failed" : "skipped",
      sent,
      received,
      agree,
      detail: error ?? detail,
      at: now(),
    };
  } catch (error) {
    return {
      ...nothing,
      outcome: "skipped",
      detail: error instanceof Error ? error.message : String(error),
      at: now(),
    };
  }
}
