/** What the demo and the tests use of the lab. */
export { run, tryRun, type CommandResult } from "./command.ts";
export { Lab, checkPrograms, sweepLeftovers } from "./lab.ts";
export { inNamespace, namespaceExists, processesIn } from "./network.ts";
export { readRuns } from "./run-file.ts";
