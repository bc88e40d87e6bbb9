/**
 * One process that holds the instrumented engine and its tests, and judges mutants one after the other: a mutant is
 * killed when a test that reaches it fails. Speaks with `run.ts` by messages.
 */
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import type { PlainTest } from "./plain-vitest.ts";

export interface Survey {
  readonly kind: "survey";
  /** Mutants that are reached while modules load: they need a process of their own. */
  readonly atLoad: readonly string[];
  /** Mutants that some test reaches. */
  readonly reached: readonly string[];
  readonly tests: number;
  /** Of processor time, from the start of the process until all tests had run. */
  readonly seconds: number;
  readonly failed: readonly string[];
}

export interface Judged {
  readonly kind: "judged";
  readonly mutant: string;
  readonly killedBy: string | null;
  /** The same test fails without any mutant now: something was left behind, and the process must not be trusted. */
  readonly spoilt: boolean;
}

interface StrykerState {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  hitCount?: number;
  hitLimit?: number;
  mutantCoverage?: {
    readonly static: Record<string, number>;
    readonly perTest: Record<string, Record<string, number>>;
  };
}

const [plainVitest, ...files] = process.argv.slice(2).map((file) => pathToFileURL(file).href);
const state: StrykerState = ((globalThis as { __stryker__?: StrykerState }).__stryker__ ??= {});

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "vitest" ? { url: plainVitest!, shortCircuit: true } : next(specifier, context),
});

/** Hits that a mutant may have, as a multiple of those without it: more is a loop without an end. */
const HIT_FACTOR = 200;

async function fails(test: PlainTest): Promise<boolean> {
  try {
    await test.run();
    return false;
  } catch {
    return true;
  }
}

async function survey(tests: readonly PlainTest[]): Promise<{ said: Survey; order: number[] }> {
  const failed: string[] = [];
  const times: number[] = [];
  for (const [number, test] of tests.entries()) {
    state.currentTestId = `${number}`;
    const start = performance.now();
    if (await fails(test)) failed.push(test.name);
    times.push(performance.now() - start);
  }
  state.currentTestId = undefined;
  const coverage = state.mutantCoverage!;
  const order = [...tests.keys()].toSorted((a, b) => times[a]! - times[b]!);
  const said: Survey = {
    kind: "survey",
    atLoad: Object.keys(coverage.static),
    reached: [...new Set(Object.values(coverage.perTest).flatMap((hits) => Object.keys(hits)))],
    tests: tests.length,
    seconds: (process.cpuUsage().user + process.cpuUsage().system) / 1e6,
    failed,
  };
  return { said, order };
}

async function judge(
  mutant: string,
  tests: readonly PlainTest[],
  order: readonly number[],
  hits: Readonly<Record<string, Record<string, number>>>,
): Promise<Judged> {
  for (const number of order) {
    const usual = hits[`${number}`]?.[mutant];
    if (usual === undefined && !atLoad.has(mutant)) continue;
    state.activeMutant = mutant;
    state.hitCount = 0;
    state.hitLimit = (usual ?? 1e4) * HIT_FACTOR;
    const killed = await fails(tests[number]!);
    state.activeMutant = undefined;
    if (!killed) continue;
    // A mutant that was there at loading cannot be taken back: its process ends with it.
    const spoilt = !atLoad.has(mutant) && (await fails(tests[number]!));
    return { kind: "judged", mutant, killedBy: tests[number]!.name, spoilt };
  }
  return { kind: "judged", mutant, killedBy: null, spoilt: false };
}

const { tests } = (await import(plainVitest!)) as { tests: PlainTest[] };
const early = process.env["__STRYKER_ACTIVE_MUTANT__"];
const atLoad = new Set(early === undefined ? [] : [early]);
try {
  for (const file of files) await import(file);
} catch (error) {
  if (early === undefined) throw error;
  process.send!({ kind: "judged", mutant: early, killedBy: "loading", spoilt: false });
  process.exit(0);
}

if (early !== undefined) {
  const order = [...tests.keys()];
  process.send!(await judge(early, tests, order, {}), () => process.exit(0));
} else {
  const { said, order } = await survey(tests);
  // Counting goes on while mutants are judged; what it was without any is kept apart.
  const hits = structuredClone(state.mutantCoverage!.perTest);
  process.on("message", (mutant: string) => {
    void judge(mutant, tests, order, hits).then((judged) => process.send!(judged));
  });
  process.send!(said);
}
