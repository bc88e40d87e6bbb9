/**
 * Asks a question of a thread of its own, for answers that take seconds: what the thread must know is handed over in pieces, none of
 * which holds up flows and agents. One that asks for more memory than it may have ends alone.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { ApiFailure } from "@bulkhead/api";

/** A piece is copied in a few milliseconds. */
const AT_ONCE = 500;
/** Of the thread's own heap: four times what 10,000 workloads, 2,000 policies and 200,000 edges take. */
const MOST_MEGABYTES = 4096;

export interface Question<Message> {
  /** Of the module that the thread runs; it answers once. */
  readonly worker: URL;
  readonly messages: AsyncIterable<Message>;
  /** `to find what is broad`: what takes too much memory. */
  readonly what: string;
}

export async function askAside<Message, Answer>({
  worker: url,
  messages,
  what,
}: Question<Message>): Promise<Answer> {
  const worker = new Worker(url, { resourceLimits: { maxOldGenerationSizeMb: MOST_MEGABYTES } });
  const answer = new Promise<Answer>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", (error: Error & { readonly code?: string }) => {
      reject(error.code === "ERR_WORKER_OUT_OF_MEMORY" ? tooMuch(what) : error);
    });
  });
  const handOver = async (): Promise<Answer> => {
    for await (const message of messages) {
      worker.postMessage(message, []);
      await breathe();
    }
    return answer;
  };
  try {
    // It may end before everything was handed over.
    return await Promise.race([answer, handOver()]);
  } finally {
    await worker.terminate();
  }
}

export function* inPieces<T>(all: readonly T[]): Iterable<readonly T[]> {
  for (let at = 0; at < all.length; at += AT_ONCE) yield all.slice(at, at + AT_ONCE);
}

function tooMuch(what: string): ApiFailure {
  return new ApiFailure("capacity", `${what} takes more than ${MOST_MEGABYTES} MiB of memory`, {
    help: "keep history for fewer days",
  });
}
