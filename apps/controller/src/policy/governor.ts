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
  type RollbackRequest,
} from "@bulkhead/api";
import { compareDiagnostics, hasErrors, type Diagnostic, type Receipt } from "@bulkhead/model";
import {
  StoreFullError,
  type ApplyMode,
  type ChangeSummary,
  type NewRevision,
  type Revision,
  type StateStore,
  type StoredFile,
  hashText,
} from "@bulkhead/store";
import { buildWorld, type Surroundings, type World } from "../world/world.ts";
import { compareHeld, mergeGiven, readGiven, type HeldResource } from "./candidate.ts";
import type { Compiled, Distributor, InKernel } from "./distributor.ts";
import { sessionsCut } from "./lockout.ts";
import { readHeld, readRevision } from "./policy-book.ts";
import { runPolicyTests, type TestResult } from "./policy-tests.ts";
import { readPolicy, type Reading } from "./reading.ts";

/** What is in force, in every form it is asked for. */
export interface InForce {
  readonly revision: number;
  readonly record: Revision | null;
  readonly held: readonly HeldResource[];
  readonly reading: Reading;
}

export interface GovernorDeps {
  readonly store: StateStore;
  readonly log: Logger;
  readonly now: () => number;
  readonly surroundings: () => Surroundings;
  readonly distributor: () => Distributor;
  /** Render on the agent, for dry runs. */
  readonly render: (compiled: Compiled) => Promise<string>;
  /** Most entries the driver takes; 0 when not known. */
  readonly capacity: () => number;
  readonly onChange: (inForce: InForce) => void;
}

interface Change {
  readonly kind: NewRevision["kind"];
  readonly held: readonly HeldResource[];
  readonly changes: ChangeSummary;
  readonly files: readonly StoredFile[];
  readonly mode: ApplyMode;
  readonly author: string;
  readonly reason: string;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly strict: boolean;
  readonly confirmSeconds?: number;
  readonly restores?: number;
  readonly diagnostics: readonly Diagnostic[];
}

export class Governor {
  readonly #deps: GovernorDeps;
  #inForce: InForce;
  #queue: Promise<unknown> = Promise.resolve();
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

