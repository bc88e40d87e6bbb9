/** Starts a flood in a thread of its own and ends it with its counts. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { FloodCount, FloodOrder } from "./flood-worker.ts";

export interface Flood {
  stop(): Promise<FloodCount>;
}

export const startFlood = (order: FloodOrder): Flood => {
  const worker = new Worker(new URL("./flood-worker.ts", import.meta.url), { workerData: order });
  return {
    async stop() {
      const counted = once(worker, "message");
      worker.postMessage("end", []);
      const [count] = (await counted) as [FloodCount];
      return count;
    },
  };
};
