/** One order for everything that learning prints: by code units, never by locale, so that the same input always gives the same text. */
import type { Edge } from "@bulkhead/model";

export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export function by<T>(...keys: ((value: T) => string | number)[]): (a: T, b: T) => number {
  return (a, b) => {
    for (const key of keys) {
      const left = key(a);
      const right = key(b);
      if (left === right) continue;
      return left < right ? -1 : 1;
    }
    return 0;
  };
}

export const inEdgeOrder: (a: Edge, b: Edge) => number = by<Edge>(
  (edge) => edge.source.name,
  (edge) => edge.destination.name,
  (edge) => edge.protocol,
  (edge) => edge.port,
  (edge) => edge.source.address,
  (edge) => edge.destination.address,
  (edge) => edge.verdict,
  (edge) => edge.rule ?? "",
  (edge) => edge.firstSeen,
  (edge) => edge.connections,
);

/** Groups in order of first appearance. */
export function groupBy<T>(values: Iterable<T>, keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
