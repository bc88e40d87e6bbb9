/**
 * Mutation testing of deciding and compiling: `npm run mutate` in this package, or with names of source files to look at
 * these only. Stryker's instrumenter makes the mutants, all of them switched inside one instrumented tree; a few
 * processes hold that tree with the tests and try one mutant after the other. Stryker's own runner starts Vitest anew for
 * each, which takes twenty times as long. Prints survivors and scores; exit 1 below 90 %.
 */
import { fork, type ChildProcess } from "node:child_process";
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Instrumenter } from "@stryker-mutator/instrumenter";
import type { Judged, Survey } from "./judge.ts";

type Mutant = Awaited<ReturnType<Instrumenter["instrument"]>>["mutants"][number];
type Status = "killed" | "survived" | "timed out" | "not reached";

const TARGET = 90;
const PATIENCE = 60_000;
const PROCESSES = 2;
const FUZZ_RUNS = "0.1";
/** What decides and what compiles, and all they stand on. */
const MUTATED = [
  "decide",
  "judge-stage",
  "matching",
  "strictness",
  "order",
  "inventory-index",
  "mode",
  "compile/*",
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

/** The next message; null when the child says nothing for too long, or ends. */
function hear<T>(child: ChildProcess, patience = PATIENCE): Promise<T | null> {
  return new Promise((resolve) => {
    const stop = (answer: T | null) => {
      clearTimeout(timer);
      child.off("message", onMessage);
      child.off("exit", onExit);
      resolve(answer);
    };
    const onMessage = (message: unknown) => stop(message as T);
    const onExit = () => stop(null);
    const timer = setTimeout(() => stop(null), patience);
    child.on("message", onMessage);
    child.on("exit", onExit);
  });
}

async function ready(): Promise<{ child: ChildProcess; survey: Survey }> {
  const child = hire();
  const survey = await hear<Survey>(child, 5 * PATIENCE);
  if (survey === null) throw new Error("the tests could not be loaded");
  if (survey.failed.length > 0)
    throw new Error(`fails without mutants: ${survey.failed.join(", ")}`);
  return { child, survey };
}

async function judgeAtLoad(mutant: Mutant): Promise<Status> {
  const child = hire(mutant.id);
  const judged = await hear<Judged>(child);
  child.kill("SIGKILL");
  if (judged === null) return "timed out";
  return judged.killedBy === null ? "survived" : "killed";
}

async function judgeAll(queue: Mutant[], statuses: Map<Mutant, Status>): Promise<void> {
  const first = await ready();
  const { survey } = first;
  let { child } = first;
  const [atLoad, reached] = [new Set(survey.atLoad), new Set(survey.reached)];
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    if (atLoad.has(mutant.id)) {
      statuses.set(mutant, await judgeAtLoad(mutant));
      continue;
    }
    if (!reached.has(mutant.id)) {
      statuses.set(mutant, "not reached");
      continue;
    }
    child.send(mutant.id);
    const judged = await hear<Judged>(child);
    if (judged === null || judged.spoilt) {
      child.kill("SIGKILL");
      ({ child } = await ready());
    }
    if (judged === null) statuses.set(mutant, "timed out");
    else if (judged.spoilt) statuses.set(mutant, await again(mutant.id, child));
    else statuses.set(mutant, judged.killedBy === null ? "survived" : "killed");
  }
  child.kill("SIGKILL");
}

/** A second look in a fresh process. What spoils that one too did change what the tests see. */
async function again(mutant: string, child: ChildProcess): Promise<Status> {
  child.send(mutant);
  const judged = await hear<Judged>(child);
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
    const killed = all.filter((status) => status === "killed" || status === "timed out").length;
    return { all: all.length, killed, score: (100 * killed) / all.length };
  };
  lines.push("", "| file | mutants | killed | score |", "|---|---|---|---|");
  for (const [file, entries] of byFile) {
    const { all, killed, score } = count(entries);
    lines.push(`| ${file} | ${all} | ${killed} | ${score.toFixed(1)} % |`);
  }
  const { all, killed, score } = count(statuses);
  lines.push(`| **all** | ${all} | ${killed} | **${score.toFixed(1)} %** |`);
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
