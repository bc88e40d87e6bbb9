/** What the README shows of verbs over files is what they print. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { call } from "./call.ts";

const readme = readFileSync(join(import.meta.dirname, "..", "..", "..", "README.md"), "utf8");
const [, section = ""] = /\n## Policy as code\n([\s\S]*?)\n## /.exec(readme) ?? [];
const [, manifests = ""] = /```yaml\n([\s\S]*?)```/.exec(section) ?? [];
const shown = [...section.matchAll(/```\n\$ \.\/bulkhead (.*)\n([\s\S]*?)```/g)].map(
  ([, command = "", printed = ""]) => [command, printed] as const,
);
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bhi-readme-"));
  const after = manifests
    .replace("policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]")
    .replace(
      "from: [{ podSelector: { matchLabels: { app: web } } }]",
      "from: [{ namespaceSelector: {} }]",
    );
  for (const [name, text] of [
    ["before", manifests],
    ["after", after],
  ] as const) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "shop.yaml"), text);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("shows the verbs over files", () => {
  expect(shown.map(([command]) => command.split(" ")[0])).toEqual([
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

it.each(shown)("prints what it shows: %s", async (command, printed) => {
  const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(
    ([, quoted, word]) => quoted ?? word!,
  );
  const there = words.map((word) => word.replace(/\b(?=(?:before|after)$)/, `${folder}/`));
  const { stdout } = await call(there);
  expect(stdout.replaceAll(`${folder}/`, "")).toBe(printed);
});
