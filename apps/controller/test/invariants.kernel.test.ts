/**
 * A machine whose resolver is a workload that asks another one: policy in between breaks its names without denying the
 * machine anything. With the real processes, killed and frozen at the wrong moment.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ApiFailure } from "@bulkhead/api";
import { TestLab, until, type Name } from "./lab.ts";

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

async function start(lab: TestLab, name: Name, program: string): Promise<ChildProcess> {
  const command = [`--net=${lab.netns(name)}`, process.execPath, "-e", program, lab.address("db")];
  const child = spawn("nsenter", command, { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => {
    child.stdout.once("data", resolve);
  });
  return child;
}

/** \`asked\`: how often the machine asked for a name. */
async function withMachine(
  work: (lab: TestLab, asked: () => number) => Promise<void>,
): Promise<void> {
  const lab = await TestLab.create();
  const programs: ChildProcess[] = [];
  try {
    programs.push(await start(lab, "db", ANSWER), await start(lab, "web", FORWARD));
    let asked = 0;
    programs[1]?.stdout?.on(
      "data",
      (text: Buffer) => (asked += `${text}`.split("asked").length - 1),
    );
    await lab.up();
    await lab.client.call("apply", { files: [lab.inventory(), machine(lab)] });
    await work(lab, () => asked);
  } finally {
    const ended = programs.map(
      (program) =>
        new Promise((resolve) => {
          program.once("close", resolve);
          if (!program.kill("SIGKILL")) resolve(null);
        }),
    );
    await Promise.all(ended);
    await lab.remove();
  }
}

const machine = (lab: TestLab) => ({
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
const enforce = (lab: TestLab, direction: "ingress" | "egress", more: object = {}) =>
  lab.client.call("apply", { files: [shut(direction)], mode: "enforce", ...more });

async function failing(answer: Promise<unknown>): Promise<ApiFailure> {
  const failure = await answer.catch((error: unknown) => error);
  if (!(failure instanceof ApiFailure)) throw new Error(`no failure: ${JSON.stringify(failure)}`);
  return failure;
}
const history = async (lab: TestLab) =>
  (await lab.client.call("history", {})).revisions
    .map(({ kind, reason }) => ({ kind, reason }))
    .toReversed();
/** What the agent would start from, were the machine to start anew. */
const lastGood = (lab: TestLab): number =>
  (
    JSON.parse(readFileSync(join(lab.state, "agent", "policy.json"), "utf8")) as {
      revision: number;
    }
  ).revision;

describe.concurrent("a machine that must be able to ask for names", () => {
  it("is not cut off: refused at the rule, taken back after a look, also by a controller that was killed before it", () =>
    withMachine(async (lab) => {
      const obvious = await failing(enforce(lab, "ingress"));
      expect(obvious).toMatchObject({
        code: "lockout",
        diagnostics: [{ code: "BH0606", span: { file: "shut.yaml", line: 4 } }],
      });
      const before = await lab.ruleset();

      const indirect = await failing(enforce(lab, "egress"));
      expect(indirect.message).toMatch(/^revision 2 broke `dns 10\.9\.0\.10` \(no answer within/);
      expect(await history(lab)).toMatchObject([
        { kind: "apply" },
        { kind: "apply" },
        { kind: "revert", reason: expect.stringMatching(/^revision 2 broke `dns/) },
      ]);
      const status = await lab.ready();
      expect(status.revision).toBe(3);
      expect(status.notices).toContainEqual(expect.stringContaining("revision 2 broke `dns"));
      expect(await lab.ruleset()).toBe(before);
      expect(lastGood(lab)).toBe(3);

      const hungUp = failing(enforce(lab, "egress"));
      await until(async () => (await lab.ruleset()) !== before, "it never came into force");
      await lab.kill("controller");
      expect((await hungUp).code).toBe("not-running");
      expect(lastGood(lab)).toBe(3);
      lab.startController();
      await until(async () => (await history(lab).catch(() => [])).length === 5, "no revert");
      expect((await history(lab)).at(-1)).toEqual({
        kind: "revert",
        reason: "the controller ended before it was seen what revision 4 breaks",
      });
      expect((await lab.ready()).revision).toBe(5);
      expect(await lab.ruleset()).toBe(before);

      const forced = await enforce(lab, "egress", { force: true, reason: "names are not needed" });
      expect(forced.notices).toContainEqual(expect.stringMatching(/^forced: it broke `dns/));
      expect((await lab.client.call("history", {})).revisions[0]).toMatchObject({
        revision: 6,
        forced: true,
        reason: "names are not needed",
      });
      await until(async () => lastGood(lab) === 6, "what was forced is not kept");
    }));

  it("is not cut off by an agent that freezes before it has looked", () =>
    withMachine(async (lab, asked) => {
      const before = await lab.ruleset();
      const frozen = failing(enforce(lab, "egress"));
      await until(async () => (await lab.ruleset()) !== before, "it never came into force");
      const asking = asked();
      await until(async () => asked() > asking, "it never looked again");
      lab.agent?.kill("SIGSTOP");
      const failure = await frozen;
      lab.agent?.kill("SIGCONT");
      expect(failure).toMatchObject({
        code: "lockout",
        message: expect.stringMatching(/^revision 2 broke .*did not answer/),
      });
      await until(async () => (await lab.ruleset()) === before, "it was not taken back", 30_000);
      expect((await lab.ready()).revision).toBe(3);
    }));
});
