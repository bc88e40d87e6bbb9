/**
 * Every metric that is exported, from what the controller knows. No label takes more values than there are machines, modes,
 * verdicts or measures; where flows, services or rules are named, only so many of them are.
 */
import type { RuleHits, SloAnswer, StatusAnswer } from "@bulkhead/api";
import { DAY_MS, formatPort, HOUR_MS, type Edge } from "@bulkhead/model";
import type { Revision, Tally } from "@bulkhead/store";
import { delaysOf } from "../measures/alert-delay.ts";
import { fingerprintOf, isDenied } from "../measures/denied.ts";
import { INSTALLS, tallied } from "../measures/slo.ts";
import { CHANGES, CONNECTIONS } from "../measures/tally-names.ts";
import { by, counter, gauge, plain, type Family, type Sample } from "./family.ts";
import type { ProcessUsage } from "./process-usage.ts";

export interface MetricsInput {
  readonly status: StatusAnswer;
  readonly slo: SloAnswer;
  /** Of the window of `slo`. */
  readonly edges: readonly Edge[];
  /** Of all time. */
  readonly tallies: readonly Tally[];
  readonly drift: { readonly repaired: number; readonly left: number };
  readonly rules: readonly RuleHits[];
  readonly lastChange: Revision | null;
  readonly usage: Readonly<Record<string, ProcessUsage>>;
  readonly now: number;
}

/** A rollout's share is told in so many parts. */
const CANARY_BUCKETS = 10_000;
/** Denied edges, services, rules that are named. */
const MOST_DENIED = 20;
const MOST_SERVICES = 10;
const MOST_RULES = 50;

export function familiesOf(input: MetricsInput): readonly Family[] {
  return [
    ...measures(input),
    ...enforcement(input),
    ...flows(input),
    ...changes(input),
    ...processes(input),
  ];
}

function measures({ slo, tallies }: MetricsInput): readonly Family[] {
  const known = slo.measures.filter(({ value }) => value !== null);
  const labels = ({ id, name }: SloAnswer["measures"][number]) => ({ measure: id, name });
  const valueOf = (id: string): readonly Sample[] =>
    known.filter((one) => one.id === id).map(({ value }) => plain(value ?? 0));
  const part = (id: string, name: string): number | undefined =>
    slo.measures.find((one) => one.id === id)?.parts[name];
  const share = (level: string, weight: string, some?: number, all?: number): readonly Sample[] =>
    some === undefined || all === undefined || all === 0
      ? []
      : [{ labels: { level, weight }, value: some / all }];
  const of = (name: string) => part("M1", name);
  const workloads = of("workloads");
  const connections = of("connections");
  const open = { drift: 0, "false-deny": 0, "blind-spot": 0 };
  for (const { kind, endedAt } of slo.incidents) if (endedAt === undefined) open[kind] += 1;
  const repairs = (["drift", "false-deny", "blind-spot"] as const).flatMap((kind) => {
    const seconds = part("M3", kind);
    return seconds === undefined ? [] : [{ labels: { kind }, value: seconds }];
  });
  const p95 = (
    [
      ["exchange", "with", "withP95"],
      ["exchange", "without", "withoutP95"],
      ["connect", "with", "connectWithP95"],
      ["connect", "without", "connectWithoutP95"],
    ] as const
  ).flatMap(([what, rules, name]) => {
    const seconds = part("M5", name);
    return seconds === undefined ? [] : [{ labels: { what, rules }, value: seconds }];
  });
  const delays = delaysOf(tallies);
  return [
    gauge(
      "slo_value",
      "Value of each measure M1 to M8 over its window; absent while it is not known.",
      ...known.map((one) => ({ labels: labels(one), value: one.value ?? 0 })),
    ),
    gauge(
      "slo_target",
      "Target of each measure.",
      ...slo.measures.map((one) => ({ labels: labels(one), value: one.target })),
    ),
    gauge(
      "slo_met",
      "1 when a measure meets its target, 0 when it burns; absent while it is not known.",
      ...known.map((one) => ({ labels: labels(one), value: one.state === "ok" ? 1 : 0 })),
    ),
    gauge(
      "policy_coverage_ratio",
      "M1: share of workloads under policy, or enforced; by number, or weighed by their connections.",
      ...share("policy", "workloads", of("underPolicy"), workloads),
      ...share("enforced", "workloads", of("enforced"), workloads),
      ...share("policy", "connections", of("connectionsUnderPolicy"), connections),
      ...share("enforced", "connections", of("connectionsEnforced"), connections),
    ),
    gauge(
      "unauthorized_flow_ratio",
      "M2: denied connections that nobody expected, among all, of seven days.",
      ...valueOf("M2"),
    ),
    gauge(
      "repair_time_seconds",
      "M3: mean time from detection to repair, by kind of incident, of seven days.",
      ...repairs,
    ),
    gauge("incidents_open", "Incidents that are not repaired yet.", ...by("kind", open)),
    gauge("drift_weekly", "M4: distinct drift of seven days.", ...valueOf("M4")),
    gauge(
      "enforcement_latency_p95_seconds",
      "M5: P95 of an exchange, and of one with its handshake, in scratch networks with our rules and without, as last measured.",
      ...p95,
    ),
    gauge("failed_install_ratio", "M6: failed rule installs, of seven days.", ...valueOf("M6")),
    gauge(
      "false_deny_ratio",
      "M7: confirmed false denies among denied connections, of seven days.",
      ...valueOf("M7"),
    ),
    {
      kind: "histogram",
      name: "bulkhead_violation_alert_delay_seconds",
      help: "M8: time from a denied packet to the moment that it is told.",
      distributions: [
        { labels: {}, below: delays.below, count: delays.count, sum: delays.sumSeconds },
      ],
    },
  ];
}

