/** What the kernel tells of a socket: the control group it was made in, its owner, and the one behind a connection. */
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TCP, UDP } from "@bulkhead/model";
import { insideNetns } from "../../src/kernel/index.ts";
import { TCP_ESTABLISHED, TCP_LISTEN, UDP_UNCONNECTED } from "../../src/link/proc-net.ts";
import { socketOf, socketsInState, socketsInStates } from "../../src/link/sock-diag.ts";
import { createCgroups, type TestCgroups } from "../cgroups.ts";
import { createLab, type LabEnd, type NetnsLab } from "../kernel/netns-lab.ts";

/** Opens one socket at a time, when told to by a line. */
const PROGRAM = `
  import { connect, createServer } from "node:net";
  import { createSocket } from "node:dgram";
  import { createInterface } from "node:readline";
  const kept = [];
  const done = () => console.log("done");
  for await (const line of createInterface({ input: process.stdin })) {
    const [what, port, host] = line.split(" ");
    if (what === "listen") kept.push(createServer((peer) => kept.push(peer)).listen(Number(port), host, done));
    if (what === "only6") kept.push(createServer().listen({ port: Number(port), host: "::", ipv6Only: true }, done));
    if (what === "connect") kept.push(connect({ port: Number(port), host, localPort: 40000 }, done));
    if (what === "udp") { const socket = createSocket("udp4"); kept.push(socket); socket.bind(Number(port), host, done); }
    if (what === "uid") { process.setuid(Number(port)); done(); }
  }
`;

let lab: NetnsLab;
let end: LabEnd;
let groups: TestCgroups;
let first = "";
let second = "";

beforeAll(async () => {
  lab = createLab();
  end = lab.addEnd("socks");
  groups = createCgroups("bhc");
  first = groups.add("first.service");
  second = groups.add("second.service");
  const program = lab.node(end.netns, PROGRAM);
  const tell = async (line: string): Promise<void> => {
    program.stdin!.write(`${line}\n`);
    await once(program.stdout!, "data");
  };
  groups.put(program.pid!, first);
  await tell("listen 8001 0.0.0.0");
  await tell("listen 8002 ::");
  await tell("only6 8003");
  await tell("udp 53 0.0.0.0");
  groups.put(program.pid!, second);
  await tell("uid 65534");
  await tell("listen 8004 127.0.0.1");
  await tell("connect 8001 127.0.0.1");
});
afterAll(() => {
  lab.close();
  groups.close();
});

const inside = <T>(work: () => T): T => insideNetns(end.path, work);

test("a socket belongs to the group it was made in, wherever its process has gone", () => {
  const found = inside(() => socketsInState(TCP, 4, TCP_LISTEN));
  const at = (port: number) => found?.find(({ localPort }) => localPort === port);
  expect(at(8001)).toMatchObject({ cgroup: groups.numberOf(first), uid: 0, ifindex: 0 });
  expect(at(8004)).toMatchObject({ cgroup: groups.numberOf(second), uid: 65534 });
});

test("an IPv6 socket says whether it takes IPv4", () => {
  const found = inside(() => socketsInState(TCP, 6, TCP_LISTEN));
  const only = new Map(found?.map((socket) => [socket.localPort, socket.v6Only]));
  expect(only).toEqual(
    new Map([
      [8002, false],
      [8003, true],
    ]),
  );
});

test("several states are asked for at once", () => {
  const found = inside(() => socketsInStates(TCP, 4, [TCP_LISTEN, TCP_ESTABLISHED])) ?? [];
  expect(new Set(found.map(({ state }) => state))).toEqual(new Set([TCP_LISTEN, TCP_ESTABLISHED]));
});

test("both ends of a connection are found by its name, each in its own group", () => {
  const near = { local: "127.0.0.1", localPort: 40000, remote: "127.0.0.1", remotePort: 8001 };
  const far = { local: "127.0.0.1", localPort: 8001, remote: "127.0.0.1", remotePort: 40000 };
  const [client, server] = inside(() => [socketOf(TCP, near), socketOf(TCP, far)]);
  expect(client).toMatchObject({ ...near, cgroup: groups.numberOf(second), uid: 65534 });
  // Accepted sockets are made where the waiting one was.
  expect(server).toMatchObject({ ...far, cgroup: groups.numberOf(first) });
});

test("who waits for datagrams is found by any sender, in both families", () => {
  const name = { local: end.v4, localPort: 53, remote: end.gateway4, remotePort: 5353 };
  const [four, none, six] = inside(() => [
    socketOf(UDP, name),
    socketOf(UDP, { ...name, localPort: 54 }),
    socketOf(TCP, { local: end.v6, localPort: 8002, remote: end.gateway6, remotePort: 5353 }),
  ]);
  expect(four).toMatchObject({
    localPort: 53,
    state: UDP_UNCONNECTED,
    cgroup: groups.numberOf(first),
  });
  expect(none).toBe(null);
  expect(six).toMatchObject({ localPort: 8002, state: TCP_LISTEN });
});
