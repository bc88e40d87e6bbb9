/**
 * Flows in batches as the API takes them: each end and origin once, and a name that is a digest of this batch and all before
 * it. The same flows in the same order are the same batches, so that an import that was broken off can be run again.
 */
import { createHash } from "node:crypto";
import { MOST_IMPORTED, type ImportedFlow } from "@bulkhead/api";
import type { Flow, FlowEnd, FlowOrigin } from "@bulkhead/model";
import { createRecordNames } from "./record-names.ts";

export interface Batch {
  readonly batch: string;
  readonly ends: FlowEnd[];
  readonly origins: FlowOrigin[];
  readonly flows: ImportedFlow[];
  /** No part of the batch's name: earlier versions told none. */
  readonly records: string[];
}

export interface Batches {
  /** `turned`: as the reader told. */
  add(flow: Flow, turned?: boolean): void;
  /** Those that are full; with `rest` also what is left. */
  take(rest?: boolean): readonly Batch[];
}

/** Texts of requests in one batch: requests of others must stay below what the API takes at once. */
const MOST_TEXT = 4_000_000;

/** `store`: the name of the one that they are for. */
export function createBatches(format: string, store = "", most = MOST_IMPORTED): Batches {
  let name = createHash("sha256").update(`flows of ${format}`).digest("hex");
  let full: Batch[] = [];
  const recordName = createRecordNames(store);
  let open = openBatch();
  let text = 0;

  function close(): void {
    if (open.flows.length === 0) return;
    const { ends, origins, flows, records } = open;
    const hash = createHash("sha256").update(name);
    name = hash.update(JSON.stringify([ends, origins, flows])).digest("hex");
    full.push({ batch: name, ends, origins, flows, records });
    open = openBatch();
    text = 0;
  }

  return {
    add(whole, turned) {
      const {
        source,
        destination,
        origin,
        cookie: _cookie,
        probe: _probe,
        cutBy: _cut,
        ...flow
      } = whole;
      const told = origin ?? UNTOLD;
      open.records.push(recordName(whole, turned));
      const known = open.ends.length;
      open.flows.push({
        ...flow,
        source: placeOf(open.endPlaces, open.ends, source),
        destination: placeOf(open.endPlaces, open.ends, destination),
        origin: placeOf(open.originPlaces, open.origins, told),
      });
      text += flow.request?.path.length ?? 0;
      for (const end of open.ends.slice(known)) text += textOf(end);
      if (open.flows.length >= most || text >= MOST_TEXT) close();
    },
    take(rest = false) {
      if (rest) close();
      const taken = full;
      full = [];
      return taken;
    },
  };
}

const UNTOLD: FlowOrigin = { format: "bulkhead", sampling: 1, aggregation: 0, direction: "told" };

function openBatch() {
  return {
    ends: [] as FlowEnd[],
    origins: [] as FlowOrigin[],
    flows: [] as ImportedFlow[],
    records: [] as string[],
    endPlaces: new Map<FlowEnd, number>(),
    originPlaces: new Map<FlowOrigin, number>(),
  };
}

function placeOf<T>(places: Map<T, number>, list: T[], one: T): number {
  const known = places.get(one);
  if (known !== undefined) return known;
  const place = list.push(one) - 1;
  places.set(one, place);
  return place;
}

/** About. */
function textOf({ name, labels, names = [] }: FlowEnd): number {
  const texts = [name, ...names, ...Object.entries(labels).flat()];
  return texts.reduce((sum, one) => sum + one.length + 4, 100);
}
