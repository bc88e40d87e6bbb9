/**
 * A machine whose resolver is a workload that asks another one: policy in between breaks its names without denying the
 * machine anything. With the real processes, killed and frozen at the wrong moment.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ApiFailure } from "@bulkhead/api";
import { POLICY, TestLab, until, type Name } from "./lab.ts";

const ANSWER = `
  const socket = require('node:dgram').createSocket('udp4')
  socket.on('message', (question, from) => {
    question.writeUInt16BE(0x8180, 2)
    socket.send(question, from.port, from.address)
  })
  socket.bind(53, () => console.log('ready'))`;
const FORWARD = `
  const { createSocket } = require('node:dgram')
  const server = createSocket('udp4')
  server.on('message', (question, from) => {
    console.log('asked')
    const asking = createSocket('udp4')
    const over = setTimeout(() => asking.close(), 2000)
    asking.on('message', (answer) => {
      clearTimeout(over)
      asking.close()
      server.send(answer, from.port, from.address)
    })
    asking.on('error', () => {})
    asking.send(question, 53, process.argv[1], () => {})
  })
  server.bind(53, () => console.log('ready'))`;

async function start(name: Name, program: string): Promise<ChildProcess> {
  const command = [`--net=${lab.netns(name)}`, process.execPath, "-e", program, lab.address("db")];
  const child = spawn("nsenter", command, { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => {
    child.stdout.once("data", resolve);
  });
  return child;
}

let lab: TestLab;
const programs: ChildProcess[] = [];
/** How often the machine asked for a name. */
let asked = 0;

beforeAll(async () => {
  lab = await TestLab.create();
  programs.push(await start("db", ANSWER), await start("web", FORWARD));
  programs[1]?.stdout?.on("data", (text: Buffer) => (asked += `${text}`.split("asked").length - 1));
  await lab.up();
  await lab.client.call("apply", { files: [lab.inventory(), machine()] });
}, 120_000);
afterAll(async () => {
  const ended = programs.map(
    (program) =>
      new Promise((resolve) => {
        program.once("close", resolve);
        if (!program.kill("SIGKILL")) resolve(null);
      }),
  );
  await Promise.all(ended);
  await lab?.remove();
});

const machine = () => ({
  name: "machine.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: machine }
spec: { machine: { nodeExempt: false, invariants: { dns: [${lab.address("web")}] } } }
`,
});
const shut = (direction: "ingress" | "egress") => ({
  name: "shut.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: shut, namespace: shop }
spec: { subject: app=web, ${direction}: [] }
`,
});
const enforce = (direction: "ingress" | "egress", more: object = {}) =>
  lab.client.call("apply", { files: [shut(direction)], mode: "enforce", ...more });

async function failing(answer: Promise<unknown>): Promise<ApiFailure> {
  const failure = await answer.catch((error: unknown) => error);
  if (!(failure instanceof ApiFailure)) throw new Error(`no failure: ${JSON.stringify(failure)}`);
  return failure;
}
const history = async () =>
  (await lab.client.call("history", {})).revisions
    .map(({ kind, reason }) => ({ kind, reason }))
    .toReversed();
/** What the agent would start from, were the machine to start anew. */
const lastGood = (): number =>
  (
    JSON.parse(readFileSync(join(lab.state, "agent", "policy.json"), "utf8")) as {
      revision: number;
    }
  ).revision;

it("is not cut off by an agent that freezes before it has looked", async () => {
  const before = await lab.ruleset();
  const frozen = failing(enforce("egress"));
  await until(async () => (await lab.ruleset()) !== before, "it never came into force", 60_000);
  const looked = asked;
  await until(async () => asked > looked, "it never looked again", 60_000);
  lab.agent?.kill("SIGSTOP");
  const failure = await frozen;
  lab.agent?.kill("SIGCONT");
  expect(failure).toMatchObject({
    code: "lockout",
    message: expect.stringMatching(/^revision 2 broke .*did not answer/),
  });
  await until(async () => (await lab.ruleset()) === before, "it was not taken back", 60_000);
  expect((await lab.ready()).revision).toBe(3);
});

it("is not cut off by policy that says so: that is refused at the rule", async () => {
  expect(await failing(enforce("ingress"))).toMatchObject({
    code: "lockout",
    diagnostics: [{ code: "BH0606", span: { file: "shut.yaml", line: 4 } }],
  });
  expect((await history()).length).toBe(3);
});

it("is not cut off by what policy does not say: that is taken back after a look, and said", async () => {
  const before = await lab.ruleset();
  const indirect = await failing(enforce("egress"));
  expect(indirect.message).toMatch(/^revision 4 broke `dns 10\.9\.0\.10` \(no answer within/);
  expect((await history()).at(-1)).toMatchObject({
    kind: "revert",
    reason: expect.stringMatching(/^revision 4 broke `dns/),
  });
  const status = await lab.ready();
  expect(status.revision).toBe(5);
  expect(status.notices).toContainEqual(expect.stringContaining("revision 4 broke `dns"));
  expect(await lab.ruleset()).toBe(before);
  expect(lastGood()).toBe(5);
});

it("is not cut off by a controller that was killed before anybody looked", async () => {
  const before = await lab.ruleset();
  const hungUp = failing(enforce("egress"));
  await until(async () => (await lab.ruleset()) !== before, "it never came into force", 60_000);
  await lab.kill("controller");
  expect((await hungUp).code).toBe("not-running");
  expect(lastGood()).toBe(5);
  lab.startController();
  await until(async () => (await history().catch(() => [])).length === 7, "no revert", 60_000);
  expect((await history()).at(-1)).toEqual({
    kind: "revert",
    reason: "the controller ended before it was seen what revision 6 breaks",
  });
  expect((await lab.ready()).revision).toBe(7);
  expect(await lab.ruleset()).toBe(before);
});

it("goes on by force, with a reason that stays on record", async () => {
  const forced = await enforce("egress", { force: true, reason: "names are not needed" });
  expect(forced.notices).toContainEqual(expect.stringMatching(/^forced: it broke `dns/));
  expect((await lab.client.call("history", {})).revisions[0]).toMatchObject({
    revision: 8,
    forced: true,
    reason: "names are not needed",
  });
  expect(lastGood()).toBe(8);
});

it("takes back by itself what nobody confirmed, when its controller never comes back", async () => {
  const before = await lab.ruleset();
  await lab.client.call("apply", { files: [POLICY], mode: "enforce", confirmSeconds: 3 });
  await lab.kill("controller");
  await until(async () => (await lab.ruleset()) === before, "nothing was taken back", 60_000);
  expect(lastGood()).toBe(8);
  lab.startController();
  expect((await lab.ready()).revision).toBe(10);
  expect((await lab.client.call("history", {})).revisions.slice(0, 2)).toMatchObject([
    { kind: "revert", restores: 8 },
    { kind: "apply", confirmed: "reverted" },
  ]);
});
