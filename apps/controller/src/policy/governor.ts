/**
 * The one place where policy changes. Every change is judged whole before anything is touched, recorded before it is
 * sent, and undone by another record when the kernel does not take it, or it breaks what the machine must be able to do. One
 * change at a time.
 *
 *   files ─► parse ─► merge ─► build ─► tests ─► lockout ─► capacity ─► revision ─► kernel ─► receipt ─► look ─► keep
 *              └────────┴────────┴── refused whole: nothing changed ──┘                 └────── else back ──┘
 */
import type { Logger } from "pino";
import { ApiFailure, type ApplyAnswer, type StatusAnswer, type UnderWay } from "@bulkhead/api";
import { createInTurn, type Diagnostic } from "@bulkhead/model";
import type {
  ApplyMode,
  ChangeSummary,
  PendingConfirm,
  StateStore,
  StoredFile,
} from "@bulkhead/store";
import { permittedDiff } from "../queries/permitted.ts";
import type { WhatCuts } from "../queries/under-way.ts";
import { unopenedBy } from "../queries/unopened.ts";
import type { World } from "../world/world.ts";
import { mergeGiven, type HeldResource } from "./candidate.ts";
import { readGivenAside } from "./parse-aside.ts";
import { refuseMovedTiers } from "./tiers-moved.ts";
import { refuseUnmeant } from "./weakened.ts";
import { settlementOf } from "./confirmation.ts";
import {
  listsOf,
  givenBy,
  noticesOf,
  orDiskFull,
  receiptsOf,
  recordOf,
  revertOf,
  sameEntries,
  stayEnforced,
  type Change,
  type InForce,
} from "./change.ts";
import type { ChainWatch } from "./chain-watch.ts";
import type { Compiled, Distributor, InKernel } from "./distributor.ts";
import { brokenByPolicy, brokenLines, invariantViews } from "./invariants.ts";
import { assertHolds, assertReasoned, judge, readSound } from "./judgement.ts";
import { modesOf } from "./modes.ts";
import { readHeld, readRevision } from "./policy-book.ts";
import { readPolicy, type Reading } from "./reading.ts";
import { modeNotices } from "./relabelled.ts";
import {
  changeToApply,
  changeToDelete,
  changeToLabel,
  changeToRollback,
  type ToApply,
  type ToDelete,
  type ToLabel,
  type ToRollback,
} from "./requests.ts";
import { canaryView } from "./rollout.ts";
import { AFTER_DEADLINE_MS, TRIAL_MS, Trials, type TrialDeps } from "./trial.ts";

export interface GovernorDeps {
  readonly store: StateStore;
  readonly chain: ChainWatch;
  readonly log: Logger;
  readonly now: () => number;
  readonly worldUnder: (reading: Reading) => World;
  readonly distributor: () => Distributor;
  /** Throws ApiFailure `agent-away` when nobody would hear. */
  readonly requireAgent: () => void;
  /** Render on the agent, for dry runs. */
  readonly render: (compiled: Compiled) => Promise<string>;
  /** Most entries the driver takes; 0 when not known. */
  readonly capacity: () => number;
  /** What the machine must be able to do, tried from there. Rejects when nobody looks, or not in time. */
  readonly check: TrialDeps["check"];
  /** Connections open now that `after` cuts; undefined when nobody can tell. */
  readonly underWay: (after: WhatCuts) => Promise<UnderWay[] | undefined>;
  readonly onChange: (inForce: InForce) => void;
}

