/** Step 8: proof by packets: Bulkhead's own probes, the intruder once more, every workload breached, and latency. */
import type { Attempt } from "@bulkhead/example-shop/attempts";
import { RATE, type Demo } from "../demo.ts";
import { compareLatency, type Comparison } from "../latency.ts";
import { pairsReached, portOf, scanEverywhere, type ReachMatrix } from "../reach.ts";
import { truePairs } from "../truth.ts";
import { REQUESTS, type Before } from "./shop.ts";

export async function probe(demo: Demo): Promise<void> {
  const { bulkhead, screen, claims, figures } = demo;
  screen.heading("bulkhead probe");
  screen.progress("a connection for every rule and every boundary");
  const { events } = await bulkhead.probe();
  const summary = events.flatMap((event) => (event.type === "summary" ? [event.summary] : []))[0];
  if (summary === undefined) throw new Error("`bulkhead probe` gave no summary");
  screen.figure("rules tried, must pass", summary.rules);
  screen.figure("boundaries tried, must not", summary.boundaries);
  screen.figure(
    "passed, failed, skipped",
    `${summary.passed}, ${summary.failed}, ${summary.skipped}`,
  );
  const bad = events.flatMap((event) =>
    event.type === "result" && event.result.outcome !== "passed" ? [event.result] : [],
  );
  for (const { probe: one, detail } of bad.slice(0, 8)) {
    screen.fault(`${one.from} → ${one.to} ${one.port} (${one.expected} expected): ${detail}`);
  }
  const breached = bad.filter(
    (one) => one.outcome === "failed" && one.probe.expected === "blocked",
  );
  claims.add({
    id: "probes",
    claim: "every probe gives what the policy says",
    measured: `${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped`,
    bound: "all passed",
    holds: summary.proven && summary.passed > 0 && summary.boundaries > 0,
  });
  claims.exactly("breached", "boundaries that a probe got through", breached.length, 0);
  figures["probe"] = { summary, bad };
}

export async function intrude(demo: Demo, before: Before): Promise<void> {
  const { lab, bulkhead, screen, claims, truth, figures } = demo;
  screen.heading("The intruder again, and everybody breached in turn");
  screen.progress("trying everything there is");
  const attempts = await lab.call<readonly Attempt[]>("intruder", "scan");
  const matrix = await scanEverywhere(lab);
  const pairs = pairsReached(attempts);
  const explained = await bulkhead.explain("shop/intruder", "shop/db:5432/tcp");
  const leaks = await leaksAmong(demo, attempts);
  screen.figure("the intruder reached before", `${before.intruder.size} (workload, port) pairs`);
  screen.figure("the intruder reaches now", `${pairs.size}, in ${attempts.length} attempts`);
  for (const pair of [...pairs].slice(0, 8)) screen.fault(`reached: ${pair}`);
  screen.figure(
    "one breached workload reaches, on average",
    `${matrix.average.toFixed(1)} pairs (was ${before.averagePairs.toFixed(1)})`,
  );
  screen.figure(
    "  and hop by hop",
    `${matrix.averageSpread.toFixed(1)} pairs (was ${before.averageSpread.toFixed(1)})`,
  );
  screen.figure("explain intruder → db 5432/tcp", explained.answer.verdict);
  claims.exactly(
    "blast",
    `blast radius of the intruder (was ${before.intruder.size})`,
    pairs.size,
    0,
    " pairs",
  );
  claims.exactly(
    "leaks",
    "what explain says is denied does not get through",
    leaks.length,
    0,
    " leaks",
  );
  for (const leak of leaks.slice(0, 4)) screen.fault(`denied by policy, yet reached: ${leak}`);
  claimTruth(demo, matrix, truePairs(truth));
  claims.add({
    id: "explain",
    claim: "explain says that the intruder may not reach the database",
    measured: explained.answer.verdict,
    bound: "drop or reject, exit 1",
    holds: explained.code === 1 && ["drop", "reject"].includes(explained.answer.verdict),
  });
  figures["after"] = {
    intruder: [...pairs],
    averagePairs: matrix.average,
    averageSpread: matrix.averageSpread,
    reached: [...matrix.reached.ipv4],
    explained: explained.answer.verdict,
  };
}

