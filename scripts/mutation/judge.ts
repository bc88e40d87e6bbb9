/**
 * One process that holds the instrumented sources and the tests, and judges mutants one after the other: a mutant is
 * killed when a test that reaches it fails. Speaks with `court.ts` by messages. Arguments: the folder of what was
 * planted, then the tests.
 */
import { existsSync, readFileSync } from "node:fs";
import { enableCompileCache, registerHooks } from "node:module";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { PlainTest } from "./plain-vitest.ts";
import { ROOT, type Mutant } from "./plant.ts";

/** What running all tests without any mutant shows. */
export interface Survey {
  readonly kind: "survey";
  /** Mutants that are reached while modules load: they need a process of their own. */
  readonly atLoad: readonly string[];
  /** By mutant. */
  readonly reached: Readonly<Record<string, Reach>>;
  /** By file: tests that run something in it, the quickest first, and then all others. */
  readonly byFile: Readonly<Record<string, readonly number[]>>;
  readonly tests: number;
  /** Of processor time, from the start of the process until all tests had run. */
  readonly seconds: number;
  readonly failed: readonly string[];
}

export interface Reach {
  /** By number, the quickest first. */
  readonly tests: readonly number[];
  /** How often it was passed in the test that passes it most. */
  readonly most: number;
}

export interface Case {
  readonly mutant: string;
  /** By number, in this order, until one fails. */
  readonly tests: readonly number[];
  /** The most that it may be passed in one test: more is a loop without an end. */
  readonly limit: number;
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

const [folder, ...files] = process.argv.slice(2) as [string, ...string[]];
const state: StrykerState = ((globalThis as { __stryker__?: StrykerState }).__stryker__ ??= {});
const besides = (name: string): string => pathToFileURL(join(import.meta.dirname, name)).href;
const [plainVitest, plainCheck] = [besides("plain-vitest.ts"), besides("plain-check.ts")];

enableCompileCache(join(ROOT, ".stryker-tmp", "cache"));
registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier === "vitest") return { url: plainVitest, shortCircuit: true };
    if (specifier === "fast-check" && context.parentURL !== plainCheck)
      return { url: plainCheck, shortCircuit: true };
    return next(specifier, context);
  },
  load: (url, context, next) => {
    if (!url.startsWith("file:")) return next(url, context);
    const planted = join(folder, relative(ROOT, fileURLToPath(url)));
    if (!existsSync(planted)) return next(url, context);
    return { format: "module", source: readFileSync(planted, "utf8"), shortCircuit: true };
  },
});

async function fails(test: PlainTest): Promise<boolean> {
  try {
    await test.run();
    return false;
  } catch {
    return true;
  }
}

async function survey(tests: readonly PlainTest[]): Promise<Survey> {
  const failed: string[] = [];
  const times: number[] = [];
  for (const [number, test] of tests.entries()) {
    state.currentTestId = `${number}`;
    const start = performance.now();
    if (await fails(test)) failed.push(test.name);
    times.push(performance.now() - start);
  }
  state.currentTestId = undefined;
  const order = [...tests.keys()].toSorted((a, b) => times[a]! - times[b]!);
  const { user, system } = process.cpuUsage();
  return {
    kind: "survey",
    atLoad: Object.keys(state.mutantCoverage!.static),
    ...coverage(order),
    tests: tests.length,
    seconds: (user + system) / 1e6,
    failed,
  };
}

function coverage(order: readonly number[]): Pick<Survey, "reached" | "byFile"> {
  const text = readFileSync(join(folder, "mutants.json"), "utf8");
  const fileOf = new Map((JSON.parse(text) as Mutant[]).map(({ id, file }) => [id, file]));
  const reached: Record<string, { tests: number[]; most: number }> = {};
  const inside = new Map([...fileOf.values()].map((file) => [file, new Set<number>()]));
  for (const test of order) {
    for (const [mutant, times] of Object.entries(state.mutantCoverage!.perTest[`${test}`] ?? {})) {
      const reach = (reached[mutant] ??= { tests: [], most: 0 });
      reach.tests.push(test);
      reach.most = Math.max(reach.most, times);
      inside.get(fileOf.get(mutant)!)!.add(test);
    }
  }
  const byFile = [...inside].map(([file, tests]) => [file, [...new Set([...tests, ...order])]]);
  return { reached, byFile: Object.fromEntries(byFile) as Survey["byFile"] };
}

async function judge({ mutant, tests: order, limit }: Case): Promise<Judged> {
  for (const number of order) {
    const test = tests[number];
    if (test === undefined) continue;
    state.activeMutant = mutant;
    state.hitCount = 0;
    state.hitLimit = limit;
    const killed = await fails(test);
    // A mutant that was there at loading cannot be taken back: its process ends with it.
    if (early === undefined) state.activeMutant = undefined;
    if (!killed) continue;
    const spoilt = early === undefined && (await fails(test));
    return { kind: "judged", mutant, killedBy: test.name, spoilt };
  }
  return { kind: "judged", mutant, killedBy: null, spoilt: false };
}

const { tests } = (await import(plainVitest)) as { tests: PlainTest[] };
const early = process.env["__STRYKER_ACTIVE_MUTANT__"];
const said = await loaded();
if (said !== null) process.send!(said, () => process.exit(0));
else {
  process.on("message", (message: Case | "survey") => {
    const answer = message === "survey" ? survey(tests) : judge(message);
    void answer.then((found) => process.send!(found));
  });
}

async function loaded(): Promise<Judged | null> {
  try {
    for (const file of files) await import(pathToFileURL(file).href);
    return null;
  } catch (error) {
    if (early === undefined) throw error;
    return { kind: "judged", mutant: early, killedBy: "loading", spoilt: false };
  }
}
