// The import graph is a test: the real tree must keep to the table of rooms, and each rule of the
// table is shown to bite on a small source that breaks it.
import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { check, type Declared, type SourceFile } from "./imports/check.ts";
import { rooms } from "./imports/rooms.ts";

const root = join(import.meta.dirname, "..");

function listed(...patterns: readonly string[]): readonly string[] {
  return globSync(patterns, { cwd: root, exclude: ["**/node_modules/**"] });
}

function realSources(): readonly SourceFile[] {
  return listed("packages/**/*.ts", "apps/**/*.ts").map((path) => ({
    path,
    text: readFileSync(join(root, path), "utf8"),
  }));
}

function realDeclared(): Declared {
  const entries = listed("packages/*/package.json", "apps/*/package.json").map((path) => {
    const manifest = JSON.parse(readFileSync(join(root, path), "utf8")) as {
      readonly dependencies?: Readonly<Record<string, string>>;
    };
    return [
      path.replace(/\/package\.json$/, ""),
      Object.keys(manifest.dependencies ?? {}),
    ] as const;
  });
  return Object.fromEntries(entries);
}

/** Declares everything for every room, so that only the rule under test can be broken. */
const declaresAll: Declared = Object.fromEntries(
  Object.keys(rooms).map((folder) => [
    folder,
    ["yaml", ...Object.keys(rooms).map((other) => `@bulkhead/${other.split("/")[1]}`)],
  ]),
);

function breaches(path: string, text: string): readonly string[] {
  return check([{ path, text }], declaresAll);
}

describe("the house", () => {
  it("keeps to the table of rooms", () => {
    const sources = realSources();
    expect(sources.length).toBeGreaterThan(50);
    expect(check(sources, realDeclared())).toEqual([]);
  });

  it("has a place in the table for every room, and a room for every place", () => {
    const folders = listed("packages/*/package.json", "apps/*/package.json");
    expect(folders.map((path) => path.replace(/\/package\.json$/, "")).toSorted()).toEqual(
      Object.keys(rooms).toSorted(),
    );
  });
});

describe("dependencies of rooms", () => {
  it("are used by the room that declares them", () => {
    const unused = Object.entries(realDeclared()).flatMap(([folder, names]) => {
      const sources = listed(`${folder}/**/*.{ts,js}`);
      const text = sources.map((path) => readFileSync(join(root, path), "utf8")).join("\n");
      return names
        .filter((name) => !name.startsWith("@bulkhead/"))
        .filter((name) => !text.includes(`"${name}"`) && !text.includes(`"${name}/`))
        .map((name) => `${folder}: ${name}`);
    });
    expect(unused).toEqual([]);
  });
});

