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

/** Written out: millions are sorted by it. */
export function inEdgeOrder(a: Edge, b: Edge): number {
  return (
    compareText(a.source.name, b.source.name) ||
    compareText(a.destination.name, b.destination.name) ||
    a.protocol - b.protocol ||
    a.port - b.port ||
    compareText(a.source.address, b.source.address) ||
    compareText(a.destination.address, b.destination.address) ||
    compareText(a.verdict, b.verdict) ||
    compareText(a.rule ?? "", b.rule ?? "") ||
    a.firstSeen - b.firstSeen ||
    a.connections - b.connections
  );
}

/** Adds to the list that a key has, or begins one. */
export function push<K, T>(lists: Map<K, T[]>, key: K, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** Groups in order of first appearance. */
export function groupBy<T, K extends string | number>(
  values: Iterable<T>,
  keyOf: (value: T) => K,
): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const value of values) push(groups, keyOf(value), value);
  return groups;
}
