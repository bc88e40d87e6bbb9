/** Compiled code is kept while the program runs: whoever is killed, as on a power cut, starts quickly all the same. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, vi } from "vitest";

const MAIN = join(import.meta.dirname, "..", "src", "main.ts");

it("a controller that is still running has written what it compiled", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bhk-compiled-"));
  const cache = join(folder, "cache");
  const child = spawn(process.execPath, [MAIN, "--state", join(folder, "state")], {
    stdio: "ignore",
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  });
  const ended = once(child, "exit");
  try {
    await vi.waitFor(
      () => {
        const kept = readdirSync(cache).flatMap((version) => readdirSync(join(cache, version)));
        expect(kept.length).toBeGreaterThan(100);
      },
      { timeout: 20_000, interval: 50 },
    );
    expect(child.exitCode).toBe(null);
  } finally {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true });
  }
});
