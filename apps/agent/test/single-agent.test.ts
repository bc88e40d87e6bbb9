/** The lock of a namespace: one holder at a time, also while files come and go, and no file after an orderly end. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { lockNamespace, SecondAgentError } from "../src/state/single-agent.ts";

const NAME = `agent-${statSync("/proc/self/ns/net").ino}.lock`;
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bhi-lock-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

it("is held by one, says by whom, and leaves no file behind", () => {
  const lock = lockNamespace(folder);
  expect(readFileSync(join(folder, NAME), "utf8")).toBe(`${process.pid}\n`);
  expect(() => lockNamespace(folder)).toThrow(SecondAgentError);
  expect(() => lockNamespace(folder)).toThrow(`pid ${process.pid}`);
  lock.release();
  expect(readdirSync(folder)).toEqual([]);
  lockNamespace(folder).release();
});

it("takes away no file but its own", () => {
  const first = lockNamespace(folder);
  rmSync(join(folder, NAME)); // by a stranger's hand
  const second = lockNamespace(folder);
  first.release();
  expect(readdirSync(folder)).toEqual([NAME]);
  expect(() => lockNamespace(folder)).toThrow(SecondAgentError);
  second.release();
});

/** Takes and releases the lock again and again; whoever finds a second one inside ends with 1. */
const CONTENDER = `
const [, module, folder] = process.argv;
const { lockNamespace, SecondAgentError } = await import(module);
const { closeSync, openSync, rmSync } = await import("node:fs");
for (let held = 0; held < 300; ) {
  let lock;
  try {
    lock = lockNamespace(folder);
  } catch (error) {
    if (error instanceof SecondAgentError) continue;
    throw error;
  }
  held += 1;
  closeSync(openSync(folder + "/inside", "wx"));
  rmSync(folder + "/inside");
  lock.release();
}`;

it("has one holder while several contend for it", async () => {
  const module = join(import.meta.dirname, "..", "src", "state", "single-agent.ts");
  const codes = await Promise.all(
    [1, 2, 3].map(
      () =>
        new Promise((resolve) => {
          const args = ["--input-type=module", "-e", CONTENDER, module, folder];
          spawn(process.execPath, args, { stdio: "ignore" }).once("close", resolve);
        }),
    ),
  );
  expect(codes).toEqual([0, 0, 0]);
  expect(readdirSync(folder)).toEqual([]);
}, 30_000);
