/** `suggest --to`: what was seen, in another dialect's words, read again, and deciding the same. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answers } from "./answers.ts";
import { call, NOW } from "./call.ts";
import { startFakeController } from "./fake-controller.ts";
import { hubble, hubblePod } from "./hubble.ts";
import { folder, pod, type Folder } from "./offline-folder.ts";

const web = hubblePod("web", "10.1.0.5");
const db = hubblePod("db", "10.1.0.6");
const EXPORT = [
  ...[1, 2, 3, 4, 5, 6].map((minute) => hubble(web, db, 5432, NOW - minute * 60_000)),
  hubble(web, "203.0.113.7", 443, NOW - 90 * 60_000, ["api.example.com"]),
].join("");
const PODS = `${pod("shop", "web")}${pod("shop", "db")}${pod("dev", "tool")}`;

let here: Folder;
beforeAll(async () => {
  here = await folder({ "hubble.jsonl": EXPORT });
});
afterAll(() => here.remove());

const suggested = (...more: readonly string[]) =>
  call(["suggest", "--flows", join(here.dir, "hubble.jsonl"), ...more]);

const QUESTIONS = [
  ["web", "db", "5432"],
  ["web", "db", "22"],
  ["db", "web", "5432"],
  ["dev/tool", "db", "5432"],
  ["web", "203.0.113.7", "443"],
  ["web", "203.0.113.8", "443"],
  ["db", "203.0.113.7", "443"],
  ["198.51.100.1", "web", "5432"],
] as const;

/** Each question's decision, by a folder with this policy and nobody else's. */
async function decisions(policy: string): Promise<readonly string[]> {
  const own = await folder({ "pods.yaml": PODS, "policy.yaml": policy });
  try {
    const asked = QUESTIONS.map(([from, to, port]) =>
      JSON.stringify({ from, to, port: Number(port) }),
    );
    const { stdout } = await call(["decide", own.dir, "--queries", "-"], {
      stdin: `${asked.join("\n")}\n`,
    });
    return stdout
      .trim()
      .split("\n")
      .map((line) => String((JSON.parse(line) as { decision: string }).decision));
  } finally {
    await own.remove();
  }
}

describe("suggest --to", () => {
  it("the policy with its evidence, as Kubernetes and as Cilium say it", async () => {
    const kubernetes = await suggested("--to", "kubernetes");
    expect(kubernetes.stderr).toContain("proved: what is written permits the same\n  over 2 work");
    expect(kubernetes.code).toBe(0);
    const text = (out: string): string => out.replace(/^# next: .*\n/m, "");
    await expect(text(kubernetes.stdout)).toMatchFileSnapshot("golden/suggest-to-kubernetes.txt");
    const cilium = await suggested("--to", "cilium");
    await expect(text(cilium.stdout)).toMatchFileSnapshot("golden/suggest-to-cilium.txt");
  });

  it("read again, each decides as our own words do", async () => {
    const native = await suggested();
    const same = await suggested("--to", "native");
    expect(same.stderr).toBe("");
    expect(same.stdout.replace(" --to native", "")).toBe(native.stdout);
    const expected = await decisions(native.stdout);
    expect(expected).toEqual(["allow", "deny", "deny", "deny", "allow", "deny", "deny", "deny"]);
    for (const to of ["kubernetes", "cnp", "cilium", "calico", "antrea"]) {
      const { stdout, code } = await suggested("--to", to);
      expect([to, code]).toEqual([to, 0]);
      expect([to, await decisions(stdout)]).toEqual([to, expected]);
    }
  });

  it("is a file, a folder, data or a pull request like any other suggestion", async () => {
    const file = join(here.dir, "policy.yaml");
    const saved = await suggested("--to", "calico", "-f", file);
    expect(saved.stdout).toContain("2 rules for 2 edges, written to ");
    const listed = await call(["list", file]);
    expect(listed.stderr).not.toContain("error");
    expect(listed.code).toBe(0);
    const target = join(here.dir, "policies");
    await suggested("--to", "calico", "-d", target);
    expect(readdirSync(target)).toEqual(["shop.yaml"]);
    const kept = readFileSync(join(target, "shop.yaml"), "utf8");
    expect(kept).toContain("# Written for Calico: permits the same as what was suggested, proved");
    expect(kept).toMatch(
      /# Seen: 6 connections.*\n.*\n# Permits 1 pair.*\n\napiVersion: projectcalico\.org\/v3\n/,
    );
    expect(await decisions(kept)).toEqual(await decisions(readFileSync(file, "utf8")));
    const json = await suggested("--to", "calico", "-o", "json");
    const { files } = JSON.parse(json.stdout) as { files: readonly { text: string }[] };
    expect(files.map(({ text }) => text)).toEqual([readFileSync(file, "utf8")]);
    expect(JSON.parse(json.stderr.trim().split("\n").at(-1)!)).toMatchObject({
      relation: "same",
      proof: { answer: "yes" },
    });
    const request = await suggested("--to", "calico", "-o", "markdown");
    expect(request.stdout).toContain("\nWritten for Calico.\n");
  });

  it("what a dialect cannot hold is refused by name, and nothing is written", async () => {
    const file = join(here.dir, "refused.yaml");
    const refused = await suggested("--to", "istio", "-f", file);
    expect(refused.stderr).toContain("this policy is about egress, which Istio cannot say");
    expect(refused.stderr).toContain("refused: Istio cannot say all of it; nothing was written");
    expect([refused.stdout, refused.code]).toEqual(["", 1]);
    expect(readdirSync(here.dir)).not.toContain("refused.yaml");
  });

  it("of the running system, over whoever runs there", async () => {
    const [file] = answers.suggest.files;
    const policy = (await suggested()).stdout;
    const suggest = { ...answers.suggest, files: [{ ...file!, text: policy }] };
    const inForce = { revision: 1, files: [] };
    const controller = await startFakeController({ ...answers, suggest, inForce });
    try {
      const { stderr, code } = await call(["suggest", "--to", "calico"], {
        state: controller.state,
      });
      const { workloads } = answers.workloads;
      expect(stderr).toContain(
        `over ${workloads.length} workloads, the node and every address outside`,
      );
      expect(code).toBe(0);
    } finally {
      await controller.stop();
    }
  });

  it.each([
    [["--to", "ciliun"], "did you mean `cilium`?"],
    [["--approximate", "over"], "`--approximate` is about another dialect"],
    [["--to", "istio", "--approximate", "up"], "`--approximate up` is not known"],
  ])("%j is refused in words", async (args, words) => {
    const { code, stderr } = await suggested(...args);
    expect(stderr).toContain(words);
    expect(code).toBe(2);
  });
});
