/** Ctrl-C while something is waited for: said plainly, with what goes on without us, and exit code 130. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { call } from "./call.ts";

let folder = "";
let asked: Promise<void>;
let server: Server;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "bhi-ctrl-c-"));
  writeFileSync(join(folder, "policy.yaml"), "kind: Policy\n");
  const { promise, resolve } = Promise.withResolvers<void>();
  asked = promise;
  // Takes every request and never answers.
  server = createServer(() => resolve());
  await new Promise<void>((listening) => {
    server.listen(join(folder, "api.sock"), listening);
  });
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const GOES_ON =
  "interrupted: the change goes on in the daemon; `bulkhead history` shows it, `bulkhead rollback` undoes it\n";

it.each<readonly [readonly string[], string]>([
  [["probe"], "interrupted\n"],
  [["status"], "interrupted\n"],
  [["history"], "interrupted\n"],
  [["observe", "--flows"], "interrupted\n"],
  [["apply", "POLICY"], GOES_ON],
  [["apply", "POLICY", "--dry-run"], "interrupted: nothing is changed by a dry run\n"],
  [["rollback", "1"], GOES_ON],
])("%j says %j", async (args, words) => {
  const interrupted = new AbortController();
  const ended = call(
    args.map((word) => (word === "POLICY" ? join(folder, "policy.yaml") : word)),
    { state: folder, signal: interrupted.signal },
  );
  await asked;
  interrupted.abort();
  expect(await ended).toEqual({ code: 130, stdout: "", stderr: words });
});

it("also while a policy is awaited on a terminal", async () => {
  const interrupted = new AbortController();
  const ended = call(["apply", "-"], {
    state: folder,
    signal: interrupted.signal,
    stdin: new Promise<string>(() => undefined),
  });
  interrupted.abort();
  expect(await ended).toEqual({ code: 130, stdout: "", stderr: "interrupted\n" });
});

it("tells programs too", async () => {
  const interrupted = new AbortController();
  const ended = call(["status", "-o", "json"], { state: folder, signal: interrupted.signal });
  await asked;
  interrupted.abort();
  const { code, stderr } = await ended;
  expect(code).toBe(130);
  expect(JSON.parse(stderr)).toMatchObject({ error: { code: "interrupted" } });
});
