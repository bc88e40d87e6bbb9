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
  readonly kept: Comparison;
  readonly fresh: Comparison;
}

/** Standard error of the ratio that is good enough to stop at. */
const ERROR = 0.012;
export const KEPT = {
  rounds: 80,
  error: ERROR,
  limitMs: 2500,
  requests: 40,
  fresh: false,
} as const;
export const FRESH = {
  rounds: 40,
  error: ERROR,
  limitMs: 2500,
  requests: 20,
  fresh: true,
} as const;
/** Both sides run warm before they are compared. */
export const WARM_UP = { rounds: 20, error: 1, limitMs: 1000, requests: 40, fresh: false } as const;

export async function lookAtShop({ lab, screen, figures, stop }: Demo): Promise<Before> {
  screen.heading("The shop as it is");
  screen.progress("the same requests in the shop and in a reference site");
  await compareLatency(lab, WARM_UP);
  const kept = await compareLatency(lab, KEPT);
  const fresh = await compareLatency(lab, FRESH);
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
    latency: { kept, fresh },
  };
  return {
    intruder: pairs,
    averagePairs: matrix.average,
    averageSpread: matrix.averageSpread,
    kept,
    fresh,
  };
}
