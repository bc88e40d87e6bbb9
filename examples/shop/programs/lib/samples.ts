/** What became of requests: done and failed, by kind and family, with latencies. Bounded by the run's length. */

export interface Sample {
  readonly at: number;
  readonly ms: number;
  readonly kind: string;
  readonly family: 4 | 6;
  /** Absent: done. */
  readonly error?: string;
}

export interface Latency {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface Tally {
  readonly done: number;
  readonly failed: number;
  readonly byFamily: { readonly ipv4: number; readonly ipv6: number };
  readonly byKind: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly latencyMs: Latency;
}

/** Nearest-rank percentiles of unsorted milliseconds. */
export function latencyOf(values: readonly number[]): Latency {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = (share: number): number =>
    sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { p50: rank(0.5), p95: rank(0.95), p99: rank(0.99), max: sorted.at(-1) ?? 0 };
}

export function tally(samples: readonly Sample[]): Tally {
  const done = samples.filter((sample) => sample.error === undefined);
  const byKind: Record<string, number> = {};
  for (const sample of done) byKind[sample.kind] = (byKind[sample.kind] ?? 0) + 1;
  const errors: Record<string, number> = {};
  for (const sample of samples) {
    if (sample.error === undefined) continue;
    const name = `${sample.kind}: ${sample.error}`;
    errors[name] = (errors[name] ?? 0) + 1;
  }
  return {
    done: done.length,
    failed: samples.length - done.length,
    byFamily: {
      ipv4: done.filter((sample) => sample.family === 4).length,
      ipv6: done.filter((sample) => sample.family === 6).length,
    },
    byKind,
    errors,
    latencyMs: latencyOf(done.map((sample) => sample.ms)),
  };
}
