/** The next command can be typed as it stands: with the same files and what of the options means the same there. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { answers } from "./answers.ts";
import { call } from "./call.ts";
import { startFakeController, type Answers, type FakeController } from "./fake-controller.ts";

let controller: FakeController | undefined;
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bcc-next-"));
  writeFileSync(join(folder, "policy.yaml"), "kind: Policy\n");
  writeFileSync(join(folder, "my policy.yaml"), "kind: Policy\n");
});

afterEach(async () => {
  await controller?.stop();
  controller = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const unopened = [{ from: "shop/web", to: "shop/db", ports: "5432/tcp" }];
const passing = { ...answers.plan, tests: [] };
const audited = { ...answers.apply, mode: "audit" as const, confirmBy: undefined };
const rehearsed = { ...answers.apply, dryRun: true, confirmBy: undefined, ruleset: "" };
const BUT = "  (with the same text on standard input again, or saved to a file that you name)";

it.each<readonly [readonly string[], string, Answers]>([
  [["plan", "-"], `apply -${BUT}`, { plan: passing }],
  [["plan", "-"], `plan - -o wide${BUT}`, {}],
  [["replay", "-", "FOLDER/policy.yaml"], `plan - FOLDER/policy.yaml${BUT}`, {}],
  [
    ["apply", "-"],
    `observe --verdict audit  or  bulkhead apply - --mode enforce --confirm 60s${BUT}`,
    { apply: audited },
  ],
  [["apply", "-", "--dry-run"], `apply -${BUT}`, { apply: rehearsed }],
  [["apply", "-", "--confirm", "60s"], "confirm  or  bulkhead probe", {}],
  [
    ["plan", "FOLDER/policy.yaml", "--prune"],
    "apply FOLDER/policy.yaml --prune",
    { plan: passing },
  ],
  [["replay", "FOLDER/policy.yaml", "--strict"], "plan FOLDER/policy.yaml --strict", {}],
  [["plan", "FOLDER/my policy.yaml"], "apply 'FOLDER/my policy.yaml'", { plan: passing }],
  [
    ["apply", "FOLDER/policy.yaml", "--prune"],
    "observe --verdict audit  or  bulkhead apply FOLDER/policy.yaml --prune --mode enforce --confirm 60s",
    { apply: audited },
  ],
  // What only opens is denied for as long as it only audits.
  [
    ["plan", "FOLDER/policy.yaml"],
    "apply FOLDER/policy.yaml --mode enforce --confirm 60s",
    { plan: { ...passing, unopened } },
  ],
  [
    ["apply", "FOLDER/policy.yaml"],
    "apply FOLDER/policy.yaml --mode enforce --confirm 60s  or  bulkhead observe --verdict audit",
    { apply: { ...audited, unopened } },
  ],
  [
    ["apply", "FOLDER/policy.yaml"],
    "apply FOLDER/policy.yaml --mode enforce --confirm 60s  or  bulkhead observe --verdict audit",
    { apply: { ...audited, unopened, changed: false } },
  ],
  [
    ["why", "web", "db:5432"],
    "why shop/web shop/db:5432/tcp --draft | bulkhead plan -  or  bulkhead why shop/web shop/db:5432/tcp --draft | bulkhead apply - --mode enforce --confirm 60s",
    {},
  ],
  [
    "apply FOLDER/policy.yaml --dry-run --mode enforce --confirm 60s --force --reason x".split(" "),
    "apply FOLDER/policy.yaml --mode enforce --confirm 60s --force --reason x",
    { apply: rehearsed },
  ],
])("%j leads to %s", async (args, next, over) => {
  controller = await startFakeController({ ...answers, ...over });
  const { stdout } = await call(
    args.map((word) => word.replace("FOLDER", folder)),
    { state: controller.state, stdin: "kind: Policy\n" },
  );
  const last = stdout.trimEnd().split("\n").at(-1);
  // A ruleset can be loaded as it is printed.
  const mark = args.includes("--dry-run") ? "# " : "";
  expect(last?.replaceAll(folder, "FOLDER")).toBe(`${mark}next: bulkhead ${next}`);
});
