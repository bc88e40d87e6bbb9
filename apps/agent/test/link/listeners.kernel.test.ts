/** Listeners as the kernel's socket diagnostics give them are those that /proc shows. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TCP, UDP } from "@bulkhead/model";
import { insideNetns } from "../../src/kernel/index.ts";
import { listenersIn } from "../../src/link/listeners.ts";
import { parseProcNet, TCP_LISTEN, UDP_UNCONNECTED } from "../../src/link/proc-net.ts";
import { socketsInState } from "../../src/link/sock-diag.ts";
import { createLab, type LabEnd, type NetnsLab } from "../kernel/netns-lab.ts";

const SERVERS = `
  import { createServer } from "node:net";
  import { createSocket } from "node:dgram";
  const listening = (server, ...where) => new Promise((done) => server.listen(...where, done));
  await listening(createServer(), 8001, "0.0.0.0");
  await listening(createServer(), 8002, "::");
  await listening(createServer(), 8003, "127.0.0.1");
  await listening(createServer(), { port: 8004, host: "::", ipv6Only: true });
  const udp = createSocket("udp4");
  await new Promise((done) => udp.bind(53, "0.0.0.0", done));
  console.log("ready");
`;

let lab: NetnsLab;
let end: LabEnd;
beforeAll(async () => {
  lab = createLab();
  end = lab.addEnd("server");
  await once(lab.node(end.netns, SERVERS).stdout!, "data");
});
afterAll(() => lab.close());

test("what listens is found, with its families, and loopback left out", () => {
  const found = listenersIn(end.path);
  expect(found).toContainEqual({ protocol: TCP, port: 8001, family: 4 });
  expect(found).toContainEqual({ protocol: TCP, port: 8002, family: 4 });
  expect(found).toContainEqual({ protocol: TCP, port: 8002, family: 6 });
  expect(found).toContainEqual({ protocol: UDP, port: 53, family: 4 });
  expect(found.filter(({ port }) => port === 8003)).toEqual([]);
});

test.each([
  ["tcp", TCP, 4, TCP_LISTEN],
  ["tcp6", TCP, 6, TCP_LISTEN],
  ["udp", UDP, 4, UDP_UNCONNECTED],
  ["udp6", UDP, 6, UDP_UNCONNECTED],
] as const)("diagnostics and /proc agree on %s", (file, protocol, family, state) => {
  const [asked, shown] = insideNetns(end.path, () => [
    socketsInState(protocol, family, state),
    parseProcNet(readFileSync(`/proc/thread-self/net/${file}`, "utf8"), family),
  ]);
  const byPort = (a: { localPort: number }, b: { localPort: number }) => a.localPort - b.localPort;
  expect(asked?.toSorted(byPort)).toMatchObject(
    shown.filter((socket) => socket.state === state).toSorted(byPort),
  );
});

test("a namespace that has gone has no listeners", () => {
  expect(listenersIn(`/run/netns/${lab.prefix}-gone`)).toEqual([]);
});
