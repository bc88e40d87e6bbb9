/**
 * The customers: pages, orders and reports over both families at a steady rate, and browsers that keep a
 * stream of events open for the whole run. Every request is counted; nothing is retried.
 */
import { Agent, request } from "node:http";
import { serveControl } from "./lib/control.ts";
import { fetchText } from "./lib/http.ts";
import { Names } from "./lib/names.ts";
import { latencyOf, tally, type Sample } from "./lib/samples.ts";

const [control] = process.argv.slice(2);
if (control === undefined) throw new Error("usage: users.ts CONTROL-SOCKET");

const names = new Names();
const samples: Sample[] = [];
/** Connections to the shop that were really opened, to compare with what an observer recorded. */
const connects: { readonly at: number; readonly family: 4 | 6 }[] = [];
const agents = {
  4: new Agent({ keepAlive: true, maxSockets: 4 }),
  6: new Agent({ keepAlive: true, maxSockets: 4 }),
} as const;
let timer: NodeJS.Timeout | undefined;
let turn = 0;
let underway = 0;

interface Visit {
  readonly kind: string;
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly expect: number;
}

/** Of ten visits seven look at the catalogue, two buy, one checks that the shop is up. */
function visit(number: number): Visit {
  switch (number % 10) {
    case 3:
    case 7:
      return {
        kind: "order",
        method: "POST",
        path: "/orders",
        body: JSON.stringify({ sku: `sku-${1 + (number % 40)}` }),
        expect: 201,
      };
    case 9:
      return { kind: "health", method: "GET", path: "/healthz", expect: 200 };
    default:
      return { kind: "catalogue", method: "GET", path: "/", expect: 200 };
  }
}

function pending(): number {
  return underway;
}

async function goOnce(): Promise<void> {
  const number = turn++;
  const family = number % 2 === 0 ? 4 : 6;
  const { kind, expect, ...what } = visit(Math.floor(number / 2));
  const at = Date.now();
  const from = performance.now();
  underway += 1;
  try {
    // Every other visit is a new connection; the rest ride on kept ones.
    const agent = number % 4 < 2 ? agents[family] : undefined;
    const reply = await fetchText({
      ...what,
      host: "web",
      port: 80,
      family,
      agent,
      lookup: names.lookup,
      timeoutMs: 6000,
      onConnect: () => connects.push({ at: Date.now(), family }),
    });
    const ms = performance.now() - from;
    samples.push(
      reply.status === expect
        ? { at, ms, kind, family }
        : { at, ms, kind, family, error: `status ${reply.status}` },
    );
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    samples.push({ at, ms: performance.now() - from, kind, family, error: code ?? message });
  } finally {
    underway -= 1;
  }
}

interface Stream {
  readonly family: 4 | 6;
  beats: number;
  lost: number;
  last: number;
  longestGapMs: number;
}

const streams: Stream[] = [];

/** Opens a browser's event stream; resolves with the first heartbeat. */
function openStream(family: 4 | 6): Promise<void> {
  const stream: Stream = { family, beats: 0, lost: 0, last: Date.now(), longestGapMs: 0 };
  streams.push(stream);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: "web",
        port: 80,
        path: "/events",
        agent: false,
        family,
        lookup: names.lookup,
      },
      (incoming) => {
        incoming.on("data", () => {
          const now = Date.now();
          stream.longestGapMs = Math.max(stream.longestGapMs, now - stream.last);
          stream.last = now;
          stream.beats += 1;
          resolve();
        });
        incoming.on("close", () => (stream.lost += 1));
      },
    );
    outgoing.on("error", (error) => {
      stream.lost += 1;
      reject(error);
    });
    outgoing.end();
  });
}

function streamReport(): readonly (Stream & { readonly silentMs: number })[] {
  return streams.map((stream) => ({ ...stream, silentMs: Date.now() - stream.last }));
}

/** Request and response on one kept connection, one after the other: the path's own latency. */
async function measure(body: unknown): Promise<unknown> {
  const { requests, path, host } = body as {
    requests: number;
    path: string;
    host: string;
  };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const values: number[] = [];
  let failed = 0;
  for (let number = -5; number < requests; number += 1) {
    const from = performance.now();
    try {
      await fetchText({
        host,
        port: 80,
        path,
        timeoutMs: 2000,
        agent,
      });
      if (number >= 0) values.push(performance.now() - from); // the first five warm up
    } catch {
      failed += 1;
    }
  }
  agent.destroy();
  return { failed, values, latencyMs: latencyOf(values) };
}

/** One order over each family, not counted: is the whole shop there? */
async function rehearse(): Promise<{ readonly failed: number }> {
  const before = samples.length;
  await Promise.all(Array.from({ length: 20 }, () => goOnce()));
  return { failed: samples.splice(before).filter((sample) => sample.error !== undefined).length };
}

await serveControl(control, {
  rehearse,
  start: (body) => {
    const { perSecond } = body as { perSecond: number };
    clearInterval(timer);
    timer = setInterval(() => void goOnce(), 1000 / perSecond);
    return { perSecond };
  },
  stop: async () => {
    clearInterval(timer);
    while (pending() > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    return { turn };
  },
  hold: async () => {
    await Promise.all([openStream(4), openStream(6)]);
    return streamReport();
  },
  held: streamReport,
  connects: (body) => {
    const { from, to } = (body ?? {}) as { from?: number; to?: number };
    const within = connects.filter((one) => one.at >= (from ?? 0) && one.at <= (to ?? Infinity));
    return {
      ipv4: within.filter((one) => one.family === 4).length,
      ipv6: within.filter((one) => one.family === 6).length,
    };
  },
  tally: (body) => {
    const { from, to } = (body ?? {}) as { from?: number; to?: number };
    return tally(
      samples.filter((sample) => sample.at >= (from ?? 0) && sample.at <= (to ?? Infinity)),
    );
  },
  measure,
});