  apply(
    request: Required<Omit<ApplyRequest, "confirmSeconds">> & Pick<ApplyRequest, "confirmSeconds">,
  ): Promise<ApplyAnswer> {
    return this.#exclusive(async () => {
      const given = readGiven(request.files);
      const { held, changes } = mergeGiven(this.#inForce.held, given, request);
      return this.#make({
        kind: "apply",
        held,
        changes,
        files: request.files,
        diagnostics: given.diagnostics,
        mode: request.mode,
        author: request.author,
        reason: request.reason,
        force: request.force,
        dryRun: request.dryRun,
        strict: request.strict,
        ...(request.confirmSeconds === undefined ? {} : { confirmSeconds: request.confirmSeconds }),
      });
    });
  }

  rollback(
    request: Required<Omit<RollbackRequest, "confirmSeconds" | "mode">> &
      Pick<RollbackRequest, "confirmSeconds" | "mode">,
  ): Promise<ApplyAnswer> {
    return this.#exclusive(async () => {
      const found = await readRevision(this.#deps.store, request.revision);
      if (found === null) {
        throw new ApiFailure("unknown-revision", `there is no revision ${request.revision}`, {
          help: "`bulkhead history` lists them",
        });
      }
      const { mode } = request;
      const held =
        mode === undefined
          ? found.held
          : found.held.map((one) => ({ ...one, stored: { ...one.stored, mode } }));
      return this.#make({
        kind: "rollback",
        held,
        changes: compareHeld(this.#inForce.held, held),
        files: [],
        diagnostics: [],
        mode: mode ?? found.revision?.mode ?? "audit",
        author: request.author,
        reason: request.reason === "" ? `back to revision ${request.revision}` : request.reason,
        force: request.force,
        dryRun: false,
        strict: false,
        restores: request.revision,
        ...(request.confirmSeconds === undefined ? {} : { confirmSeconds: request.confirmSeconds }),
      });
    });
  }

  confirm(): Promise<number> {
    return this.#exclusive(async () => {
      const pending = await this.#deps.store.pendingConfirm();
      if (pending === null || !(await full(() => this.#deps.store.confirm(this.#deps.now())))) {
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
    await this.#queue;
  }

  /** How the world looks under a reading: the same surroundings, other names. */
  worldUnder(reading: Reading): World {
    return buildWorld(reading.declared, this.#deps.surroundings());
  }

  /** What the files would make of the policy in force, unless they hold an error. For questions that change nothing. */
  consider(request: {
    files: readonly StoredFile[];
    mode: ApplyMode;
    prune: boolean;
    strict: boolean;
  }): {
    readonly reading: Reading;
    readonly changes: ChangeSummary;
    readonly held: readonly HeldResource[];
    readonly diagnostics: readonly Diagnostic[];
  } {
    const given = readGiven(request.files);
    const { held, changes } = mergeGiven(this.#inForce.held, given, request);
    const { reading, diagnostics } = this.#read(held, given.diagnostics, request.strict);
    return { reading, changes, held, diagnostics };
  }

  #read(
    held: readonly HeldResource[],
    parsed: readonly Diagnostic[],
    strict: boolean,
  ): { readonly reading: Reading; readonly diagnostics: readonly Diagnostic[] } {
    const reading = readPolicy(held, { now: this.#deps.now(), strict });
    const diagnostics = [...parsed, ...reading.diagnostics].toSorted(compareDiagnostics);
    if (hasErrors(diagnostics)) {
      const errors = diagnostics.filter(({ severity }) => severity === "error").length;
      throw new ApiFailure(
        "bad-policy",
        `${errors} ${errors === 1 ? "error" : "errors"}: nothing was changed`,
        { diagnostics },
      );
    }
    return { reading, diagnostics };
  }

  async #make(change: Change): Promise<ApplyAnswer> {
    const { store, now, distributor } = this.#deps;
    const startedAt = now();
    const { reading, diagnostics } = this.#read(change.held, change.diagnostics, change.strict);
    const world = this.worldUnder(reading);
    const tests = runPolicyTests(reading.tests, reading.set, world, startedAt);
    if (tests.some(({ passed }) => !passed)) throw testsFailed(tests, diagnostics);
    const notices = this.#lockout(change, reading, world);
    const revision = this.#inForce.revision + 1;
    const compiled = distributor().compile({ revision, set: reading.set }, world);
    this.#fits(compiled);
    const answer = {
      mode: change.mode,
      resources: listsOf(change.changes),
      tests: tests.map((test) => ({ ...test })),
      diagnostics: [...diagnostics],
      notices: [...notices, ...noticesOf(this.#inForce.held, change)],
    };
    if (change.dryRun) {
      const ruleset = await this.#deps.render(compiled);
      const tookMs = now() - startedAt;
      return {
        ...answer,
        revision: this.#inForce.revision,
        dryRun: true,
        changed: false,
        digest: compiled.digest,
        receipts: [],
        ruleset,
        tookMs,
      };
    }
    await this.#assertIntact(change);
    if (
      change.kind === "apply" &&
      sameEntries(this.#inForce.held, change.held) &&
      this.#inForce.revision > 0
    ) {
      return { ...answer, ...(await this.#unchanged()), tookMs: now() - startedAt };
    }

    const before = this.#inForce;
    const confirmBy =
      change.confirmSeconds === undefined ? undefined : startedAt + change.confirmSeconds * 1000;
    const record = await full(() =>
      store.append(
        recordOf(change, startedAt),
        change.files,
        confirmBy === undefined ? {} : { confirmBy },
      ),
    );
    this.#adopt({ revision: record.revision, record, held: change.held, reading });
    let sent: InKernel;
    try {
      sent = await distributor().change({ revision: record.revision, set: reading.set });
    } catch (error) {
      await this.#takeBack(before, `the kernel did not take revision ${record.revision}`);
      throw error;
    }
    if (confirmBy !== undefined) this.#awaitConfirmation(confirmBy);
    else clearTimeout(this.#deadline);
    return {
      ...answer,
      revision: record.revision,
      dryRun: false,
      changed: true,
      digest: sent.compiled.digest,
      receipts: [{ host: sent.host, ...receiptView(sent.receipt), matches: true }],
      ...(confirmBy === undefined ? {} : { confirmBy }),
      tookMs: now() - startedAt,
    };
  }

  #lockout(change: Change, reading: Reading, world: World): readonly string[] {
    const before = {
      set: this.#inForce.reading.set,
      world: this.worldUnder(this.#inForce.reading),
    };
    const cuts = sessionsCut(before, { set: reading.set, world }, this.#deps.now());
    if (cuts.length === 0) return [];
    const lines = cuts.map(
      ({ session, by }) =>
        `${session.what} from ${session.source} to ${session.destination}:${session.port} would be cut by \`${by}\``,
    );
    if (change.force && change.reason !== "") return lines.map((line) => `forced: ${line}`);
    if (change.kind === "revert") return lines;
    throw new ApiFailure("lockout", `${lines.join("; ")}: nothing was changed`, {
      help: change.force
        ? 'forcing it needs a reason: `--force --reason "…"`'
        : 'allow it first, or, if it is meant, say `--force --reason "…"` with `--confirm 60s`',
    });
  }

  #fits(compiled: Compiled): void {
    const limit = this.#deps.capacity();
    const { exactEntries, rangeEntries, overlayEntries, rows } = compiled.result.capacity;
    const entries = exactEntries + rangeEntries + overlayEntries + rows;
    if (limit > 0 && entries > limit) {
      throw new ApiFailure(
        "capacity",
        `the set needs ${entries} entries and the kernel takes ${limit}: nothing was changed`,
        {
          help: "select workloads by fewer, broader labels, or take CIDRs together",
        },
      );
    }
  }

  async #unchanged(): Promise<
    Pick<ApplyAnswer, "revision" | "dryRun" | "changed" | "digest" | "receipts">
  > {
    const { revision, reading } = this.#inForce;
    const { compiled, receipt, host } = await this.#deps
      .distributor()
      .change({ revision, set: reading.set });
    return {
      revision,
      dryRun: false,
      changed: false,
      digest: compiled.digest,
      receipts: [{ host, ...receiptView(receipt), matches: true }],
    };
  }

  async #assertIntact(change: Change): Promise<void> {
    const chain = await this.#deps.store.verifyChain();
    if (chain.intact || change.kind === "revert") return;
    if (change.force && change.reason !== "") return;
    throw new ApiFailure(
      "history-broken",
      `revision ${chain.brokenAt} was altered after it was accepted: nothing was changed`,
      {
        help: 'find out who did it; `--force --reason "…"` goes on regardless',
      },
    );
  }

  /** Brings back what was in force, as a revision of its own. */
  async #takeBack(before: InForce, reason: string): Promise<void> {
    const failed = this.#inForce;
    this.#adopt({ ...before, revision: failed.revision });
    this.#deps.distributor().adopt({ revision: failed.revision, set: before.reading.set });
    try {
      const record = await this.#deps.store.append(
        {
          time: this.#deps.now(),
          kind: "revert",
          author: "bulkhead",
          reason,
          mode: before.record?.mode ?? "audit",
          forced: false,
          changes: compareHeld(failed.held, before.held),
          given: [],
          resources: before.held.map(({ stored }) => stored),
          restores: before.revision,
        },
        [],
        { settles: "reverted" },
      );
      this.#adopt({ ...before, revision: record.revision, record });
      this.#deps.distributor().adopt({ revision: record.revision, set: before.reading.set });
    } catch (error) {
      this.#deps.log.error({ err: error }, "the return to the former policy could not be recorded");
    }
  }

  #awaitConfirmation(deadline: number): void {
    clearTimeout(this.#deadline);
    const wait = Math.min(Math.max(0, deadline - this.#deps.now()), 2 ** 31 - 1);
    this.#deadline = setTimeout(() => {
      this.#exclusive(() => this.#revertUnconfirmed()).catch((error: unknown) => {
        this.#deps.log.error(
          { err: error },
          "an unconfirmed change could not be reverted; trying again",
        );
        this.#awaitConfirmation(this.#deps.now() + 1000);
      });
    }, wait);
  }

  async #revertUnconfirmed(): Promise<void> {
    const { store, now, log } = this.#deps;
    const pending = await store.pendingConfirm();
    if (pending === null) return;
    if (pending.deadline > now()) {
      this.#awaitConfirmation(pending.deadline);
      return;
    }
    const found = await readRevision(store, pending.revertsTo);
    if (found === null) throw new Error(`revision ${pending.revertsTo} is gone`);
    const { held } = found;
    const reading = readPolicy(held, { now: now(), strict: false });
    const record = await store.append(
      {
        time: now(),
        kind: "revert",
        author: "bulkhead",
        reason: `revision ${pending.revision} was not confirmed in time`,
        mode: found.revision?.mode ?? "audit",
        forced: false,
        changes: compareHeld(this.#inForce.held, held),
        given: [],
        resources: held.map(({ stored }) => stored),
        restores: pending.revertsTo,
      },
      [],
      { settles: "reverted" },
    );
    log.warn(
      { revision: pending.revision, restores: pending.revertsTo },
      "a change was not confirmed in time and is taken back",
    );
    this.#adopt({ revision: record.revision, record, held, reading });
    // Also when the agent is away: it is told as soon as it is back.
    this.#deps.distributor().adopt({ revision: record.revision, set: reading.set });
  }

  #adopt(inForce: InForce): void {
    this.#inForce = inForce;
    this.#deps.onChange(inForce);
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work, work);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

/** A full disk in the API's words. */
async function full<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof StoreFullError)) throw error;
    throw new ApiFailure("store-full", `${error.message}: nothing was changed`, {
      help: "make room on the disk that holds the state directory; enforcement goes on meanwhile",
      cause: error,
    });
  }
}

