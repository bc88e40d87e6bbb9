/** Every verb says what it does, shows an example that it would itself accept, and takes the common options. */
import { describe, expect, it } from "vitest";
import { createProgram } from "../src/program.ts";
import { call } from "./call.ts";

const program = createProgram(
  {
    stdout: { write: () => true },
    stderr: { write: () => true },
    stdin: (async function* () {
      yield "";
    })(),
    env: {},
    now: () => 0,
    signal: new AbortController().signal,
  },
  () => undefined,
);
const verbs = program.commands.filter((command) => !command.name().startsWith("__"));

/** The verbs that the house promises. */
const PROMISED = [
  "up",
  "down",
  "status",
  "workloads",
  "policies",
  "observe",
  "map",
  "flows",
  "suggest",
  "readiness",
  "replay",
  "plan",
  "apply",
  "delete",
  "label",
  "confirm",
  "history",
  "rollback",
  "explain",
  "decide",
  "test",
  "prove",
  "blast",
  "assess",
  "why",
  "list",
  "diff",
  "exposure",
  "check",
  "lint",
  "labels",
  "convert",
  "probe",
  "drift",
  "slo",
  "boot",
  "restart",
  "install",
  "upgrade",
  "uninstall",
  "doctor",
  "completion",
  "schema",
  "version",
];

it("has the promised verbs", () => {
  expect(verbs.map((verb) => verb.name())).toEqual(PROMISED);
});

describe.each(PROMISED)("%s --help", (name) => {
  it("has a description, the common options, and an example", async () => {
    const { stdout, code } = await call([name, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: bulkhead ${name}`);
    expect(stdout).toContain("--output <format>");
    expect(stdout).toContain("--state <dir>");
    const example = /Example:\n(?: {2}\$ .*\n)+/.exec(stdout)?.[0] ?? "";
    expect(example).toMatch(new RegExp(`\\$ (sudo )?(\\./)?bulkhead ${name}\\b`));
    const verb = verbs.find((command) => command.name() === name);
    const known = verb?.options.flatMap((option) => [option.short, option.long]) ?? [];
    for (const word of example.matchAll(/ (--?[a-z][a-z-]*)/g)) expect(known).toContain(word[1]);
  });
});

it("without a verb shows the verbs and the loop", async () => {
  const { stdout, code } = await call([]);
  expect(code).toBe(0);
  for (const name of PROMISED) expect(stdout).toContain(`  ${name} `);
  expect(stdout).toContain("$ bulkhead suggest -f policy.yaml");
});

it("lays the verbs out by what they need, each in one group", async () => {
  const { stdout } = await call(["--help"]);
  expect(stdout).not.toContain("\nCommands:\n");
  const groups = [...stdout.matchAll(/^(\S.*):\n((?: {2}.*\n)+)/gm)].map(
    ([, heading = "", lines = ""]) =>
      [heading, [...lines.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name)] as const,
  );
  const files = groups.find(([heading]) => heading.startsWith("Files alone"))?.[1];
  expect(files).toEqual(
    "decide test prove blast assess list diff exposure check lint labels convert".split(" "),
  );
  expect(groups.flatMap(([, names]) => names).toSorted()).toEqual([...PROMISED, "help"].toSorted());
});

it.each(["--version", "-V", "version"])("%s tells the version", async (word) => {
  const { stdout, code } = await call([word]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^bulkhead \d+\.\d+\.\d+ \(Node /);
});

it("help of a verb is its --help", async () => {
  const [asked, given] = [await call(["help", "observe"]), await call(["observe", "--help"])];
  expect(asked).toEqual(given);
  expect(asked.stdout).toContain("--follow");
});
