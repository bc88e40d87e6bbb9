/**
 * Sets of outside addresses that an earlier suggestion proposed, and that are in force by now, say no more than their
 * addresses, or their domain name: flows that bear such a set's name are taken for what they were before it.
 */
import type { Edge, FlowEnd } from "@bulkhead/model";
import { compareText } from "./order.ts";

/** How sets of nameless addresses are called that a suggestion proposes; see `world.ts`. */
const NAMELESS = /^[^/]*\/((outside-of|callers-of|metadata-of)-|([^/]*-to-)?dns-at-)/;

/** `domains`: names by the sets (`shop/api.example.com`) that were made of them. */
export function dissolveSets(
  edges: readonly Edge[],
  domains: ReadonlyMap<string, string> = new Map(),
): readonly Edge[] {
  const dissolve = (end: FlowEnd): FlowEnd => {
    if (end.workload !== undefined) return end;
    const domain = domains.get(end.name);
    if (domain === undefined) return NAMELESS.test(end.name) ? { ...end, name: "world" } : end;
    const names = [...new Set([...(end.names ?? []), domain])].toSorted(compareText);
    return { ...end, name: "world", names };
  };
  return edges.map((edge) => {
    const source = dissolve(edge.source);
    const destination = dissolve(edge.destination);
    const same = source === edge.source && destination === edge.destination;
    return same ? edge : { ...edge, source, destination };
  });
}
