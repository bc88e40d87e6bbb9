/** Rows that differ only in addresses a person does not see (IPv4 and IPv6 of the same two) are one row. */
import type { Edge } from "@bulkhead/model";
import { endName } from "./verdicts.ts";

/** `rest` is what else must be alike. Order of first appearance. */
export function foldAddresses<T>(
  rows: readonly T[],
  edgeOf: (row: T) => Edge,
  withEdge: (row: T, edge: Edge) => T,
  rest: (row: T) => string = () => "",
): readonly T[] {
  const folded = new Map<string, T>();
  for (const row of rows) {
    const edge = edgeOf(row);
    const ends = [endName(edge.source), endName(edge.destination)];
    const key = JSON.stringify([
      ...ends,
      edge.protocol,
      edge.port,
      edge.verdict,
      edge.rule,
      edge.cutBy,
      rest(row),
    ]);
    const other = folded.get(key);
    folded.set(key, other === undefined ? row : withEdge(other, sum(edgeOf(other), edge)));
  }
  return [...folded.values()];
}

function sum(a: Edge, b: Edge): Edge {
  return {
    ...a,
    connections: a.connections + b.connections,
    established: a.established + b.established,
    failed: a.failed + b.failed,
    bytes: a.bytes + b.bytes,
    packets: a.packets + b.packets,
    firstSeen: Math.min(a.firstSeen, b.firstSeen),
    lastSeen: Math.max(a.lastSeen, b.lastSeen),
  };
}
