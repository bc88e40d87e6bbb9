/**
 * Calls the command line as another user: loads what it needs while it still may, gives root up for good, and then runs
 * the verb. Usage: as-somebody.ts GROUPS(comma separated, or "-") WORD...
 */
import "node:http";
import "@bulkhead/api";
import "../src/process/socket.ts";
import "../src/verbs/history.ts";
import "../src/verbs/policies.ts";
import "../src/verbs/status.ts";
import "../src/verbs/why.ts";
import "../src/views/diagnostics.ts";
import { runCli } from "../src/run.ts";

const SOMEBODY = 64_101;
const [groups = "-", ...words] = process.argv.slice(2);
process.setgroups?.(groups === "-" ? [] : groups.split(",").map(Number));
process.setgid?.(SOMEBODY);
process.setuid?.(SOMEBODY);
if (process.getuid?.() !== SOMEBODY) throw new Error("this is still root");

process.exitCode = await runCli(words, {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  now: Date.now,
  signal: new AbortController().signal,
});
