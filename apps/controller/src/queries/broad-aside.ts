/**
 * Asks what is broad beside the controller's own thread: deciding a year of a large estate, and proving what is proposed, takes
 * seconds.
 */
import { createInTurn, type Edge, type Inventory, type Workload } from "@bulkhead/model";
import type { HeldResource } from "../policy/candidate.ts";
import { askAside, inPieces } from "./aside.ts";
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

/** One at a time: each takes a thread and its memory. */
export const createBroadAside = (): ((asked: BroadAside) => Promise<Broad>) => {
  const inTurn = createInTurn();
  return (asked) => inTurn(() => broadAside(asked));
};

export const broadAside = (asked: BroadAside): Promise<Broad> =>
  askAside({
    worker: new URL("broad-worker.ts", import.meta.url),
    messages: messagesOf(asked),
    what: "to find what is broad",
  });

async function* messagesOf(asked: BroadAside): AsyncGenerator<BroadMessage> {
  const { held, inventory, edges, recent, ...more } = asked;
  const { workloads, ...others } = inventory;
  for (const items of inPieces(held)) yield { kind: "held", items };
  for (const items of inPieces(workloads)) yield { kind: "workloads", items };
  for await (const part of recent()) {
    for (const items of inPieces(part)) yield { kind: "recent", items };
  }
  for await (const part of edges()) {
    for (const items of inPieces(part)) yield { kind: "edges", items };
  }
  yield { kind: "rest", rest: { ...more, inventory: others } };
}
