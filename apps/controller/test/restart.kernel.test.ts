/** An agent that is started anew, and what it says of connections that were there before it. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TestLab, until, type Name } from "./lab.ts";

const ECHO = `
  for (const port of [9998, 9999]) {
    const socket = require('node:dgram').createSocket('udp4')
    socket.on('message', (text, from) => socket.send(text, from.port, from.address))
    socket.bind(port)
  }`;
const TALK = `
  const socket = require('node:dgram').createSocket('udp4')
  const [address, port] = process.argv.slice(1)
  setInterval(() => socket.send('still here', Number(port), address), 100)`;

let lab: TestLab;
let programs: ChildProcess[] = [];

beforeEach(async () => {
  lab = await TestLab.create();
  await lab.up();
  await lab.client.call("apply", { files: [lab.inventory()] });
});
afterEach(async () => {
  const ended = programs.map(
    (program) =>
      new Promise((resolve) => {
        program.once("close", resolve);
        if (!program.kill("SIGKILL")) resolve(null);
      }),
  );
  programs = [];
  await Promise.all(ended);
  await lab?.remove();
});

function start(name: Name, program: string, ...args: readonly string[]): void {
  const command = [`--net=${lab.netns(name)}`, process.execPath, "-e", program, ...args];
  programs.push(spawn("nsenter", command, { stdio: "ignore" }));
}

async function told(port: number): Promise<{ connections: number; established: number }> {
  const { edges } = await lab.client.call("edges", { port: `${port}/udp` });
  return edges.reduce(
    (sum, edge) => ({
      connections: sum.connections + edge.connections,
      established: sum.established + edge.established,
    }),
    { connections: 0, established: 0 },
  );
}

const once = { connections: 1, established: 1 };

it("what it told of before it was killed is no news, what began while it was away is", async () => {
  start("db", ECHO);
  start("web", TALK, lab.address("db"), "9999");
  await until(async () => (await told(9999)).established === 1, "the first is not told", 20_000);
  const seen = Date.now();
  const noted = join(lab.state, "agent", "told.json");
  await until(
    async () => existsSync(noted) && Number(readFileSync(noted, "utf8")) > seen,
    "that it was told is not noted",
    30_000,
  );
  expect(await told(9999)).toEqual(once);

  await lab.kill("agent");
  start("web", TALK, lab.address("db"), "9998");
  // Seen by connection tracking before the agent is back.
  await until(
    async () => (await lab.sh("host", "conntrack -L -p udp 2>&1")).includes("dport=9998"),
    "the second does not talk",
  );
  lab.startAgent();
  await until(async () => (await told(9998)).established === 1, "the second is not told", 20_000);
  expect(await told(9998)).toEqual(once);
  // Both come with the same look at connection tracking.
  expect(await told(9999)).toEqual(once);
});
