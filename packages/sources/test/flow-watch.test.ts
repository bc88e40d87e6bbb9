/** What a record of flows should not have: rows twice, and ends before beginnings. What may be alike stays. */
import type { Flow } from "@bulkhead/model";
import { expect, it } from "vitest";
import { watchFlows } from "../src/index.ts";

const flow = (more: Partial<Flow> = {}): Flow => ({
  start: 1000,
  end: 2000,
  source: { address: "10.0.0.1", name: "10.0.0.1", labels: {} },
  destination: { address: "10.0.0.2", name: "10.0.0.2", labels: {} },
  protocol: 6,
  port: 443,
  sourcePort: 40_000,
  verdict: "forwarded",
  connections: 1,
  established: 0,
  failed: 0,
  bytes: 10,
  packets: 1,
  ...more,
});

it("tells rows that come twice, and puts times in order", () => {
  const taken: Flow[] = [];
  const watch = watchFlows({
    flow: (one) => taken.push(one),
    malformed: () => undefined,
    other: () => undefined,
    lost: () => undefined,
  });
  watch.flow(flow());
  watch.flow(flow({ connections: 0 }));
  // An answer as long as the question, and another interface's word.
  watch.flow(flow({ connections: 0, established: 1 }));
  watch.flow(flow({ node: "eni-2" }));
  watch.flow(flow({ start: 3000 }));
  const request = { method: "GET", path: "/" };
  watch.flow(flow({ request, sourcePort: 0 }));
  watch.flow(flow({ request, sourcePort: 0 }));
  expect([watch.duplicates, watch.backwards, taken.length]).toEqual([1, 1, 6]);
  expect(taken[3]).toMatchObject({ start: 3000, end: 3000 });
});
