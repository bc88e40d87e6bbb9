/** Asks how complete the picture is beside the controller's own thread: of a year of a large estate it takes seconds. */
import type { ReadinessInput, ReadinessReport } from "@bulkhead/learn";
import type { EdgeHistory, Inventory, Workload } from "@bulkhead/model";
import type { HeldResource } from "../policy/candidate.ts";
import { askAside, inPieces } from "./aside.ts";

export interface ReadinessQuestion {
  readonly input: ReadinessInput;
  readonly namedSets: ReadonlyMap<string, string>;
  readonly accept: readonly string[];
  readonly reject: readonly string[];
  /** What is in force: rules that decide a doubtful edge are a word on it. */
  readonly held: readonly HeldResource[];
}

/** What comes in pieces. */
interface Pieces {
  readonly histories: EdgeHistory;
  readonly workloads: Workload;
  readonly held: HeldResource;
}

export type ReadinessRest = Omit<ReadinessQuestion, "held" | "input"> & {
  readonly input: Omit<ReadinessInput, "histories" | "inventory" | "doubts">;
  readonly inventory: Omit<Inventory, "workloads">;
};

export type ReadinessMessage =
  | {
      readonly [K in keyof Pieces]: { readonly kind: K; readonly items: readonly Pieces[K][] };
    }[keyof Pieces]
  | { readonly kind: "rest"; readonly rest: ReadinessRest };

export const readinessAside = (asked: ReadinessQuestion): Promise<ReadinessReport> =>
  askAside({
    worker: new URL("readiness-worker.ts", import.meta.url),
    messages: messagesOf(asked),
    what: "to tell readiness",
  });

async function* messagesOf({
  input: { histories, inventory, doubts: _found, ...input },
  held,
  ...more
}: ReadinessQuestion): AsyncGenerator<ReadinessMessage> {
  const { workloads, ...others } = inventory;
  for (const items of inPieces(held)) yield { kind: "held", items };
  for (const items of inPieces(workloads)) yield { kind: "workloads", items };
  for (const items of inPieces(histories)) yield { kind: "histories", items };
  yield { kind: "rest", rest: { ...more, input, inventory: others } };
}
