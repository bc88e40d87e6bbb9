/** Real users: one that takes every connection to the metrics keeps no scraper of another user from its answer. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { pino } from "pino";
import { startEndpoint } from "../../src/metrics/endpoint.ts";

const ended: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).toReversed()) await end();
});

const SOMEBODY = 65_533;

it("a scraper gets through while another user holds all the room there is", async () => {
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  await new Promise<void>((resolve) => {
    const endpoint = startEndpoint(
      { host: "127.0.0.1", port },
      {
        gather: () => Promise.resolve([]),
        log: pino({ level: "info" }, { write: () => resolve() }),
        onProblem: () => undefined,
      },
    );
    ended.push(() => endpoint.stop());
  });
  const program = new URL("crowd.ts", import.meta.url).pathname;
  const crowd = spawn(process.execPath, [program, String(port), String(SOMEBODY), "100"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  ended.push(async () => {
    crowd.kill("SIGKILL");
    await once(crowd, "exit");
  });
  await once(crowd.stdout, "data");
  for (let turn = 0; turn < 20; turn += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`, {
      headers: { connection: "close" },
    });
    expect(answer.status).toBe(200);
    await answer.text();
  }
});
