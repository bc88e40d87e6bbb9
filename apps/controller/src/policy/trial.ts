/**
 * A change on trial: what worked before it is tried again once it is in force, from the machine itself. Until that is
 * done a note on disk says so; whoever finds the note after a crash knows that nobody looked.
 */
import type { Logger } from "pino";
import {
  formatInvariant,
  type DeclaredInvariant,
  type Invariant,
  type InvariantCheck,
} from "@bulkhead/model";
import type { StateStore } from "@bulkhead/store";
import { thoseThatHeld } from "./invariants.ts";

export interface TrialDeps {
  readonly store: Pick<StateStore, "setting" | "saveSetting">;
  readonly log: Logger;
  /** Rejects when nobody looks, or not in time. */
  readonly check: (
    invariants: readonly Invariant[],
    found: boolean,
  ) => Promise<readonly InvariantCheck[]>;
}

/** How long an agent waits for the outcome before it goes back by itself. */
export const TRIAL_MS = 30_000;
/** An agent goes back later than its controller would, so that it does not do so alone. */
export const AFTER_DEADLINE_MS = 5000;
/** Of the setting that says which revision is on trial. */
export const TRIAL_NOTE = "trial";

export interface Look {
  readonly checks: readonly InvariantCheck[];
  /** Why there are none, or why it counts as broken. */
  readonly problem?: string;
}

export class Trials {
  readonly #deps: TrialDeps;

  constructor(deps: TrialDeps) {
    this.#deps = deps;
  }

  /** What works now, of what is declared and what is found on the machine. Never rejects: it is no reason against a change. */
  async lookBefore(declared: readonly DeclaredInvariant[]): Promise<Look> {
    return this.#look(declared, true);
  }

  /** What held `before`, once more; what fails gets a second chance, for a packet may be lost by anybody's fault. */
  async lookAfter(before: Look): Promise<Look> {
    const held = thoseThatHeld(before.checks);
    if (held.length === 0) return { checks: [] };
    const first = await this.#look(held, false);
    const failed = first.checks.filter(({ outcome }) => outcome === "failed");
    if (failed.length === 0 || first.problem !== undefined) return first;
    const second = await this.#look(failed, false);
    const others = first.checks.filter((one) => !failed.includes(one));
    return { ...second, checks: [...others, ...second.checks] };
  }

  async #look(invariants: readonly Invariant[], found: boolean): Promise<Look> {
    try {
      return { checks: await this.#deps.check(invariants, found) };
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      const names = invariants.map(formatInvariant);
      this.#deps.log.warn({ err: error, names }, "what must hold could not be looked at");
      return { checks: [], problem };
    }
  }

  /** To be called before the revision is recorded: a crash in between must not hide it. */
  begin(revision: number, revertsTo: number): Promise<void> {
    return this.#deps.store.saveSetting(TRIAL_NOTE, JSON.stringify({ revision, revertsTo }));
  }

  /** Never rejects: a note that stays has the change undone at the next start, at worst without need. */
  async end(): Promise<void> {
    try {
      await this.#deps.store.saveSetting(TRIAL_NOTE, "");
    } catch (error) {
      this.#deps.log.error({ err: error }, "that a trial is over could not be noted");
    }
  }

  /** A trial that a former run did not finish. */
  async unfinished(): Promise<{ readonly revision: number; readonly revertsTo: number } | null> {
    const note = (await this.#deps.store.setting(TRIAL_NOTE)) ?? "";
    return note === ""
      ? null
      : (JSON.parse(note) as { readonly revision: number; readonly revertsTo: number });
  }
}