/** Longest time setTimeout takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class Governor {
  readonly #deps: GovernorDeps;
  #inForce: InForce;
  readonly #inTurn = createInTurn();
  readonly #trials: Trials;
  #lastLook: StatusAnswer["invariants"];
  #deadline: NodeJS.Timeout | undefined;

  private constructor(deps: GovernorDeps, inForce: InForce) {
    this.#deps = deps;
    this.#inForce = inForce;
    this.#trials = new Trials(deps);
  }

  static async load(deps: GovernorDeps): Promise<Governor> {
    const record = await deps.store.current();
    const held = record === null ? [] : await readHeld(deps.store, record.resources);
    const reading = readPolicy(held, { now: deps.now(), strict: false });
    return new Governor(deps, { revision: record?.revision ?? 0, record, held, reading });
  }

  get inForce(): InForce {
    return this.#inForce;
  }

  /** What the machine must be able to do, as the last change left it. */
  get lastLook(): StatusAnswer["invariants"] {
    return this.#lastLook;
  }

  apply(request: ToApply): Promise<ApplyAnswer> {
    return this.#inTurn(async () => this.#make(changeToApply(request, this.#inForce)));
  }

  delete(request: ToDelete): Promise<ApplyAnswer> {
    return this.#inTurn(async () => this.#make(changeToDelete(request, this.#inForce)));
  }

  label(request: ToLabel): Promise<ApplyAnswer> {
    return this.#inTurn(async () => {
      const { now, worldUnder } = this.#deps;
      return this.#make(changeToLabel(request, this.#inForce, { now: now(), worldUnder }));
    });
  }

  rollback(request: ToRollback): Promise<ApplyAnswer> {
    return this.#inTurn(async () => {
      const found = await readRevision(this.#deps.store, request.revision);
      return this.#make(changeToRollback(request, this.#inForce, found));
    });
  }

  confirm(): Promise<number> {
    return this.#inTurn(async () => {
      const { store, now } = this.#deps;
      const pending = await store.pendingConfirm();
      if (pending === null || !(await orDiskFull(() => store.confirm(now())))) {
        throw new ApiFailure("nothing-to-confirm", "no change waits to be confirmed", {
          help: "it may have reverted by itself: see `bulkhead history`",
        });
      }
      clearTimeout(this.#deadline);
      await this.#deps.distributor().keep();
      return pending.revision;
    });
  }

  /** Takes up what a former run left to be tried or confirmed; to be called once everything else is running. */
  async resume(): Promise<void> {
    const { store } = this.#deps;
    const unfinished = await this.#trials.unfinished();
    if (unfinished?.revision === this.#inForce.revision) {
      const { revision, revertsTo } = unfinished;
      const reason = `the controller ended before it was seen what revision ${revision} breaks`;
      await this.#inTurn(() => this.#revertTo(revertsTo, reason));
    }
    if (unfinished !== null) await this.#trials.end();
    const pending = await store.pendingConfirm();
    if (pending !== null) this.#awaitConfirmation(pending.deadline);
  }

  /** An agent had a revision on trial, and nobody kept it in time. */
  wentBack(revision: number): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#inForce.revision !== revision) return;
      const pending = await this.#deps.store.pendingConfirm();
      // What is wanted for good it only has not been told of.
      if (pending?.revision !== revision) this.#deps.distributor().agentConnected();
      else {
        const reason = `the agent heard nothing more of revision ${revision} and went back by itself`;
        await this.#revertTo(pending.revertsTo, reason);
      }
    });
  }

  async stop(): Promise<void> {
    clearTimeout(this.#deadline);
    await this.#inTurn.idle();
  }

  /** What files would make of the policy in force; throws when they hold an error. Changes nothing. */
  async consider(request: {
    readonly files: readonly StoredFile[];
    readonly mode: ApplyMode;
    readonly prune: boolean;
    readonly strict: boolean;
  }): Promise<{
    readonly reading: Reading;
    readonly held: readonly HeldResource[];
    readonly changes: ChangeSummary;
    readonly diagnostics: readonly Diagnostic[];
  }> {
    const given = await readGivenAside(request.files);
    const { held, changes } = mergeGiven(this.#inForce.held, given, request);
    const { partial } = given;
    const { strict } = request;
    const known = this.#inForce;
    const options = { now: this.#deps.now(), strict, known, partial, given: request.files };
    const sound = readSound(held, given.diagnostics, options);
    if (request.mode === "audit") refuseMovedTiers(known.reading.set, sound.reading.set);
    return { ...sound, held, changes };
  }

  async #make(change: Change): Promise<ApplyAnswer> {
    const { store, now, distributor, worldUnder } = this.#deps;
    assertReasoned(change);
    const startedAt = now();
    const before = this.#inForce;
    const was = worldUnder(before.reading);
    const pending = await store.pendingConfirm();
    const { settles, notices: settled } = settlementOf(change, pending);
    const { reading, world, compiled, diagnostics, tests, notices } = judge(change, {
      inForce: before,
      now: startedAt,
      worldUnder,
      compile: ({ set }, world) =>
        distributor().compile({ revision: before.revision + 1, set }, world),
      capacity: this.#deps.capacity(),
    });
    const [underWay, look] = await Promise.all([
      this.#deps.underWay({ reading, world, mode: change.mode }),
      this.#trials.lookBefore(reading.invariants),
    ]);
    const broken = brokenByPolicy(look.checks, reading.invariants, {
      before: { set: before.reading.set, world: was },
      after: { set: { ...reading.set, canary: undefined }, world },
      now: now(),
    });
    assertHolds(change, broken);
    const permitted =
      change.kind === "delete" || change.kind === "rollback" || change.relabels === true
        ? { permitted: permittedDiff(before.reading, reading, { was, world }, startedAt) }
        : {};
    const isMeant = change.opens === true || change.force || change.confirmSeconds !== undefined;
    if (change.restores !== undefined && permitted.permitted && !isMeant && pending === null) {
      const [revision, after] = [change.restores, change.held];
      refuseUnmeant({ revision, before: before.held, after, permitted: permitted.permitted });
    }
    const enforced = stayEnforced(change);
    const unopened =
      change.kind === "apply" && change.mode === "audit" && change.relabels !== true
        ? unopenedBy(change.held, givenBy(change), world, startedAt)
        : [];
    const answer = {
      ...(underWay === undefined ? {} : { underWay }),
      ...permitted,
      mode: change.mode,
      modes: modesOf(change.held.map(({ stored }) => stored)),
      dryRun: change.dryRun,
      resources: listsOf(change.changes),
      tests: tests.map((test) => ({ ...test })),
      diagnostics: [...diagnostics],
      notices: [
        ...notices,
        ...(change.relabels === true
          ? modeNotices(
              { set: before.reading.set, index: was.index },
              { set: reading.set, index: world.index },
              startedAt,
            )
          : []),
        ...broken.map(({ message }) => `forced: ${message}`),
        ...(look.problem === undefined
          ? []
          : [`what this machine must be able to do could not be tried: ${look.problem}`]),
        ...settled,
        ...noticesOf(before.held, change),
      ],
      ...canaryView(change.held),
      ...(enforced.length > 0 ? { stayEnforced: [...enforced] } : {}),
      ...(unopened.length > 0 ? { unopened } : {}),
    };
    const took = () => ({ tookMs: now() - startedAt });
    if (change.dryRun) {
      const { digest } = compiled;
      const ruleset = await this.#deps.render(compiled);
      const { revision } = before;
      return { ...answer, revision, changed: false, digest, receipts: [], ruleset, ...took() };
    }
    await this.#assertIntact(change);
    this.#deps.requireAgent();
    if (before.revision > 0 && change.kind === "apply" && sameEntries(before.held, change.held)) {
      const { revision } = before;
      const held = await distributor().change({ revision, set: before.reading.set });
      const { digest } = held.compiled;
      return { ...answer, revision, changed: false, digest, receipts: receiptsOf(held), ...took() };
    }

    const { confirmSeconds } = change;
    const confirm =
      confirmSeconds === undefined ? {} : { confirmBy: startedAt + confirmSeconds * 1000 };
    const record = await orDiskFull(async () => {
      await this.#trials.begin(before.revision + 1, before.revision);
      return store.append(recordOf(change, startedAt), change.files, { ...confirm, settles });
    });
    const { revision } = record;
    this.#adopt({ revision, record, held: change.held, reading });
    let inKernel: InKernel;
    try {
      inKernel = await distributor().change({ revision, set: reading.set }, compiled, TRIAL_MS);
    } catch (error) {
      // What waited to be confirmed is in force again, and waits again: nothing came of what settled it.
      await this.#takeBack(before, `the kernel did not take revision ${revision}`, pending);
      await this.#trials.end();
      throw error;
    }
    const after = await this.#trials.lookAfter(look);
    const broke = after.problem === undefined ? brokenLines(after.checks) : [after.problem];
    if (broke.length > 0 && !change.force) {
      const reason = `revision ${revision} broke ${broke.join(", ")}`;
      await this.#takeBack(before, reason, pending);
      await this.#trials.end();
      throw await this.#takenBack(before, reason, after.problem === undefined);
    }
    const { confirmBy } = confirm;
    await distributor().keep(confirmBy === undefined ? undefined : confirmBy + AFTER_DEADLINE_MS);
    await this.#trials.end();
    const invariants = invariantViews(look.checks, after.checks);
    this.#lastLook = { at: now(), revision, checks: invariants };
    clearTimeout(this.#deadline);
    if (confirm.confirmBy !== undefined) this.#awaitConfirmation(confirm.confirmBy);
    const { digest } = inKernel.compiled;
    const receipts = receiptsOf(inKernel);
    const told = [...answer.notices, ...broke.map((line) => `forced: it broke ${line}`)];
    return {
      ...answer,
      notices: told,
      invariants,
      revision,
      changed: true,
      digest,
      receipts,
      ...confirm,
      ...took(),
    };
  }

  /** Waits for the kernel, where there is hope that an agent answers; else that goes back by itself. */
  async #takenBack(before: InForce, reason: string, answers: boolean): Promise<ApiFailure> {
    const { distributor, log } = this.#deps;
    const back = { revision: this.#inForce.revision, set: before.reading.set };
    log.warn(reason);
    try {
      if (answers) await distributor().change(back);
    } catch (error) {
      log.error({ err: error }, "the former policy is not in force yet; trying again");
      distributor().adopt(back);
    }
    return new ApiFailure(
      "lockout",
      `${reason}: it was taken back, and what was in force before is again, as revision ${back.revision}`,
      { help: "allow it first, or, if it is meant, say `--force --reason '…'`" },
    );
  }

  async #assertIntact(change: Change): Promise<void> {
    const chain = await this.#deps.chain.check();
    if (chain.intact || (change.force && change.reason !== "")) return;
    throw new ApiFailure(
      "history-broken",
      `revision ${chain.brokenAt} was altered after it was accepted: nothing was changed`,
      { help: 'find out who did it; `--force --reason "…"` goes on regardless' },
    );
  }

  /** Brings back what was in force, as a revision of its own. */
  async #takeBack(before: InForce, reason: string, pending: PendingConfirm | null): Promise<void> {
    const { store, log, now, distributor } = this.#deps;
    const failed = this.#inForce;
    this.#adopt({ ...before, revision: failed.revision });
    distributor().adopt({ revision: failed.revision, set: before.reading.set });
    try {
      const revert = revertOf(failed, before, reason, now());
      const reopens = pending ?? undefined;
      const record = await store.append(revert, [], { settles: "reverted", reopens });
      this.#adopt({ ...before, revision: record.revision, record });
      distributor().adopt({ revision: record.revision, set: before.reading.set });
    } catch (error) {
      log.error({ err: error }, "the return to the former policy could not be recorded");
    }
  }

  #awaitConfirmation(deadline: number): void {
    clearTimeout(this.#deadline);
    const wait = Math.min(Math.max(0, deadline - this.#deps.now()), MAX_TIMER_MS);
    this.#deadline = setTimeout(() => {
      this.#inTurn(() => this.#revertUnconfirmed()).catch((error: unknown) => {
        this.#deps.log.error(
          { err: error },
          "an unconfirmed change could not be reverted; trying again",
        );
        this.#awaitConfirmation(this.#deps.now() + 1000);
      });
    }, wait);
  }

  async #revertUnconfirmed(): Promise<void> {
    const { store, now } = this.#deps;
    const pending = await store.pendingConfirm();
    if (pending === null) return;
    if (pending.deadline > now()) {
      this.#awaitConfirmation(pending.deadline);
      return;
    }
    await this.#revertTo(
      pending.revertsTo,
      `revision ${pending.revision} was not confirmed in time`,
    );
  }

  /** By the controller's own decision. */
  async #revertTo(revision: number, reason: string): Promise<void> {
    const { store, now, log, distributor } = this.#deps;
    const found = await readRevision(store, revision);
    if (found === null) throw new Error(`revision ${revision} is gone`);
    const { held, revision: restored } = found;
    const reading = readPolicy(held, { now: now(), strict: false });
    const to = { held, record: restored, revision };
    const record = await store.append(revertOf(this.#inForce, to, reason, now()), [], {
      settles: "reverted",
    });
    log.warn({ restores: revision }, reason);
    this.#adopt({ revision: record.revision, record, held, reading });
    // Also when the agent is away: it is told as soon as it is back.
    distributor().adopt({ revision: record.revision, set: reading.set });
  }

  #adopt(inForce: InForce): void {
    this.#inForce = inForce;
    this.#deps.onChange(inForce);
  }
}