function enforcement({ status, drift, tallies, rules, now }: MetricsInput): readonly Family[] {
  const { agents, modes, alarms } = status;
  const perAgent = (value: (agent: StatusAnswer["agents"][number]) => number): readonly Sample[] =>
    agents.map((agent) => ({ labels: { host: agent.host }, value: value(agent) }));
  const recent = alarms.filter(({ at }) => now - at <= HOUR_MS);
  const kinds = Map.groupBy(recent, ({ kind }) => kind);
  const receipts = agents.flatMap(({ host, receipt }) =>
    receipt === undefined ? [] : [{ host, receipt }],
  );
  const states = { ok: 0, attention: 0, failing: 0, [status.state]: 1 };
  return [
    gauge("status", "How things stand: 1 for the state that holds.", ...by("state", states)),
    gauge("workloads", "Workloads by mode.", ...by("mode", modes)),
    gauge("agents_connected", "Agents that are connected.", plain(agents.length)),
    gauge(
      "agent_info",
      "Version and driver of each agent.",
      ...agents.map(({ host, version, driver }) => ({
        labels: { host, version, driver },
        value: 1,
      })),
    ),
    gauge(
      "receipt_matches",
      "1 when the kernel was read back and holds what is wanted, under its host's signature.",
      ...receipts.map(({ host, receipt }) => ({
        labels: { host },
        value: receipt.matches && receipt.signed ? 1 : 0,
      })),
    ),
    gauge(
      "receipt_age_seconds",
      "Time since the kernel was last read back.",
      ...receipts.map(({ host, receipt }) => ({
        labels: { host },
        value: receipt.ageMs / 1000,
      })),
    ),
    gauge(
      "kernel_entries",
      "Entries that the kernel holds.",
      ...receipts.map(({ host, receipt }) => ({ labels: { host }, value: receipt.entries })),
    ),
    gauge(
      "collector_alive",
      "1 while the agent reads the packet log.",
      ...perAgent(({ collector }) => (collector.alive ? 1 : 0)),
    ),
    counter(
      "collector_events",
      "Log messages that the agent's collector read.",
      ...perAgent(({ collector }) => collector.received),
    ),
    counter(
      "collector_lost_events",
      "Events that were lost before they could be recorded.",
      ...perAgent(({ collector }) => collector.lost),
    ),
    gauge(
      "collector_queue_depth",
      "Log messages read and not yet delivered.",
      ...perAgent(({ collector }) => collector.queueDepth),
    ),
    counter(
      "kernel_packets",
      "Packets that no rule decided, or that no log message tells of, by the kernel's counter.",
      ...agents.flatMap(({ host, counters }) =>
        Object.entries(counters).map(([name, value]) => ({
          labels: { host, counter: name },
          value,
        })),
      ),
    ),
    counter("drift_events", "Drift that was found, by what became of it.", ...by("outcome", drift)),
    counter(
      "policy_installs",
      "Policies that agents were given, by result.",
      ...by("result", {
        done: tallied(tallies, INSTALLS.done),
        failed: tallied(tallies, INSTALLS.failed),
      }),
    ),
    gauge(
      "alarms_recent",
      "Alarms of the last hour, by kind.",
      ...[...kinds].map(([kind, ones]) => ({
        labels: { kind },
        value: ones.reduce((sum, { count }) => sum + count, 0),
      })),
    ),
    counter(
      "rule_packets",
      `Packets that a rule decided since it is in the kernel, of the ${MOST_RULES} rules that decided most.`,
      ...busiest(rules).flatMap(({ rule, allowed, denied, wouldDeny }) =>
        Object.entries({ allowed, denied, would_deny: wouldDeny }).map(([outcome, value]) => ({
          labels: { rule, outcome },
          value,
        })),
      ),
    ),
  ];
}

/** Those that deny first: they are what somebody asks for. */
function busiest(rules: readonly RuleHits[]): readonly RuleHits[] {
  const denials = ({ denied, wouldDeny }: RuleHits): number => denied + wouldDeny;
  return rules
    .toSorted((a, b) => denials(b) - denials(a) || b.allowed - a.allowed)
    .slice(0, MOST_RULES);
}

