/** Makes trials on a processor of its own, one after the other, as it is told. */
import { parentPort } from "node:worker_threads";
import { trial, type TrialOptions } from "./trial.ts";

parentPort?.on("message", (options: TrialOptions) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
  parentPort?.postMessage(trial(options));
});
