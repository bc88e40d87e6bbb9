/** A real socket, and an agent at it that is root's enemy: what it tells beyond all bounds costs it that part, and no connection. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { pino } from "pino";
import { afterEach, expect, it } from "vitest";
import { agentLinkService, type AgentMessage, type ControllerMessage } from "@bulkhead/wire";
import { startLinkServer, type LinkServer } from "../src/link/link-server.ts";
import { until } from "./lab.ts";

const ended: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).toReversed()) await end();
});

async function linked() {
  const folder = mkdtempSync(join(tmpdir(), "bh-link-"));
  ended.push(() => rmSync(folder, { recursive: true }));
  const told: AgentMessage[] = [];
  let gone = 0;
  const link: LinkServer = await startLinkServer(
    join(folder, "agent.sock"),
    {
      welcome: () => undefined,
      message: (_, message) => void told.push(message),
      gone: () => {
        gone += 1;
      },
    },
    { log: pino({ level: "silent" }), now: () => 0 },
  );
  ended.push(() => link.stop());
  const client = new Client(`unix:${join(folder, "agent.sock")}`, credentials.createInsecure(), {
    "grpc.max_send_message_length": 1 << 30,
  });
  ended.push(() => client.close());
  const { path, requestSerialize, responseDeserialize } = agentLinkService.connect;
  const stream = client.makeBidiStreamRequest<AgentMessage, ControllerMessage>(
    path,
    requestSerialize,
    responseDeserialize,
  );
  stream.on("error", () => undefined);
  stream.on("data", () => undefined);
  return { link, told, send: (one: AgentMessage) => stream.write(one), gone: () => gone };
}

const hello: AgentMessage = {
  kind: "hello",
  host: "box",
  boot: "b",
  pid: 1,
  version: "0",
  driver: "nftables",
  publicKey: new Uint8Array([1]),
  sequence: 0,
  exemptions: { version: 1, list: [] },
};
const expected = (name: string): AgentMessage => ({
  kind: "expected",
  timeZone: "UTC",
  schedules: [
    { name, kind: "cron", expression: "0 3 * * *" },
    { name: "plain", kind: "cron", expression: "0 4 * * *" },
  ],
  dependencies: [],
  problems: [],
});

it("keeps the connection and the rest, and counts what is refused", async () => {
  const { link, told, send, gone } = await linked();
  send(hello);
  send(expected("x".repeat(9 << 20)));
  send(expected("\u001b]0;owned\u0007"));
  send({ kind: "kept", sequence: 7 });
  await until(() => Promise.resolve(told.length === 2), "the last message does not come");
  expect(told).toMatchObject([
    { kind: "expected", schedules: [{ name: "plain" }] },
    { kind: "kept", sequence: 7 },
  ]);
  expect([link.session()?.connected, gone()]).toEqual([true, 0]);
  expect(link.session()?.refused.list()).toEqual([
    { place: "expected", why: "length", count: 1 },
    { place: "expected.schedules.name", why: "control characters", count: 1 },
  ]);
});

it("hears nobody whose first word cannot be read", async () => {
  const { link, send } = await linked();
  const { link: other, told, send: say } = await linked();
  send({ ...hello, host: "a\u001bb" });
  say(hello);
  say({ kind: "kept", sequence: 1 });
  await until(() => Promise.resolve(told.length === 1), "an honest agent is not heard");
  expect([link.session(), other.session()?.hello.host]).toEqual([undefined, "box"]);
});
