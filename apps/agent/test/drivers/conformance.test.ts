/**
 * The contract of drivers is held for every driver, and nothing slips out of it: each driver that can be built is under test, each
 * test of the contract runs on all of them, each duty names the tests that hold it, and the matrix on record has no empty cell.
 */
import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { DRIVERS } from "../../src/drivers/index.ts";
import { DRIVERS_UNDER_TEST } from "./drivers-under-test.ts";
import { NO_SUCH_END } from "./matrix-document.ts";
import { ATTACHMENTS, FAMILIES, PROTOCOLS, VERDICTS } from "./matrix.ts";

const root = join(import.meta.dirname, "..", "..", "..", "..");
const here = relative(root, import.meta.dirname);
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const names = DRIVERS_UNDER_TEST.map(({ name }) => name);

const listed = (...patterns: readonly string[]): readonly string[] =>
  globSync(patterns, { cwd: root, exclude: ["**/node_modules/**"] }).toSorted();

/** What is told of one driver alone stands in a folder of its name. */
const isOwn = (path: string): boolean =>
  names.some(
    (name) =>
      path.startsWith(`${here}/${name}/`) || path.startsWith(`apps/agent/src/drivers/${name}/`),
  );

const tests = [
  ...listed(`${here}/**/*.kernel.test.ts`).filter((path) => !isOwn(path)),
  ...listed("test/security/*.kernel.test.ts").filter((path) => /: Driver\b/.test(read(path))),
];

describe("drivers", () => {
  it("are all under test", () => {
    expect(names.toSorted()).toEqual(Object.keys(DRIVERS).toSorted());
    expect(names.length).toBeGreaterThan(0);
  });

  it("are known to nobody but the one file that makes them", () => {
    const knowing = listed(
      "apps/agent/**/*.ts",
      "test/**/*.ts",
      "bench/**/*.ts",
      "scripts/**/*.ts",
    ).filter(
      (path) =>
        !isOwn(path) &&
        names.some((name) => new RegExp(`from ".*/${name}/(?!under-test)`).test(read(path))),
    );
    expect(knowing).toEqual(["apps/agent/src/drivers/create-driver.ts"]);
  });

  it("have each something to be spoiled, and settings to be watched", () => {
    for (const { sabotage, processSabotage, settings } of DRIVERS_UNDER_TEST)
      expect([sabotage.length, processSabotage.length, settings.length].every(Boolean)).toBe(true);
  });
});

describe("tests of the contract", () => {
  it.each(tests)("%s runs on every driver, and looks at none of them", (path) => {
    const text = read(path);
    expect(text).toMatch(/\bonEveryDriver\w*\(/);
    expect(text).not.toMatch(/\bcreateDriver\(|inet bulkhead|netdev bulkhead|bridge bulkhead/);
    expect(text).not.toMatch(/\b(?:test|it|describe)\.(?:skip|todo|only|skipIf|runIf)\b/);
  });

  it("are each named by a duty", () => {
    const document = read("docs/driver-contract.md");
    const named = new Set(
      [...document.matchAll(/`([^`]+\.kernel\.test\.ts)`/g)].map(([, path]) => path),
    );
    expect(tests.filter((path) => !named.has(path))).toEqual([]);
  });
});

describe("docs/driver-contract.md", () => {
  const duties = read("docs/driver-contract.md")
    .split(/^(?=\d+\. \*\*)/m)
    .slice(1);

  it("counts from 1 and leaves no number out", () => {
    expect(duties.map((duty) => Number.parseInt(duty, 10))).toEqual(duties.map((_, at) => at + 1));
    expect(duties.length).toBeGreaterThan(15);
  });

  it.each(duties.map((duty) => [duty.slice(0, duty.indexOf("**", 5)), duty] as const))(
    "%s** is held by a test that runs on every driver",
    (_, duty) => {
      const held = /Held by ([\s\S]*)/.exec(duty)?.[1] ?? "";
      expect(tests.some((path) => held.includes(`\`${path}\``))).toBe(true);
    },
  );

  it("is where the contract's comments point", () => {
    const pointed = [
      ...read("apps/agent/src/drivers/driver.ts").matchAll(/\((\d+(?:, \d+)*)\)/g),
    ].flatMap(([, numbers = ""]) => numbers.split(", ").map(Number));
    expect(pointed.length).toBeGreaterThan(10);
    expect(pointed.filter((number) => number < 1 || number > duties.length)).toEqual([]);
  });
});

describe("docs/driver-matrix.md", () => {
  const tables = read("docs/driver-matrix.md").split(/^## /m).slice(1);

  it.each(names)("%s has every cell, and none is wrong", (name) => {
    const lines = tables.find((table) => table.startsWith(`${name}\n`))?.split("\n") ?? [];
    for (const { name: attachment, direction, protocols } of ATTACHMENTS)
      for (const verdict of VERDICTS) {
        const head = `| ${direction} | ${attachment} | ${verdict} | `;
        const row = lines.find((line) => line.startsWith(head));
        const cells = row?.slice(head.length, -2).split(" | ") ?? [];
        const known = FAMILIES.flatMap(() => PROTOCOLS.map((one) => protocols.includes(one)));
        expect(
          cells.map((cell) => cell !== NO_SUCH_END),
          head,
        ).toEqual(known);
        expect(
          cells.filter((cell) => cell === "" || cell.startsWith("WRONG")),
          head,
        ).toEqual([]);
      }
  });
});
