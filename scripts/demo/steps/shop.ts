/** Step 1: the shop as it is, before Bulkhead: everybody can reach everything. */
import type { Tally } from "@bulkhead/example-shop/samples";
import { WORKLOADS } from "@bulkhead/example-shop/topology";
import type { Attempt } from "@bulkhead/example-shop/attempts";
import { setTimeout as sleep } from "node:timers/promises";
import { RATE, type Demo } from "../demo.ts";
import { compareLatency, type Comparison } from "../latency.ts";
import { pairsReached, scanEverywhere } from "../reach.ts";

export interface Before {
  /** What the intruder reaches: `db 5432/tcp`. */
  readonly intruder: ReadonlySet<string>;
  readonly averagePairs: number;
  readonly averageSpread: number;
  readonly page: Comparison;
  readonly bare: Comparison;
}

export const REQUESTS = {
  page: { path: "/", requests: 20, blockMs: 800 },
  bare: { path: "/healthz", requests: 40, blockMs: 300 },
} as const;

export async function lookAtShop({ lab, screen, figures, stop }: Demo): Promise<Before> {
  screen.heading("The shop as it is");
  screen.progress("the same requests in the shop and in a reference site");
  await compareLatency(lab, REQUESTS, 1); // both sides run warm before they are compared
  const { page, bare } = await compareLatency(lab, REQUESTS);
  screen.progress("breaking into every workload in turn");
  const matrix = await scanEverywhere(lab);
  const attempts = await lab.call<readonly Attempt[]>("intruder", "reach");
  const from = Date.now();
  await lab.call("users", "hold");
  await lab.call("users", "start", { perSecond: RATE });
  await sleep(1500, undefined, { signal: stop });
  const tally = await lab.call<Tally>("users", "tally", { from });
  const pairs = pairsReached(attempts);
  screen.figure("workloads, each in a network namespace", WORKLOADS.length);
  screen.figure("customers' requests", `${tally.done} done, ${tally.failed} failed`);
  screen.figure("the intruder reaches", `${pairs.size} (workload, port) pairs`);
  for (const loot of attempts.filter((one) => one.reached && one.means === "sql")) {
    screen.figure(`  and reads from ${loot.name} over ${loot.route}`, loot.outcome);
  }
  screen.figure(
    "any one breached workload reaches, on average",
    `${matrix.average.toFixed(1)} pairs`,
  );
  figures["before"] = {
    intruder: [...pairs],
    averagePairs: matrix.average,
    reached: [...matrix.reached.ipv4],
    latency: { page, bare },
  };
  return {
    intruder: pairs,
    averagePairs: matrix.average,
    averageSpread: matrix.averageSpread,
    page,
    bare,
  };
}
