/**
 * Added latency, compared within one run: the same request to the same nginx with the same client, in turn
 * inside the shop and inside a reference site that has no Bulkhead. Each side is measured in short rounds,
 * one right after the other, so that whatever else the machine does falls on both.
 */
import type { Lab } from "@bulkhead/example-shop";
import { ipv4Of, ipv6Of, workloadNamed } from "@bulkhead/example-shop/topology";
import { latencyOf, type Latency } from "@bulkhead/example-shop/samples";

export interface Comparison {
  readonly shop: Latency;
  readonly reference: Latency;
  /** Medians over the rounds of shop ÷ reference. */
  readonly ratio: { readonly p50: number; readonly p95: number };
  /** Standard errors of these medians: what the machine's other work does to them. */
  readonly error: { readonly p50: number; readonly p95: number };
  readonly rounds: number;
  readonly requests: number;
  readonly failed: number;
}

interface Measured {
  readonly failed: number;
  readonly values: readonly number[];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Of a median of `values`, from the median absolute deviation (robust against outliers, exact for normal ones). */
function errorOfMedian(values: readonly number[]): number {
  const middle = median(values);
  const spread = 1.4826 * median(values.map((value) => Math.abs(value - middle)));
  return (1.2533 * spread) / Math.sqrt(values.length);
}

export interface Rounds {
  /** At least so many, and more while the error is above `error`, but no longer than `limitMs`. */
  readonly rounds: number;
  readonly error: number;
  readonly limitMs: number;
  /** Requests of one round on one side. */
  readonly requests: number;
  /** A connection for each request instead of one kept connection. */
  readonly fresh: boolean;
}

const MEASURED = ["web", "users", "ref-web", "ref-users"];

export function compareLatency(lab: Lab, options: Rounds): Promise<Comparison> {
  return lab.withPrecedence(MEASURED, () => compare(lab, options));
}

async function compare(lab: Lab, options: Rounds): Promise<Comparison> {
  const web = workloadNamed("web");
  const all = { shop: [] as number[], reference: [] as number[] };
  const p50: number[] = [];
  const p95: number[] = [];
  let failed = 0;
  const measure = async (program: string, host: string): Promise<readonly number[]> => {
    const result = await lab.call<Measured>(program, "measure", {
      requests: options.requests,
      fresh: options.fresh,
      host,
    });
    failed += result.failed;
    return result.values;
  };
  const until = performance.now() + options.limitMs;
  const enough = (): boolean =>
    p95.length >= options.rounds &&
    (errorOfMedian(p95) <= options.error || performance.now() > until);
  for (let round = 0; !enough(); round += 1) {
    const host = round % 4 < 2 ? ipv4Of(web) : ipv6Of(web);
    // Who goes first alternates, too.
    const order =
      round % 2 === 0 ? (["users", "ref-users"] as const) : (["ref-users", "users"] as const);
    const results = { users: [] as readonly number[], "ref-users": [] as readonly number[] };
    for (const program of order) results[program] = await measure(program, host);
    all.shop.push(...results.users);
    all.reference.push(...results["ref-users"]);
    const [ours, theirs] = [latencyOf(results.users), latencyOf(results["ref-users"])];
    p50.push(ours.p50 / theirs.p50);
    p95.push(ours.p95 / theirs.p95);
  }
  return {
    shop: latencyOf(all.shop),
    reference: latencyOf(all.reference),
    ratio: { p50: median(p50), p95: median(p95) },
    error: { p50: errorOfMedian(p50), p95: errorOfMedian(p95) },
    rounds: p95.length,
    requests: all.shop.length,
    failed,
  };
}
