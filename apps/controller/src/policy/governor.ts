/**
 * The one place where policy changes. Every change is judged whole before anything is touched, recorded before it is
 * sent, and undone by another record when the kernel does not take it. One change at a time.
 *
 *   files ─► parse ─► merge ─► build ─► tests ─► lockout ─► capacity ─► revision ─► kernel ─► receipt
 *              └────────┴────────┴── refused whole: nothing changed ──┘                 └─ else back
 */
import type { Logger } from "pino";
import {
  ApiFailure,
  type ApplyAnswer,
  type ApplyRequest,
  type DeleteRequest,
  type LabelRequest,
  type RollbackRequest,
  type UnderWay,
} from "@bulkhead/api";
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
import type { World } from "../world/world.ts";
import { compareHeld, inMode, mergeGiven, readGiven, withoutNamed } from "./candidate.ts";
import { settlementOf } from "./confirmation.ts";
import {
  listsOf,
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
import { judge, readSound } from "./judgement.ts";
import { labelled, LABELS_KEY, reasonOf } from "./labelling.ts";
import { readHeld, readRevision } from "./policy-book.ts";
import { readPolicy, type Reading } from "./reading.ts";
import { canaryOf, canaryView, openedBy, unusedShare } from "./rollout.ts";

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
  /** Connections open now that `after` cuts; undefined when nobody can tell. */
  readonly underWay: (after: WhatCuts) => Promise<UnderWay[] | undefined>;
  readonly onChange: (inForce: InForce) => void;
}

type Filled<T, O extends keyof T> = Required<Omit<T, O>> & Pick<T, O>;

