/** Marks of processes, back-off, and who owns a state directory: what `up` and `down` rely on. */
import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createBackOff } from "../src/process/back-off.ts";
import { wordsOf } from "../src/process/last-words.ts";
import {
  claimStateDirectory,
  isStateDirectory,
  layoutOf,
  strangersDirectory,
} from "../src/process/layout.ts";
import { guardedByAnotherSince } from "../src/process/other-guard.ts";
import { withLock } from "../src/process/lock.ts";
import { markOf, parseMark, readMark, writeMark } from "../src/process/marks.ts";
import { endProcesses, isAlive, signal, startTimeOf } from "../src/process/running.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bhi-run-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("another guard", () => {
  const lock = (): string => join(folder, `agent-${statSync("/proc/self/ns/net").ino}.lock`);

  it.each<readonly [string, string, number, boolean]>([
    ["has held it all along", `${process.pid}\n`, 5000, true],
    ["came later", `${process.pid}\n`, -5000, false],
    ["has died", "4194305\n", 5000, false],
    ["is on its way", "", 5000, false],
  ])("that %s", (_, text, later, expected) => {
    writeFileSync(lock(), text);
    expect(guardedByAnotherSince(Date.now() + later, folder)).toBe(expected);
  });

  it("that is none", () => {
    expect(guardedByAnotherSince(Date.now(), folder)).toBe(false);
  });
});

describe("a mark", () => {
  it("is the process and nobody else with its pid", () => {
    const own = markOf(process.pid);
    if (own === undefined) throw new Error("this process has no mark");
    expect(isAlive(own)).toBe(true);
    expect(isAlive({ ...own, start: "1" })).toBe(false);
    expect(own.netns).toMatch(/^net:\[\d+\]$/);
  });

  it("never signals a pid that was given to somebody else", () => {
    const own = markOf(process.pid);
    if (own === undefined) throw new Error("this process has no mark");
    signal({ ...own, start: "1" }, "SIGKILL"); // were it heeded, this test would not end
    expect(startTimeOf(process.pid)).toBe(own.start);
  });

  it("is written whole and read back", () => {
    const own = markOf(process.pid);
    if (own === undefined) throw new Error("this process has no mark");
    const path = join(folder, "run", "agent.pid");
    writeMark(path, own);
    expect(readMark(path)).toEqual(own);
    expect(readMark(join(folder, "none.pid"))).toBeUndefined();
  });

  it.each([
    "",
    "{",
    "4711",
    "null",
    '{"pid":1,"start":"5","netns":"n"}',
    '{"pid":"7","start":"5","netns":"n"}',
    '{"pid":7}',
  ])("%j marks nothing", (text) => {
    expect(parseMark(text)).toBeUndefined();
  });

  it("ends a process that asks for it, and one that does not", async () => {
    const polite = spawn("sleep", ["60"]);
    const stubborn = spawn("sh", ["-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]);
    await new Promise((resolve) => {
      stubborn.stdout.once("data", resolve);
    });
    const marks = [polite.pid, stubborn.pid]
      .flatMap((pid) => (pid === undefined ? [] : [markOf(pid)]))
      .filter((mark) => mark !== undefined);
    expect(marks).toHaveLength(2);
    expect(await endProcesses(marks, 300)).toEqual([]);
    expect(marks.map(isAlive)).toEqual([false, false]);
  });
});

it("waits longer after each crash, up to a ceiling, and forgives after a good run", () => {
  const backOff = createBackOff(250, 2000, 30_000);
  expect([10, 10, 10, 10, 10].map((ran) => backOff.next(ran))).toEqual([
    250, 500, 1000, 2000, 2000,
  ]);
  expect(backOff.next(31_000)).toBe(250);
  expect(backOff.next(10)).toBe(500);
});

describe("a state directory", () => {
  it("is claimed when empty, or when all in it is ours", () => {
    expect(isStateDirectory(folder)).toBe(false);
    mkdirSync(join(folder, "controller"));
    expect(claimStateDirectory(folder)).toBe(true);
    expect(isStateDirectory(folder)).toBe(true);
    writeFileSync(join(folder, "notes.txt"), "kept");
    expect(claimStateDirectory(folder)).toBe(true);
  });

  it("is nowhere that others could replace it", () => {
    expect(strangersDirectory(folder)).toBeUndefined();
    const inner = join(folder, "inner");
    mkdirSync(inner);
    chmodSync(folder, 0o777);
    expect(strangersDirectory(inner)).toBe(folder);
    chmodSync(folder, 0o1777);
    expect(strangersDirectory(inner)).toBeUndefined();
    expect(strangersDirectory(folder)).toBe(folder);
    chmodSync(folder, 0o700);
    expect(strangersDirectory(folder)).toBeUndefined();
  });

  it("is never somebody else's folder", () => {
    mkdirSync(join(folder, "log"));
    mkdirSync(join(folder, "spool"));
    expect(claimStateDirectory(folder)).toBe(false);
    expect(existsSync(join(folder, "bulkhead-state"))).toBe(false);
  });
});

describe("last words", () => {
  it.each([
    ['{"level":60,"msg":"another agent guards"}', ["another agent guards"]],
    ['{"level":30,"msg":"ready"}', []],
    ['{"ready":true}', []],
    ["TypeError: x is not a function", ["TypeError: x is not a function"]],
    ['{"level":50,"ms', ['{"level":50,"ms']],
    ["", []],
  ])("of %j are %j", (line, words) => {
    expect(wordsOf(line)).toEqual(words);
  });
});

describe("the lock", () => {
  it("is held once, and free again whatever happens", async () => {
    const layout = layoutOf(folder);
    await withLock(layout, async () => {
      await expect(withLock(layout, async () => 1)).rejects.toThrow("is at work, pid");
    });
    await expect(
      withLock(layout, async () => {
        throw new Error("broken");
      }),
    ).rejects.toThrow("broken");
    expect(await withLock(layout, async () => 2)).toBe(2);
  });

  it("of a dead process is nobody's", async () => {
    const layout = layoutOf(folder);
    writeMark(join(layout.run, "lock"), { pid: process.pid, start: "1", netns: "net:[1]" });
    expect(await withLock(layout, async () => 3)).toBe(3);
  });
});
