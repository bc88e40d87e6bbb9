/** Sums the numbers behind a rule over its edges, with a few ends as samples. */
import { formatsOf, isOwnRecord, type Edge, type Evidence, type FlowEnd } from "@bulkhead/model";
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
    ...importedOf(edges),
  };
}

function importedOf(edges: readonly Edge[]): Pick<Evidence, "imported"> {
  const imported = edges.filter((edge) => !isOwnRecord(edge));
  if (imported.length === 0) return {};
  return {
    imported: {
      formats: [...new Set(imported.flatMap((edge) => [...formatsOf(edge)]))].toSorted(compareText),
      edges: imported.length,
      connections: imported.reduce((total, { connections }) => total + connections, 0),
    },
  };
}

/** An outside end says nothing without its address. */
function endName(end: FlowEnd): string {
  return end.name === "world" ? end.address : end.name;
}
