/**
 * Reads policy texts beside the controller's own thread. YAML is slow to read, and whoever may only read may still send a lot of
 * it: meanwhile flows are taken, agents are answered and changes are made. What is small is read at once.
 */
import { Worker } from "node:worker_threads";
import { ApiFailure } from "@bulkhead/api";
import type { StoredFile } from "@bulkhead/store";
import { readGiven, type Given } from "./candidate.ts";

/** Bytes of text that are read sooner than a thread starts. */
const AT_ONCE = 64 * 1024;
/** Longer than the largest text takes on a busy machine; whatever takes longer was made to. */
const BUDGET_MS = 60_000;
/** Of the thread's own heap: a text that needs more must not cost the controller its life. */
const MOST_MEGABYTES = 1024;

export interface ParseLimits {
  readonly atOnce: number;
  readonly budgetMs: number;
}

const LIMITS: ParseLimits = { atOnce: AT_ONCE, budgetMs: BUDGET_MS };

export async function readGivenAside(
  files: readonly StoredFile[],
  { atOnce, budgetMs }: ParseLimits = LIMITS,
): Promise<Given> {
  const size = files.reduce((sum, { text }) => sum + text.length, 0);
  if (size <= atOnce) return readGiven(files);
  const worker = new Worker(new URL("parse-worker.ts", import.meta.url), {
    workerData: files,
    resourceLimits: { maxOldGenerationSizeMb: MOST_MEGABYTES },
  });
  const inTime = AbortSignal.timeout(budgetMs);
  try {
    return await new Promise<Given>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", (error: Error & { readonly code?: string }) => {
        reject(
          error.code === "ERR_WORKER_OUT_OF_MEMORY"
            ? tooMuch(`needs more than ${MOST_MEGABYTES} MiB of memory`)
            : error,
        );
      });
      inTime.addEventListener("abort", () => {
        reject(tooMuch(`takes longer than ${budgetMs / 1000} s`));
      });
    });
  } finally {
    await worker.terminate();
  }
}

function tooMuch(what: string): ApiFailure {
  return new ApiFailure("bad-request", `to read these files ${what}`, {
    help: "give fewer at once",
  });
}
