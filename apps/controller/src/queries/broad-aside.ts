/**
 * Asks what is broad beside the controller's own thread: deciding a year of a large estate, and proving what is proposed, takes
 * seconds. What the other thread must know is handed over in pieces, none of which holds up flows and agents.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { ApiFailure } from "@bulkhead/api";
import { createInTurn, type Edge, type Inventory, type Workload } from "@bulkhead/model";
import type { HeldResource } from "../policy/candidate.ts";
import type { Broad, BroadInput } from "./broad.ts";

/** What comes in pieces. */
export interface BroadPieces {
  readonly edges: Edge;
  readonly recent: Edge;
  readonly held: HeldResource;
  readonly workloads: Workload;
}

export interface BroadRest extends Pick<
  BroadInput,
  "texts" | "born" | "readiness" | "since" | "days" | "now"
> {
  readonly inventory: Omit<Inventory, "workloads">;
}

export type BroadMessage =
  | {
      readonly [K in keyof BroadPieces]: {
        readonly kind: K;
        readonly items: readonly BroadPieces[K][];
      };
    }[keyof BroadPieces]
  | { readonly kind: "rest"; readonly rest: BroadRest };

export interface BroadAside extends Omit<BroadRest, "inventory"> {
  readonly inventory: Inventory;
  readonly held: readonly HeldResource[];
  /** Asked for one after the other. */
  readonly edges: () => AsyncIterable<readonly Edge[]> | Iterable<readonly Edge[]>;
  readonly recent: () => AsyncIterable<readonly Edge[]> | Iterable<readonly Edge[]>;
}

/** A piece is copied in a few milliseconds. */
const AT_ONCE = 500;
/** Of the thread's own heap: four times what 10,000 workloads, 2,000 policies and 200,000 edges take. */
const MOST_MEGABYTES = 4096;

/** One at a time: each takes a thread and its memory. */
export const createBroadAside = (): ((asked: BroadAside) => Promise<Broad>) => {
  const inTurn = createInTurn();
  return (asked) => inTurn(() => broadAside(asked));
};

export async function broadAside(asked: BroadAside): Promise<Broad> {
  const { held, inventory, edges, recent, ...more } = asked;
  const { workloads, ...others } = inventory;
  const worker = new Worker(new URL("broad-worker.ts", import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: MOST_MEGABYTES },
  });
  const answer = new Promise<Broad>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", (error: Error & { readonly code?: string }) => {
      reject(error.code === "ERR_WORKER_OUT_OF_MEMORY" ? tooMuch() : error);
    });
  });
  const send = (message: BroadMessage): void => worker.postMessage(message, []);
  const handOver = async (): Promise<Broad> => {
    for (const items of inPieces(held)) await handed(() => send({ kind: "held", items }));
    for (const items of inPieces(workloads)) await handed(() => send({ kind: "workloads", items }));
    for await (const part of recent()) {
      for (const items of inPieces(part)) await handed(() => send({ kind: "recent", items }));
    }
    for await (const part of edges()) {
      for (const items of inPieces(part)) await handed(() => send({ kind: "edges", items }));
    }
    send({ kind: "rest", rest: { ...more, inventory: others } });
    return answer;
  };
  try {
    // It may end before everything was handed over.
    return await Promise.race([answer, handOver()]);
  } finally {
    await worker.terminate();
  }
}

function* inPieces<T>(all: readonly T[]): Iterable<readonly T[]> {
  for (let at = 0; at < all.length; at += AT_ONCE) yield all.slice(at, at + AT_ONCE);
}

async function handed(send: () => void): Promise<void> {
  send();
  await breathe();
}

function tooMuch(): ApiFailure {
  return new ApiFailure(
    "capacity",
    `to find what is broad takes more than ${MOST_MEGABYTES} MiB of memory`,
    {
      help: "keep history for fewer days",
    },
  );
}
