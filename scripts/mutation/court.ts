/**
 * Judges mutants in a few long-lived processes (`judge.ts`), each of which tries one after the other. Stryker's own
 * runner starts Vitest anew for each, which takes twenty times as long.
 */
import { fork, type ChildProcess } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Room } from "./areas.ts";
import type { Case, Judged, Survey } from "./judge.ts";
import { ROOT, type Mutant, type Planted } from "./plant.ts";

export type Status = "killed" | "survived" | "timed out" | "not reached";

/**
 * In seconds of the judge's processor time, so that a busy machine takes no survivor for a loop without an end: until all
 * tests have run once, and from then on as a multiple of what that took.
 */
const PATIENCE_AT_FIRST = 600;
const PATIENCE = 5;
/** Passing a mutant so many times more often than usual is a loop without an end, too. */
const HIT_FACTOR = 200;
/** What is reached while modules load is not counted by test. */
const HITS_AT_LOAD = 2_000_000;
/** Share of the usual runs of random tests. */
const FUZZ_RUNS = process.env["MUTATION_RUNS"] ?? "0.04";

export interface Court {
  readonly room: Room;
  readonly planted: Planted;
  readonly processes: number;
  /** Whether there is no time for another mutant. */
  readonly isOver: () => boolean;
}

/** Tells each mutant's fate as it becomes known. */
export async function judgeAll(
  { room, planted, processes, isOver }: Court,
  mutants: readonly Mutant[],
  tell: (mutant: Mutant, status: Status) => void,
): Promise<void> {
  const tests = globSync(room.tests, { cwd: ROOT }).toSorted();
  const hire = (early?: string) => hired(planted.folder, tests, early);
  const surveyor = hire();
  const survey = await ask<Survey>(surveyor, "survey", PATIENCE_AT_FIRST);
  if (survey === null) throw new Error("the tests could not be run");
  for (const name of survey.failed)
    process.stderr.write(`fails without mutants, left out: ${name}\n`);
  const seen = `${survey.tests} tests in ${survey.seconds.toFixed(1)} s, ${survey.atLoad.length} mutants at load`;
  process.stderr.write(`${room.name}: ${seen}\n`);
  const queue = [...mutants];
  const judges = Array.from({ length: processes }, async (_, at) => {
    const judge = new Judge(hire, survey, at === 0 ? surveyor : hire());
    for (let mutant = queue.shift(); mutant !== undefined && !isOver(); mutant = queue.shift())
      tell(mutant, await judge.statusOf(mutant));
    judge.end();
  });
  await Promise.all(judges);
}

/** One process after another, each until it cannot be trusted any more. */
class Judge {
  readonly #hire: (early?: string) => ChildProcess;
  readonly #survey: Survey;
  readonly #atLoad: ReadonlySet<string>;
  #child: ChildProcess;

  constructor(hire: (early?: string) => ChildProcess, survey: Survey, child: ChildProcess) {
    this.#hire = hire;
    this.#survey = survey;
    this.#atLoad = new Set(survey.atLoad);
    this.#child = child;
  }

  async statusOf({ id, file }: Mutant): Promise<Status> {
    if (this.#atLoad.has(id)) return this.#early(id, file);
    const reach = this.#survey.reached[id];
    if (reach === undefined) return "not reached";
    const asked: Case = { mutant: id, tests: reach.tests, limit: reach.most * HIT_FACTOR };
    const found = await this.#judged(asked);
    // A second look in a fresh process. What spoils that one too did change what the tests see.
    return outcome(found?.spoilt === true ? await this.#judged(asked) : found);
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }

  async #early(mutant: string, file: string): Promise<Status> {
    const child = this.#hire(mutant);
    const tests = this.#survey.byFolder[dirname(file)]!;
    const asked: Case = { mutant, tests, limit: HITS_AT_LOAD };
    const found = await ask<Judged>(child, asked, this.#patience);
    child.kill("SIGKILL");
    return outcome(found);
  }

  async #judged(asked: Case): Promise<Judged | null> {
    const found = await ask<Judged>(this.#child, asked, this.#patience);
    if (found === null || found.spoilt) {
      this.end();
      this.#child = this.#hire();
    }
    return found;
  }

  get #patience(): number {
    return PATIENCE * this.#survey.seconds;
  }
}

const outcome = (found: Judged | null): Status => {
  if (found === null) return "timed out";
  return found.killedBy === null ? "survived" : "killed";
};

/** With `early`, a mutant that is switched on before anything loads. */
function hired(folder: string, tests: readonly string[], early?: string): ChildProcess {
  const files = tests.map((name) => join(ROOT, name));
  return fork(join(import.meta.dirname, "judge.ts"), [folder, ...files], {
    execArgv: ["--disable-warning=ExperimentalWarning"],
    env: {
      ...process.env,
      FUZZ_RUNS,
      ...(early !== undefined && { __STRYKER_ACTIVE_MUTANT__: early }),
    },
  });
}

/** What the child answers; null when it works on it for longer than `patience`, or ends. */
function ask<T>(child: ChildProcess, what: Case | "survey", patience: number): Promise<T | null> {
  const end = processorSeconds(child) + patience;
  return new Promise((resolve) => {
    const stop = (answer: T | null) => {
      clearInterval(watch);
      child.off("message", onMessage);
      child.off("exit", onExit);
      resolve(answer);
    };
    const onMessage = (message: unknown) => stop(message as T);
    const onExit = () => stop(null);
    const watch = setInterval(() => {
      if (processorSeconds(child) > end) stop(null);
    }, 250);
    child.on("message", onMessage);
    child.on("exit", onExit);
    child.send(what);
  });
}

/** What the process has used of processors since it began; 0 when it is no more. */
function processorSeconds({ pid }: ChildProcess): number {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return 0;
  // After the name, which may hold anything: state is field 3, user and system time in hundredths are 14 and 15.
  const fields = readFileSync(file, "utf8").split(") ").at(-1)!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
