/**
 * A metric as data: what is exported is derived from the state at the moment of asking, so that nothing has to be counted
 * twice, and one form serves Prometheus' text, OpenMetrics and OTLP.
 */

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** `below`: `[bound, so many are not above it]`, cumulative; what lies beyond all bounds is in `count` alone. */
export interface Distribution {
  readonly labels: Labels;
  readonly below: readonly (readonly [number, number])[];
  readonly count: number;
  readonly sum: number;
}

interface Named {
  /** `bulkhead_…`, with its unit; a counter's without `_total`. */
  readonly name: string;
  readonly help: string;
}

export type Family = Named &
  (
    | { readonly kind: "gauge" | "counter"; readonly samples: readonly Sample[] }
    | { readonly kind: "histogram"; readonly distributions: readonly Distribution[] }
  );

export function gauge(name: string, help: string, ...samples: readonly Sample[]): Family {
  return { kind: "gauge", name: `bulkhead_${name}`, help, samples };
}

export function counter(name: string, help: string, ...samples: readonly Sample[]): Family {
  return { kind: "counter", name: `bulkhead_${name}`, help, samples };
}

/** One sample without labels. */
export const plain = (value: number): Sample => ({ labels: {}, value });

/** One sample a key. */
export function by(label: string, values: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));
}
