/**
 * Gathers what metrics are made of when somebody asks. What costs a look at all flows of a week is kept for a while, and the
 * longer it took the longer, so that whoever asks too often costs no more than one part in twenty of the time.
 */
import type { RuleHits } from "@bulkhead/api";
import type { StateStore } from "@bulkhead/store";
import type { Measured, Measures } from "../measures/measures.ts";
import { familiesOf } from "./families.ts";
import type { Family } from "./family.ts";
import { usageOf } from "./process-usage.ts";
import type { StatusAnswer } from "@bulkhead/api";

export interface GatherDeps {
  readonly measures: Pick<Measures, "measured">;
  readonly state: Pick<StateStore, "tallies" | "driftSince" | "current">;
  readonly status: () => Promise<StatusAnswer>;
  /** How often each rule was hit; none where nobody can tell. */
  readonly rules: () => Promise<readonly RuleHits[]>;
  readonly now: () => number;
}

const FRESH_MS = 15_000;
const SHARE = 20;
/** Who asks meanwhile gets the same, however many ask. */
const SHARED_MS = 1000;

interface Costly extends Measured {
  readonly rules: readonly RuleHits[];
  readonly drift: { readonly repaired: number; readonly left: number };
}

export function createGatherer(deps: GatherDeps): () => Promise<readonly Family[]> {
  const { measures, state, now } = deps;
  let kept: Promise<Costly> | undefined;
  let until = 0;

  async function look(): Promise<Costly> {
    const started = now();
    const [measured, rules, drift] = await Promise.all([
      measures.measured(),
      deps.rules(),
      state.driftSince(0),
    ]);
    until = now() + Math.max(FRESH_MS, (now() - started) * SHARE);
    const repaired = drift.filter((one) => one.repaired).length;
    return { ...measured, rules, drift: { repaired, left: drift.length - repaired } };
  }

  function costly(): Promise<Costly> {
    if (kept !== undefined && now() < until) return kept;
    // Whoever asks meanwhile gets the same; a failure is not kept.
    until = Infinity;
    kept = look();
    kept.catch(() => {
      until = 0;
    });
    return kept;
  }

  async function gather(): Promise<readonly Family[]> {
    const [{ slo, edges, rules, drift }, status, tallies, lastChange] = await Promise.all([
      costly(),
      deps.status(),
      state.tallies(-1),
      state.current(),
    ]);
    const pids = { controller: process.pid, agent: status.agents[0]?.pid ?? 0 };
    const usage = Object.fromEntries(
      Object.entries(pids).flatMap(([part, pid]) => {
        const found = pid === 0 ? undefined : usageOf(pid);
        return found === undefined ? [] : [[part, found]];
      }),
    );
    return familiesOf({ slo, edges, rules, drift, status, tallies, lastChange, usage, now: now() });
  }

  let answer: Promise<readonly Family[]> | undefined;
  let since = 0;
  return () => {
    if (answer === undefined || now() >= since + SHARED_MS || now() < since) {
      since = now();
      answer = gather();
      answer.catch(() => {
        answer = undefined;
      });
    }
    return answer;
  };
}
