/** `observe --follow | head -1` ends with its reader, also when nothing more comes. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { answers } from "./answers.ts";
import { flows } from "./answers/traffic.ts";

const main = join(import.meta.dirname, "..", "src", "main.ts");
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bhi-pipe-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

it("following ends once nobody reads, although nothing more comes", async () => {
  // Gives one flow, and then nothing for ever.
  const server = createServer(({ url }, outgoing) => {
    outgoing.writeHead(200, { "content-type": "application/json" });
    if (url?.startsWith("/v1/status") === true) outgoing.end(JSON.stringify(answers.status));
    else outgoing.write(`${JSON.stringify(flows[0])}\n`);
  });
  await new Promise<void>((resolve) => {
    server.listen(join(folder, "api.sock"), resolve);
  });
  try {
    const program = `"$0" "$1" observe --follow --state "$2" -o json | head -n 1`;
    const child = spawn("sh", ["-c", program, process.execPath, main, folder], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    let written = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (written += text));
    const code = await new Promise((resolve) => {
      child.once("close", resolve);
    });
    expect(code).toBe(0);
    expect(written.trimEnd().split("\n")).toHaveLength(1);
  } finally {
    server.closeAllConnections();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  }
});
