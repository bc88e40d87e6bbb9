/**
 * Mutation testing of deciding and compiling: `npm run mutate` in this package, or with names of source files to look at
 * these only. Stryker's instrumenter makes the mutants, all of them switched inside one instrumented tree; a few
 * processes hold that tree with the tests and try one mutant after the other. Stryker's own runner starts Vitest anew for
 * each, which takes twenty times as long. Prints survivors and scores; exit 1 below 90 %. `MUTATION_PROCESSES=4` for more
 * than two of these processes.
 */
import { fork, type ChildProcess } from "node:child_process";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Instrumenter } from "@stryker-mutator/instrumenter";
import type { Judged, Survey } from "./judge.ts";

type Mutant = Awaited<ReturnType<Instrumenter["instrument"]>>["mutants"][number];
type Status = "killed" | "survived" | "timed out" | "not reached";

const TARGET = 90;
/**
 * In seconds of the judge's processor time, so that a busy machine takes no survivor for a loop without an end: until all
 * tests have run once, and from then on as a multiple of what that took.
 */
const PATIENCE_AT_FIRST = 300;
const PATIENCE = 5;
const PROCESSES = Number(process.env["MUTATION_PROCESSES"] ?? 2);
const FUZZ_RUNS = "0.04";
/** What decides and what compiles, and all they stand on. */
const MUTATED = [
  "decide",
  "judge-stage",
  "matching",
  "exemption",
  "strictness",
  "order",
  "inventory-index",
  "mode",
  "compile/*",
  "lookup",
  "compiled-exemptions",
].map((name) => `src/${name}.ts`);
/** Tests of other parts do not bear on these. */
const TESTS = [
  "order",
  "cells",
  "atom-table",
  "same",
  "stable-id",
  "decide-ends",
  "decide-rules",
  "decide-stages",
  "decide-matching",
  "compiled-maps",
  "compiled-subjects",
  "compiled-overlay",
  "compile-result",
  "compiler",
  "bypasses",
  "canary",
  "exemptions",
  "replay",
  "explain",
  "laws",
  "invariants",
  "compile",
  "incremental",
  "reach",
];

const home = join(import.meta.dirname, "..", "..");
const tree = join(home, ".stryker-tmp", "tree");

async function plant(): Promise<Mutant[]> {
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree, { recursive: true });
  for (const folder of ["src", "test"]) {
    cpSync(join(home, folder), join(tree, folder), { recursive: true });
  }
  const asked = process.argv.slice(2);
  const files = globSync(MUTATED, { cwd: home })
    .filter((name) => asked.length === 0 || asked.some((one) => name.includes(one)))
    .toSorted();
  const silent = { isDebugEnabled: () => false, debug: () => {}, info: () => {}, warn: () => {} };
  const instrumenter = new Instrumenter(silent as never);
  const sources = files.map((name) => ({
    name,
    mutate: true,
    content: readFileSync(join(home, name), "utf8"),
  }));
  const options = { plugins: null, excludedMutations: [], ignorers: [] };
  const { files: planted, mutants } = await instrumenter.instrument(sources, options as never);
  for (const { name, content } of planted) writeFileSync(join(tree, name), content);
  return [...mutants];
}

function hire(mutantAtLoad?: string): ChildProcess {
  const files = TESTS.map((name) => join(tree, "test", `${name}.test.ts`));
  const plain = join(tree, "test", "mutation", "plain-vitest.ts");
  return fork(join(tree, "test", "mutation", "judge.ts"), [plain, ...files], {
    env: {
      ...process.env,
      FUZZ_RUNS,
      ...(mutantAtLoad !== undefined && { __STRYKER_ACTIVE_MUTANT__: mutantAtLoad }),
    },
  });
}

