/** A run of nft ends, whatever nft does: who waits for it for ever enforces nothing new. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createHostCommands } from "../../src/drivers/host-commands.ts";

let folder: string;
const path = process.env["PATH"];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bfb-nft-"));
  process.env["PATH"] = `${folder}:${path}`;
});
afterEach(() => {
  process.env["PATH"] = path;
  rmSync(folder, { recursive: true });
});

const standIn = (script: string): void => {
  writeFileSync(join(folder, "nft"), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, "nft"), 0o755);
};

const isThere = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

it("one that hangs is ended and has failed", async () => {
  const pid = join(folder, "pid");
  standIn(`echo $$ >${pid}; exec sleep 100`);
  expect(await createHostCommands(undefined, 2000).nft(["-f", "-"], "x")).toEqual({
    code: 1,
    stdout: "",
    stderr: "nft did not end within 2 s",
  });
  const hung = Number(readFileSync(pid, "utf8"));
  await vi.waitUntil(() => !isThere(hung), { timeout: 30_000 });
});

it("one that leaves a process behind that holds its output is not waited for", async () => {
  standIn("(trap '' HUP; exec sleep 20) & sleep 20");
  const { code, stderr } = await createHostCommands(undefined, 50).nft(["list", "tables"]);
  expect([code, stderr]).toEqual([1, "nft did not end within 0.05 s"]);
});

it("one that answers is heard", async () => {
  standIn("cat; echo no >&2; exit 3");
  expect(await createHostCommands().nft(["-f", "-"], "said")).toEqual({
    code: 3,
    stdout: "said",
    stderr: "no\n",
  });
});

it("one that waits is told what there is to load, and there is another when it has gone", async () => {
  const started = join(folder, "started");
  standIn(`echo $$ >>${started}; exec cat`);
  const pids = (): number[] =>
    existsSync(started) ? readFileSync(started, "utf8").trim().split("\n").map(Number) : [];
  const host = createHostCommands();
  host.getReady();
  host.getReady();
  await vi.waitUntil(() => pids().length === 1, { timeout: 30_000 });
  expect((await host.nftAtOnce("first")).stdout).toBe("first");
  expect(pids()).toHaveLength(1);
  expect((await host.nftAtOnce("second")).stdout).toBe("second");
  host.getReady();
  await vi.waitUntil(() => pids().length === 3, { timeout: 30_000 });
  const [, , last = 0] = pids();
  process.kill(last, "SIGKILL");
  await vi.waitUntil(() => !isThere(last), { timeout: 30_000 });
  // Heard of a moment later.
  await vi.waitUntil(async () => (await host.nftAtOnce("third")).stdout === "third", {
    timeout: 30_000,
  });
});