describe("the import rules bite", () => {
  const broken: readonly (readonly [string, string, string, string])[] = [
    [
      "a room above",
      "packages/model/src/a.ts",
      `import type { X } from "@bulkhead/engine";`,
      "imports @bulkhead/engine",
    ],
    [
      "a sibling",
      "packages/datapath/src/a.ts",
      `export * from "@bulkhead/engine";`,
      "imports @bulkhead/engine",
    ],
    [
      "a type import in a type",
      "packages/engine/src/a.ts",
      `type X = import("@bulkhead/dialects").X;`,
      "imports @bulkhead/dialects",
    ],
    [
      "a dynamic import",
      "packages/store/src/a.ts",
      `await import("@bulkhead/learn");`,
      "imports @bulkhead/learn",
    ],
    [
      "controller and datapath",
      "apps/controller/src/a.ts",
      `import "@bulkhead/datapath";`,
      "imports @bulkhead/datapath",
    ],
    [
      "agent and learn",
      "apps/agent/src/a.ts",
      `import "@bulkhead/learn";`,
      "imports @bulkhead/learn",
    ],
    [
      "an app by an app",
      "apps/controller/src/a.ts",
      `import type { A } from "@bulkhead/agent";`,
      "imports @bulkhead/agent",
    ],
    [
      "an app by a test of another",
      "apps/controller/test/a.test.ts",
      `import "@bulkhead/agent";`,
      "tests import the app",
    ],
    [
      "a path into another room",
      "packages/engine/src/a.ts",
      `import "../../model/src/ip.ts";`,
      "reaches out of its room",
    ],
    [
      "a path into another room, by a test",
      "packages/engine/test/a.test.ts",
      `import "../../learn/src/a.ts";`,
      "reaches out of its room",
    ],
    ["a room nobody has agreed on", "packages/extra/src/a.ts", `export {};`, "is not in the table"],
    [
      "node: in a pure room",
      "packages/learn/src/a.ts",
      `import { readFileSync } from "node:fs";`,
      "imports node:fs",
    ],
    [
      "a computed import in a pure room",
      "packages/engine/src/a.ts",
      "await import(`${name}`);",
      "something computed",
    ],
    ["the clock", "packages/engine/src/a.ts", `export const t = Date.now();`, "uses Date.now"],
    [
      "the clock by another way",
      "packages/engine/src/a.ts",
      `export const t = new Date();`,
      "uses Date without an argument",
    ],
    [
      "randomness",
      "packages/model/src/a.ts",
      `export const r = Math.random();`,
      "uses Math.random",
    ],
    ["the process", "packages/dialects/src/a.ts", `export const e = process.env;`, "uses process"],
    [
      "a stopwatch",
      "packages/workbench/src/a.ts",
      `export const p = performance.now();`,
      "uses performance",
    ],
    ["a timer", "packages/datapath/src/a.ts", `setTimeout(() => {}, 1);`, "uses setTimeout"],
    [
      "a global in disguise",
      "packages/engine/src/a.ts",
      `export const d = { process }; `,
      "uses process",
    ],
  ];

  it.each(broken)("%s", (_name, path, text, expected) => {
    const found = breaches(path, text);
    expect(found.find((breach) => breach.includes(expected))).toBeDefined();
  });

  it("a package that the room does not declare", () => {
    const source = { path: "packages/model/src/a.ts", text: `import "yaml";` };
    expect(check([source], {})[0]).toContain("which its package.json does not declare");
  });

  it("a room that is reached through others", () => {
    const found = check(
      [
        { path: "apps/agent/src/a.ts", text: `import "@bulkhead/dialects";` },
        { path: "packages/dialects/src/a.ts", text: `import "@bulkhead/learn";` },
      ],
      declaresAll,
    );
    expect(found.some((breach) => breach.includes("apps/agent: reaches packages/learn"))).toBe(
      true,
    );
  });
});

describe("the import rules do not bite", () => {
  const fine: readonly (readonly [string, string, string])[] = [
    ["a room below", "packages/engine/src/a.ts", `import type { X } from "@bulkhead/model";`],
    [
      "comments and strings",
      "packages/engine/src/a.ts",
      `// process.env\nexport const s = "Date.now()";`,
    ],
    [
      "a property of that name",
      "packages/model/src/a.ts",
      `export const p = (f: { process: string }) => f.process;`,
    ],
    [
      "a parameter of that name",
      "packages/model/src/a.ts",
      `export const p = (process: string) => process;`,
    ],
    ["a given time", "packages/model/src/a.ts", `export const d = (t: number) => new Date(t);`],
    ["a path inside the room", "packages/engine/src/x/a.ts", `import "../b.ts";`],
    ["node: in a test of a pure room", "packages/engine/test/a.test.ts", `import "node:fs";`],
    ["the clock in an app", "apps/agent/src/a.ts", `export const t = Date.now();`],
    ["an app by the CLI that starts it", "apps/cli/src/a.ts", `await import("@bulkhead/agent");`],
  ];

  it.each(fine)("%s", (_name, path, text) => {
    expect(breaches(path, text)).toEqual([]);
  });
});

it("the agent loads of the engine what looks up, and none of what judges, proves or matches patterns", () => {
  const script = `import { registerHooks } from "node:module";
const seen = [];
registerHooks({ load: (url, context, next) => { seen.push(url); return next(url, context); } });
await import("./src/takeover/permitted.ts");
console.log(JSON.stringify(seen));`;
  const loaded = JSON.parse(
    execFileSync(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", script],
      { cwd: join(root, "apps", "agent"), encoding: "utf8" },
    ),
  ) as readonly string[];
  const ofEngine = loaded.filter((url) => url.includes("/packages/engine/"));
  expect(ofEngine.length).toBeGreaterThan(1);
  expect(loaded.filter((url) => /re2js|\/(?:prove|lint|reach)\/|\/decide\.ts$/.test(url))).toEqual(
    [],
  );
});
