/**
 * A connection opened before there was any connection tracking, on which only the server speaks: the kernel would take
 * the server for the caller. After taking over, a ruleset that permits only the client's direction lets it live.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { insideNetns } from "../../src/kernel/index.ts";
import {
  endUndecided,
  takeOverConnections,
  UndecidedConnections,
  type End,
} from "../../src/takeover/index.ts";
import { createLab, until, type LabEnd, type NetnsLab } from "../kernel/netns-lab.ts";

const SERVER = `
  import { createServer } from "node:net";
  createServer((socket) => {
    socket.on("error", () => undefined);
    setInterval(() => socket.write("beat\\n"), 20);
  }).listen(7777, "::", () => console.log("ready"));
`;
const CLIENT = `
  import { connect } from "node:net";
  const [host] = process.argv.slice(-1);
  connect(7777, host).on("data", (text) => process.stdout.write(text));
`;
const TRACKING = `table inet t {
  chain f { type filter hook forward priority 0; policy accept;
    ct state new counter
  }
}
`;
const CLIENTS_ONLY = `table inet t {
  chain f { type filter hook forward priority 0; policy drop;
    tcp dport 7777 ct direction original accept
    tcp sport 7777 ct direction reply accept
  }
}
`;

let lab: NetnsLab;
let client: LabEnd;
let server: LabEnd;
beforeEach(async () => {
  clock = 1_790_000_000_000;
  undecided = new UndecidedConnections(() => clock, GRACE_MS);
  lab = createLab();
  client = lab.addEnd("client");
  server = lab.addEnd("server");
  const program = lab.node(server.netns, SERVER);
  await once(program.stdout!, "data");
});
afterEach(() => lab.close());

/** Beats received until now. */
function listen(process: ChildProcess): () => number {
  let beats = 0;
  process.stdout!.on("data", (text: Buffer) => (beats += text.toString().split("\n").length - 1));
  return () => beats;
}

const GRACE_MS = 60_000;
let clock = 0;
let undecided: UndecidedConnections;

/** What only clients may open: connections to the server's port. */
function takeOver(ends: readonly LabEnd[] = [client, server], more: readonly End[] = []) {
  const named = ends.map(({ path, v4, v6 }) => ({ netnsPath: path, addresses: [v4, v6] }));
  return insideNetns(lab.routerPath, () =>
    takeOverConnections([...named, ...more], {
      permits: ({ destinationPort }) => destinationPort === 7777,
      undecided,
    }),
  );
}

const tracked = (): string => lab.run(lab.router, "conntrack", "-L", "-p", "tcp");

describe.each(["v4", "v6"] as const)("over IP%s", (family) => {
  test("entered before tracking begins, it is judged by who opened it", async () => {
    const beats = listen(lab.node(client.netns, CLIENT, server[family]));
    await until("the first beat", () => beats() > 0);
    expect(takeOver()).toMatchObject({ alive: 1, entered: 1, turned: 0 });
    lab.load(lab.router, CLIENTS_ONLY);
    const before = beats();
    await until("it goes on", () => beats() > before + 5);
  });

  test("picked up the wrong way round, it is turned", async () => {
    const beats = listen(lab.node(client.netns, CLIENT, server[family]));
    await until("the first beat", () => beats() > 0);
    lab.load(lab.router, TRACKING);
    const list = ["conntrack", "-L", "-f", family === "v4" ? "ipv4" : "ipv6"];
    await until("it is picked up the wrong way round", () =>
      /src=\S+ dst=\S+ sport=7777/.test(lab.run(lab.router, ...list)),
    );
    expect(takeOver()).toMatchObject({ entered: 0, turned: 1 });
    expect(takeOver()).toMatchObject({ entered: 0, turned: 0 });
    lab.run(lab.router, "nft", "delete", "table", "inet", "t");
    lab.load(lab.router, CLIENTS_ONLY);
    const before = beats();
    await until("it goes on", () => beats() > before + 5);
  });
});

/** A client of the server that listens at its own end of the connection, once it is open. */
const liar = (port: number): string => `
  import { connect, createServer } from "node:net";
  connect({ port: 7777, host: ${JSON.stringify(server.v4)}, localPort: ${port} }, () =>
    createServer().listen(${port}, ${JSON.stringify(client.v4)}, () => console.log("ready")));`;

test("what the kernel has seen begin is not turned, whatever sockets say", async () => {
  lab.load(lab.router, TRACKING);
  await once(lab.node(client.netns, liar(41_000)).stdout!, "data");
  expect(tracked()).toContain("sport=41000 dport=7777");
  // The true server is not asked.
  expect(takeOver([client])).toMatchObject({ alive: 1, entered: 0, turned: 0, undecided: 0 });
  expect(tracked()).toContain("sport=41000 dport=7777");
});

