/**
 * The two ends of the loads that we make ourselves, as processes inside namespaces: request/response over one
 * connection, and connections opened and closed one after another. System calls are made directly and block, so
 * that what is measured is the path through the kernel and not an event loop.
 *
 *   load.ts serve ADDRESS PORT              answers both loads until it is ended
 *   load.ts exchange ADDRESS PORT SECONDS   prints {count, p50, p95, p99} in microseconds
 *   load.ts connect ADDRESS PORT SECONDS    prints {count, perSecond}
 *   load.ts request ADDRESS PORT SECONDS    as exchange, but HTTP through Node at both ends, 1 KiB a response
 */
import { Agent, createServer, get } from "node:http";
import { once } from "node:events";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { familyOf } from "@bulkhead/model";
import { KernelError } from "../apps/agent/src/kernel/kernel-error.ts";
import { AF_INET, AF_INET6, SOCK_STREAM, SOL_SOCKET, libc } from "../apps/agent/src/kernel/libc.ts";
import { socketAddress } from "../apps/agent/src/probe/socket-address.ts";

const SO_REUSEADDR = 2;
const SO_LINGER = 13;
const TCP = 6;
const TCP_NODELAY = 1;
const NO_SIGNAL = 0x4000;

const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};
/** Closing resets: no TIME_WAIT, so ports never run out. */
const linger = Buffer.concat([int(1), int(0)]);
const byte = Buffer.from("x");
const room = Buffer.alloc(64);

const open = (address: string): number =>
  libc().socket(familyOf(address) === 4 ? AF_INET : AF_INET6, SOCK_STREAM, TCP);

const listenAt = (address: string, port: number): number => {
  const fd = open(address);
  libc().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, int(1));
  libc().bind(fd, socketAddress(address, port));
  libc().listen(fd, 1024);
  return fd;
};

/** Answers each byte with a byte until the other side is done. */
const answer = (fd: number): void => {
  libc().setsockopt(fd, TCP, TCP_NODELAY, int(1));
  try {
    while ((libc().recvfrom(fd, room, 0) ?? 0) > 0) libc().sendto(fd, byte, NO_SIGNAL, null);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
  }
  libc().close(fd);
};

const serveExchange = (listener: number): void => {
  for (;;) {
    const peer = libc().accept(listener, 0);
    if (peer !== null) answer(peer);
  }
};

const serveConnect = (listener: number, ready: () => void): void => {
  ready();
  for (;;) {
    const peer = libc().accept(listener, 0);
    if (peer !== null) libc().close(peer);
  }
};

const printTimes = (times: Float64Array): void => {
  const sorted = times.toSorted();
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  console.log(JSON.stringify({ count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) }));
};

const exchange = (address: string, port: number, seconds: number): void => {
  const fd = open(address);
  libc().connect(fd, socketAddress(address, port));
  libc().setsockopt(fd, TCP, TCP_NODELAY, int(1));
  const times = new Float64Array(2_000_000);
  let count = 0;
  const end = performance.now() + seconds * 1000;
  for (let start = performance.now(); start < end && count < times.length;) {
    libc().sendto(fd, byte, NO_SIGNAL, null);
    libc().recvfrom(fd, room, 0);
    const now = performance.now();
    times[count] = (now - start) * 1000;
    count += 1;
    start = now;
  }
  libc().close(fd);
  printTimes(times.subarray(0, count));
};

const connect = (address: string, port: number, seconds: number): void => {
  const to = socketAddress(address, port);
  const start = performance.now();
  const end = start + seconds * 1000;
  let count = 0;
  while (performance.now() < end) {
    const fd = open(address);
    libc().setsockopt(fd, SOL_SOCKET, SO_LINGER, linger);
    libc().connect(fd, to);
    libc().close(fd);
    count += 1;
  }
  console.log(JSON.stringify({ count, perSecond: (count / (performance.now() - start)) * 1000 }));
};

const serveRequests = (host: string, at: number): void => {
  const body = Buffer.alloc(1024, "x");
  const server = createServer((_, response) => response.end(body));
  server.keepAliveTimeout = 60_000;
  server.listen(at, host, () => parentPort?.postMessage("ready", []));
};

const request = async (host: string, at: number, lasting: number): Promise<void> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (): Promise<void> =>
    new Promise((resolve, reject) => {
      get({ host, port: at, agent }, (response) => {
        response.resume();
        response.once("end", resolve);
      }).once("error", reject);
    });
  // Compilers first.
  for (let count = 0; count < 500; count += 1) await ask();
  const times: number[] = [];
  const end = performance.now() + lasting * 1000;
  for (let start = performance.now(); start < end;) {
    await ask();
    const now = performance.now();
    times.push((now - start) * 1000);
    start = now;
  }
  agent.destroy();
  printTimes(Float64Array.from(times));
};

const [role = "", address = "", portText = "", secondsText = "1"] = isMainThread
  ? process.argv.slice(2)
  : (workerData as string[]);
const port = Number(portText);
const seconds = Number(secondsText);
if (role === "serve") {
  const helpers = ["serve-connect", "serve-request"].map(
    (name, index) =>
      new Worker(new URL(import.meta.url), { workerData: [name, address, `${port + 1 + index}`] }),
  );
  // From then on this thread blocks and could not help another one to start.
  await Promise.all(helpers.map((helper) => once(helper, "message")));
  const listener = listenAt(address, port);
  console.log("ready");
  setImmediate(() => serveExchange(listener));
} else if (role === "serve-connect")
  serveConnect(listenAt(address, port), () => parentPort?.postMessage("ready", []));
else if (role === "exchange") exchange(address, port, seconds);
else if (role === "connect") connect(address, port + 1, seconds);
else if (role === "serve-request") serveRequests(address, port);
else if (role === "request") await request(address, port + 2, seconds);
else throw new Error(`no such role: ${role}`);
