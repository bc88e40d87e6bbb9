/**
 * Takes flows that others recorded into the store, a batch at a time: what the source named keeps its name, other ends get
 * the name that their address had at the time, where that is known. They were judged by no policy of ours, so nothing is judged
 * by them here, and no alarm is raised.
 */
import { ApiFailure, type ImportFlowsAnswer, type ImportFlowsRequest } from "@bulkhead/api";
import type { Flow, FlowEnd, IpAddress } from "@bulkhead/model";
import { StoreFullError, type FlowStore } from "@bulkhead/store";
import type { Namer } from "../world/naming.ts";

export interface FlowImporterDeps {
  readonly store: Pick<FlowStore, "append" | "lastSequence">;
  readonly now: () => number;
  readonly namer: () => Namer;
  readonly heldAt: (address: IpAddress, time: number) => boolean;
  /** Sees every flow that is stored. */
  readonly onFlow: (flow: Flow) => void;
  /** How long single flows are kept. */
  readonly keepMs: () => number;
}

export interface FlowImporter {
  take(request: ImportFlowsRequest): Promise<ImportFlowsAnswer>;
}

/** Clocks of different machines differ by so much. */
const SKEW_MS = 300_000;

export function createFlowImporter(deps: FlowImporterDeps): FlowImporter {
  return {
    async take({ batch, ends, origins, flows, records }) {
      const boot = `import ${batch}`;
      if ((await deps.store.lastSequence(boot)) > 0) {
        return { known: true, stored: 0, repeated: 0, future: 0, old: 0 };
      }
      const now = deps.now();
      const nameAt = createEndNames(deps, ends);
      const taken: Flow[] = [];
      const digests: bigint[] = [];
      for (const [at, { source, destination, origin, ...flow }] of flows.entries()) {
        if (Math.max(flow.start, flow.end) > now + SKEW_MS) continue;
        const told = origins[origin];
        const record = records?.[at];
        if (record !== undefined) digests.push(BigInt.asIntN(64, BigInt(`0x${record}`)));
        taken.push({
          ...flow,
          source: nameAt(source, flow.start),
          destination: nameAt(destination, flow.start),
          ...(told === undefined ? {} : { origin: told }),
        });
      }
      let leftOut: ReadonlySet<Flow>;
      try {
        const told = { boot, sequence: 1, flows: taken };
        const appended = await deps.store.append([
          records === undefined ? told : { ...told, digests },
        ]);
        leftOut = appended.leftOut;
      } catch (error) {
        if (!(error instanceof StoreFullError)) throw error;
        throw new ApiFailure("store-full", error.message, {
          help: "make room and run the import again: what is stored already is not counted twice",
          cause: error,
        });
      }
      const stored = taken.filter((flow) => !leftOut.has(flow));
      for (const flow of stored) deps.onFlow(flow);
      return {
        known: false,
        stored: stored.length,
        repeated: leftOut.size,
        future: flows.length - taken.length,
        old: stored.filter(({ end }) => end < now - deps.keepMs()).length,
      };
    },
  };
}

/** The same end is the same object, however many flows have it: its labels are written once. */
function createEndNames(
  { namer, heldAt }: FlowImporterDeps,
  ends: readonly FlowEnd[],
): (place: number, time: number) => FlowEnd {
  const name = namer();
  const named = ends.map((end) => (isUnnamed(end) ? name(end.address) : end));
  return (place, time) => {
    const told = ends[place];
    const end = named[place];
    if (told === undefined || end === undefined) throw new Error(`there is no end ${place}`);
    if (end === told) return told;
    return heldAt(end.address, time) ? end : told;
  };
}

function isUnnamed({ address, workload, name }: FlowEnd): boolean {
  return workload === undefined && name === address;
}