test("a direction that sockets told once is not doubted later", async () => {
  const beats = listen(lab.node(client.netns, CLIENT, server.v4));
  await until("the first beat", () => beats() > 0);
  lab.load(lab.router, TRACKING);
  await until("it is picked up the wrong way round", () => /sport=7777 dport/.test(tracked()));
  const blind = [{ netnsPath: `/run/netns/${lab.prefix}-gone`, addresses: [client.v4] }];
  expect(takeOver([server])).toMatchObject({ turned: 1 });
  const seen = beats();
  await until("it goes on", () => beats() > seen + 2);
  expect(takeOver([], blind)).toMatchObject({ turned: 0, undecided: 0 });
  expect(tracked()).toMatch(/dport=7777 src=/);
});

test("where nobody can tell, the permitted direction holds for a while, is listed, and ends", async () => {
  const beats = listen(lab.node(client.netns, CLIENT, server.v4));
  await until("the first beat", () => beats() > 0);
  lab.load(lab.router, TRACKING);
  await until("it is picked up the wrong way round", () => /sport=7777 dport/.test(tracked()));
  // The sockets are in namespaces that cannot be looked into; only the addresses are known.
  const blind = [{ netnsPath: `/run/netns/${lab.prefix}-gone`, addresses: [server.v4] }];
  expect(takeOver([], blind)).toMatchObject({ turned: 1, undecided: 1 });
  expect(undecided.list()).toMatchObject([
    { connection: { source: client.v4, destinationPort: 7777 }, until: clock + GRACE_MS },
  ]);
  clock += GRACE_MS / 2;
  expect(takeOver([], blind)).toMatchObject({ turned: 0, undecided: 1 });
  lab.run(lab.router, "nft", "delete", "table", "inet", "t");
  lab.load(
    lab.router,
    `${CLIENTS_ONLY.replace("tcp dport", "ct state new tcp flags != syn drop; tcp dport")}`,
  );
  const during = beats();
  await until("it goes on", () => beats() > during + 5);
  clock += GRACE_MS / 2;
  insideNetns(lab.routerPath, () => endUndecided(undecided));
  expect(undecided.list()).toEqual([]);
  await until("its entry is gone", () => !/[sd]port=7777/.test(tracked()));
  // Nor does the next look let it in again.
  expect(takeOver([], blind)).toMatchObject({ entered: 0, turned: 0, undecided: 0 });
  expect(tracked()).not.toMatch(/[sd]port=7777/);
});

test("connected datagram sockets are entered as callers", async () => {
  const program = lab.node(
    client.netns,
    `import { createSocket } from "node:dgram";
     const socket = createSocket("udp4");
     socket.connect(9999, ${JSON.stringify(server.v4)}, () => { console.log("ready"); setInterval(() => undefined, 1000); });`,
  );
  await once(program.stdout!, "data");
  expect(takeOver()).toMatchObject({ alive: 1, entered: 1 });
  expect(lab.run(lab.router, "conntrack", "-L", "-p", "udp")).toMatch(/dport=9999 src=/);
});

test("in its own namespace a connection from itself to itself is taken over too", async () => {
  const program = lab.node(
    lab.router,
    `import { connect, createServer } from "node:net";
     createServer(() => undefined).listen(7777, "127.0.0.1", () =>
       connect(7777, "127.0.0.1", () => console.log("ready")));`,
  );
  lab.run(lab.router, "ip", "link", "set", "lo", "up");
  await once(program.stdout!, "data");
  expect(takeOver([], [{ netnsPath: lab.routerPath }])).toMatchObject({ alive: 1, entered: 1 });
  expect(tracked()).toMatch(/src=127.0.0.1 dst=127.0.0.1 sport=\d+ dport=7777/);
});

test("a workload has no say in connections between others", async () => {
  const program = lab.node(
    client.netns,
    `import { connect, createServer } from "node:net";
     import { execFileSync } from "node:child_process";
     for (const address of ["10.9.9.1", "10.9.9.2"])
       execFileSync("ip", ["addr", "add", address + "/32", "dev", "lo"]);
     execFileSync("ip", ["link", "set", "lo", "up"]);
     createServer(() => undefined).listen(7777, "10.9.9.1", () =>
       connect({ port: 7777, host: "10.9.9.1", localAddress: "10.9.9.2" }, () => console.log("ready")));`,
  );
  await once(program.stdout!, "data");
  expect(takeOver()).toEqual({ alive: 0, entered: 0, turned: 0, undecided: 0 });
});

test("a workload that claims to have been called by whom it called is not simply believed", async () => {
  await once(lab.node(client.netns, liar(41_000)).stdout!, "data");
  expect(takeOver()).toEqual({ alive: 1, entered: 1, turned: 0, undecided: 1 });
  clock += GRACE_MS;
  insideNetns(lab.routerPath, () => endUndecided(undecided));
  expect(tracked()).not.toMatch(/[sd]port=7777/);
});

test("a namespace that has gone has no connections", () => {
  const gone = [{ netnsPath: `/run/netns/${lab.prefix}-gone`, addresses: [] }];
  expect(takeOver([], gone)).toEqual({ alive: 0, entered: 0, turned: 0, undecided: 0 });
});
