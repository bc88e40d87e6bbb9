/**
 * Stands before whoever takes flows, and looks for what a record of flows should not have: rows told twice, and flows that
 * end before they begin. Both are counted; a flow twice is not handed on, and times are put in order.
 */
import type { Flow } from "@bulkhead/model";
import type { FlowSink } from "./flow-format.ts";
import { KnownConnections, wordOfEnd, wordOfText } from "./shared/known-connections.ts";

export interface FlowWatch extends FlowSink {
  readonly duplicates: number;
  readonly backwards: number;
}

/** So many flows back a second one of the same is known. */
const REMEMBERED = 262_144;

/** `seed`: 32 bits that nobody knows beforehand, where flows are of whoever may want some of his not to be seen. */
export function watchFlows(sink: FlowSink, seed = 0): FlowWatch {
  const seen = new KnownConnections(REMEMBERED);
  let duplicates = 0;
  let backwards = 0;
  return {
    ...sink,
    flow(flow, turned) {
      if (canBeDuplicate(flow, turned) && seen.meet(...wordsOf(flow, turned, seed))) {
        duplicates += 1;
        return;
      }
      if (flow.end >= flow.start) return sink.flow(flow, turned);
      backwards += 1;
      sink.flow({ ...flow, end: flow.start }, turned);
    },
    get duplicates() {
      return duplicates;
    },
    get backwards() {
      return backwards;
    },
  };
}

/**
 * Requests, and flows without ports, may well be alike; and an answer may have as many bytes as what it answers: where the
 * source does not tell which way a record was, its news is of a connection told before.
 */
function canBeDuplicate(flow: Flow, turned: boolean | undefined): boolean {
  const isNews =
    turned === undefined && flow.connections === 0 && flow.established + flow.failed > 0;
  return flow.sourcePort !== 0 && flow.request === undefined && !isNews;
}

function wordsOf(
  flow: Flow,
  turned: boolean | undefined,
  seed: number,
): readonly [number, number, number] {
  const source = wordOfEnd(flow.source.address, flow.sourcePort, seed);
  const destination = wordOfEnd(flow.destination.address, flow.port, ~seed);
  const times = Math.imul(flow.start % 4_294_967_291, 31) ^ Math.imul(flow.end % 4_294_967_291, 17);
  const sums =
    Math.imul(flow.bytes % 4_294_967_291, 13) ^ Math.imul(flow.packets % 4_294_967_291, 7);
  const node = flow.node === undefined ? 0 : wordOfText(flow.node);
  const way = turned ? 0x5bd1e995 : 0;
  return [source ^ (flow.protocol << 24), destination ^ node, times ^ sums ^ way];
}
