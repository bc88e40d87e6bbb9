/** Flows of an estate for the benches of the flow store: ten thousand workloads, ten links of each. */
import type { Flow, FlowEnd } from "@bulkhead/model";

export const WORKLOADS = 10_000;
export const LINKS = 10 * WORKLOADS;

/** The same end is the same object, as the controller's names are. */
const ENDS: readonly FlowEnd[] = Array.from({ length: WORKLOADS }, (_, workload) => ({
  address: `10.${(workload >> 16) & 255}.${(workload >> 8) & 255}.${workload & 255}`,
  workload: `shop/w${workload}`,
  name: `shop/w${workload}`,
  labels: { app: `a${workload % 200}`, role: `r${workload % 7}`, tier: `t${workload % 3}` },
}));

const endAt = (index: number): FlowEnd => ENDS[index % WORKLOADS] as FlowEnd;

/** One flow on a link, at a moment. */
export function flowOn(link: number, start: number): Flow {
  const source = link % WORKLOADS;
  const hop = Math.floor(link / WORKLOADS) + 1;
  return {
    start,
    end: start + 140,
    node: "n1",
    source: endAt(source),
    destination: endAt(source + hop * 997),
    protocol: 6,
    port: 8000 + (link % 40),
    sourcePort: 32_768 + (start % 28_000),
    verdict: "forwarded",
    connections: 1 + (start % 3),
    established: 1 + (start % 3),
    failed: 0,
    bytes: 1200 + (start % 4000),
    packets: 12,
  };
}
