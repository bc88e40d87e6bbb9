/** `bulkhead labels lint` over a folder: formats, exit codes, options. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lintAnswerSchema } from "../src/schemas.ts";
import { call } from "./call.ts";
import { folder, type Folder } from "./offline-folder.ts";

const machine = (name: string, at: number, app: string): string =>
  `    - { name: ${name}, namespace: vms, addresses: [10.1.0.${at}], labels: { app: ${app} } }\n`;
const ESTATE = `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: estate }
spec:
  workloads:
${["a", "b", "c", "d"].map((name, at) => machine(name, at + 1, "checkout")).join("")}${machine("typo", 9, "chekout")}`;

let files: Folder;
beforeAll(async () => {
  files = await folder({ "estate.yaml": ESTATE });
});
afterAll(() => files.remove());
const lint = (...args: readonly string[]) => call(["labels", "lint", files.dir, ...args]);

describe("labels lint", () => {
  it("shows the place, what was meant, and ends with 0 for what is no error", async () => {
    const { code, stdout } = await lint();
    expect(code).toBe(0);
    expect(stdout).toContain("`app=chekout` of `vms/typo` looks like `app=checkout`");
    expect(stdout).toContain("estate.yaml:10");
  });

  it("ends with 1 where warnings are errors, unless the finding is not wanted", async () => {
    expect((await lint("--strict")).code).toBe(1);
    expect((await lint("--strict", "--disable", "BH0740")).code).toBe(0);
    expect((await lint("--disable", "BH07")).code).not.toBe(0);
  });

  it("is data and SARIF", async () => {
    const { stdout } = await lint("-o", "json");
    expect(lintAnswerSchema.parse(JSON.parse(stdout)).findings).toMatchObject([
      { code: "BH0740", severity: "warning", span: { line: 10 } },
    ]);
    expect(JSON.parse((await lint("-o", "sarif")).stdout)).toMatchObject({ version: "2.1.0" });
  });

  it("--fix tells the difference, then writes it, and what it changes for policies", async () => {
    const policy =
      "apiVersion: bulkhead.dev/v1\nkind: Policy\nmetadata: { name: p, namespace: vms }\nspec: { subject: app=chekout, ingress: [] }\n";
    const own = await folder({ "estate.yaml": ESTATE, "policy.yaml": policy });
    try {
      const fix = (...args: readonly string[]) => call(["labels", "lint", own.dir, ...args]);
      const dry = await fix("--fix", "--dry-run");
      expect(dry).toMatchObject({ code: 0 });
      expect(dry.stdout).toContain("\n-    - { name: typo");
      expect(dry.stdout).toMatch(/\n\+ {4}- \{ name: typo.*app: checkout/);
      expect((await fix()).stdout).toContain("looks like");
      const done = await fix("--fix", "-o", "json");
      expect(JSON.parse(done.stdout)).toEqual({ findings: [] });
      expect(done.stderr).toContain(dry.stdout);
      expect(done.stderr).toContain("estate.yaml: 1 change of labels made");
      expect(done.stderr).toMatch(/after this: .*policy\.yaml:4:\d+: BH07\d\d /);
      expect((await fix("--fix")).stderr).toBe("");
    } finally {
      await own.remove();
    }
  });

  it.each([
    [["--fix"], "cannot be fixed in a file"],
    [["-", "--fix"], "standard input cannot be fixed"],
    [["x.yaml", "--dry-run"], "`--dry-run` goes with `--fix`"],
  ])("%j is refused", async (args, words) => {
    const { code, stderr } = await call(["labels", "lint", ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
  });

  it("knows one task, and says so", async () => {
    const { code, stderr } = await call(["labels", "mend", files.dir]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("`mend` is not something to do with labels");
  });
});
