/** What the documents show of verbs over files is what they print of the folders that are shipped as examples. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { call } from "./call.ts";

const root = `${join(import.meta.dirname, "..", "..", "..")}/`;
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const [readme, page] = [read("README.md"), read("docs/policy-as-code.md")];
const FOLDERS = "examples/policy-as-code/";

/** Transcripts over the shipped folders: what was called, and what it printed. */
const transcripts = (text: string): (readonly [string, string])[] =>
  [...text.matchAll(/```\n\$ \.\/bulkhead (.*)\n([\s\S]*?)```/g)]
    .map(([, command = "", printed = ""]) => [command, printed] as const)
    .filter(([command]) => command.includes(FOLDERS));
const verbsOf = (text: string) => transcripts(text).map(([command]) => command.split(" ")[0]);

it("shows the verbs over files", () => {
  expect(verbsOf(readme)).toEqual(["list", "diff"]);
  expect(verbsOf(page)).toEqual([
    "list",
    "diff",
    "exposure",
    "decide",
    "explain",
    "prove",
    "prove",
    "blast",
  ]);
});

it.each([...transcripts(readme), ...transcripts(page)])(
  "prints what it shows: %s",
  async (command, printed) => {
    const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(
      ([, quoted, word]) => quoted ?? word!,
    );
    // From wherever the tests are run, as if called in the checkout.
    const there = words.map((word) => word.replace(FOLDERS, `${root}${FOLDERS}`));
    const { stdout } = await call(there);
    expect(stdout.replaceAll(root, "")).toBe(printed);
  },
);

it("shows the files as they are, and tells how the second folder differs", () => {
  const before = read(`${FOLDERS}before/shop.yaml`);
  expect(page).toContain(`\`\`\`yaml\n${before}\`\`\`\n`);
  expect(read(`${FOLDERS}after/shop.yaml`)).toBe(
    before
      .replace("policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]")
      .replace(
        "from: [{ podSelector: { matchLabels: { app: web } } }]",
        "from: [{ namespaceSelector: {} }]",
      ),
  );
});

it("of all examples at once says that they are versions of one another, and how to compare them", async () => {
  const { code, stderr } = await call(["list", `${root}examples`]);
  expect(code).toBe(2);
  expect(stderr).toContain(
    "Files that declare the same things are read one folder at a time; `bulkhead diff DIR1 DIR2` compares two.\n",
  );
  const { stderr: one } = await call(["list", `${root}${FOLDERS}before`]);
  expect(one).toBe("");
});
