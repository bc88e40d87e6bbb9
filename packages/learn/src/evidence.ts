/** Sums the numbers behind a rule over its edges, with a few ends as samples. */
import type { Edge, Evidence, FlowEnd } from "@bulkhead/model";
import { compareText } from "./order.ts";

const SAMPLES = 3;

export function evidenceOf(edges: readonly Edge[]): Evidence {
  const sum = (of: (edge: Edge) => number): number =>
    edges.reduce((total, edge) => total + of(edge), 0);
  const names = new Set(
    edges.map((edge) => `${endName(edge.source)} → ${endName(edge.destination)}`),
  );
  return {
    edges: edges.length,
    connections: sum((edge) => edge.connections),
    established: sum((edge) => edge.established),
    failed: sum((edge) => edge.failed),
    bytes: sum((edge) => edge.bytes),
    windows: sum((edge) => edge.windows),
    firstSeen: Math.min(...edges.map((edge) => edge.firstSeen)),
    lastSeen: Math.max(...edges.map((edge) => edge.lastSeen)),
    samples: [...names].toSorted(compareText).slice(0, SAMPLES),
  };
}

/** An outside end says nothing without its address. */
function endName(end: FlowEnd): string {
  return end.name === "world" ? end.address : end.name;
}