function flows({ status, slo, edges, tallies, now }: MetricsInput): readonly Family[] {
  const wrong = new Set(
    slo.incidents.flatMap(({ kind, subject }) => (kind === "false-deny" ? [subject] : [])),
  );
  const denied = edges.filter(isDenied);
  const recent = most(
    denied.filter(({ lastSeen }) => now - lastSeen <= HOUR_MS),
    (edge) => ({
      source: edge.source.name,
      destination: edge.destination.name,
      port: formatPort(edge.protocol, edge.port),
      rule: edge.rule ?? "",
    }),
    MOST_DENIED,
  );
  const services = most(
    denied.filter((edge) => wrong.has(fingerprintOf(edge))),
    ({ destination }) => ({ service: destination.name }),
    MOST_SERVICES,
  );
  const ages = { steady: 0, new: 0, quiet: 0 };
  for (const { firstSeen, lastSeen } of edges) {
    const age = firstSeen >= now - DAY_MS ? "new" : lastSeen < now - DAY_MS ? "quiet" : "steady";
    ages[age] += 1;
  }
  return [
    counter(
      "connections",
      "Connections that were seen, by verdict.",
      ...CONNECTIONS.map(({ verdict, name }) => ({
        labels: { verdict },
        value: tallied(tallies, name),
      })),
    ),
    gauge(
      "recent_denied_connections",
      `Denied connections of the last hour, of the ${MOST_DENIED} kinds that were denied most.`,
      ...recent,
    ),
    gauge(
      "false_denied_connections",
      `Confirmed false denies of seven days, of the ${MOST_SERVICES} services that have most.`,
      ...services,
    ),
    gauge(
      "edges",
      "Distinct edges of seven days: new since a day, quiet since a day, or steady.",
      ...by("age", ages),
    ),
    gauge("flows_stored", "Flow records in the store.", plain(status.flows.stored)),
    counter(
      "flows_unstored",
      "Connections whose records could not be stored since the start.",
      plain(status.flows.unstored),
    ),
    gauge(
      "flow_store_writable",
      "1 while flows can be stored.",
      plain(status.flows.writable ? 1 : 0),
    ),
  ];
}

/** Sums by labels; the largest so many. */
function most(
  edges: readonly Edge[],
  labelsOf: (edge: Edge) => Sample["labels"],
  limit: number,
): readonly Sample[] {
  const sums = new Map<string, Sample>();
  for (const edge of edges) {
    const labels = labelsOf(edge);
    const key = JSON.stringify(labels);
    sums.set(key, { labels, value: (sums.get(key)?.value ?? 0) + edge.connections });
  }
  return [...sums.values()].toSorted((a, b) => b.value - a.value).slice(0, limit);
}

function changes({ status, tallies, lastChange }: MetricsInput): readonly Family[] {
  return [
    gauge("policy_revision", "Revision in force; 0 before the first.", plain(status.revision)),
    gauge(
      "policy_change_timestamp_seconds",
      "When the revision in force was accepted, with who and what it was.",
      ...(lastChange === null
        ? []
        : [
            {
              labels: {
                revision: String(lastChange.revision),
                kind: lastChange.kind,
                mode: lastChange.mode,
                author: lastChange.author,
              },
              value: lastChange.time / 1000,
            },
          ]),
    ),
    counter(
      "policy_changes",
      "Accepted changes of policy, by kind.",
      ...CHANGES.map(({ kind, name }) => ({ labels: { kind }, value: tallied(tallies, name) })),
    ),
    gauge(
      "policy_confirm_pending",
      "1 while a change reverts by itself unless it is confirmed.",
      plain(status.confirm === undefined ? 0 : 1),
    ),
    gauge(
      "policy_canary_ratio",
      "Share of flows for which a rollout is enforced; 0 without one.",
      plain((status.canary?.share ?? 0) / CANARY_BUCKETS),
    ),
    gauge("policy_resources", "Resources in force, by mode.", ...by("mode", status.resources)),
  ];
}

function processes({ usage, status }: MetricsInput): readonly Family[] {
  const of = (value: (one: ProcessUsage) => number): readonly Sample[] =>
    Object.entries(usage).map(([part, one]) => ({ labels: { part }, value: value(one) }));
  return [
    gauge("build_info", "Version of the controller.", {
      labels: { version: status.version },
      value: 1,
    }),
    gauge(
      "process_resident_memory_bytes",
      "Resident memory of controller and agent.",
      ...of(({ residentBytes }) => residentBytes),
    ),
    counter(
      "process_cpu_seconds",
      "Processor time of controller and agent.",
      ...of(({ cpuSeconds }) => cpuSeconds),
    ),
    gauge(
      "process_start_time_seconds",
      "When the controller was started.",
      plain(status.startedAt / 1000),
    ),
  ];
}
