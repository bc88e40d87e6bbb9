/**
 * From the agent's records to stored flows: names both ends and the rule as they are now, gathers batches for a moment,
 * has them stored, and only then tells the agent that it may forget them. What the store does not take waits in a bounded
 * buffer (`flow-buffer.ts`): enforcement must not wait for history.
 */
import type { Logger } from "pino";
import type { Flow, FlowEnd, FlowProcess } from "@bulkhead/model";
import type { FlowStore } from "@bulkhead/store";
import type { ObservedRecord } from "@bulkhead/wire";
import type { Namer } from "../world/naming.ts";
import { createEndMemory } from "./end-memory.ts";
import { FlowBuffer, type BufferLimits } from "./flow-buffer.ts";
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
  readonly now: () => number;
  /** Of what waits for the store. */
  readonly limits?: BufferLimits;
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
  /** Connections whose records were given up, and records that wait to be stored. */
  readonly unstored: number;
  readonly waiting: number;
  /** Records that claimed to be from the future, and are told as of when they came. */
  readonly redated: number;
  /** Why nothing is stored; absent while it is. */
  readonly problem: string | undefined;
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
): FlowEnd =>
  // The same object where nothing is added: the store knows it again.
  names === undefined && process === undefined
    ? end
    : {
        ...end,
        ...(names === undefined ? {} : { names }),
        ...(process === undefined ? {} : { process }),
      };

/**
 * Each append costs some milliseconds, whatever is in it. Nothing is lost while it waits, for the agent keeps what is not
 * stored; whoever asks has it stored first; and its window of batches under way is wider than this. With the 150 ms in which
 * the agent gathers it stays under a second, which is what the end of both in the same moment costs.
 */
const GATHER_MS = 800;
/** Clocks of two machines are never the same. */
const CLOCK_TOLERANCE_MS = 60_000;
/** So many records do not wait any longer. */
const GATHERED = 2000;
const MAX_FOLLOWED = 10_000;

export function startFlowIntake(deps: IntakeDeps): FlowIntake {
  const followers = new Set<(flows: readonly Flow[]) => void>();
  const seen = new Map<string, number>();
  const ends = createEndMemory();
  const buffer = new FlowBuffer(deps);
  let redated = 0;
  let gathered = 0;
  let timer: NodeJS.Timeout | undefined;

  function flushSoon(): void {
    if (gathered >= GATHERED) flushNow();
    else timer ??= setTimeout(flushNow, GATHER_MS);
  }

  function flushNow(): void {
    void flush();
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    gathered = 0;
    return buffer.flush();
  }

  /**
   * What claims to be from the future happened by now: kept as it says, it would never be the oldest, and would make days that
   * have not been.
   */
  function dated<T extends Pick<ObservedRecord, "start" | "end">>(record: T): T {
    const now = deps.now();
    if (record.start <= now + CLOCK_TOLERANCE_MS && record.end <= now + CLOCK_TOLERANCE_MS)
      return record;
    redated += 1;
    const start = Math.min(record.start, now);
    return { ...record, start, end: Math.max(start, Math.min(record.end, now)) };
  }

  function named(record: ObservedRecord, node: string): Flow {
    const name = deps.namer();
    const rule = record.cookie === undefined ? undefined : deps.ruleOf(record.cookie);
    const { sourceNames, destinationNames, sourceProcess, destinationProcess, ...told } = record;
    const seen = dated(told);
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
      buffer.add({ boot, sequence, flows }, stored);
      gathered += flows.length;
      flushSoon();
    },

    get unstored() {
      return buffer.unstored;
    },

    get redated() {
      return redated;
    },

    get waiting() {
      return buffer.waiting;
    },

    get problem() {
      return buffer.problem;
    },

    flush,

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
      await buffer.stop();
    },
  };
}
