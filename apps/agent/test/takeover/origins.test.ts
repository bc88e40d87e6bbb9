/** Who opened a connection, from the sockets at its ends. */
import { expect, test } from "vitest";
import { TCP_ESTABLISHED, TCP_LISTEN, type ProcSocket } from "../../src/link/proc-net.ts";
import { TCP, UDP } from "@bulkhead/model";
import { originsOf, type Origin } from "../../src/takeover/origins.ts";

const ANY = "0.0.0.0";
const CLIENT = "10.0.0.1";
const SERVER = "10.0.0.2";

function socket(
  local: string,
  localPort: number,
  remote: string,
  remotePort: number,
  state = TCP_ESTABLISHED,
): ProcSocket {
  return { local, localPort, remote, remotePort, state, inode: 1 };
}

const opened = {
  protocol: TCP,
  source: CLIENT,
  sourcePort: 40_000,
  destination: SERVER,
  destinationPort: 80,
};
const back = {
  protocol: TCP,
  source: SERVER,
  sourcePort: 80,
  destination: CLIENT,
  destinationPort: 40_000,
};
const clientSide = [socket(CLIENT, 40_000, SERVER, 80)];
const listening = (port: number, local = ANY) => socket(local, port, ANY, 0, TCP_LISTEN);
const serverSide = [listening(80), socket(SERVER, 80, CLIENT, 40_000)];

const tcpOrigins = (...namespaces: readonly (readonly ProcSocket[])[]): readonly Origin[] =>
  originsOf(namespaces.map((tcp) => ({ tcp, udp: [] })));

test.each([
  ["both ends are seen", [clientSide, serverSide]],
  ["only the client is seen", [clientSide]],
  ["only the server is seen", [serverSide]],
  ["the server is looked at first", [serverSide, clientSide]],
  ["both are in one namespace", [[...clientSide, ...serverSide]]],
])("the client opened it, when %s", (_when, namespaces) => {
  expect(tcpOrigins(...namespaces)).toEqual([{ connection: opened, sure: true }]);
});

test("a server that no longer listens looks like a client, unless the true client says so too", () => {
  const deaf = [socket(SERVER, 80, CLIENT, 40_000)];
  const listeningClient = [listening(40_000), ...clientSide];
  expect(tcpOrigins(deaf, listeningClient)).toEqual([{ connection: back, sure: true }]);
});

test("who listens elsewhere, or is no server, was not called", () => {
  for (const other of [listening(80, "127.0.0.1"), listening(81)])
    expect(tcpOrigins([other, socket(SERVER, 80, CLIENT, 900)])).toMatchObject([
      { connection: { source: SERVER, sourcePort: 80 }, sure: true },
    ]);
  expect(tcpOrigins([listening(80, SERVER), socket(SERVER, 80, CLIENT, 900)])).toMatchObject([
    { connection: { source: CLIENT, sourcePort: 900 }, sure: true },
  ]);
});

test("it is a guess where both listen, or who calls has a server's port and calls a client's", () => {
  expect(tcpOrigins([listening(40_000), ...clientSide], serverSide)).toEqual([
    { connection: opened, sure: false },
  ]);
  const deaf = [socket(SERVER, 80, CLIENT, 40_000)];
  expect(tcpOrigins(deaf)).toEqual([{ connection: back, sure: false }]);
  expect(tcpOrigins(deaf, clientSide)).toEqual([{ connection: opened, sure: false }]);
});

test("what is closed, closing for good, or only listens is no connection", () => {
  const closed = [7, 6, 2, TCP_LISTEN].map((state) => socket(CLIENT, 40_000, SERVER, 80, state));
  expect(tcpOrigins(closed)).toEqual([]);
});

test("half-closed connections still carry data", () => {
  for (const state of [4, 5, 8]) {
    const half = [socket(CLIENT, 40_000, SERVER, 80, state)];
    expect(tcpOrigins(half)).toEqual([{ connection: opened, sure: true }]);
  }
});

test("datagram sockets speak for what they send, never for what a server at their port is sent", () => {
  const udp = [socket(CLIENT, 5353, SERVER, 53), socket(CLIENT, 68, SERVER, 67)];
  const server = socket(ANY, 5353, ANY, 0, 7);
  const origins = originsOf([{ tcp: [], udp: [server, ...udp] }]);
  expect(origins).toEqual([
    {
      connection: {
        protocol: UDP,
        source: CLIENT,
        sourcePort: 68,
        destination: SERVER,
        destinationPort: 67,
      },
      sure: true,
    },
  ]);
});
