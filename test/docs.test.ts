// Documents go stale silently; this test makes it loud. Every path, make target, verb and option that
// the project's documents name in code style must exist.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { createProgram } from "../apps/cli/src/program.ts";
import { mentionsOf, type Mention } from "./docs/mentions.ts";

type Command = ReturnType<typeof createProgram>;

type Manifest = {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};

const root = join(import.meta.dirname, "..");

const documents = globSync(["*.md", "docs/**/*.md", "examples/*/README.md"], {
  cwd: root,
}).toSorted();

const makeTargets = new Set(
  [...readFileSync(join(root, "Makefile"), "utf8").matchAll(/^([a-z]+):/gm)].map(
    (match) => match[1],
  ),
);

function createBulkhead(): Command {
  const silent = { write: () => true };
  return createProgram(
    {
      stdout: silent,
      stderr: silent,
      // Nothing is run, so nothing is read.
      stdin: (async function* () {})(),
      env: {},
      now: () => 0,
      signal: new AbortController().signal,
    },
    () => undefined,
  );
}

const program = createBulkhead();

function optionsOf(command: Command): readonly string[] {
  const options = command.options.flatMap((option) => [option.short, option.long]);
  return [...options, "-h", "--help"].filter((option) => typeof option === "string");
}

function complaint(mention: Mention, folder: string): string | undefined {
  switch (mention.kind) {
    case "path": {
      const candidates = [join(root, mention.path), join(root, folder, mention.path)];
      return candidates.some((path) => globSync(path).length > 0 || existsSync(path))
        ? undefined
        : `there is no ${mention.path}`;
    }
    case "make":
      return makeTargets.has(mention.target) ? undefined : `there is no target ${mention.target}`;
    case "verb": {
      const command = program.commands.find((candidate) => candidate.name() === mention.verb);
      if (command === undefined) {
        return mention.verb === "help" ? undefined : `there is no verb ${mention.verb}`;
      }
      const known = [...optionsOf(command), ...optionsOf(program)];
      const unknown = mention.options.find((option) => !known.includes(option));
      return unknown === undefined ? undefined : `${mention.verb} has no option ${unknown}`;
    }
  }
}

describe("the documents name only what exists", () => {
  it.each(documents)("%s", (document) => {
    const text = readFileSync(join(root, document), "utf8");
    const wrong = mentionsOf(text).flatMap((mention) => {
      const found = complaint(mention, dirname(document));
      return found === undefined ? [] : [`${document}:${mention.line}: ${found}`];
    });
    expect(wrong).toEqual([]);
  });

  it("there are documents to hold", () => {
    const wanted = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"];
    expect(documents).toEqual(expect.arrayContaining(wanted));
  });
});

describe("docs/decisions/0001-dependencies.md", () => {
  it("gives a reason for every direct dependency", () => {
    const text = readFileSync(join(root, "docs/decisions/0001-dependencies.md"), "utf8");
    const manifests = globSync(["package.json", "{packages,apps,examples}/*/package.json"], {
      cwd: root,
    });
    const direct = manifests.flatMap((path) => {
      const manifest = JSON.parse(readFileSync(join(root, path), "utf8")) as Manifest;
      return Object.keys({
        ...manifest.dependencies,
        ...manifest.devDependencies,
        ...manifest.optionalDependencies,
      });
    });
    const chosen = direct.filter((name) => !/^@(?:bulkhead|types)\//.test(name));
    expect(chosen.length).toBeGreaterThan(20);
    expect(chosen.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});

describe("reading a document", () => {
  it("finds paths, targets, verbs and options where they are code", () => {
    const text = [
      "Run `make test`, see `docs/x.md` and [here](docs/y.md#z).",
      "    sudo ./bulkhead apply p.yaml --mode enforce --confirm 60s",
      "```",
      "$ bulkhead explain web db:5432/tcp -o json",
      "make demo KEEP=1",
      "```",
    ].join("\n");
    expect(mentionsOf(text)).toEqual([
      { kind: "make", target: "test", line: 1 },
      { kind: "path", path: "docs/x.md", line: 1 },
      { kind: "path", path: "docs/y.md", line: 1 },
      { kind: "verb", verb: "apply", options: ["--mode", "--confirm"], line: 2 },
      { kind: "verb", verb: "explain", options: ["-o"], line: 4 },
      { kind: "make", target: "demo", line: 5 },
    ]);
  });

  it("leaves prose, addresses and absolute paths alone", () => {
    const text =
      "make sense of `bulkhead.dev/v1`, `10.0.0.0/8`, `/var/lib/bulkhead`, `5432/tcp`, bulkhead is a wall";
    expect(mentionsOf(text)).toEqual([]);
  });

  it.each([
    ["a path", { kind: "path", path: "packages/nothing/src/a.ts", line: 1 }],
    ["a target", { kind: "make", target: "nothing", line: 1 }],
    ["a verb", { kind: "verb", verb: "nothing", options: [], line: 1 }],
    ["an option", { kind: "verb", verb: "status", options: ["--nothing"], line: 1 }],
  ] as const)("complains about %s that does not exist", (_name, mention) => {
    expect(complaint(mention, ".")).toBeDefined();
  });
});
