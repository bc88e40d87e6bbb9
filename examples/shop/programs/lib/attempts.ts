/**
 * One attempt to reach something, and what came of it. `reached` means that the other side answered on
 * that port (a TCP handshake done, a datagram or echo answered): the strictest reading of "blocked".
 */
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { PASSWORDS } from "../../lab/configs.ts";
import { fetchText } from "./http.ts";

export type Route = "ipv4" | "ipv6" | "link-local";
export type Means = "tcp" | "udp" | "icmp" | "http" | "sql" | "redis" | "dns";

export interface Target {
  /** The workload, `host`, or a server in the world. */
  readonly name: string;
  readonly address: string;
  readonly route: Route;
  /** 0 where the protocol has none. */
  readonly port: number;
  readonly means: Means;
}

export interface Attempt extends Target {
  readonly reached: boolean;
  /** What was got, or why not: `refused`, `silence`, `unreachable`, … */
  readonly outcome: string;
  readonly ms: number;
}

const PATIENCE_MS = 1000;

export async function attempt(target: Target): Promise<Attempt> {
  const from = performance.now();
  const done = (reached: boolean, outcome: string): Attempt => ({
    ...target,
    reached,
    outcome,
    ms: Math.round((performance.now() - from) * 10) / 10,
  });
  try {
    return done(true, await MEANS[target.means](target));
  } catch (error) {
    return done(false, describe(error as NodeJS.ErrnoException));
  }
}

/** A record keyed by every means, so that a new one cannot be forgotten. */
const MEANS: Readonly<Record<Means, (target: Target) => Promise<string>>> = {
  tcp: handshake,
  udp: (target) => exchange(target, Buffer.from("hello\n")).then(() => "an answer"),
  dns: (target) =>
    exchange(target, dnsQuestion("db.shop.test")).then(
      (answer) => `${answer.length} bytes of names`,
    ),
  icmp: ping,
  http: readPage,
  sql: stealCards,
  redis: readCache,
};

function handshake(target: Target): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: target.address, port: target.port, autoSelectFamily: false });
    const timer = setTimeout(
      () => socket.destroy(Object.assign(new Error("silence"), { code: "ETIMEDOUT" })),
      PATIENCE_MS,
    );
    socket.on("connect", () => {
      clearTimeout(timer);
      socket.destroy();
      resolve("connected");
    });
    socket.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

function exchange(target: Target, payload: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(target.address.includes(":") ? "udp6" : "udp4");
    const end = (): void => {
      clearTimeout(timer);
      socket.close();
    };
    const timer = setTimeout(() => {
      end();
      reject(Object.assign(new Error("silence"), { code: "ETIMEDOUT" }));
    }, PATIENCE_MS);
    socket.on("message", (message) => {
      end();
      resolve(message);
    });
    socket.on("error", (error) => {
      end();
      reject(error);
    });
    // Connected, so that a refusal (ICMP port unreachable) is told apart from silence.
    socket.connect(target.port, target.address, () => socket.send(payload));
  });
}

/** RFC 1035: one question, type A, class IN. */
export function dnsQuestion(name: string): Buffer {
  const labels = name
    .split(".")
    .flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  return Buffer.concat([
    Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    ...labels,
    Buffer.from([0, 0, 1, 0, 1]),
  ]);
}

function ping(target: Target): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("ping", ["-n", "-q", "-c", "1", "-W", "1", target.address], {
      stdio: "ignore",
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve("an echo");
      else reject(Object.assign(new Error("silence"), { code: "ETIMEDOUT" }));
    });
  });
}

async function readPage(target: Target): Promise<string> {
  const reply = await fetchText({
    host: target.address,
    port: target.port,
    path: "/",
    timeoutMs: PATIENCE_MS,
  });
  return `HTTP ${reply.status}`;
}

/** With a password from an old backup: the login, and then the table that must not leak. */
async function stealCards(target: Target): Promise<string> {
  const { default: pg } = await import("pg"); // a plain port scan starts quicker without it
  const client = new pg.Client({
    host: target.address,
    port: target.port,
    database: "shop",
    user: "report",
    password: PASSWORDS.report,
    connectionTimeoutMillis: PATIENCE_MS,
    query_timeout: PATIENCE_MS,
  });
  client.on("error", () => undefined); // reported through connect() and query()
  await client.connect();
  try {
    const { rows } = await client.query<{ cards: string }>(
      "select count(card) as cards from customers",
    );
    return `${rows[0]?.cards} customers' cards`;
  } finally {
    void client.end().catch(() => undefined); // what matters has happened
  }
}

async function readCache(target: Target): Promise<string> {
  const { Redis } = await import("ioredis");
  const redis = new Redis({
    host: target.address,
    port: target.port,
    family: target.address.includes(":") ? 6 : 4,
    lazyConnect: true,
    connectTimeout: PATIENCE_MS,
    commandTimeout: PATIENCE_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  redis.on("error", () => undefined); // reported through connect() and dbsize()
  try {
    await redis.connect();
    return `${await redis.dbsize()} keys`;
  } finally {
    redis.disconnect();
  }
}

function describe(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ECONNREFUSED":
      return "refused";
    case "ETIMEDOUT":
      return "silence";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return "unreachable";
    case "EACCES":
    case "EPERM":
      return "prohibited";
    default:
      return /timeout|timed out/i.test(error.message) ? "silence" : error.message;
  }
}

/**
 * Tries once more what met silence: on a busy machine an answer may be late, and a policy that holds must hold
 * twice.
 */
export async function attemptTwice(targets: readonly Target[]): Promise<readonly Attempt[]> {
  const first = await attemptAll(targets);
  const silent = first.flatMap((one, index) => (one.outcome === "silence" ? [index] : []));
  const again = await attemptAll(silent.flatMap((index) => targets[index] ?? []));
  const second = new Map(silent.map((index, place) => [index, again[place]]));
  return first.map((one, index) => second.get(index) ?? one);
}

/** Runs attempts with bounded parallelism, results in the order of the targets. */
export async function attemptAll(
  targets: readonly Target[],
  parallel = 200,
): Promise<readonly Attempt[]> {
  const results: Attempt[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < targets.length; index = next++) {
      const target = targets[index];
      if (target !== undefined) results[index] = await attempt(target);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, targets.length) }, worker));
  return results;
}
