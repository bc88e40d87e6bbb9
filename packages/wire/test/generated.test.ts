/** The committed code is what the .proto files give, and the files are sound by buf's rules. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const run = promisify(execFile);
const ROOM = join(import.meta.dirname, "..");
const BIN = join(ROOM, "..", "..", "node_modules", ".bin");
const PROTO = join(ROOM, "..", "..", "spec", "proto");
const env = { ...process.env, PATH: `${BIN}:${process.env["PATH"] ?? ""}` };

it("is generated from the specification", async () => {
  const output = mkdtempSync(join(tmpdir(), "bhk-gen-"));
  try {
    await run(join(BIN, "buf"), ["generate", PROTO, "--output", output], { cwd: ROOM, env });
    for (const file of ["agent_pb.js", "agent_pb.d.ts"]) {
      const path = join("src", "gen", "bulkhead", "agent", "v1", file);
      expect(readFileSync(join(output, path), "utf8")).toBe(readFileSync(join(ROOM, path), "utf8"));
    }
  } finally {
    rmSync(output, { recursive: true });
  }
});

it("keeps the rules", async () => {
  const { stdout } = await run(join(BIN, "buf"), ["lint", PROTO], { cwd: ROOM, env });
  expect(stdout).toBe("");
});
