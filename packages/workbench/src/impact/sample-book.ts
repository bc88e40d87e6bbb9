/** A few single flows of every edge, for exports that are read once: the latest, however many there are. */
import type { Edge, Flow } from "@bulkhead/model";
import { edgeKey } from "../observe/flow-fold.ts";
import { SAMPLES } from "./samples.ts";

/** Edges beyond these have no samples: they are there for a person to look at. */
const MOST_EDGES = 100_000;

export interface SampleBook {
  add(flow: Flow): void;
  /** Oldest first. */
  of(edge: Edge): readonly Flow[];
}

export function createSampleBook(): SampleBook {
  const kept = new Map<string, Flow[]>();
  return {
    add(flow) {
      const key = edgeKey(flow);
      const flows = kept.get(key);
      if (flows === undefined) {
        if (kept.size < MOST_EDGES) kept.set(key, [flow]);
      } else {
        flows.push(flow);
        flows.sort((a, b) => a.start - b.start);
        if (flows.length > SAMPLES) flows.shift();
      }
    },
    of: (edge) => kept.get(edgeKey(edge)) ?? [],
  };
}
