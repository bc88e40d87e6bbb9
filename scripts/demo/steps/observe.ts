/** Steps 2 and 3: Bulkhead starts beside the running shop, learns who is who, and records what talks to what. */
import { setTimeout as sleep } from "node:timers/promises";
import type { StatusAnswer, SuggestAnswer } from "@bulkhead/api";
import type { Edge } from "@bulkhead/model";
import type { Attempt } from "@bulkhead/example-shop/attempts";
import { WORKLOADS } from "@bulkhead/example-shop/topology";
import { RATE, type Demo } from "../demo.ts";
import { isIpv6, keyOf, nameOf, portName, touchesIntruder } from "../names.ts";
import { edgesSeen } from "../truth.ts";

export async function start({ lab, bulkhead, screen, claims, figures }: Demo): Promise<void> {
  screen.heading("bulkhead up");
  screen.progress("starting controller and agent");
  const from = performance.now();
  await bulkhead.up();
  const tookMs = performance.now() - from;
  await bulkhead.apply([lab.inventoryFile]);
  const { workloads } = await bulkhead.workloads();
  const known = WORKLOADS.filter((one) =>
    workloads.some((seen) => seen.id === `shop/${one.name}` && seen.attached && seen.declared),
  );
  const status = await bulkhead.status();
  screen.figure("controller and agent ready after", `${(tookMs / 1000).toFixed(1)} s`);
  screen.figure("workloads discovered and named", `${known.length} of ${WORKLOADS.length}`);
  screen.figure("driver", status.agents.map((agent) => agent.driver).join(", ") || "none");
  claims.exactly(
    "discovered",
    "every workload is discovered and named",
    known.length,
    WORKLOADS.length,
  );
  figures["up"] = { tookMs, workloads: workloads.map((one) => one.id) };
}

export interface Recording {
  readonly since: number;
  readonly edges: number;
}

const RECORD_MS = 10_000;
const WINDOW_MS = 1100;
/** A busy machine may keep reports waiting; what is late is not lost. */
const ARRIVE_WITHIN_MS = 10_000;

export async function record(demo: Demo): Promise<Recording> {
  const { lab, bulkhead, screen, claims, truth, figures, stop } = demo;
  screen.heading("bulkhead observe");
  await lab.call("users", "stop");
  // Windows of a second that began before are not asked for: the customers pause for so long.
  await sleep(WINDOW_MS, undefined, { signal: stop });
  const since = Date.now();
  await sleep(WINDOW_MS, undefined, { signal: stop });
  await lab.call("users", "start", { perSecond: RATE });
  screen.progress("customers shop, metrics are scraped, the report runs once, the intruder scans");
  await sleep(RECORD_MS / 2, undefined, { signal: stop });
  const [attempts] = await Promise.all([
    lab.call<readonly Attempt[]>("intruder", "scan"),
    lab.runProgram("report", "report"),
  ]);
  await sleep(Math.max(0, since + RECORD_MS - Date.now()), undefined, { signal: stop });
  await lab.call("users", "stop");
  const made = await lab.call<{ ipv4: number; ipv6: number }>("users", "connects", { from: since });

  const toWeb = (edges: Awaited<ReturnType<typeof bulkhead.edges>>, six: boolean): number =>
    edges
      .filter((edge) => nameOf(edge.source) === "users" && nameOf(edge.destination) === "web")
      .filter((edge) => portName(edge) === "80/tcp" && isIpv6(edge) === six)
      .reduce((sum, edge) => sum + edge.connections, 0);
  // The agent reports in windows of a second, and what became of a connection after that it was opened. Both are given time.
  // (What is held open since before has no beginning in this time.)
  const answered = (edge: Edge): boolean => edge.established > 0 || edge.connections === 0;
  const answeredAll = (known: readonly Edge[]): boolean =>
    edgesSeen(truth, new Set(known.filter(answered).map(keyOf))).length === truth.length;
  let edges = await bulkhead.edges(since);
  for (
    const until = Date.now() + ARRIVE_WITHIN_MS;
    Date.now() < until;
    edges = await bulkhead.edges(since)
  ) {
    const complete = toWeb(edges, false) + toWeb(edges, true) >= made.ipv4 + made.ipv6;
    if (complete && answeredAll(edges)) break;
    await sleep(300, undefined, { signal: stop });
  }
  await lab.call("users", "start", { perSecond: RATE });

  const status = await bulkhead.status();
  const recorded = { ipv4: toWeb(edges, false), ipv6: toWeb(edges, true) };
  const trueSeen = edgesSeen(truth, new Set(edges.map(keyOf)));
  const connections = edges.reduce((sum, edge) => sum + edge.connections, 0);
  const intruderEdges = edges.filter(touchesIntruder);
  screen.figure("recorded for", `${((Date.now() - since) / 1000).toFixed(0)} s`);
  screen.figure("connections on record", connections);
  screen.figure("  in distinct edges", edges.length);
  screen.figure(
    "  of these the intruder's",
    `${intruderEdges.length} (${attempts.length} attempts made)`,
  );
  screen.figure("customers' connections made, IPv4 and IPv6", `${made.ipv4} + ${made.ipv6}`);
  screen.figure("  on record", `${recorded.ipv4} + ${recorded.ipv6}`);
  screen.figure("events lost", status.lostEvents);
  screen.figure("true edges seen", `${trueSeen.length} of ${truth.length}`);
  const missed = truth.filter((edge) => !trueSeen.includes(edge));
  for (const edge of missed)
    screen.fault(`not seen: ${edge.from} → ${edge.to} ${edge.port} (${edge.why})`);

  claims.add({
    id: "recorded",
    claim: "every connection the customers made is on record",
    measured: `${recorded.ipv4} + ${recorded.ipv6}`,
    bound: `= ${made.ipv4} + ${made.ipv6}`,
    holds: recorded.ipv4 === made.ipv4 && recorded.ipv6 === made.ipv6,
  });
  claimCollector(demo, status);
  claims.exactly("seen", "every edge the shop needs was seen", trueSeen.length, truth.length);
  figures["observe"] = {
    connections,
    edges: edges.length,
    made,
    recorded,
    lost: status.lostEvents,
  };
  if (trueSeen.length === 0)
    throw new Error("nothing the shop does is on record: there is nothing to learn from");
  return { since, edges: edges.length };
}

function claimCollector({ claims }: Demo, status: StatusAnswer): void {
  const alive = status.agents.length > 0 && status.agents.every((agent) => agent.collector.alive);
  claims.add({
    id: "collector",
    claim: "the collector is alive and lost nothing",
    measured: `${alive ? "alive" : "dead"}, ${status.lostEvents} lost`,
    bound: "alive, 0 lost",
    holds: alive && status.lostEvents === 0,
  });
}

export type Suggested = SuggestAnswer;