const MOST_EXPLAINED = 6;

/** Of what the intruder reached, that which the policy in force denies: the kernel's fault, not the policy's. */
async function leaksAmong(
  { bulkhead }: Demo,
  attempts: readonly Attempt[],
): Promise<readonly string[]> {
  const reached = attempts.filter((one) => one.reached && one.route !== "link-local");
  const sample = [...new Map(reached.map((one) => [`${one.name} ${portOf(one)}`, one])).values()];
  const leaks: string[] = [];
  for (const one of sample.slice(0, MOST_EXPLAINED)) {
    const port = one.means === "icmp" ? "icmp/echo-request" : portOf(one);
    const { code } = await bulkhead.explain("shop/intruder", `[${one.address}]:${port}`);
    if (code === 1) leaks.push(`${one.name} ${portOf(one)}`);
  }
  return leaks;
}

/** Nothing but the truth is reachable, and all of it, over IPv4 and IPv6; over link-local addresses nothing more. */
function claimTruth(
  { screen, claims }: Demo,
  matrix: ReachMatrix,
  truth: ReadonlySet<string>,
): void {
  const beyond = new Set<string>();
  const missing = new Set<string>();
  for (const [route, reached] of Object.entries(matrix.reached)) {
    for (const pair of reached) if (!truth.has(pair)) beyond.add(`${pair} over ${route}`);
    if (route === "link-local") continue;
    for (const pair of truth) if (!reached.has(pair)) missing.add(`${pair} over ${route}`);
  }
  for (const pair of [...beyond].slice(0, 8)) screen.fault(`reachable beyond need: ${pair}`);
  for (const pair of [...missing].slice(0, 8)) screen.fault(`needed, not reachable: ${pair}`);
  screen.figure(
    "reachable connections between all workloads",
    `${matrix.reached.ipv4.size} over IPv4, ${matrix.reached.ipv6.size} over IPv6`,
  );
  // Apart, for they have different causes: too little was denied, or too little was seen.
  const needed = 2 * truth.size;
  claims.exactly("needed", "what must talk can talk, IPv4 and IPv6", needed - missing.size, needed);
  claims.exactly("beyond", "what need not talk can talk", beyond.size, 0);
}

/**
 * Printed and not claimed: on two shared processors the error is larger than what could be claimed, and a claim that
 * cannot fail says nothing. `make bench` judges latency.
 */
export async function latency(demo: Demo, before: Before): Promise<void> {
  const { lab, screen, figures } = demo;
  screen.heading("Added latency");
  screen.progress("the same requests in the shop and in the reference site");
  await lab.call("users", "start", { perSecond: RATE / 8 });
  await compareLatency(lab, REQUESTS, 1);
  const { page, bare } = await compareLatency(lab, REQUESTS);
  await lab.call("users", "start", { perSecond: RATE });
  const rows = [
    { name: "a page of the shop", now: page, earlier: before.page },
    { name: "one bare exchange with nginx", now: bare, earlier: before.bare },
  ];
  for (const { name, now, earlier } of rows) {
    const p50 = addedBy(now, earlier, "p50");
    const p95 = addedBy(now, earlier, "p95");
    screen.figure(`${name}, without`, `p50 ${us(now.reference.p50)}, p95 ${us(now.reference.p95)}`);
    screen.figure("  with", `p50 ${us(now.shop.p50)}, p95 ${us(now.shop.p95)}`);
    screen.figure("  added", `p50 ${percent(p50)}, p95 ${percent(p95)}`);
  }
  figures["latency"] = { before: { page: before.page, bare: before.bare }, page, bare };
}

interface Added {
  /** Share of what it was. */
  readonly added: number;
  readonly error: number;
}

/** Difference of differences: what the two sites differed by before `up` is nobody's doing. */
function addedBy(now: Comparison, earlier: Comparison, at: "p50" | "p95"): Added {
  return {
    added: now.ratio[at] / earlier.ratio[at] - 1,
    error: Math.hypot(now.error[at], earlier.error[at]),
  };
}

function us(milliseconds: number): string {
  return `${(milliseconds * 1000).toFixed(0)} µs`;
}

function percent({ added, error }: Added): string {
  return `${signed(added * 100)} ± ${(error * 200).toFixed(1)} %`;
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
}
