/** Room for so many connections: whoever has most makes room, by the kernel's word on whose they are. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { createFairRoom } from "../../src/metrics/fair-room.ts";
import { NOBODY, ownersOf } from "../../src/metrics/peer-owners.ts";
import { until } from "../lab.ts";

const ended: (() => void)[] = [];
afterEach(() => {
  for (const end of ended.splice(0)) end();
});

async function serving(host: string, onSocket: (socket: Socket) => void): Promise<AddressInfo> {
  const server: Server = createServer((socket) => {
    ended.push(() => socket.destroy());
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  ended.push(() => server.close());
  return server.address() as AddressInfo;
}

async function client(port: number, host: string): Promise<Socket> {
  const socket = connect({ port, host, allowHalfOpen: true });
  socket.on("error", () => undefined);
  ended.push(() => socket.destroy());
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

it.each([
  ["127.0.0.1", "127.0.0.1"],
  ["::1", "::1"],
  ["::", "127.0.0.1"],
  ["::", "::1"],
])("knows the user at the other end, served at %s and asked at %s", async (host, at) => {
  const accepted: Socket[] = [];
  const { port } = await serving(host, (socket) => accepted.push(socket));
  await client(port, at);
  await until(() => Promise.resolve(accepted.length === 1), "nobody is let in");
  expect([...(await ownersOf(accepted)).values()]).toEqual([`user ${process.getuid?.()}`]);
});

it("knows that nobody waits behind a connection that its program has closed", async () => {
  const accepted: Socket[] = [];
  const { port } = await serving("127.0.0.1", (socket) => accepted.push(socket.pause()));
  const socket = await client(port, "127.0.0.1");
  await until(() => Promise.resolve(accepted.length === 1), "nobody is let in");
  socket.destroy();
  await until(
    async () => (await ownersOf(accepted)).get(accepted[0]!) !== `user ${process.getuid?.()}`,
    "it is still somebody's",
  );
  expect(socket.destroyed).toBe(true);
});

it("goes by the address of who is on another machine, and by the network where that is IPv6", async () => {
  const from = (remoteAddress: string) => ({
    remoteAddress,
    remotePort: 1,
    localAddress: "192.0.2.1",
    localPort: 9464,
  });
  const all = ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"];
  const names = [...(await ownersOf(all.map(from))).values()];
  expect(names[0]).toBe(names[1]);
  expect(names[2]).toBe(names[3]);
  expect(new Set(names).size).toBe(3);
});

/** As many as `owners` says, in that order; tells which are still there. */
async function inRoom(room: number, owners: readonly string[]): Promise<readonly number[]> {
  const accepted: Socket[] = [];
  const problems: unknown[] = [];
  const fair = createFairRoom(
    room,
    (error) => problems.push(error),
    (sockets) => {
      if (owners[0] === "unreadable") return Promise.reject(new Error("no list"));
      return Promise.resolve(
        new Map(sockets.map((one) => [one, owners[accepted.indexOf(one as never)] ?? ""])),
      );
    },
  );
  ended.push(() => fair.close());
  const { port } = await serving("127.0.0.1", (socket) => accepted.push(socket));
  for (const _ of owners) {
    const before = accepted.length;
    await client(port, "127.0.0.1");
    await until(() => Promise.resolve(accepted.length > before), "nobody is let in");
  }
  for (const socket of accepted) fair.enter(socket);
  const here = () => accepted.flatMap((socket, at) => (socket.destroyed ? [] : [at]));
  await until(() => Promise.resolve(here().length <= room), "nobody has to go");
  return here();
}

it("takes from whoever has most, and the oldest of those", async () => {
  expect(await inRoom(4, ["a", "a", "a", "a"])).toEqual([0, 1, 2, 3]);
  expect(await inRoom(4, ["a", "b", "a", "a", "b"])).toEqual([1, 2, 3, 4]);
  expect(await inRoom(3, ["a", "a", "a", "b", "b", "b", "c"])).toEqual([2, 5, 6]);
  expect(await inRoom(3, ["a", "a", NOBODY, "b"])).toEqual([0, 1, 3]);
  expect(await inRoom(2, ["unreadable", "x", "y"])).toEqual([1, 2]);
});

it("lets in whoever comes while others are told apart, and loses who waits longest", async () => {
  const accepted: Socket[] = [];
  const { port } = await serving("127.0.0.1", (socket) => accepted.push(socket));
  for (let at = 0; at < 6; at += 1) {
    await client(port, "127.0.0.1");
    await until(() => Promise.resolve(accepted.length > at), "nobody is let in");
  }
  const { promise: told, resolve: tell } = Promise.withResolvers<void>();
  let asked = 0;
  const fair = createFairRoom(
    1,
    () => undefined,
    async (sockets) => {
      asked += 1;
      await told;
      return new Map(sockets.map((socket) => [socket, "somebody"]));
    },
    3,
  );
  ended.push(() => fair.close());
  const gone = () => accepted.map(({ destroyed }) => (destroyed ? "gone" : "here")).join(" ");
  for (const socket of accepted.slice(0, 5)) fair.enter(socket);
  expect(gone()).toBe("gone here here here here here");
  await until(() => Promise.resolve(asked === 1), "nobody is asked about");
  fair.enter(accepted[5]!);
  expect(gone()).toBe("gone gone here here here here");
  tell();
  await until(
    () => Promise.resolve(gone() === "gone gone gone gone gone here"),
    "nobody has to go",
  );
});
