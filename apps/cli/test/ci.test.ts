/** What CI systems run: the steps of the action, of the template and of the hook, as written, in a repository with a remote. */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { git } from "./repository.ts";

const HERE = join(import.meta.dirname, "..", "..", "..");
const EXAMPLE = join(HERE, "examples", "pull-request");
const LIMIT_MS = 120_000;
let folder = "";
let root = "";

/** A clone as a runner makes it: the branch of the pull request alone, and one commit deep. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bhi-ci-"));
  const origin = join(folder, "origin");
  mkdirSync(join(origin, "policies"), { recursive: true });
  git(origin, "init", "-q", "-b", "main");
  cpSync(join(EXAMPLE, "before"), join(origin, "policies"), { recursive: true });
  git(origin, "add", ".");
  git(origin, "commit", "-qm", "before");
  git(origin, "checkout", "-qb", "change");
  cpSync(join(EXAMPLE, "after"), join(origin, "policies"), { recursive: true });
  git(origin, "commit", "-qam", "after");
  root = join(folder, "clone");
  git(folder, "clone", "-q", "--depth=1", "--branch", "change", `file://${origin}`, root);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(shell: readonly string[], script: string, env: Readonly<Record<string, string>>) {
  const file = join(folder, "step.sh");
  writeFileSync(file, script);
  const [program = "", ...args] = shell;
  const { status, stdout, stderr } = spawnSync(program, [...args, file], {
    cwd: root,
    encoding: "utf8",
    timeout: LIMIT_MS,
    env: { PATH: process.env["PATH"] ?? "", HOME: folder, GIT_CONFIG_NOSYSTEM: "1", ...env },
  });
  return { status, stdout, stderr };
}

const actionSchema = z.object({
  inputs: z.record(z.string(), z.object({ description: z.string(), default: z.string() })),
  outputs: z.record(z.string(), z.object({ value: z.string() })),
  runs: z.object({
    using: z.literal("composite"),
    steps: z.tuple([
      z.object({
        id: z.string(),
        shell: z.literal("bash"),
        env: z.record(z.string(), z.string()),
        run: z.string(),
      }),
    ]),
  }),
});

function action(
  inputs: Readonly<Record<string, string>>,
  around: Readonly<Record<string, string>>,
) {
  const read = actionSchema.parse(
    parse(readFileSync(join(HERE, "packaging", "ci", "github", "action.yml"), "utf8")),
  );
  const [step] = read.runs.steps;
  const env = Object.fromEntries(
    Object.entries(step.env).map(([name, value]) => [
      name,
      value.replaceAll(
        /\$\{\{ inputs\.(\w+) \}\}/g,
        (_, input: string) => inputs[input] ?? read.inputs[input]!.default,
      ),
    ]),
  );
  for (const name of ["summary", "output"]) writeFileSync(join(folder, name), "");
  // As the runner calls it (docs.github.com, workflow syntax, `shell`).
  const ran = run(["bash", "--noprofile", "--norc", "-eo", "pipefail"], step.run, {
    ...env,
    GITHUB_ACTION_PATH: join(HERE, "packaging", "ci", "github"),
    GITHUB_STEP_SUMMARY: join(folder, "summary"),
    GITHUB_OUTPUT: join(folder, "output"),
    RUNNER_TEMP: folder,
    ...around,
  });
  return {
    ...ran,
    summary: readFileSync(join(folder, "summary"), "utf8"),
    output: readFileSync(join(folder, "output"), "utf8"),
  };
}

describe("the GitHub action", () => {
  it(
    "annotates, writes the summary and SARIF, and fails as check does",
    { timeout: LIMIT_MS },
    () => {
      const { status, stdout, stderr, summary, output } = action({}, { GITHUB_BASE_REF: "main" });
      expect(stderr).toBe("");
      expect(status).toBe(1);
      expect(stdout).toContain("::warning file=policies/shop.yaml,line=26,col=7,title=BH0720::");
      expect(stdout).toContain("::error file=policies/shop.yaml,line=35,");
      expect(summary).toContain("since `origin/main`");
      expect(summary).toContain("➕ newly allowed");
      expect(output).toBe(`sarif=${folder}/bulkhead.sarif\n`);
      expect(JSON.parse(readFileSync(join(folder, "bulkhead.sarif"), "utf8"))).toMatchObject({
        version: "2.1.0",
      });
    },
  );

  it(
    "outside a pull request there is nothing to compare with; arguments are passed on",
    { timeout: LIMIT_MS },
    () => {
      const inputs = { path: "policies/workloads.yaml", arguments: "--disable BH0710" };
      const { status, stdout, summary } = action(inputs, { GITHUB_BASE_REF: "" });
      expect([status, stdout]).toEqual([0, ""]);
      expect(summary).not.toContain("since");
    },
  );
});

describe("the GitLab template", () => {
  it("reports tests, keeps the Markdown, and fails as check does", { timeout: LIMIT_MS }, () => {
    const schema = z.looseObject({
      ".bulkhead-check": z.looseObject({
        variables: z.record(z.string(), z.string()),
        script: z.array(z.string()),
      }),
      "bulkhead-check": z.looseObject({ extends: z.literal(".bulkhead-check") }),
    });
    const { ".bulkhead-check": job } = schema.parse(
      parse(readFileSync(join(HERE, "packaging", "ci", "gitlab", "bulkhead.yml"), "utf8")),
    );
    const { status, stdout } = run(["sh", "-e"], job.script.join("\n"), {
      ...job.variables,
      BULKHEAD: join(HERE, "bulkhead"),
      CI_MERGE_REQUEST_TARGET_BRANCH_NAME: "main",
    });
    expect(status).toBe(1);
    expect(stdout).toContain("1 newly allowed.");
    expect(readFileSync(join(root, "bulkhead.xml"), "utf8")).toContain("<failure ");
    expect(readFileSync(join(root, "bulkhead.md"), "utf8")).toContain("since `origin/main`");
  });
});

describe("the pre-commit hook", () => {
  it("runs what it names, and fails as check does", { timeout: LIMIT_MS }, () => {
    const schema = z.tuple([
      z.looseObject({
        id: z.string(),
        entry: z.string(),
        args: z.array(z.string()),
        language: z.literal("script"),
        files: z.string(),
      }),
    ]);
    const [hook] = schema.parse(parse(readFileSync(join(HERE, ".pre-commit-hooks.yaml"), "utf8")));
    const [program = "", ...words] = hook.entry.split(" ");
    // Of a script the first word is a file of the hook's own repository (pre-commit, languages/script.py).
    const file = join(HERE, program);
    expect(existsSync(file) && (statSync(file).mode & 0o111) !== 0).toBe(true);
    const { status, stdout } = run(
      ["sh"],
      `exec "${file}" ${[...words, ...hook.args].join(" ")}\n`,
      {},
    );
    expect(status).toBe(1);
    expect(stdout).toContain("✗ web never reads the database");
    expect(new RegExp(hook.files).test("policies/shop.yaml")).toBe(true);
  });
});
