/**
 * Added latency, compared within one run: the same request by the same client to the same programs, in turn
 * inside the shop and inside a reference site that has no Bulkhead. Each side is measured in short rounds,
 * one right after the other, so that whatever else the machine does falls on both.
 */
import { REFERENCE, type Lab } from "@bulkhead/example-shop";
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

/** Of the mean of a few values, from how far they lie apart. */
function errorOfMean(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return values.length < 2 ? Infinity : Math.sqrt(squares / (values.length - 1) / values.length);
}

export interface Request {
  /** `/` goes through web, storefront and cache; `/healthz` to nginx and back. */
  readonly path: "/" | "/healthz";
  /** Requests of one round on one side. */
  readonly requests: number;
  /** Time for one block of rounds; at least `LEAST_ROUNDS` are made. */
  readonly blockMs: number;
}

const LEAST_ROUNDS = 12;
const BLOCKS = 3;

const MEASURED = ["users", "web", "storefront-1", "storefront-2", "cache", "db"].flatMap((name) => [
  name,
  `${REFERENCE}${name}`,
]);

/**
 * Compares several kinds of requests in blocks that take turns, so that a minute in which the machine was busy with
 * something else shows as an error rather than as a difference.
 */
export function compareLatency<Kinds extends Readonly<Record<string, Request>>>(
  lab: Lab,
  kinds: Kinds,
  blocks = BLOCKS,
): Promise<Record<keyof Kinds, Comparison>> {
  return lab.withPrecedence(MEASURED, async () => {
    const names: readonly (keyof Kinds & string)[] = Object.keys(kinds);
    const measured = new Map<string, Block[]>(names.map((name) => [name, []]));
    for (let block = 0; block < blocks; block += 1) {
      for (const name of names) {
        const request = kinds[name];
        if (request !== undefined) measured.get(name)?.push(await oneBlock(lab, request));
      }
    }
    const results: Partial<Record<keyof Kinds, Comparison>> = {};
    for (const name of names) results[name] = combine(measured.get(name) ?? []);
    return results as Record<keyof Kinds, Comparison>;
  });
}

interface Block {
  readonly shop: readonly number[];
  readonly reference: readonly number[];
  /** Shop ÷ reference, one a round. */
  readonly p50: readonly number[];
  readonly p95: readonly number[];
  readonly failed: number;
}

async function oneBlock(lab: Lab, { path, requests, blockMs }: Request): Promise<Block> {
  const web = workloadNamed("web");
  const shop: number[] = [];
  const reference: number[] = [];
  const p50: number[] = [];
  const p95: number[] = [];
  let failed = 0;
  const measure = async (program: string, host: string): Promise<readonly number[]> => {
    const result = await lab.call<Measured>(program, "measure", { requests, path, host });
    failed += result.failed;
    return result.values;
  };
  const until = performance.now() + blockMs;
  for (let round = 0; round < LEAST_ROUNDS || performance.now() < until; round += 1) {
    const host = round % 4 < 2 ? ipv4Of(web) : ipv6Of(web);
    // Who goes first alternates, too.
    const order =
      round % 2 === 0 ? (["users", "ref-users"] as const) : (["ref-users", "users"] as const);
    const results = { users: [] as readonly number[], "ref-users": [] as readonly number[] };
    for (const program of order) results[program] = await measure(program, host);
    shop.push(...results.users);
    reference.push(...results["ref-users"]);
    const [ours, theirs] = [latencyOf(results.users), latencyOf(results["ref-users"])];
    p50.push(ours.p50 / theirs.p50);
    p95.push(ours.p95 / theirs.p95);
  }
  return { shop, reference, p50, p95, failed };
}

function combine(blocks: readonly Block[]): Comparison {
  const rounds = (at: "p50" | "p95"): readonly number[] => blocks.flatMap((block) => block[at]);
  const errorOf = (at: "p50" | "p95"): number =>
    Math.max(errorOfMedian(rounds(at)), errorOfMean(blocks.map((block) => median(block[at]))));
  return {
    shop: latencyOf(blocks.flatMap((block) => block.shop)),
    reference: latencyOf(blocks.flatMap((block) => block.reference)),
    ratio: { p50: median(rounds("p50")), p95: median(rounds("p95")) },
    error: { p50: errorOf("p50"), p95: errorOf("p95") },
    rounds: rounds("p95").length,
    requests: blocks.reduce((sum, block) => sum + block.shop.length, 0),
    failed: blocks.reduce((sum, block) => sum + block.failed, 0),
  };
}
