/** The thread of `parse-aside.ts`: texts in, what is in them out, and then it ends. */
import { parentPort, workerData } from "node:worker_threads";
import type { StoredFile } from "@bulkhead/store";
import { readGiven } from "./candidate.ts";

parentPort?.postMessage(readGiven(workerData as readonly StoredFile[]), []);
