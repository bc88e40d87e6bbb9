/**
 * The controller as a process: state in one directory, people on one socket, agents on another.
 *
 * Usage: main.ts --state DIR
 */
import { chmodSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { parseArgs } from "node:util";
import { createAdaptorServer } from "@hono/node-server";
import { pino } from "pino";
import { createApp } from "./api/app.ts";
import { startController } from "./controller.ts";
import { handlersOf } from "./handlers.ts";
import { DEFAULT_STATE, openStateDirectory } from "./state-directory.ts";

const CANNOT_RUN = 3;
const IMPATIENT_MS = 4000;
const VERSION = "0.1.0";

const { values } = parseArgs({ options: { state: { type: "string" } } });
const log = pino({ name: "controller" });

try {
  await main(values.state ?? process.env["BULKHEAD_STATE"] ?? DEFAULT_STATE);
} catch (error) {
  log.fatal({ err: error }, error instanceof Error ? error.message : String(error));
  process.exit(CANNOT_RUN);
}

async function main(state: string): Promise<void> {
  // Whatever is made here is its owner's alone until said otherwise.
  process.umask(0o077);
  const directory = openStateDirectory(state);
  const controller = await startController({
    directory,
    log,
    now: Date.now,
    version: VERSION,
    // A fault switch for tests: a controller that gives an agent up before it could be done.
    ...(process.env["BULKHEAD_FAULT"] === "impatient" ? { applyTimeoutMs: IMPATIENT_MS } : {}),
  });
  const server = createAdaptorServer({
    fetch: createApp(handlersOf(controller), log).fetch,
  }) as Server;
  rmSync(directory.apiSocket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(directory.apiSocket, resolve);
  });
  chmodSync(directory.apiSocket, 0o660);
  log.info({ socket: directory.apiSocket }, "ready");
  process.stdout.write('{"ready":true}\n');

  await new Promise<void>((resolve) => {
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
  });
  log.info("ending");
  server.close();
  server.closeIdleConnections();
  await controller.stop();
  server.closeAllConnections();
  rmSync(directory.apiSocket, { force: true });
  process.exit(0);
}
