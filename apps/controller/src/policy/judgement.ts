/** Whether a change may be made: every reason against it is found before anything is touched. */
import { ApiFailure } from "@bulkhead/api";
import { buildPolicySet, type Resource } from "@bulkhead/dialects";
import { compareDiagnostics, countEntries, hasErrors, type Diagnostic } from "@bulkhead/model";
import { runPolicyTests, type TestResult } from "@bulkhead/workbench";
import type { StoredFile } from "@bulkhead/store";
import type { World } from "../world/world.ts";
import { aboutNobody } from "./about-nobody.ts";
import type { HeldResource } from "./candidate.ts";
import type { Change, InForce } from "./change.ts";
import type { Compiled } from "./distributor.ts";
import { sessionsCut } from "./lockout.ts";
import { readPolicy, type Reading } from "./reading.ts";
import { testIndex } from "./test-index.ts";
import { refuseMovedTiers } from "./tiers-moved.ts";
import { unitsMissed } from "./units-missed.ts";

export interface JudgementContext {
  readonly inForce: InForce;
  readonly now: number;
  /** How the world looks under a reading: the same surroundings, other names. */
  readonly worldUnder: (reading: Reading) => World;
  readonly compile: (reading: Reading, world: World) => Compiled;
  /** Most entries the driver takes; 0 when not known. */
  readonly capacity: number;
}

export interface Judged {
  readonly reading: Reading;
  readonly world: World;
  readonly compiled: Compiled;
  readonly diagnostics: readonly Diagnostic[];
  readonly tests: readonly TestResult[];
  /** What it cuts, and was told to cut. */
  readonly notices: readonly string[];
}

/** Throws ApiFailure with everything that is wrong. */
export function judge(change: Change, context: JudgementContext): Judged {
  const { inForce, now } = context;
  const { reading, diagnostics } = readSound(change.held, change.diagnostics, {
    now,
    strict: change.strict,
    known: inForce,
    partial: change.partial,
    given: change.files,
  });
  if (change.kind === "apply" && change.mode === "audit") {
    refuseMovedTiers(inForce.reading.set, reading.set);
  }
  const world = context.worldUnder(reading);
  // What is meant, and what may be cut one day, does not depend on how far a rollout has come.
  const whole = { ...reading.set, canary: undefined };
  const tests = runPolicyTests(reading.tests, whole, testIndex(world), now);
  if (tests.some(({ passed }) => !passed)) {
    throw testsFailed(tests, diagnostics, inventoryGone(change, inForce));
  }
  const missed = unitsMissed(inForce, reading, world);
  if (missed.refused.length > 0)
    throw new ApiFailure(
      "bad-policy",
      `${missed.refused.length === 1 ? "a unit uses" : "units use"} sockets that its policy would miss: nothing was changed`,
      { diagnostics: [...diagnostics, ...missed.refused].toSorted(compareDiagnostics) },
    );
  const notices = [
    ...missed.notices,
    ...cuts(change, reading, world, context),
    ...aboutNobody(reading.set, world),
  ];
  const compiled = context.compile(reading, world);
  assertFits(compiled, context.capacity);
  const found = [...diagnostics, ...compiled.result.diagnostics].toSorted(compareDiagnostics);
  return { reading, world, compiled, diagnostics: found, tests, notices };
}

