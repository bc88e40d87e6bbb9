// What `make test` runs after set-up: type check, lint, format, unit tests, kernel tests, load tests.
// Every step runs even if one before it failed, and the last line printed is `N passed, N failed`,
// from the real totals. A skipped test is a failure: nothing here may pass by not running.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reportOf, totalsOf, type Totals } from "./test-report.ts";

const root = join(import.meta.dirname, "..");

type Step = { readonly name: string; readonly command: readonly string[] };

const staticSteps: readonly Step[] = [
  { name: "types", command: ["node_modules/typescript/bin/tsc", "--noEmit"] },
  { name: "lint", command: ["node_modules/oxlint/bin/oxlint", "--deny-warnings"] },
  { name: "format", command: ["node_modules/oxfmt/bin/oxfmt", "--check"] },
];

const testProjects = ["unit", "kernel", "load"] as const;

function announce(name: string): void {
  console.log(`\n== ${name}`);
}

/** Runs a script with this same Node; returns true if it exited with 0. */
function run(command: readonly string[], env: Readonly<Record<string, string>> = {}): boolean {
  const result = spawnSync(process.execPath, command, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...env },
  });
  if (result.error !== undefined) console.log(`cannot run ${command[0]}: ${result.error.message}`);
  return result.status === 0;
}

type Outcome = { readonly totals: Totals; readonly complaints: readonly string[] };

function runStatic(step: Step): Outcome {
  announce(step.name);
  const ok = run(step.command);
  console.log(ok ? `${step.name}: ok` : `${step.name}: FAILED`);
  return {
    totals: { passed: 0, failed: ok ? 0 : 1 },
    complaints: ok ? [] : [`${step.name}: failed`],
  };
}

function runProject(project: (typeof testProjects)[number], reports: string): Outcome {
  announce(`${project} tests`);
  const output = join(reports, `${project}.json`);
  const ok = run(
    [
      "node_modules/vitest/vitest.mjs",
      "run",
      `--project=${project}`,
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${output}`,
    ],
    // What one lab has proven of this kernel (`apps/controller/test/lab.ts`), the labs of other files need not prove again.
    { BULKHEAD_TEST_PROOF: join(reports, "self-test.json") },
  );
  if (!existsSync(output)) {
    return {
      totals: { passed: 0, failed: 1 },
      complaints: [`${project} tests: no report was written`],
    };
  }
  return totalsOf(reportOf(readFileSync(output, "utf8")), ok);
}

function main(): number {
  const only = process.argv.includes("--only=static");
  const reports = mkdtempSync(join(tmpdir(), "bulkhead-test-"));
  const started = performance.now();
  try {
    const results = staticSteps.map(runStatic);
    if (!only) results.push(...testProjects.map((project) => runProject(project, reports)));
    const passed = results.reduce((sum, { totals }) => sum + totals.passed, 0);
    const failed = results.reduce((sum, { totals }) => sum + totals.failed, 0);
    // Last, since the end of the output is what people look at, and sometimes all that is kept.
    for (const complaint of results.flatMap(({ complaints }) => complaints))
      console.log(`\nFAILED ${complaint}`);
    console.log(`\n${Math.round((performance.now() - started) / 1000)} s`);
    if (!only) console.log(`${passed} passed, ${failed} failed`);
    return failed === 0 ? 0 : 1;
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}

process.exitCode = main();
