/** `bulkhead check` over a git repository with a branch to be merged: what a pull request is told, and how it ends. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkAnswerSchema } from "../src/schemas.ts";
import { answers } from "./answers.ts";
import { call } from "./call.ts";
import { startFakeController } from "./fake-controller.ts";
import { git } from "./repository.ts";

const EXAMPLE = join(import.meta.dirname, "..", "..", "..", "examples", "pull-request");
const PAGE = join(EXAMPLE, "..", "..", "docs", "policy-as-code.md");
let root = "";

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "bhi-check-"));
  git(root, "init", "-q", "-b", "main");
  mkdirSync(join(root, "policies"));
  cpSync(join(EXAMPLE, "before"), join(root, "policies"), { recursive: true });
  writeFileSync(join(root, "policies", "notes.txt"), "not a policy\n");
  git(root, "add", ".");
  git(root, "commit", "-qm", "before");
  cpSync(join(EXAMPLE, "after"), join(root, "policies"), { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const policies = () => join(root, "policies");
const check = (...args: readonly string[]) => call(["check", policies(), ...args]);
/** As if it had been called in the repository. */
const local = (text: string): string => text.replaceAll(`${root}/`, "");

describe("check", () => {
  it("tells a pull request what changes, what is found and which test fails, as its page shows", async () => {
    const { code, stdout } = await check("--base", "main", "-o", "md");
    expect(code).toBe(1);
    const told = local(stdout);
    expect(told).toContain(
      "| ➕ newly allowed | shop/web[Deployment] | shop/db[StatefulSet] | nothing | TCP 5432 |",
    );
    expect(readFileSync(PAGE, "utf8")).toContain(
      told.slice(0, told.indexOf("<details>")).trimEnd(),
    );
  });

  it("prints the JSON that its schema promises", async () => {
    const { stdout } = await check("--base", "HEAD", "-o", "json");
    const answer = checkAnswerSchema.parse(JSON.parse(stdout));
    expect(answer.ok).toBe(false);
    expect(answer.changes?.map(({ diff, src, dst, ports2 }) => [diff, src, dst, ports2])).toEqual([
      ["added", "shop/web[Deployment]", "shop/db[StatefulSet]", "5432/tcp"],
    ]);
    expect([answer.tests.passed, answer.tests.failed]).toEqual([1, 1]);
    expect(answer.representatives).toEqual([]);
  });

  it("without a base tells of no changes; the same files ended well before the change", async () => {
    expect(
      checkAnswerSchema.parse(JSON.parse((await check("-o", "json")).stdout)).changes,
    ).toBeUndefined();
    const { code, stdout } = await call(["check", join(EXAMPLE, "before")]);
    expect(code).toBe(0);
    expect(stdout).toContain("✓ nothing found\n");
  });

  it("reads the base from git's objects: the work tree stays as it is, and a file of another name is no policy", async () => {
    const before = git(root, "status", "--porcelain");
    const { stdout } = await check("--base", "main");
    expect(stdout).toContain("1 newly allowed.\n");
    expect(git(root, "status", "--porcelain")).toBe(before);
    const single = await call([
      "check",
      join(policies(), "shop.yaml"),
      "--base",
      "main",
      "-o",
      "md",
    ]);
    expect(single.stdout).toContain("representative pods");
  });

  it("a base that is no commit, and a folder in no repository, are bad input", async () => {
    const { code, stderr } = await check("--base", "nowhere");
    expect([code, stderr]).toEqual([2, expect.stringContaining("there is no commit `nowhere`")]);
    expect((await check("--base", "--output=x")).code).toBe(2);
    const outside = mkdtempSync(join(tmpdir(), "bhi-check-outside-"));
    try {
      writeFileSync(
        join(outside, "p.yaml"),
        "kind: ConfigMap\napiVersion: v1\nmetadata: { name: a }\n",
      );
      const { code: ended, stderr: said } = await call(["check", outside, "--base", "main"]);
      expect([ended, said]).toEqual([2, expect.stringContaining("is in no git repository")]);
    } finally {
      rmSync(outside, { recursive: true, force: true });
    }
  });

  it("where no file has a workload, representatives stand for them, and it says so", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bhi-check-alone-"));
    try {
      writeFileSync(
        join(folder, "p.yaml"),
        readFileSync(join(EXAMPLE, "before", "shop.yaml"), "utf8")
          .split("---\n")
          .slice(0, 3)
          .join("---\n"),
      );
      git(folder, "init", "-q", "-b", "main");
      git(folder, "add", ".");
      git(folder, "commit", "-qm", "before");
      writeFileSync(
        join(folder, "p.yaml"),
        readFileSync(join(folder, "p.yaml"), "utf8").replace("app: api", "app: web"),
      );
      const { code, stdout } = await call(["check", folder, "--base", "main", "-o", "json"]);
      const { changes, representatives } = checkAnswerSchema.parse(JSON.parse(stdout));
      expect(code).toBe(0);
      expect(representatives).toEqual(
        ["elsewhere/any", "shop/any", "shop/app-db", "shop/app-web", "shop/app-api"].toSorted(),
      );
      expect(changes?.map(({ diff, src, dst }) => `${diff} ${src} ${dst}`).toSorted()).toEqual([
        "added shop/app-web[Pod] shop/app-db[Pod]",
        "removed shop/app-api[Pod] shop/app-db[Pod]",
      ]);
      const text = await call(["check", folder]);
      expect(text.stdout).toContain("No file has a workload: ");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("replays recorded flows against both", async () => {
    const end = (namespace: string, name: string, ip: string) => ({
      namespace,
      pod_name: name,
      labels: [`k8s:app=${name}`, `k8s:io.kubernetes.pod.namespace=${namespace}`],
      ip,
    });
    const flow = (from: string, to: string, port: number) => {
      const [source, destination] = [end("shop", from, "10.1.0.1"), end("shop", to, "10.1.0.2")];
      return JSON.stringify({
        flow: {
          time: "2026-03-01T00:00:00Z",
          verdict: "FORWARDED",
          IP: { source: source.ip, destination: destination.ip, ipVersion: "IPv4" },
          l4: { TCP: { source_port: 40000, destination_port: port, flags: { SYN: true } } },
          source,
          destination,
          Type: "L3_L4",
          traffic_direction: "INGRESS",
          is_reply: false,
        },
      });
    };
    const file = join(root, "flows.jsonl");
    writeFileSync(file, `${flow("web", "db", 5432)}\n${flow("api", "db", 5432)}\n`);
    const markdown = local((await check("--base", "main", "--flows", file, "-o", "md")).stdout);
    const section = markdown.slice(
      markdown.indexOf("### Recorded"),
      markdown.indexOf("### Findings"),
    );
    await expect(section).toMatchFileSnapshot("golden/check-flows-markdown.txt");
    const human = await check("--base", "main", "--flows", file);
    expect(human.stdout).toContain("Newly allowed: 1 edge (1 connection)\n");
    expect(human.stdout).toContain("port 40000 → shop/db (10.1.0.2) 5432/tcp\n");
    const alone = await check("--flows", file, "-o", "github");
    expect(alone.code).toBe(1);
    const sarif = JSON.parse(
      (await check("--base", "main", "--flows", file, "-o", "sarif")).stdout,
    );
    expect(sarif.runs[0].results.at(-1)).toMatchObject({
      ruleId: "NewlyAllowed",
      level: "note",
      message: { text: expect.stringContaining("shop/web to shop/db 5432/tcp: 1 recorded") },
    });
    expect(sarif.runs[0].tool.driver.rules.at(-1).id).toBe("NewlyAllowed");
    const junit = await check("--base", "main", "--flows", file, "-o", "junit");
    expect(junit.stdout).toMatch(
      /<testsuite name="replay" tests="1" failures="0" errors="0">\n {4}<testcase classname="replay" name="NewlyAllowed shop\/web to shop\/db 5432\/tcp" file=".*" line="\d+">\n {6}<system-out>note: shop\/web to shop\/db/,
    );
    const same = await check("--flows", file, "-o", "junit");
    expect(same.stdout).toContain(`name="nothing changes for recorded connections"/>`);
    expect((await check("-o", "junit")).stdout).not.toContain("replay");
    const github = await check("--base", "main", "--flows", file, "-o", "github");
    expect(github.stdout).toMatch(
      /^::notice file=.*shop.*title=recorded connections that were denied/m,
    );
    const { stdout } = await check("--base", "main", "--flows", file, "-o", "json");
    const torn = join(root, "torn.jsonl");
    writeFileSync(torn, `${flow("web", "db", 5432)}\n{"flow"`);
    expect((await check("--flows", torn, "-o", "json")).stderr).toContain(
      `warning: 1 line of \`${torn}\` could not be read, first line 2: not JSON`,
    );
    writeFileSync(torn, "<html>\n");
    expect(await check("--flows", file, "--flows", file)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("`--flows` is given twice"),
    });
    expect(await check("--format", "zeek")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("`--format` is about the file of `--flows`"),
    });
    const strange = join(root, "strange.log");
    writeFileSync(
      strange,
      "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n2 123456789010 eni-1235b8ca123456789 198.51.100.1 203.0.113.7 40000 443 6 20 4249 1418530010 1418530070 ACCEPT OK\n",
    );
    const words = "1 edge in the flows, none of them of a known workload: nothing was tested";
    const untested = await check("--flows", strange, "-o", "md");
    expect(untested.stderr).toContain(`warning: ${words}`);
    expect(untested.stdout).toContain(`\n> ⚠️ ${words}`);
    expect((await check("--flows", strange, "-o", "junit")).stdout).not.toContain("replay");
    expect((await check("--flows", file, "-o", "md")).stderr).toBe("");
    const blank = join(root, "blank.jsonl");
    writeFileSync(blank, "\n");
    expect(await check("--flows", blank)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`\`${blank}\` holds no flow that can be read`),
    });
    expect(await check("--flows", torn)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`no line of \`${torn}\` could be read`),
    });
    const { replay } = checkAnswerSchema.parse(JSON.parse(stdout));
    expect(replay?.newlyAllowed.map(({ source, port }) => [source, port])).toEqual([
      ["shop/web", "5432/tcp"],
    ]);
    expect([replay?.newlyDenied, replay?.unchanged]).toEqual([[], 1]);
    const [row] = replay?.affected ?? [];
    expect([row?.source.name, row?.destination.name, row?.ports]).toEqual([
      "shop/web",
      "shop/db",
      ["5432/tcp"],
    ]);
    expect(row?.samples.map(({ start, sourcePort }) => [start, sourcePort])).toEqual([
      [Date.UTC(2026, 2, 1), 40_000],
    ]);
  });

  it.each(["sarif", "github", "junit"])(
    "as %s tells findings and failed tests together",
    async (format) => {
      const { code, stdout } = await check("-o", format);
      expect(code).toBe(1);
      expect(stdout).toContain("BH0720");
      expect(stdout).toContain("web never reads the database");
    },
  );

  it("without a folder checks what is in force, with everybody who is there", async () => {
    // Whom somebody named by hand is in what the machine tells, too.
    const text = `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: by-hand }
spec: { workloads: [{ name: nobody-here, namespace: shop, addresses: [10.9.9.9] }] }
---
${readFileSync(join(EXAMPLE, "before", "shop.yaml"), "utf8").split("---\n", 1)[0]}`;
    const controller = await startFakeController({
      ...answers,
      inForce: {
        revision: 3,
        files: [
          {
            name: "shop.yaml",
            text,
            resources: [
              { name: "Inventory//by-hand", mode: "enforce" },
              { name: "NetworkPolicy/shop/db", mode: "enforce" },
            ],
          },
        ],
      },
    });
    try {
      const { code, stdout, stderr } = await call(["check", "-o", "json"], {
        state: controller.state,
      });
      expect(stderr).toBe("");
      expect(code).toBe(0);
      expect(stdout).not.toContain("nobody-here");
      expect(controller.requests.map(({ route }) => route)).toEqual(
        expect.arrayContaining(["inForce", "workloads", "status"]),
      );
      const { exposure, representatives } = checkAnswerSchema.parse(JSON.parse(stdout));
      expect(exposure.exposures.length).toBeGreaterThan(0);
      expect(representatives).toEqual([]);
      expect((await call(["check", "--base", "main"], { state: controller.state })).code).toBe(2);
    } finally {
      await controller.stop();
    }
  });
});
