/** Who opened a connection, from the sockets at its ends. */
import { expect, test } from "vitest";
import { TCP_ESTABLISHED, TCP_LISTEN, type ProcSocket } from "../../src/link/proc-net.ts";
import { originsOf } from "../../src/takeover/origins.ts";

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
  source: CLIENT,
  sourcePort: 40_000,
  destination: SERVER,
  destinationPort: 80,
};
const clientSide = [socket(CLIENT, 40_000, SERVER, 80)];
const listener = socket(ANY, 80, ANY, 0, TCP_LISTEN);
const serverSide = [listener, socket(SERVER, 80, CLIENT, 40_000)];

test.each([
  ["both ends are seen", [clientSide, serverSide]],
  ["only the client is seen", [clientSide]],
  ["only the server is seen", [serverSide]],
  ["the server is looked at first", [serverSide, clientSide]],
])("the client opened it, when %s", (_when, namespaces) => {
  expect(originsOf(namespaces)).toEqual([opened]);
});

test("a server that no longer listens looks like a client, unless the true client says so too", () => {
  const deaf = [socket(SERVER, 80, CLIENT, 40_000)];
  const listeningClient = [
    socket(ANY, 40_000, ANY, 0, TCP_LISTEN),
    socket(CLIENT, 40_000, SERVER, 80),
  ];
  expect(originsOf([deaf, listeningClient])).toEqual([
    { source: SERVER, sourcePort: 80, destination: CLIENT, destinationPort: 40_000 },
  ]);
});

test("what is closed, closing for good, or only listens is no connection", () => {
  const closed = [7, 6, 2, TCP_LISTEN].map((state) => socket(CLIENT, 40_000, SERVER, 80, state));
  expect(originsOf([closed])).toEqual([]);
});

test("half-closed connections still carry data", () => {
  for (const state of [4, 5, 8]) {
    expect(originsOf([[socket(CLIENT, 40_000, SERVER, 80, state)]])).toEqual([opened]);
  }
});