/** Throws ApiFailure `bad-policy` with every diagnostic when one of them is an error. */
export function readSound(
  held: readonly HeldResource[],
  parsed: readonly Diagnostic[],
  options: Parameters<typeof readPolicy>[1] & {
    readonly partial?: readonly Resource[];
    readonly given: readonly Pick<StoredFile, "name">[];
  },
): { readonly reading: Reading; readonly diagnostics: readonly Diagnostic[] } {
  const reading = readPolicy(held, options);
  const partial = options.partial ?? [];
  // With what has errors left out, what refers to it would look wrong, and its other errors would wait their turn.
  const built =
    partial.length === 0
      ? reading.diagnostics
      : buildPolicySet([...held.map(({ resource }) => resource), ...partial], {
          now: options.now,
          strict: options.strict,
          mode: "enforce",
        }).diagnostics;
  const given = new Set(options.given.map(({ name }) => name));
  // Where nothing is wrong, what a person has not just given is no news.
  const told = built.filter(({ severity, span }) => severity !== "info" || given.has(span.file));
  const diagnostics = [...parsed, ...told].toSorted(compareDiagnostics);
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

function cuts(
  change: Change,
  reading: Reading,
  world: World,
  { inForce, now, worldUnder }: JudgementContext,
): readonly string[] {
  if (world.sessions.length === 0) return [];
  const before = { set: inForce.reading.set, world: worldUnder(inForce.reading) };
  const found = sessionsCut(before, { set: { ...reading.set, canary: undefined }, world }, now);
  if (found.length === 0) return [];
  const lines = found.map(({ session, by }) => {
    const { what, source, destination, port } = session;
    return `${what} from ${source} to ${destination} port ${port} would be cut by \`${by}\``;
  });
  if (change.force && change.reason !== "") return lines.map((line) => `forced: ${line}`);
  throw new ApiFailure("lockout", `${lines.join("; ")}: nothing was changed`, {
    help: change.force
      ? 'forcing it needs a reason: `--force --reason "…"`'
      : 'allow it first, or, if it is meant, say `--force --reason "…"` with `--confirm 60s`',
  });
}

/** Throws ApiFailure `bad-request`: whoever forces a change says why, for the log. */
export function assertReasoned({ force, reason }: Pick<Change, "force" | "reason">): void {
  if (!force || reason.trim() !== "") return;
  throw new ApiFailure("bad-request", "forcing a change needs a reason: nothing was changed", {
    help: "`--force --reason '…'`; the reason stands in the history",
  });
}

/** Throws ApiFailure `lockout` with a diagnostic for each thing that the machine could no longer do, unless it is forced. */
export function assertHolds({ force }: Pick<Change, "force">, broken: readonly Diagnostic[]): void {
  if (force || broken.length === 0) return;
  const what = broken.length === 1 ? "one thing" : `${broken.length} things`;
  throw new ApiFailure(
    "lockout",
    `${what} that this machine must be able to do would be broken: nothing was changed`,
    { diagnostics: broken, help: "allow it first, or, if it is meant, say `--force --reason '…'`" },
  );
}

function assertFits(compiled: Compiled, limit: number): void {
  const entries = countEntries(compiled.result.policy);
  if (limit > 0 && entries > limit) {
    throw new ApiFailure(
      "capacity",
      `the set needs ${entries} entries and the kernel takes ${limit}: nothing was changed`,
      { help: "select workloads by fewer, broader labels, or take CIDRs together" },
    );
  }
}

/** Without their Inventory, workloads have other names and no labels: that is why the tests fail, most likely. */
function inventoryGone(change: Change, { revision, record }: InForce): string | undefined {
  const help = "give its file as well: it says who the workloads are";
  const pruned = change.changes.removed.find(isInventory);
  if (pruned !== undefined) return `\`${pruned}\` would be removed; ${help}`;
  const gone = record?.changes.removed.find(isInventory);
  return gone === undefined || change.held.some(({ stored }) => stored.key === gone)
    ? undefined
    : `\`${gone}\` was removed with revision ${revision}; ${help}`;
}

function isInventory(key: string): boolean {
  return key.startsWith("Inventory/");
}

function testsFailed(
  tests: readonly TestResult[],
  diagnostics: readonly Diagnostic[],
  help: string | undefined,
): ApiFailure {
  const failed = tests.filter(({ passed }) => !passed);
  const lines = failed.map(
    ({ test, message, source }) => `${source.file}:${source.line}: ${test}: ${message}`,
  );
  return new ApiFailure(
    "tests-failed",
    `${failed.length} of ${tests.length} policy tests fail: nothing was changed\n${lines.join("\n")}`,
    { diagnostics, help },
  );
}
