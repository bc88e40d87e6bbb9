/**
 * The controller as a process: state in one directory, people on two sockets (who may change, who may read), agents on
 * another.
 *
 * Usage: main.ts --state DIR
 */
import { createRequire, flushCompileCache } from "node:module";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { createApp } from "./api/app.ts";
import { readersGroup } from "./api/readers.ts";
import { openSocket } from "./api/sockets.ts";
import { startController } from "./controller.ts";
import { handlersOf, policiesOf } from "./handlers.ts";
import { startTelemetry } from "./metrics/start.ts";
import { readTelemetry } from "./metrics/telemetry.ts";
import { readRestarts } from "./restarts.ts";
import { DEFAULT_STATE, openStateDirectory } from "./state-directory.ts";

const CANNOT_RUN = 3;
const IMPATIENT_MS = 4000;
const { version: VERSION } = createRequire(import.meta.url)("../package.json") as {
  readonly version: string;
};

const { values } = parseArgs({ options: { state: { type: "string" } } });
const log = pino({ name: "controller" });

try {
  await main(values.state ?? process.env["BULKHEAD_STATE"] ?? DEFAULT_STATE);
} catch (error) {
  log.fatal({ err: error }, error instanceof Error ? error.message : String(error));
  process.exit(CANNOT_RUN);
}

/** A supervisor tells its pid to what it starts; whoever outlives it is given another parent. */
function isOrphaned(supervisor: string | undefined): boolean {
  return supervisor !== undefined && process.ppid !== Number(supervisor);
}

async function main(state: string): Promise<void> {
  // Whatever is made here is its owner's alone until said otherwise.
  process.umask(0o077);
  const readers = readersGroup();
  const directory = openStateDirectory(state, readers);
  const controller = await startController({
    directory,
    log,
    now: Date.now,
    version: VERSION,
    restarts: readRestarts(process.env["BULKHEAD_RESTARTS"]),
    isOrphaned: () => isOrphaned(process.env["BULKHEAD_SUPERVISOR"]),
    // A fault switch for tests: a controller that gives an agent up before it could be done.
    ...(process.env["BULKHEAD_FAULT"] === "narrow-log" ? { reconcileEveryMs: 500 } : {}),
    ...(process.env["BULKHEAD_FAULT"] === "impatient" ? { applyTimeoutMs: IMPATIENT_MS } : {}),
  });
  const handlers = handlersOf(controller);
  const { apiSocket, readSocket } = directory;
  const open = [
    await openSocket(readSocket, createApp(handlers, log, "read"), readers),
    await openSocket(apiSocket, createApp(handlers, log, "change"), undefined),
  ];
  const telemetry = startTelemetry(() => readTelemetry(directory.telemetry, process.env), {
    controller,
    rules: async () => {
      const { policies, others } = await policiesOf(controller);
      return [...policies.flatMap(({ rules }) => rules), ...others];
    },
    log,
    version: VERSION,
  });
  log.info({ socket: apiSocket, readSocket, readers: readers ?? null }, "ready");
  process.stdout.write('{"ready":true}\n');
  // Not only at an orderly end: who is killed before it would start slowly each time.
  flushCompileCache();

  await new Promise<void>((resolve) => {
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
  });
  log.info("ending");
  for (const socket of open) socket.close();
  await telemetry.stop();
  await controller.stop();
  for (const socket of open) socket.end();
  process.exit(0);
}
