/** The thread that tells readiness: puts the pieces together, answers once, and ends. */
import { parentPort } from "node:worker_threads";
import type { EdgeHistory, Workload } from "@bulkhead/model";
import type { HeldResource } from "../policy/candidate.ts";
import type { ReadinessMessage } from "./readiness-aside.ts";
import { reportHere } from "./readiness-report.ts";

const histories: EdgeHistory[] = [];
const workloads: Workload[] = [];
const held: HeldResource[] = [];

parentPort?.on("message", (message: ReadinessMessage) => {
  switch (message.kind) {
    case "histories":
      histories.push(...message.items);
      break;
    case "workloads":
      workloads.push(...message.items);
      break;
    case "held":
      held.push(...message.items);
      break;
    case "rest": {
      const { input, inventory, ...more } = message.rest;
      const asked = { ...input, histories, inventory: { ...inventory, workloads } };
      // What fails ends the thread, and whoever asked is told of it.
      parentPort?.postMessage(reportHere({ ...more, input: asked, held }), []);
      break;
    }
  }
});
