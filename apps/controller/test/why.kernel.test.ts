/**
 * Somebody who is not root asks why their connection failed: real packets, a real denial, a policy applied from a real git
 * work tree; and what is drafted for them, once applied, lets the connection through.
 */
import { execFile, execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WhyAnswer } from "@bulkhead/api";
import { TestLab, until } from "./lab.ts";

const READERS = 64_102;
const CLI = join(import.meta.dirname, "..", "..", "cli");
const FLAGS = ["--disable-warning=ExperimentalWarning"];
const POLICY = `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: default-deny, namespace: shop }
spec: { owner: team-shop, subject: "", ingress: [], egress: [] }
`;

let lab: TestLab;
let folder = "";
let commit = "";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...FLAGS, join(CLI, program), ...args, "--state", lab.state],
      { env: { PATH: process.env["PATH"], NO_COLOR: "1" } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 128;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

const asRoot = (...words: readonly string[]): Promise<Ran> => run("src/main.ts", words);
/** In the group, and nothing else. */
const asReader = (...words: readonly string[]): Promise<Ran> =>
  run("test/as-somebody.ts", [String(READERS), ...words]);

function git(...args: readonly string[]): string {
  const who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"];
  return execFileSync("git", [...who, ...args], {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], HOME: folder },
  }).trim();
}

beforeAll(async () => {
  lab = await TestLab.create();
  folder = mkdtempSync(join(tmpdir(), "bhk-why-"));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, "policies"));
  writeFileSync(join(folder, "policies", "shop.yaml"), `${lab.inventory().text}---\n${POLICY}`);
  git("init", "-q");
  git("add", ".");
  git("commit", "-qm", "shop: deny what nobody asked for");
  commit = git("rev-parse", "HEAD");
  // As /var/lib/bulkhead: anybody may go through.
  chmodSync(lab.state, 0o711);
  await lab.up({ readers: READERS });
  await lab.serve("db", [5432]);
}, 120_000);

afterAll(async () => {
  await lab?.remove();
  rmSync(folder, { recursive: true, force: true });
});

describe("somebody whose connection failed", () => {
  it("is told that nothing was denied as long as nothing was", async () => {
    expect(await lab.reach("web", "db", 5432, 4, 20_000)).toBe("connected");
    const { code, stdout, stderr } = await asReader("why");
    expect(stderr).not.toContain("error");
    expect(stdout).toContain("Nothing that was denied is on record.");
    expect(code).toBe(0);
  });

  it("is told the rule, its owner, its commit, since when, and what to propose", async () => {
    const file = join(folder, "policies", "shop.yaml");
    const applied = await asRoot("apply", file, "--mode", "enforce", "--reason", "walls up");
    expect(applied.stderr).not.toContain("is not recorded");
    expect(applied.code).toBe(0);
    expect(await lab.reach("web", "db", 5432)).toBe("blocked");
    let last: Ran | undefined;
    await until(
      async () => {
        last = await asReader("why", "-o", "json");
        return last.code === 1;
      },
      () => `no denial: ${JSON.stringify(last)}`,
      30_000,
    );
    const answer = JSON.parse(last?.stdout ?? "") as WhyAnswer;
    expect(answer).toMatchObject({
      verdict: "drop",
      from: "shop/web",
      to: "shop/db",
      port: "5432/tcp",
      denial: { verdict: "dropped", source: { name: "shop/web" } },
    });
    expect(answer.rules.map(({ direction }) => direction)).toEqual(["egress", "ingress"]);
    for (const rule of answer.rules) {
      expect(rule).toMatchObject({
        resource: "Policy/shop/default-deny",
        mode: "enforce",
        owner: "team-shop",
        origin: { commit, path: "policies/shop.yaml", changed: false },
        since: { revision: 1, reason: "walls up" },
      });
    }
    expect(answer.draft).toMatchObject({
      kind: "Intent",
      fillIn: [],
      file: "policies/shop.yaml",
      exists: true,
    });
    const { stdout, code } = await asReader("why", "web", "db:5432");
    expect(code).toBe(1);
    expect(stdout).toContain("Policy/shop/default-deny#egress");
    expect(stdout).toContain(`${commit.slice(0, 12)} policies/shop.yaml`);
    expect(stdout).toContain("team-shop");
    expect(stdout).toContain("To propose (add to policies/shop.yaml):");
  });

  it("proposes what lets the connection through, and then nothing is denied", async () => {
    const { stdout, code } = await asReader("why", "web", "db:5432", "--draft");
    expect(code).toBe(1);
    const draft = join(folder, "draft.yaml");
    writeFileSync(draft, stdout);
    const refused = await asReader("apply", draft, "--mode", "enforce");
    expect(refused.code).toBe(3);
    expect(await lab.reach("web", "db", 5432)).toBe("blocked");
    // Only enforced does it open anything.
    const unopened = [{ from: "shop/web", to: "shop/db", ports: "5432/tcp" }];
    const planned = await asReader("plan", draft, "-o", "json");
    expect(JSON.parse(planned.stdout)).toMatchObject({ unopened });
    const audited = await asRoot("apply", draft);
    expect(audited.stdout).toContain("mode enforce + audit");
    expect(audited.stdout).toContain("· shop/web → shop/db  5432/tcp");
    expect(audited.stdout).toContain(` apply ${draft} --mode enforce --confirm 60s  or  `);
    expect(await lab.reach("web", "db", 5432)).toBe("blocked");
    const applied = await asRoot("apply", draft, "--mode", "enforce");
    expect(applied.code).toBe(0);
    await until(
      async () => (await lab.reach("web", "db", 5432)) === "connected",
      "the draft did not let it through",
    );
    const after = await asReader("why", "web", "db:5432");
    expect(after.code).toBe(0);
    expect(after.stdout).toContain("allowed now");
    // Nobody else was let in by it.
    expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
  });

  it("must be in the group, and is told so", async () => {
    const { code, stderr } = await run("test/as-somebody.ts", ["-", "why"]);
    expect(stderr).toContain("usermod -aG bulkhead");
    expect(code).toBe(3);
  });
});
