/** The entry of `bulkhead`: binds the command line to this process, and turns Ctrl-C into an orderly end. */
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

// Halves the start-up time. Inside the installation, not in /tmp: whoever may write there may already change the code.
enableCompileCache(
  fileURLToPath(new URL("../../../node_modules/.cache/bulkhead", import.meta.url)),
);
const { runCli } = await import("./run.ts");

const interrupted = new AbortController();
process.once("SIGINT", () => {
  interrupted.abort();
  // A second Ctrl-C ends at once, as people expect.
  process.once("SIGINT", () => process.exit(130));
});
// `bulkhead observe | head` closes the pipe early: that is no error of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`error: cannot write the answer: ${error.message}\n`);
  process.exit(3);
});

const code = await runCli(process.argv.slice(2), {
  stdout: Object.assign(process.stdout, {
    watchReader: async () => (await import("./closed-pipe.ts")).watchReader(1),
  }),
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  now: () => Date.now(),
  signal: interrupted.signal,
});
process.exitCode = code;
// What was waited for may never come.
if (code === 130) process.exit();
