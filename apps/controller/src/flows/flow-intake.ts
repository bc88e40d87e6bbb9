/**
 * From the agent's records to stored flows: names both ends and the rule as they are now, gathers batches for a moment,
 * stores them, and only then tells the agent that it may forget them. When the disk is full, flows are counted and let
 * go: enforcement must not wait for history.
 */
import type { Logger } from "pino";
import type { Flow, FlowEnd, FlowProcess } from "@bulkhead/model";
import { StoreFullError, type FlowBatch, type FlowStore } from "@bulkhead/store";
import type { ObservedRecord } from "@bulkhead/wire";
import type { Namer } from "../world/naming.ts";
import { createEndMemory } from "./end-memory.ts";
import type { Denial } from "./referee.ts";

export interface IntakeDeps {
  readonly store: FlowStore;
  readonly log: Logger;
  readonly namer: () => Namer;
  /** Rule or block id of a cookie. */
  readonly ruleOf: (cookie: string) => string | undefined;
  /** How the policy in force denies what is only known from counters. */
  readonly denial: (flow: Flow) => Denial | null;
  /** Sees every flow once, before it is stored. */
  readonly onFlows: (flows: readonly Flow[]) => void;
}

export interface Sender {
  readonly boot: string;
  /** Its machine's name. */
  readonly host: string;
}

export interface FlowIntake {
  /** `stored` is called with the batch's number when the agent may forget it. */
  take(
    sender: Sender,
    sequence: number,
    records: readonly ObservedRecord[],
    stored: (sequence: number) => void,
  ): void;
  /** Connections whose records could not be stored. */
  readonly unstored: number;
  readonly writable: boolean;
  /** Stores what is waiting now. */
  flush(): Promise<void>;
  /** Flows as they come, until the signal says stop. */
  follow(signal: AbortSignal): AsyncGenerator<Flow>;
  stop(): Promise<void>;
}

/** The end with what the agent told of it besides. */
const toldOf = (
  end: FlowEnd,
  names: readonly string[] | undefined,
  process: FlowProcess | undefined,
): FlowEnd => ({
  ...end,
  ...(names === undefined ? {} : { names }),
  ...(process === undefined ? {} : { process }),
});

/**
 * Each append costs some milliseconds, whatever is in it. Nothing is lost while it waits, for the agent keeps what is not
 * stored; whoever asks has it stored first; and its window of batches under way is wider than this.
 */
const GATHER_MS = 2000;
/** So many records do not wait any longer. */
const GATHERED = 2000;
const MAX_FOLLOWED = 10_000;

interface Waiting {
  readonly batch: FlowBatch;
  readonly stored: (sequence: number) => void;
}

export function startFlowIntake(deps: IntakeDeps): FlowIntake {
  const followers = new Set<(flows: readonly Flow[]) => void>();
  const seen = new Map<string, number>();
  const ends = createEndMemory();
  let waiting: Waiting[] = [];
  let gathered = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let unstored = 0;
  let writable = true;

  async function flush(): Promise<void> {
    const taken = waiting;
    waiting = [];
    gathered = 0;
    if (taken.length === 0) return;
    try {
      await deps.store.append(taken.map(({ batch }) => batch));
      if (!writable) deps.log.info("flows are stored again");
      writable = true;
    } catch (error) {
      const lost = taken
        .flatMap(({ batch }) => batch.flows)
        .reduce((sum, flow) => sum + flow.connections, 0);
      unstored += lost;
      if (writable) {
        const reason =
          error instanceof StoreFullError ? error.message : "flows could not be stored";
        deps.log.error({ err: error, lost }, reason);
      }
      writable = false;
    }
    for (const { batch, stored } of taken) stored(batch.sequence);
  }

  function flushSoon(): void {
    if (gathered >= GATHERED) flushNow();
    else timer ??= setTimeout(flushNow, GATHER_MS);
  }

  function flushNow(): void {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.then(flush);
  }

  function named(record: ObservedRecord, node: string): Flow {
    const name = deps.namer();
    const rule = record.cookie === undefined ? undefined : deps.ruleOf(record.cookie);
    const { sourceNames, destinationNames, sourceProcess, destinationProcess, ...seen } = record;
    const groups = ends.groupsOf(record);
    const flow: Flow = {
      ...seen,
      node,
      source: toldOf(name(record.source, groups.source), sourceNames, sourceProcess),
      destination: toldOf(
        name(record.destination, {
          ...groups.destination,
          socket: { protocol: record.protocol, port: record.port },
        }),
        destinationNames,
        destinationProcess,
      ),
      ...(rule === undefined ? {} : { rule }),
    };
    const denial = deps.denial(flow);
    return denial === null ? flow : { ...flow, ...denial };
  }

  return {
    take({ boot, host }, sequence, records, stored) {
      // Sent again after a broken connection, while the first copy is still being written.
      const flows =
        sequence <= (seen.get(boot) ?? 0) ? [] : records.map((record) => named(record, host));
      seen.set(boot, Math.max(sequence, seen.get(boot) ?? 0));
      if (flows.length > 0) {
        deps.onFlows(flows);
        for (const follower of followers) follower(flows);
      }
      waiting.push({ batch: { boot, sequence, flows }, stored });
      gathered += flows.length;
      flushSoon();
    },

    get unstored() {
      return unstored;
    },

    get writable() {
      return writable;
    },

    flush() {
      writing = writing.then(flush);
      return writing;
    },

    async *follow(signal) {
      let queue: Flow[] = [];
      let wake: (() => void) | undefined;
      const follower = (flows: readonly Flow[]): void => {
        queue.push(...flows);
        // A reader too slow to follow misses the oldest; the store has them.
        if (queue.length > MAX_FOLLOWED) queue = queue.slice(-MAX_FOLLOWED);
        wake?.();
      };
      const stop = (): void => wake?.();
      followers.add(follower);
      signal.addEventListener("abort", stop);
      try {
        while (!signal.aborted) {
          const taken = queue;
          queue = [];
          yield* taken;
          if (queue.length === 0 && !signal.aborted) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
        }
      } finally {
        followers.delete(follower);
        signal.removeEventListener("abort", stop);
      }
    },

    async stop() {
      clearTimeout(timer);
      await writing;
      await flush();
    },
  };
}
