/** Trials side by side, one for each processor; results in the order in which they were asked for. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { TrialOptions, TrialResult } from "./trial.ts";

export async function runTrials(
  wanted: readonly TrialOptions[],
  say: (line: string) => void,
): Promise<readonly TrialResult[]> {
  const results: TrialResult[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    const worker = new Worker(new URL("trial-worker.ts", import.meta.url));
    try {
      for (let at = next++; at < wanted.length; at = next++) {
        const options = wanted[at];
        if (options === undefined) break;
        const result = await answerOf(worker, options);
        results[at] = result;
        say(
          `worlds: ${result.family}, seed ${result.seed}: ${result.workloads} workloads, ${result.seconds.toFixed(0)} s`,
        );
      }
    } finally {
      await worker.terminate();
    }
  };
  const workers = Math.min(availableParallelism(), wanted.length);
  await Promise.all(Array.from({ length: workers }, work));
  return results;
}

function answerOf(worker: Worker, options: TrialOptions): Promise<TrialResult> {
  const { promise, resolve, reject } = Promise.withResolvers<TrialResult>();
  worker.once("message", resolve);
  worker.once("error", reject);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
  worker.postMessage(options);
  return promise.finally(() => worker.off("error", reject));
}