/** The next message; null when the child works on it for longer than `patience`, or ends. */
function hear<T>(child: ChildProcess, patience: number): Promise<T | null> {
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

async function ready(): Promise<{ child: ChildProcess; survey: Survey }> {
  const child = hire();
  const survey = await hear<Survey>(child, PATIENCE_AT_FIRST);
  if (survey === null) throw new Error("the tests could not be loaded");
  if (survey.failed.length > 0)
    throw new Error(`fails without mutants: ${survey.failed.join(", ")}`);
  return { child, survey };
}

async function judgeAtLoad(mutant: Mutant, patience: number): Promise<Status> {
  const child = hire(mutant.id);
  const judged = await hear<Judged>(child, patience);
  child.kill("SIGKILL");
  if (judged === null) return "timed out";
  return judged.killedBy === null ? "survived" : "killed";
}

async function judgeAll(queue: Mutant[], statuses: Map<Mutant, Status>): Promise<void> {
  const first = await ready();
  const { survey } = first;
  let { child } = first;
  const patience = PATIENCE * survey.seconds;
  const [atLoad, reached] = [new Set(survey.atLoad), new Set(survey.reached)];
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    if (atLoad.has(mutant.id)) {
      statuses.set(mutant, await judgeAtLoad(mutant, patience));
      continue;
    }
    if (!reached.has(mutant.id)) {
      statuses.set(mutant, "not reached");
      continue;
    }
    child.send(mutant.id);
    const judged = await hear<Judged>(child, patience);
    if (judged === null || judged.spoilt) {
      child.kill("SIGKILL");
      ({ child } = await ready());
    }
    if (judged === null) statuses.set(mutant, "timed out");
    else if (judged.spoilt) statuses.set(mutant, await again(mutant.id, child, patience));
    else statuses.set(mutant, judged.killedBy === null ? "survived" : "killed");
  }
  child.kill("SIGKILL");
}

/** A second look in a fresh process. What spoils that one too did change what the tests see. */
async function again(mutant: string, child: ChildProcess, patience: number): Promise<Status> {
  child.send(mutant);
  const judged = await hear<Judged>(child, patience);
  if (judged === null) return "timed out";
  return judged.killedBy === null ? "survived" : "killed";
}

function print(statuses: ReadonlyMap<Mutant, Status>): number {
  const byFile = Map.groupBy(statuses, ([{ fileName }]) => fileName);
  const lines: string[] = [];
  for (const [file, entries] of byFile) {
    const source = readFileSync(join(home, file), "utf8").split("\n");
    for (const [{ location, mutatorName, replacement }, status] of entries) {
      if (status !== "survived" && status !== "not reached") continue;
      const { line, column } = location.start;
      lines.push(
        `${status} ${file}:${line + 1}:${column + 1} ${mutatorName}`,
        `  - ${source[line]?.trim()}`,
        `  + ${replacement.split("\n")[0]}`,
      );
    }
  }
  const count = (entries: Iterable<readonly [Mutant, Status]>) => {
    const all = [...entries].map(([, status]) => status);
    const endless = all.filter((status) => status === "timed out").length;
    const killed = all.filter((status) => status === "killed").length + endless;
    const score = (100 * killed) / all.length;
    return { score, cells: [all.length, killed, endless, `${score.toFixed(1)} %`].join(" | ") };
  };
  lines.push("", "| File | Mutants | Killed | Without an end | Score |", "|---|---|---|---|---|");
  for (const [file, entries] of byFile) lines.push(`| \`${file}\` | ${count(entries).cells} |`);
  const { score, cells } = count(statuses);
  lines.push(`| all | ${cells} |`);
  process.stdout.write(`${lines.join("\n")}\n`);
  return score;
}

const mutants = await plant();
const statuses = new Map<Mutant, Status>();
const queue = [...mutants];
const progress = setInterval(
  () => process.stderr.write(`${statuses.size} of ${mutants.length} mutants\n`),
  15_000,
);
await Promise.all(Array.from({ length: PROCESSES }, () => judgeAll(queue, statuses)));
clearInterval(progress);
const score = print(new Map(mutants.map((mutant) => [mutant, statuses.get(mutant)!])));
rmSync(tree, { recursive: true, force: true });
process.exitCode = score >= TARGET ? 0 : 1;
