/** Puts single flows beside what a change affects: of the rows that a person looks at first, and of no others. */
import type { Edge, Flow } from "@bulkhead/model";
import type { Impact } from "./impact.ts";

/** Flows of a row. */
export const SAMPLES = 3;
/** Rows that have any: each costs a question to a store. */
export const MOST_SAMPLED = 10;

export async function withSamples(
  impact: Impact,
  find: (recorded: Edge) => readonly Flow[] | Promise<readonly Flow[]>,
): Promise<Impact> {
  const affected = [...impact.affected];
  for (const [at, edge] of impact.examples.slice(0, MOST_SAMPLED).entries()) {
    const row = affected[at];
    // One after the other: a store answers one question at a time, and others have some too.
    if (row !== undefined) affected[at] = { ...row, samples: await find(edge) };
  }
  return { ...impact, affected };
}
