/** What the demo and the tests use of the lab. */
export { run, tryRun, type CommandResult } from "./command.ts";
export { Lab, REFERENCE, sweepLeftovers } from "./lab.ts";
export { inNamespace, namespaceExists, processesIn } from "./network.ts";
export { checkPrograms } from "./requirements.ts";
export { readRuns } from "./run-file.ts";
