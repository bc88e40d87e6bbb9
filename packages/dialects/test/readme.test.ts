import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DIALECTS } from "../src/dialect-list.ts";
import { buildPolicySet, parseFiles } from "../src/index.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const examples = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)]
  .map(([, text = ""], i) => ({ name: `example ${i}`, text }))
  .filter(({ text }) => text.includes("apiVersion"));

test("every example of the reference is sound, alone and together", () => {
  expect(examples.length).toBeGreaterThan(6);
  const { resources, diagnostics } = parseFiles(examples);
  const built = buildPolicySet(resources, { now: 0, strict: true, mode: "enforce" });
  expect([...diagnostics, ...built.diagnostics]).toEqual([]);
  const kinds = new Set(resources.map(({ object }) => object.kind));
  expect([...kinds].toSorted()).toEqual([
    "Exception",
    "Intent",
    "Inventory",
    "NetworkSet",
    "Policy",
    "PolicyTest",
  ]);
});

test("every port spelling of the reference reads", () => {
  const line = /### Ports\n\n([\s\S]*?)\n\n/.exec(readme)?.[1] ?? "";
  const ports = [...line.matchAll(/`([^`]+)`/g)].map(([, port = ""]) => port);
  expect(ports.length).toBeGreaterThan(12);
  const text = JSON.stringify({
    apiVersion: "bulkhead.dev/v1",
    kind: "Intent",
    metadata: { name: "a" },
    spec: { from: "app=a", to: "app=b", ports },
  });
  expect(parseFiles([{ name: "x", text }]).diagnostics).toEqual([]);
});

test.each(DIALECTS.map((dialect) => [dialect.title, dialect] as const))(
  "%s: its group and each kind of it are named",
  (_title, { group, kinds }) => {
    const section = readme.split(/^## /m).find((text) => text.includes(group)) ?? "";
    const words = [group, ...kinds.map(({ kind }) => kind.replace(/^Staged.*/, "Staged"))];
    expect(words.filter((word) => !section.includes(word))).toEqual([]);
  },
);
