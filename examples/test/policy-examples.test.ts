/**
 * Policies as people write them, flawed and mended: what the desk says of each folder is what its README shows, and the same
 * expectations, over the same workloads, fail for the one and hold for the other.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DIAGNOSTICS } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { call } from "../../apps/cli/test/call.ts";

const root = `${join(import.meta.dirname, "..", "..")}/`;
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const topics = globSync("examples/*/flawed", { cwd: root })
  .map((path) => path.split("/")[1]!)
  .toSorted();

/** What is called, and what it prints. */
const transcripts = (text: string): (readonly [string, string])[] =>
  [...text.matchAll(/```\n\$ \.\/bulkhead (.*)\n([\s\S]*?)```/g)].map(
    ([, command = "", printed = ""]) => [command, printed],
  );

/** From wherever the tests are run, as if called in the checkout. */
async function run(command: string) {
  const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(
    ([, quoted, word]) => quoted ?? word!,
  );
  const there = words.map((word) => word.replace(/^examples\//, `${root}examples/`));
  const { stdout, ...rest } = await call(there, { columns: "none" });
  return { ...rest, stdout: stdout.replaceAll(root, "") };
}

/** What shows that a folder is flawed, where no expectation does or something else tells more. */
const FIRST: Readonly<Record<string, string>> = {
  "watched-first": "check",
  "audit-first": "decide",
};

it("lists every folder, and nothing that is not there", () => {
  const listed = [...read("examples/README.md").matchAll(/\]\(([a-z-]+)\/README\.md\)/g)];
  expect(listed.map(([, name]) => name).toSorted()).toEqual(topics);
  expect(topics.length).toBeGreaterThanOrEqual(17);
});

it.each(globSync("examples/*/refused", { cwd: root }).toSorted())(
  "%s is refused by name, where it cannot be read as it was meant",
  async (folder) => {
    expect((await run(`lint ${folder}`)).code).toBeGreaterThan(0);
  },
);

describe.each(topics)("examples/%s", (topic) => {
  const folder = `examples/${topic}`;
  const shown = transcripts(read(`${folder}/README.md`));

  it.each(["workloads.yaml", "tests.yaml"])("has the same %s in both folders", (file) => {
    expect(read(`${folder}/mended/${file}`)).toBe(read(`${folder}/flawed/${file}`));
  });

  it.each(shown)("prints what it shows: %s", async (command, printed) => {
    expect((await run(command)).stdout).toBe(printed);
  });

  it("shows what is said of each of its folders", () => {
    const commands = shown.map(([command]) => command);
    const first = FIRST[topic] ?? "test";
    const wanted = [`${first} ${folder}/flawed`, `test ${folder}/mended`, `list ${folder}/mended`];
    for (const start of wanted) expect(commands.some((one) => one.startsWith(start))).toBe(true);
    for (const refused of globSync(`${folder}/refused`, { cwd: root }))
      expect(commands).toContain(`lint ${refused}`);
  });

  it("fails while it is flawed, and holds what is expected when it is mended", async () => {
    const asked = shown.map(([command]) => command).find((one) => one.startsWith("decide "));
    const flawed = topic === "audit-first" ? asked! : `test ${folder}/flawed`;
    expect((await run(flawed)).code).toBe(1);
    expect((await run(flawed.replaceAll("/flawed", "/mended"))).code).toBe(0);
    expect((await run(`test ${folder}/mended`)).code).toBe(0);
  });

  it("is found no fault with when it is mended, beyond namespaces that are nobody's affair here", async () => {
    const { code, stdout } = await run(`lint ${folder}/mended -o json`);
    const { findings } = JSON.parse(stdout) as { findings: { code: string; severity: string }[] };
    const faults = findings.filter(({ severity }) => severity !== "info");
    expect([code, [...new Set(faults.map((one) => one.code))]]).toEqual([
      0,
      faults.length === 0 ? [] : ["BH0710"],
    ]);
    expect(findings.every((one) => DIAGNOSTICS.has(one.code))).toBe(true);
  });
});
