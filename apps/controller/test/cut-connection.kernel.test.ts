/** A live connection that a policy cuts: its sender goes on and the kernel goes on counting, but nothing is shown as forwarded. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Flow } from "@bulkhead/model";
import { POLICY, TestLab, until } from "./lab.ts";

const SENDER = `
  const socket = require('node:dgram').createSocket('udp4')
  setInterval(() => socket.send('still here', 9999, process.argv[1]), 100)
  setTimeout(() => process.exit(0), 12000)`;

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

it("is dropped in the record as it is on the wire", async () => {
  await lab.client.call("apply", { files: [lab.inventory()] });
  const sending = lab.sh("evil", `exec '${process.execPath}' -e "${SENDER}" ${lab.address("db")}`);
  await until(
    async () => (await flows(0)).some(({ bytes, connections }) => bytes > 0 && connections === 0),
    "the counters do not grow",
  );
  await lab.client.call("apply", { files: [lab.inventory(), POLICY], mode: "enforce" });
  const surely = Date.now() + 3500;
  await sleep(6000);
  const after = await flows(surely);
  const counted = after.filter(({ connections }) => connections === 0);
  expect(counted.length).toBeGreaterThan(0);
  expect(new Set(after.map(({ verdict }) => verdict))).toEqual(new Set(["dropped"]));
  expect(new Set(counted.map(({ rule }) => rule))).toEqual(new Set(["Policy/shop/shut#egress"]));
  await sending;
}, 60_000);