function recordOf(change: Change, time: number): NewRevision {
  return {
    time,
    kind: change.kind,
    author: change.author,
    reason: change.reason,
    mode: change.mode,
    forced: change.force,
    changes: change.changes,
    given: change.files.map(({ name, text }) => ({ name, hash: hashText(text) })),
    resources: change.held.map(({ stored }) => stored),
    ...(change.restores === undefined ? {} : { restores: change.restores }),
  };
}

function sameEntries(before: readonly HeldResource[], after: readonly HeldResource[]): boolean {
  return (
    JSON.stringify(before.map(({ stored }) => stored)) ===
    JSON.stringify(after.map(({ stored }) => stored))
  );
}

function listsOf(changes: ChangeSummary): ApplyAnswer["resources"] {
  return {
    added: [...changes.added],
    changed: [...changes.changed],
    removed: [...changes.removed],
    unchanged: [...changes.unchanged],
    kept: [...changes.kept],
  };
}

/** What a person may not expect of their change. */
function noticesOf(before: readonly HeldResource[], change: Change): readonly string[] {
  const was = new Map(before.map(({ stored }) => [stored.key, stored.mode]));
  const weaker = change.held.filter(
    ({ stored }) => stored.mode === "audit" && was.get(stored.key) === "enforce",
  );
  const notices: string[] = [];
  if (weaker.length > 0) {
    notices.push(
      `${weaker.length} resources that were enforced are only audited now; \`--mode enforce\` keeps them enforced`,
    );
  }
  if (change.changes.kept.length > 0) {
    notices.push(
      `${change.changes.kept.length} resources are in force that these files do not hold; \`--prune\` removes them`,
    );
  }
  return notices;
}

function testsFailed(tests: readonly TestResult[], diagnostics: readonly Diagnostic[]): ApiFailure {
  const failed = tests.filter(({ passed }) => !passed);
  const lines = failed.map(
    ({ test, message, source }) => `${source.file}:${source.line}: ${test}: ${message}`,
  );
  return new ApiFailure(
    "tests-failed",
    `${failed.length} of ${tests.length} policy tests fail: nothing was changed\n${lines.join("\n")}`,
    { diagnostics },
  );
}

function receiptView({ revision, digest, driver, readAt, entries }: Receipt) {
  return { revision, digest, driver, readAt, entries };
}
