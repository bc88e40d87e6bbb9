/** Anybody on the machine may connect to where metrics are served: whatever they send is answered, and nothing ends the controller. */
import { connect, type AddressInfo } from "node:net";
import { createServer } from "node:http";
import { afterEach, expect, test } from "vitest";
import { pino } from "pino";
import { until } from "../lab.ts";
import { startEndpoint, type MetricsEndpoint } from "../../src/metrics/endpoint.ts";

const started: MetricsEndpoint[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop()));
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function serving(gather: () => Promise<readonly []>, requestMs?: number): Promise<number> {
  const port = await freePort();
  const listening = new Promise<void>((resolve) => {
    const log = pino({ level: "info" }, { write: () => resolve() });
    const address = { host: "127.0.0.1", port };
    const limits = requestMs === undefined ? {} : { requestMs };
    started.push(startEndpoint(address, { gather, log, onProblem: () => undefined, ...limits }));
  });
  await listening;
  return port;
}

/** The first line of the answer to bytes as they are. */
async function said(port: number, request: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (bytes: Buffer) => {
    answer += bytes.toString("latin1");
  });
  socket.end(request);
  await new Promise((resolve) => socket.once("close", resolve));
  return answer.split("\r\n", 1)[0] ?? "";
}

const asked = (target: string, method = "GET", host = "localhost"): string =>
  `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;

test.each([
  ["/metrics", "200"],
  ["/metrics?name=x", "200"],
  ["//", "404"],
  ["/", "404"],
  ["*", "404"],
  ["http://[", "404"],
  ["http://[::1/metrics", "404"],
  ["/%", "404"],
])("GET %s is answered %s", async (target, status) => {
  const port = await serving(() => Promise.resolve([]));
  expect(await said(port, asked(target))).toContain(` ${status} `);
  expect(await said(port, asked("/metrics"))).toContain(" 200 ");
});

test("what is no GET is refused, and what cannot be gathered is no end of it", async () => {
  const port = await serving(() => Promise.reject(new Error("the store is away")));
  expect(await said(port, asked("/metrics", "POST"))).toContain(" 405 ");
  expect(await said(port, asked("/metrics"))).toContain(" 503 ");
});

test.each([
  ["127.0.0.1:9464", "200"],
  ["localhost:9464", "200"],
  ["[::1]:9464", "200"],
  ["", "200"],
  ["pages.example:9464", "421"],
  ["127.0.0.1.pages.example", "421"],
  ["localhost.pages.example", "421"],
])("a page whose name leads here reads nothing: %s is answered %s", async (host, status) => {
  const port = await serving(() => Promise.resolve([]));
  expect(await said(port, asked("/metrics", "GET", host))).toContain(` ${status} `);
});

test("a crowd that says nothing keeps nobody from being answered", async () => {
  const port = await serving(() => Promise.resolve([]));
  const crowd = Array.from({ length: 100 }, () => connect(port, "127.0.0.1"));
  try {
    await Promise.all(
      crowd.map(
        (socket) =>
          new Promise((resolve) => {
            socket.on("error", () => undefined).once("connect", resolve);
          }),
      ),
    );
    expect(await said(port, asked("/metrics"))).toContain(" 200 ");
    const isOpen = (socket: (typeof crowd)[number]) => !socket.closed;
    for (const socket of crowd) socket.resume();
    await until(() => Promise.resolve(crowd.filter(isOpen).length <= 32), "nobody has to go");
  } finally {
    for (const socket of crowd) socket.destroy();
  }
});

test.each([["nothing"], ["GET /metrics HTTP/1.1\r\nhost: loc"]])(
  "who says %s for long is let go",
  async (words) => {
    const port = await serving(() => Promise.resolve([]), 200);
    const socket = connect(port, "127.0.0.1");
    if (words !== "nothing") socket.write(words);
    let answer = "";
    socket.on("data", (bytes: Buffer) => {
      answer += bytes.toString("latin1");
    });
    await new Promise((resolve) => socket.once("close", resolve));
    expect(answer === "" || answer.includes(" 408 ")).toBe(true);
  },
);
