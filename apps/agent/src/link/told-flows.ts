/**
 * Flow records on their way to the controller: refined, kept until they are stored there, counted where they are lost, and noted how
 * far they are known, for the agent that comes after this one.
 */
import type { Logger } from "pino";
import type { FlowRecord } from "@bulkhead/model";
import type { AgentMessage, CollectorStats } from "@bulkhead/wire";
import type { ToldUntil } from "../state/told-until.ts";
import { FlowOutbox } from "./flow-outbox.ts";

export interface ToldFlows {
  add(records: readonly FlowRecord[]): void;
  /** What was not sent yet, where somebody listens. */
  send(): void;
  stored(sequence: number): void;
  /** Whoever listens now has heard nothing of what is not stored. */
  rewind(): void;
  /** The collector's, with what waits or was lost behind it. */
  stats(): CollectorStats;
  noteTold(): void;
}

export interface ToldFlowsDeps {
  readonly collected: () => CollectorStats;
  readonly isHeard: () => boolean;
  readonly send: (message: AgentMessage) => void;
  readonly refine: (records: readonly FlowRecord[]) => readonly FlowRecord[];
  readonly toldUntil: Pick<ToldUntil, "note">;
  readonly log: Logger;
  readonly now: () => number;
}

/** Longest way of a connection from its first packet to the outbox. */
const COLLECTING_MS = 5000;
const MAX_WAITING_RECORDS = 500_000;
const MAX_BATCH = 5000;

export function createToldFlows(deps: ToldFlowsDeps): ToldFlows {
  const { collected, log, now } = deps;
  const outbox = new FlowOutbox(MAX_WAITING_RECORDS);
  const startedAt = now();
  let unnoted = "";

  function stats(): CollectorStats {
    const found = collected();
    return {
      ...found,
      lost: found.lost + outbox.lost,
      queueDepth: found.queueDepth + outbox.depth,
    };
  }

  function send(): void {
    if (!deps.isHeard()) return;
    for (const batch of outbox.takeUnsent())
      deps.send({ kind: "flows", ...batch, collector: stats() });
  }

  return {
    add(records) {
      const refined = deps.refine(records);
      for (let at = 0; at < refined.length; at += MAX_BATCH) {
        outbox.add(refined.slice(at, at + MAX_BATCH));
      }
      send();
    },
    send,
    stored(sequence) {
      outbox.stored(sequence);
      send();
    },
    rewind() {
      outbox.rewind();
      send();
    },
    stats,
    /** What is still with the collector is younger than that, unless it hangs or has only just begun. */
    noteTold() {
      const until = Math.min(now(), outbox.oldest ?? now()) - COLLECTING_MS;
      if (!collected().alive || until < startedAt) return;
      try {
        deps.toldUntil.note(until);
        unnoted = "";
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== unnoted)
          log.warn(`what was told of connections could not be noted: ${reason}`);
        unnoted = reason;
      }
    },
  };
}
