/**
 * A connection opened before there was any connection tracking, on which only the server speaks: the kernel would take
 * the server for the caller. After taking over, a ruleset that permits only the client's direction lets it live.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { insideNetns } from "../../src/kernel/index.ts";
import { takeOverConnections } from "../../src/takeover/index.ts";
import { createLab, sleep, until, type LabEnd, type NetnsLab } from "../kernel/netns-lab.ts";

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

function takeOver() {
  return insideNetns(lab.routerPath, () =>
    takeOverConnections(
      [client, server].map(({ path, v4, v6 }) => ({ netnsPath: path, addresses: [v4, v6] })),
    ),
  );
}

describe.each(["v4", "v6"] as const)("over IP%s", (family) => {
  test("entered before tracking begins, it is judged by who opened it", async () => {
    const beats = listen(lab.node(client.netns, CLIENT, server[family]));
    await until("the first beat", () => beats() > 0);
    expect(takeOver()).toMatchObject({ alive: 1, entered: 1, turned: 0 });
    lab.load(lab.router, CLIENTS_ONLY);
    const before = beats();
    await sleep(500);
    expect(beats()).toBeGreaterThan(before + 5);
  });

  test("picked up the wrong way round, it is turned", async () => {
    const beats = listen(lab.node(client.netns, CLIENT, server[family]));
    await until("the first beat", () => beats() > 0);
    lab.load(lab.router, TRACKING);
    await sleep(200);
    expect(lab.run(lab.router, "conntrack", "-L", "-f", family === "v4" ? "ipv4" : "ipv6")).toMatch(
      /src=\S+ dst=\S+ sport=7777/,
    );
    expect(takeOver()).toMatchObject({ entered: 0, turned: 1 });
    expect(takeOver()).toMatchObject({ entered: 0, turned: 0 });
    lab.run(lab.router, "nft", "delete", "table", "inet", "t");
    lab.load(lab.router, CLIENTS_ONLY);
    const before = beats();
    await sleep(500);
    expect(beats()).toBeGreaterThan(before + 5);
  });
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
  expect(takeOver()).toEqual({ alive: 0, entered: 0, turned: 0 });
});

test("a workload that claims to have been called by whom it called is not believed", async () => {
  const program = lab.node(
    client.netns,
    `import { connect, createServer } from "node:net";
     const socket = connect(7777, ${JSON.stringify(server.v4)}, () =>
       createServer().listen(socket.localPort, "127.0.0.1", () => console.log("ready")));`,
  );
  lab.run(client.netns, "ip", "link", "set", "lo", "up");
  await once(program.stdout!, "data");
  expect(takeOver()).toEqual({ alive: 2, entered: 0, turned: 0 });
});

test("a namespace that has gone has no connections", () => {
  expect(
    takeOverConnections([{ netnsPath: `/run/netns/${lab.prefix}-gone`, addresses: [] }]),
  ).toEqual({
    alive: 0,
    entered: 0,
    turned: 0,
  });
});
