/** Reads what is given, in one piece or in many, and keeps all that is told. */
import type { Flow, FlowFormat } from "@bulkhead/model";
import { readerOf, type Malformed, type ReadOptions } from "../src/index.ts";

export interface Told {
  readonly flows: readonly Flow[];
  readonly malformed: readonly Malformed[];
  readonly others: readonly string[];
  readonly lost: number;
}

/** `cuts`: places at which the bytes are cut, in any order. */
export function readAs(
  format: FlowFormat,
  what: string | Uint8Array,
  cuts: readonly number[] = [],
  options: ReadOptions = {},
): Told {
  const bytes = typeof what === "string" ? new TextEncoder().encode(what) : what;
  const flows: Flow[] = [];
  const malformed: Malformed[] = [];
  const others: string[] = [];
  let lost = 0;
  const reader = readerOf(format)?.open(
    {
      flow: (flow) => flows.push(flow),
      malformed: (problem) => malformed.push(problem),
      other: (kind) => others.push(kind),
      lost: (events) => {
        lost += events;
      },
    },
    options,
  );
  if (reader === undefined) throw new Error(`${format} has no reader`);
  let from = 0;
  const places = [...cuts].map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b);
  for (const to of [...places, bytes.length]) {
    // A copy, so that nothing can rest on what lies behind the piece.
    if (to > from) reader.push(bytes.slice(from, to));
    from = to;
  }
  reader.end();
  return { flows, malformed, others, lost };
}

/** `a → b 22/6 forwarded 1/1/0 20p 4249b` */
export function shown({ flows }: Told): readonly string[] {
  return flows.map(
    (flow) =>
      `${flow.source.name}:${flow.sourcePort} → ${flow.destination.name} ${flow.port}/${flow.protocol} ${flow.verdict} ${flow.connections}/${flow.established}/${flow.failed} ${flow.packets}p ${flow.bytes}b`,
  );
}
