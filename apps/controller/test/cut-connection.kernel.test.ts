/** Live connections that a policy cuts: named before, and not shown as forwarded after, although the kernel goes on counting. */
import { spawn, type ChildProcess } from "node:child_process";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { UnderWay } from "@bulkhead/api";
import type { Flow } from "@bulkhead/model";
import { POLICY, TestLab, until, type Name } from "./lab.ts";

let lab: TestLab;

beforeEach(async () => {
  lab = await TestLab.create();
  await lab.up();
});
afterEach(() => lab?.remove());

async function flows(since: number): Promise<readonly Flow[]> {
  const found: Flow[] = [];
  for await (const flow of lab.client.stream("flows", { port: "9999/udp", since }))
    found.push(flow);
  return found;
}

const IDLE = `
  const socket = require('node:net').connect(5432, process.argv[1])
  socket.on('connect', () => socket.write('hello'))`;
const DATAGRAMS = `
  const socket = require('node:dgram').createSocket('udp4')
  setInterval(() => socket.send('still here', 9999, process.argv[1]), 100)`;

let clients: ChildProcess[] = [];

function start(name: Name, program: string, to: string): void {
  const args = [`--net=${lab.netns(name)}`, process.execPath, "-e", program, to];
  clients.push(spawn("nsenter", args, { stdio: "ignore" }));
}

afterEach(async () => {
  const ended = clients.map(
    (client) =>
      new Promise((resolve) => {
        client.once("close", resolve);
        if (!client.kill("SIGKILL")) resolve(null);
      }),
  );
  clients = [];
  await Promise.all(ended);
});

it("is named before it is cut, also when it is silent", async () => {
  const files = [lab.inventory(), POLICY];
  await lab.client.call("apply", { files: [lab.inventory()] });
  await lab.serve("db", [5432]);
  for (const name of ["web", "evil"] as const) {
    for (const family of [4, 6] as const) start(name, IDLE, lab.address("db", family));
  }
  start("evil", DATAGRAMS, lab.address("db"));
  const named = (found: readonly UnderWay[] | undefined) =>
    found
      ?.map(({ source, destination, port, rule, connections }) =>
        [source.address, source.name, destination.name, port, rule, connections].join(" "),
      )
      .toSorted();
  const all = [
    `${lab.address("evil")} shop/evil shop/db 5432 Policy/shop/shut#egress 1`,
    `${lab.address("evil")} shop/evil shop/db 9999 Policy/shop/shut#egress 1`,
    `${lab.address("evil", 6)} shop/evil shop/db 5432 Policy/shop/shut#egress 1`,
  ];
  let planned: readonly UnderWay[] | undefined;
  await until(
    async () => {
      planned = (await lab.client.call("plan", { files })).underWay;
      return planned?.length === all.length;
    },
    () => `not all are found: ${JSON.stringify(named(planned))}`,
    20_000,
  );
  expect(named(planned)).toEqual(all);

  const audit = await lab.client.call("apply", { files });
  expect([audit.mode, named(audit.underWay)]).toEqual(["audit", all]);
  const observed = await lab.client.call("edges", { verdict: ["audit"] });
  expect(named(observed.underWay)).toEqual(all);
  const fromWeb = await lab.client.call("edges", { verdict: ["audit"], from: ["shop/web"] });
  expect(fromWeb.underWay).toEqual([]);
  expect((await lab.client.call("edges", {})).underWay).toBeUndefined();

  const enforced = await lab.client.call("apply", { files, mode: "enforce" });
  expect(named(enforced.underWay)).toEqual(all);
  const again = await lab.client.call("apply", { files, mode: "enforce" });
  expect(again.underWay).toEqual([]);
}, 90_000);

it("is never shown as merely forwarded once it is cut", async () => {
  await lab.client.call("apply", { files: [lab.inventory()] });
  start("evil", DATAGRAMS, lab.address("db"));
  await until(
    async () => (await flows(0)).some(({ bytes, connections }) => bytes > 0 && connections === 0),
    "the counters do not grow",
    20_000,
  );
  await lab.client.call("apply", { files: [lab.inventory(), POLICY], mode: "enforce" });
  const cut = Date.now();
  let seen: readonly Flow[] = [];
  await until(
    async () => {
      seen = (await flows(cut)).filter(({ connections }) => connections === 0);
      return seen.some(({ verdict }) => verdict === "dropped");
    },
    () => `no later news of it: ${JSON.stringify(seen)}`,
    20_000,
  );
  const told = seen.map(({ verdict, rule, cutBy }) => [verdict, rule ?? cutBy].join(" "));
  // The first news still tell of the time before as well.
  const expected = ["dropped", "forwarded"].map((verdict) => `${verdict} Policy/shop/shut#egress`);
  expect(expected).toEqual(expect.arrayContaining(told));
  const { edges } = await lab.client.call("edges", { since: cut, port: "9999/udp" });
  expect(edges.length).toBeGreaterThan(0);
  expect(edges.filter((one) => one.verdict === "forwarded" && one.cutBy === undefined)).toEqual([]);
}, 60_000);
