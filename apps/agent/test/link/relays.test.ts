/** A program that relays as the machine is found by its name while it runs. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { relaysHere } from "../../src/link/relays.ts";

it("is found by name, and not when it has ended", async () => {
  const name = `bex-${randomBytes(4).toString("hex")}`;
  const known = new Set(["docker-proxy", name]);
  const folder = mkdtempSync(join(tmpdir(), "bex-relay-"));
  const program = join(folder, name);
  copyFileSync("/bin/cat", program);
  expect(relaysHere(known)).not.toContain(name);
  const child = spawn(program, { stdio: ["pipe", "ignore", "inherit"] });
  try {
    await once(child, "spawn");
    expect(relaysHere(known)).toContain(name);
    expect(relaysHere()).not.toContain(name);
  } finally {
    child.stdin?.end();
    if (child.exitCode === null) await once(child, "exit");
    rmSync(folder, { recursive: true });
  }
  expect(relaysHere(known)).not.toContain(name);
});
