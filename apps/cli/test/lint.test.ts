/** `bulkhead lint` as people and programs meet it: every format, exit codes, options. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { lintAnswerSchema } from "../src/schemas.ts";
import { call } from "./call.ts";
import { folder, pod, type Folder } from "./offline-folder.ts";

const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
  - from:
    - namespaceSelector: { matchLabels: { team: a } }
    - podSelector: { matchLabels: { app: web } }
    ports: [{ port: 5432 }]
`;
/** With everything that some format gives a meaning. */
const NAME = "50%,a|b.yaml";
let files: Folder;

beforeAll(async () => {
  files = await folder({
    [NAME]: POLICY,
    "pods.yaml": pod("shop", "db") + pod("shop", "web"),
  });
});
afterAll(() => files.remove());

const lint = (...args: readonly string[]) => call(["lint", files.dir, ...args]);

/** What code scanning asks of a log (SARIF 2.1.0, §3.13 to §3.30), and what the schema requires besides. */
const sarifSchema = z.strictObject({
  $schema: z.url(),
  version: z.literal("2.1.0"),
  runs: z
    .array(
      z.strictObject({
        tool: z.strictObject({
          driver: z.strictObject({
            name: z.string().min(1),
            rules: z.array(
              z.strictObject({
                id: z.string().min(1),
                shortDescription: z.strictObject({ text: z.string().min(1) }),
                defaultConfiguration: z.strictObject({
                  level: z.enum(["error", "warning", "note"]),
                }),
              }),
            ),
          }),
        }),
        columnKind: z.enum(["utf16CodeUnits", "unicodeCodePoints"]),
        results: z.array(
          z.strictObject({
            ruleId: z.string(),
            ruleIndex: z.int().min(0),
            level: z.enum(["error", "warning", "note"]),
            message: z.strictObject({ text: z.string().min(1) }),
            locations: z.array(
              z.strictObject({
                physicalLocation: z.strictObject({
                  artifactLocation: z.strictObject({ uri: z.string().regex(/^[^\s\\]+$/) }),
                  region: z.strictObject({
                    startLine: z.int().min(1),
                    startColumn: z.int().min(1),
                    endLine: z.int().min(1).optional(),
                    endColumn: z.int().min(1).optional(),
                  }),
                }),
              }),
            ),
          }),
        ),
      }),
    )
    .length(1),
});

describe("lint", () => {
  it("tells people what, where and what to do, and counts", async () => {
    const { code, stdout, stderr } = await lint();
    expect(stdout).toContain(
      `${NAME}:9:7: warning BH0720: two items: every pod of those namespaces`,
    );
    expect(stdout).toContain("  9 |     - podSelector: { matchLabels: { app: web } }\n");
    expect(stdout).toContain(
      "help: for these pods in those namespaces, put both selectors into one item",
    );
    expect(stdout).toMatch(/\n\n2 warnings, 1 note\n$/);
    expect([code, stderr]).toEqual([0, ""]);
  });

  it("prints the JSON that its schema promises", async () => {
    const { stdout } = await lint("-o", "json");
    const { findings } = lintAnswerSchema.parse(JSON.parse(stdout));
    expect(findings.map(({ code }) => code)).toEqual(["BH0707", "BH0720", "BH0710"]);
  });

  it("ends with 1 for errors, which warnings become with --strict, and without those that are disabled with 0", async () => {
    expect((await lint("--strict")).code).toBe(1);
    expect((await lint("--strict", "--disable", "BH0710,BH0720")).code).toBe(0);
    expect((await lint("--disable", "BH0710,BH0720,BH0707")).stdout).toBe("✓ nothing found\n");
    const wrong = await lint("--disable", "BH9999");
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain("no finding has the code `BH9999`");
  });

  it("ends with 2 where something cannot be read, and still tells of the rest", async () => {
    const text = POLICY.replace("podSelector: { matchLabels: { app: db } }", "podSelectr: {}");
    const { code, stdout } = await call(["lint", "-"], { stdin: `${text}---\n${POLICY}` });
    expect(code).toBe(2);
    expect(stdout).toContain("podSelectr");
    expect(stdout).toContain("BH0720");
    expect((await call(["lint", `${files.dir}/nowhere`])).code).toBe(2);
  });

  it("SARIF 2.1.0 is whole, and rules and results point at each other", async () => {
    const { stdout } = await lint("-o", "sarif");
    const { runs } = sarifSchema.parse(JSON.parse(stdout));
    const { tool, results } = runs[0]!;
    expect(results.map(({ ruleId }) => ruleId)).toEqual(["BH0707", "BH0720", "BH0710"]);
    for (const { ruleId, ruleIndex } of results)
      expect(tool.driver.rules[ruleIndex]?.id).toBe(ruleId);
    expect(results[1]?.locations[0]?.physicalLocation.region).toMatchObject({
      startLine: 9,
      startColumn: 7,
    });
    expect(results[1]?.locations[0]?.physicalLocation.artifactLocation.uri).toMatch(
      /\/50%25,a%7Cb\.yaml$/,
    );
  });

  it("annotations escape what would end them", async () => {
    const { stdout } = await lint("-o", "github");
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(
      /^::warning file=[^:,]+50%25%2Ca\|b\.yaml,line=9,col=7,title=BH0720::two items: /,
    );
    expect(lines[0]).toMatch(/^::notice .*::.*%0A/);
  });

  it("JUnit: a case for every finding, failed if it is an error", async () => {
    const { stdout } = await lint("-o", "junit", "--strict");
    expect(stdout).toMatch(
      /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites name="bulkhead" tests="3" failures="2" errors="0">\n/,
    );
    expect(stdout.match(/<failure /g)).toHaveLength(2);
    expect(stdout.match(/<system-out>info: /g)).toHaveLength(1);
  });

  it("Markdown: a table, worst first, whose cells stay cells", async () => {
    const { stdout } = await lint("-o", "md");
    expect(stdout).toContain("| warning | BH0720 | ");
    expect(stdout).toContain(String.raw`a\|b`);
    expect(stdout).toMatch(/\n2 warnings, 1 note\n$/);
  });

  it("--fix writes what it says, and --dry-run only tells it, as a patch", async () => {
    const own = await folder({ "p.yaml": POLICY });
    try {
      const dry = await call(["lint", own.dir, "--fix", "--dry-run"]);
      expect(dry.code).toBe(0);
      expect(dry.stdout).toContain(
        "\n-    ports: [{ port: 5432 }]\n+    ports: [{ protocol: TCP, port: 5432 }]\n",
      );
      expect(await readFile(join(own.dir, "p.yaml"), "utf8")).toBe(POLICY);
      const { code, stderr, stdout } = await call(["lint", own.dir, "--fix"]);
      expect(stderr).toContain(
        "p.yaml: 2 fixes: `policyTypes` written out, `protocol: TCP` written out\n",
      );
      expect([code, stdout.includes("BH0720")]).toEqual([0, true]);
      expect(await readFile(join(own.dir, "p.yaml"), "utf8")).toContain("policyTypes: [Ingress]\n");
      expect((await call(["lint", own.dir, "--fix"])).stderr).toBe("");
    } finally {
      await own.remove();
    }
    expect((await call(["lint", "-", "--fix"], { stdin: POLICY })).code).toBe(2);
    expect((await lint("--dry-run")).code).toBe(2);
  });
});
