/** What `status` prints: one line a subject, and one for each thing that is not well. */
import type { StatusAnswer, UndecidedView } from "@bulkhead/api";
import { formatShare } from "@bulkhead/model";
import type { Ui } from "../ui/ui.ts";
import { ago, count, duration, moment, percent, thousands } from "../ui/words.ts";
import { invariantsLine } from "./invariants.ts";
import { edgePort, endName } from "./verdicts.ts";

export function statusText(answer: StatusAnswer, ui: Ui): string {
  const { style, now } = ui;
  const state = {
    ok: style.green("ok"),
    attention: style.yellow("attention"),
    failing: style.red("failing"),
  }[answer.state];
  const lines: [string, string][] = [
    ["state", `${state}, up ${duration(now - answer.startedAt)}, version ${answer.version}`],
    ...restartLines(answer, ui),
    ["policy", policyLine(answer, ui)],
    [
      "modes",
      `${answer.modes.enforce} enforce, ${answer.modes.audit} audit, ${answer.modes.observe} observe`,
    ],
    ["coverage", coverageLine(answer)],
    ["profile", profileLine(answer)],
    ...answer.agents.flatMap((agent): [string, string][] => agentLines(agent, ui)),
    ...invariantLines(answer, ui),
    ...ambiguousLines(answer, ui),
    ["drift", driftLine(answer, ui)],
    ["flows", flowsLine(answer, ui)],
    ["lost events", answer.lostEvents === 0 ? "0" : style.red(thousands(answer.lostEvents))],
    ...readinessLines(answer, ui),
    ["probes", probeLine(answer, ui)],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  const body = lines.map(([name, text]) => `${style.dim(name.padEnd(width))}  ${text}\n`).join("");
  const problems = answer.problems.map((problem) => `${style.red("!")} ${problem}\n`).join("");
  // Those of now are among the problems already.
  const told = new Set(answer.problems.map((problem) => problem.replace(/ \(\d+ times\)$/, "")));
  const alarms = answer.alarms
    .filter(({ message }) => !told.has(message))
    .map(
      (alarm) =>
        `${style.red("alarm")} ${moment(alarm.at)} ${alarm.kind}: ${alarm.message}${alarm.count > 1 ? ` (×${alarm.count})` : ""}\n`,
    )
    .join("");
  const notices = (answer.notices ?? [])
    .map((notice) => `${style.yellow("note")} ${notice}\n`)
    .join("");
  const undecided = (answer.undecided ?? [])
    .map((one) => `${style.yellow("note")} ${undecidedText(one, ui)}\n`)
    .join("");
  const notes = `${problems}${notices}${undecided}${alarms}`;
  return `${body}${notes === "" ? "" : `\n${notes}`}`;
}

function restartLines({ restarts }: StatusAnswer, ui: Ui): [string, string][] {
  if (restarts === undefined) return [];
  const { count: many, at, how } = restarts;
  const text = `the controller ended by itself ${count(many, "time")} and was started again, last ${ago(at, ui.now)} (${how})`;
  return [["restarts", ui.style.yellow(text)]];
}

function invariantLines({ invariants }: StatusAnswer, ui: Ui): [string, string][] {
  const looked = invariantsLine(invariants?.checks ?? [], ui);
  return looked === "" ? [] : [["invariants", `${looked} (${ago(invariants?.at, ui.now)})`]];
}

/** What is claimed twice now stands among the problems. */
function ambiguousLines({ ambiguous }: StatusAnswer, ui: Ui): [string, string][] {
  if (ambiguous === undefined || ambiguous.connections === 0) return [];
  const many = count(ambiguous.connections, "connection");
  return [["ambiguous", ui.style.yellow(`${many} with an end that several workloads claimed`)]];
}

function undecidedText(one: UndecidedView, ui: Ui): string {
  const { connections, source, destination, until } = one;
  const many = connections > 1;
  return `${endName(source, ui.wide)} → ${endName(destination, ui.wide)} ${edgePort(one)}: nobody can tell who opened ${count(connections, "connection")} there; ${many ? "they go" : "it goes"} on until ${moment(until)}, then ${many ? "they are" : "it is"} ended`;
}

function policyLine(answer: StatusAnswer, ui: Ui): string {
  if (answer.mode === undefined) return "none applied: everything is observed, nothing is denied";
  const confirm =
    answer.confirm === undefined
      ? ""
      : ui.style.yellow(
          `; reverts to ${answer.confirm.revertsTo} in ${duration(answer.confirm.by - ui.now)} unless confirmed`,
        );
  const next =
    answer.nextChangeAt === undefined ? "" : `; next timed change ${moment(answer.nextChangeAt)}`;
  const { canary } = answer;
  const text = canary === undefined ? modeText(answer) : ui.style.yellow(modeText(answer));
  return `revision ${answer.revision}, ${text}${confirm}${next}`;
}

/** Changes give only what they hold a mode, so both may be in force. */
export function modeText({
  resources: { enforce, audit },
  canary,
}: Pick<StatusAnswer, "resources" | "canary">): string {
  if (enforce + audit === 0) return "no policy in it";
  const trying = canary?.resources.length ?? 0;
  const settled = enforce - trying;
  // Whoever reads `enforce` alone takes it to hold for every flow.
  const modes = [
    ...(canary === undefined
      ? []
      : [`canary: ${count(trying, "resource")} for ${formatShare(canary.share)} of flows`]),
    ...(settled > 0 ? [trying === 0 ? "enforce" : `${count(settled, "resource")} in enforce`] : []),
    ...(audit > 0
      ? [settled + trying === 0 ? "audit" : `${count(audit, "resource")} in audit`]
      : []),
  ];
  return modes.join(", ");
}

function coverageLine(answer: StatusAnswer): string {
  const { workloads, underPolicy, enforced, ratio, enforcedRatio } = answer.coverage;
  return `${underPolicy} of ${count(workloads, "workload")} under policy (${percent(ratio)}), ${enforced} enforced (${percent(enforcedRatio)})`;
}

const socketText = ({ address, port }: { address: string; port: number }): string =>
  port === 53 ? address : address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

function profileLine({ profile }: StatusAnswer): string {
  return [
    `${profile.default === "allow" ? "allowed" : "denied"} where no policy applies`,
    profile.nodeExempt
      ? "this machine may reach its workloads"
      : "this machine is judged like any other peer",
    ...(profile.hairpinExempt ? ["a workload may reach itself"] : []),
    ...(profile.dhcp === undefined ? [] : [`DHCP served on ${profile.dhcp.join(", ")}`]),
    ...(profile.dns === undefined
      ? []
      : [`resolver open at ${profile.dns.map(socketText).join(", ")}`]),
  ].join("; ");
}

function agentLines(agent: StatusAnswer["agents"][number], ui: Ui): [string, string][] {
  const { style } = ui;
  const { collector, receipt } = agent;
  const link = agent.connected ? style.green("connected") : style.red("away");
  const pulse = collector.alive ? "" : style.red(", collector dead");
  const queue = collector.queueDepth > 0 ? `, ${thousands(collector.queueDepth)} queued` : "";
  const seen = `${thousands(collector.received)} events, ${thousands(collector.lost)} lost${queue}${pulse}`;
  const lines: [string, string][] = [
    [
      "agent",
      `${agent.host} ${link}, pid ${agent.pid}, ${agent.driver}, ${count(agent.endpoints, "endpoint")}; ${seen}`,
    ],
  ];
  if (receipt !== undefined) {
    const match = receipt.matches ? style.green("matches") : style.red("does not match");
    const signed = receipt.signed ? "signed" : style.red("not signed");
    lines.push([
      "receipt",
      `${match} revision ${receipt.revision}, ${signed}, read ${duration(receipt.ageMs)} ago, ${thousands(receipt.entries)} entries, ${receipt.digest.slice(0, 19)}`,
    ]);
  }
  const { version, list } = agent.exemptions;
  const exempt = ui.wide ? list.join("; ") : `${count(list.length, "kind")} of packets (-o wide)`;
  lines.push(["not judged", `${exempt}, list version ${version}`]);
  lines.push(["not logged", unloggedLine(agent.counters, ui)]);
  const named = namesLine(agent.counters);
  if (named !== undefined) lines.push(["DNS", named]);
  const strange = agent.counters["unknown_port"] ?? 0;
  if (strange > 0)
    lines.push(["held back", `${thousands(strange)} packets by links that were not known yet`]);
  return lines;
}

/** Denied and audited packets of which no log message tells. */
function unloggedLine(counters: Readonly<Record<string, number>>, ui: Ui): string {
  const sum = (...names: readonly string[]): number =>
    names.reduce((total, name) => total + (counters[name] ?? 0), 0);
  const repeated = sum("live_suppressed", "shadow_suppressed", "spoofed_suppressed");
  const overflowed = sum("live_overflowed", "shadow_overflowed");
  const strays = sum("not_syn", "no_connection", "false_source", "misdirected");
  const over = `${thousands(overflowed)} beyond what is remembered`;
  return `${thousands(repeated)} told once for many, ${overflowed === 0 ? over : ui.style.yellow(over)}, ${thousands(strays)} strays`;
}

/** What was read of DNS, by which flows get their names. */
function namesLine(counters: Readonly<Record<string, number>>): string | undefined {
  const { dns_read: read, dns_malformed: malformed = 0, dns_lost: lost = 0 } = counters;
  if (read === undefined) return undefined;
  const unread = lost + (counters["dns_suppressed"] ?? 0);
  return `${thousands(read)} answers read, ${thousands(malformed)} unreadable, ${thousands(unread)} not copied or lost`;
}

function driftLine(answer: StatusAnswer, ui: Ui): string {
  const { setting, total, last } = answer.drift;
  if (last === undefined) return `none found (${setting})`;
  const first = last.differences[0] ?? "the digest differs";
  const outcome = last.repaired ? "repaired" : ui.style.red("not repaired");
  // What was different stands among the problems, or the alarms, as long as it is remembered there.
  const told = answer.alarms.some(
    ({ kind, message }) => kind === "drift" && message.includes(first),
  );
  const what = told ? "" : `: ${first}`;
  return `${count(total, "time")} (${setting}), last ${ago(last.detectedAt, ui.now)}${what}, ${outcome}`;
}

function flowsLine(answer: StatusAnswer, ui: Ui): string {
  const { stored, newest, oldest, waiting, unstored, writable } = answer.flows;
  const span = oldest === undefined ? "" : `, ${ago(oldest, ui.now)} to ${ago(newest, ui.now)}`;
  const kept = waiting === 0 ? "" : `, ${thousands(waiting)} wait`;
  const trouble = writable ? "" : ui.style.red(`; the store cannot be written${kept}`);
  const missed = unstored === 0 ? "" : ui.style.red(`; ${thousands(unstored)} not stored`);
  return `${thousands(stored)} stored${span}${missed}${trouble}`;
}

function readinessLines({ readiness }: StatusAnswer, ui: Ui): [string, string][] {
  if (readiness === undefined) return [];
  const { at, applications, ready, readyExcept, learning } = readiness;
  const counts = `${ready} ready, ${readyExcept} ready except, ${learning} learning`;
  return [
    ["readiness", `${counts} of ${count(applications, "application")}, as of ${ago(at, ui.now)}`],
  ];
}

function probeLine(answer: StatusAnswer, ui: Ui): string {
  const { probe } = answer;
  if (probe === undefined) return "never run";
  const verdict = probe.proven ? ui.style.green("proven") : ui.style.red("not proven");
  const old =
    probe.revision === answer.revision ? "" : ui.style.yellow(` (revision ${probe.revision})`);
  return `${verdict} ${ago(probe.at, ui.now)}${old}: ${probe.passed} passed, ${probe.failed} failed, ${probe.skipped} skipped`;
}