/** Longest time setTimeout takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class Governor {
  readonly #deps: GovernorDeps;
  #inForce: InForce;
  readonly #inTurn = createInTurn();
  #deadline: NodeJS.Timeout | undefined;

  private constructor(deps: GovernorDeps, inForce: InForce) {
    this.#deps = deps;
    this.#inForce = inForce;
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

  apply(request: Filled<ApplyRequest, "confirmSeconds" | "canary">): Promise<ApplyAnswer> {
    return this.#inTurn(async () => {
      const given = readGiven(request.files);
      const before = this.#inForce.held;
      const canary = canaryOf(request, before);
      const { held, changes } = mergeGiven(before, given, { ...request, canary });
      const notices = [...openedBy(before, held, request), ...unusedShare(canary, held)];
      const { diagnostics, partial } = given;
      return this.#make({
        kind: "apply",
        ...request,
        held,
        changes,
        diagnostics,
        partial,
        notices,
      });
    });
  }

  delete(request: Filled<DeleteRequest, "confirmSeconds" | "mode">): Promise<ApplyAnswer> {
    return this.#inTurn(async () => {
      const { resources, mode, ...options } = request;
      const { held: current, record } = this.#inForce;
      const held = inMode(withoutNamed(current, resources), mode);
      return this.#make({
        ...options,
        kind: "delete",
        held,
        changes: compareHeld(current, held),
        files: [],
        diagnostics: [],
        mode: mode ?? record?.mode ?? "audit",
        strict: false,
      });
    });
  }

  label(request: Filled<LabelRequest, "confirmSeconds">): Promise<ApplyAnswer> {
    return this.#inTurn(async () => {
      const { confirmSeconds, dryRun, force, author } = request;
      const { held: current, record } = this.#inForce;
      const { now, worldUnder } = this.#deps;
      const without = current.filter(({ stored }) => stored.key !== LABELS_KEY);
      const plain = worldUnder(readPolicy(without, { now: now(), strict: false }));
      const file = labelled(request, current, plain);
      const mode = record?.mode ?? "audit";
      const given = readGiven(file === undefined ? [] : [file]);
      const { held } = mergeGiven(file === undefined ? without : current, given, {
        mode,
        prune: false,
      });
      return this.#make({
        confirmSeconds,
        dryRun,
        force,
        author,
        kind: "apply",
        relabels: true,
        held,
        changes: compareHeld(current, held),
        files: given.files,
        diagnostics: given.diagnostics,
        reason: request.reason === "" ? reasonOf(request) : request.reason,
        mode,
        strict: false,
      });
    });
  }

  rollback(request: Filled<RollbackRequest, "confirmSeconds" | "mode">): Promise<ApplyAnswer> {
    return this.#inTurn(async () => {
      const { revision, mode, ...options } = request;
      const found = await readRevision(this.#deps.store, revision);
      if (found === null) {
        throw new ApiFailure("unknown-revision", `there is no revision ${revision}`, {
          help: "`bulkhead history` lists them",
        });
      }
      const held = inMode(found.held, mode);
      return this.#make({
        ...options,
        kind: "rollback",
        held,
        changes: compareHeld(this.#inForce.held, held),
        files: [],
        diagnostics: [],
        mode: mode ?? found.revision?.mode ?? "audit",
        reason: request.reason === "" ? `back to revision ${revision}` : request.reason,
        dryRun: false,
        strict: false,
        restores: revision,
      });
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
      return pending.revision;
    });
  }

  /** Takes up what a former run left to be confirmed; to be called once everything else is running. */
  async resume(): Promise<void> {
    const pending = await this.#deps.store.pendingConfirm();
    if (pending !== null) this.#awaitConfirmation(pending.deadline);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#deadline);
    await this.#inTurn.idle();
  }

  /** What files would make of the policy in force; throws when they hold an error. Changes nothing. */
  consider(request: {
    readonly files: readonly StoredFile[];
    readonly mode: ApplyMode;
    readonly prune: boolean;
    readonly strict: boolean;
  }): {
    readonly reading: Reading;
    readonly changes: ChangeSummary;
    readonly diagnostics: readonly Diagnostic[];
  } {
    const given = readGiven(request.files);
    const { held, changes } = mergeGiven(this.#inForce.held, given, request);
    const { partial } = given;
    const { strict } = request;
    const known = this.#inForce;
    const options = { now: this.#deps.now(), strict, known, partial, given: request.files };
    return { ...readSound(held, given.diagnostics, options), changes };
  }

  async #make(change: Change): Promise<ApplyAnswer> {
    const { store, now, distributor, worldUnder } = this.#deps;
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
    const underWay = await this.#deps.underWay({ reading, world, mode: change.mode });
    const enforced = stayEnforced(change);
    const answer = {
      ...(underWay === undefined ? {} : { underWay }),
      ...(change.kind === "delete" || change.kind === "rollback" || change.relabels === true
        ? { permitted: permittedDiff(before.reading, reading, { was, world }, startedAt) }
        : {}),
      mode: change.mode,
      dryRun: change.dryRun,
      resources: listsOf(change.changes),
      tests: tests.map((test) => ({ ...test })),
      diagnostics: [...diagnostics],
      notices: [...notices, ...settled, ...noticesOf(before.held, change)],
      ...canaryView(change.held),
      ...(enforced.length > 0 ? { stayEnforced: [...enforced] } : {}),
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
    const record = await orDiskFull(() =>
      store.append(recordOf(change, startedAt), change.files, { ...confirm, settles }),
    );
    const { revision } = record;
    this.#adopt({ revision, record, held: change.held, reading });
    let inKernel: InKernel;
    try {
      inKernel = await distributor().change({ revision, set: reading.set }, compiled);
    } catch (error) {
      // What waited to be confirmed is in force again, and waits again: nothing came of what settled it.
      await this.#takeBack(before, `the kernel did not take revision ${revision}`, pending);
      throw error;
    }
    clearTimeout(this.#deadline);
    if (confirm.confirmBy !== undefined) this.#awaitConfirmation(confirm.confirmBy);
    const { digest } = inKernel.compiled;
    const receipts = receiptsOf(inKernel);
    return { ...answer, revision, changed: true, digest, receipts, ...confirm, ...took() };
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
    const { store, now, log, distributor } = this.#deps;
    const pending = await store.pendingConfirm();
    if (pending === null) return;
    if (pending.deadline > now()) {
      this.#awaitConfirmation(pending.deadline);
      return;
    }
    const found = await readRevision(store, pending.revertsTo);
    if (found === null) throw new Error(`revision ${pending.revertsTo} is gone`);
    const { held, revision: restored } = found;
    const reading = readPolicy(held, { now: now(), strict: false });
    const to = { held, record: restored, revision: pending.revertsTo };
    const reason = `revision ${pending.revision} was not confirmed in time`;
    const record = await store.append(revertOf(this.#inForce, to, reason, now()), [], {
      settles: "reverted",
    });
    log.warn({ restores: pending.revertsTo }, reason);
    this.#adopt({ revision: record.revision, record, held, reading });
    // Also when the agent is away: it is told as soon as it is back.
    distributor().adopt({ revision: record.revision, set: reading.set });
  }

  #adopt(inForce: InForce): void {
    this.#inForce = inForce;
    this.#deps.onChange(inForce);
  }
}
