/** The thread that finds what is broad: puts the pieces together, answers once, and ends. */
import { parentPort } from "node:worker_threads";
import type { Edge, Workload } from "@bulkhead/model";
import type { HeldResource } from "../policy/candidate.ts";
import type { BroadMessage, BroadRest } from "./broad-aside.ts";
import { broadOf } from "./broad.ts";
import { firstSeenByUs } from "./unused.ts";

const edges: Edge[] = [];
const recent: Edge[] = [];
const held: HeldResource[] = [];
const workloads: Workload[] = [];

async function answer({ inventory, ...rest }: BroadRest): Promise<void> {
  const found = await broadOf({
    ...rest,
    inventory: { ...inventory, workloads },
    edges,
    recent,
    held,
    oldest: firstSeenByUs(edges),
  });
  parentPort?.postMessage(found, []);
}

parentPort?.on("message", (message: BroadMessage) => {
  switch (message.kind) {
    case "edges":
      edges.push(...message.items);
      break;
    case "recent":
      recent.push(...message.items);
      break;
    case "held":
      held.push(...message.items);
      break;
    case "workloads":
      workloads.push(...message.items);
      break;
    case "rest":
      // What fails ends the thread, and whoever asked is told of it.
      void answer(message.rest);
      break;
  }
});
