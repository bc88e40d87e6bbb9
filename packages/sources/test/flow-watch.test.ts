/** What a record of flows should not have: rows twice, and ends before beginnings. What may be alike stays. */
import type { Flow, FlowEnd } from "@bulkhead/model";
import { expect, it } from "vitest";
import { readerOf, watchFlows, type FlowSink } from "../src/index.ts";
import { wordOfText } from "../src/shared/known-connections.ts";

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

function collect() {
  const flows: Flow[] = [];
  const sink: FlowSink = {
    flow: (one) => void flows.push(one),
    malformed: ({ problem }) => {
      throw new Error(problem);
    },
    other: () => undefined,
    lost: () => undefined,
  };
  return { flows, sink };
}

it("tells rows that come twice, and puts times in order", () => {
  const { sink, flows: taken } = collect();
  const watch = watchFlows(sink);
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

it("keeps what was told of the way back, however alike it is, and still tells that twice", () => {
  const { sink, flows } = collect();
  const watch = watchFlows(sink);
  const reader = readerOf("aws-vpc")?.open(watch);
  const row = (from: string, to: string, at: number): string =>
    `2 210987654321 eni-1 ${from} ${to} 123 123 17 1 76 ${1_760_000_000 + at} ${1_760_000_050 + at} ACCEPT OK\n`;
  const there = (at: number): string => row("10.0.0.1", "10.0.0.2", at);
  const back = (at: number): string => row("10.0.0.2", "10.0.0.1", at);
  const text = [there(0), back(0), there(60), back(60), there(60), back(60)].join("");
  reader?.push(new TextEncoder().encode(text));
  reader?.end();
  expect(flows.map(({ source }) => source.address)).toEqual(Array(4).fill("10.0.0.1"));
  expect(flows.map(({ connections, established }) => [connections, established])).toEqual([
    [1, 0],
    [0, 1],
    [0, 0],
    [0, 0],
  ]);
  expect(watch.duplicates).toBe(2);
});

it("takes no flow for another one, however its ends were chosen", () => {
  // Of 65,536 ports one has the word that makes an address another: whoever calls both, at once and alike, would hide one of them.
  const multiplier = 0x85ebca6b;
  let inverse = 1;
  for (let step = 0; step < 6; step += 1)
    inverse = Math.imul(inverse, 2 - Math.imul(multiplier, inverse));
  const hidden = { address: "10.0.0.5", port: 22 };
  const wanted = wordOfText(hidden.address) ^ Math.imul(hidden.port, multiplier);
  const chosen = Array.from({ length: 200_000 }, (_, at) => {
    const address = `198.18.${at >> 8}.${at & 255}`;
    return { address, port: Math.imul(wordOfText(address) ^ wanted, inverse) >>> 0 };
  }).filter(({ port }) => port > 0 && port < 65_536);
  expect(chosen.length).toBeGreaterThan(0);
  for (const { address, port } of [...chosen, hidden]) {
    const { sink, flows: taken } = collect();
    const watch = watchFlows(sink, 20_261_121);
    const to = (one: string): FlowEnd => ({ address: one, name: one, labels: {} });
    watch.flow(flow({ destination: to(address), port }));
    watch.flow(flow({ destination: to(hidden.address), port: hidden.port }));
    expect(taken).toHaveLength(address === hidden.address ? 1 : 2);
  }
});
