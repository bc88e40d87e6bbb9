/**
 * One process that holds the instrumented sources and the tests, and judges mutants one after the other: a mutant is
 * killed when a test that reaches it fails. Speaks with `court.ts` by messages. Arguments: the folder of what was
 * planted, then the tests.
 */
import { existsSync, readFileSync } from "node:fs";
import { enableCompileCache, registerHooks } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { PlainTest } from "./plain-vitest.ts";
import { ROOT, type Mutant } from "./plant.ts";

/** The number of a file of tests, and of a test in it. */
export type TestId = `${number}.${number}`;

/** What running all tests without any mutant shows. */
export interface Survey {
  readonly kind: "survey";
  /** Mutants that are reached while modules load: they need a process of their own. */
  readonly atLoad: readonly string[];
  /** By mutant. */
  readonly reached: Readonly<Record<string, Reach>>;
  /** By folder: tests that run something in it, those of files that load quickly first, and then all others. */
  readonly byFolder: Readonly<Record<string, readonly TestId[]>>;
  readonly tests: number;
  /** Of processor time, from the start of the process until all tests had run. */
  readonly seconds: number;
  /** Without any mutant: they can tell nothing, and judge none. */
  readonly failed: readonly string[];
}

export interface Reach {
  /** The quickest first. */
  readonly tests: readonly TestId[];
  /** How often it was passed in the test that passes it most. */
  readonly most: number;
}

export interface Case {
  readonly mutant: string;
  /** In this order, until one fails. */
  readonly tests: readonly TestId[];
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

const early = process.env["__STRYKER_ACTIVE_MUTANT__"];
const listed = JSON.parse(readFileSync(join(folder, "mutants.json"), "utf8")) as readonly Mutant[];
const fileOf = new Map(listed.map(({ id, file }) => [id, file]));

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
    const name = relative(ROOT, fileURLToPath(url));
    const planted = join(folder, name);
    // What is as it always was comes out of the cache: compiling all mutants takes longer than most tests.
    const isOther = early !== undefined && name !== fileOf.get(early);
    if (isOther || !existsSync(planted)) return next(url, context);
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

interface Suite {
  readonly tests: readonly PlainTest[];
  readonly milliseconds: number;
}

const suites = new Map<number, Suite>();

async function suite(at: number): Promise<Suite> {
  const known = suites.get(at);
  if (known !== undefined) return known;
  const [before, start] = [tests.length, performance.now()];
  await import(pathToFileURL(files[at]!).href);
  const loaded = { tests: tests.slice(before), milliseconds: performance.now() - start };
  suites.set(at, loaded);
  return loaded;
}

async function survey(): Promise<Survey> {
  const failed: string[] = [];
  const ran: { readonly id: TestId; readonly milliseconds: number }[] = [];
  for (const [at, { tests }] of suites) {
    for (const [number, test] of tests.entries()) {
      const id: TestId = `${at}.${number}`;
      state.currentTestId = id;
      const start = performance.now();
      if (await fails(test)) failed.push(test.name);
      else ran.push({ id, milliseconds: performance.now() - start });
    }
  }
  state.currentTestId = undefined;
  const order = ran.toSorted((a, b) => a.milliseconds - b.milliseconds).map(({ id }) => id);
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

function coverage(order: readonly TestId[]): Pick<Survey, "reached" | "byFolder"> {
  const reached: Record<string, { tests: TestId[]; most: number }> = {};
  const inside = new Map([...fileOf.values()].map((file) => [dirname(file), new Set<TestId>()]));
  for (const test of order) {
    for (const [mutant, times] of Object.entries(state.mutantCoverage!.perTest[test] ?? {})) {
      const reach = (reached[mutant] ??= { tests: [], most: 0 });
      reach.tests.push(test);
      reach.most = Math.max(reach.most, times);
      inside.get(dirname(fileOf.get(mutant)!))!.add(test);
    }
  }
  const loading = (id: TestId): number => suites.get(Number(id.split(".")[0]))!.milliseconds;
  const quick = (ids: Iterable<TestId>) => [...ids].toSorted((a, b) => loading(a) - loading(b));
  const all = quick(order);
  const byFolder = [...inside].map(([name, ids]) => [name, [...new Set([...quick(ids), ...all])]]);
  return { reached, byFolder: Object.fromEntries(byFolder) as Survey["byFolder"] };
}

async function judge({ mutant, tests: order, limit }: Case): Promise<Judged> {
  for (const id of order) {
    const test = await testOf(id);
    if (test === null) return { kind: "judged", mutant, killedBy: "loading", spoilt: false };
    state.activeMutant = mutant;
    state.hitCount = 0;
    state.hitLimit = limit;
    const killed = test === undefined || (await fails(test));
    // A mutant that was there at loading cannot be taken back: its process ends with it.
    if (early === undefined) state.activeMutant = undefined;
    if (!killed) continue;
    const spoilt = early === undefined && test !== undefined && (await fails(test));
    return { kind: "judged", mutant, killedBy: test?.name ?? "a test that is gone", spoilt };
  }
  return { kind: "judged", mutant, killedBy: null, spoilt: false };
}

/** `null`: its file does not load any more. */
async function testOf(id: TestId): Promise<PlainTest | undefined | null> {
  const [at, number] = id.split(".").map(Number) as [number, number];
  try {
    return (await suite(at)).tests[number];
  } catch {
    return null;
  }
}

const { tests } = (await import(plainVitest)) as { tests: PlainTest[] };
// For a mutant that is on while modules load, only the tests that are asked for.
if (early === undefined) for (const at of files.keys()) await suite(at);
process.on("message", (message: Case | "survey") => {
  const answer = message === "survey" ? survey() : judge(message);
  void answer.then((found) => process.send!(found));
});
