/** Small HTTP helpers over node:http: a request that never hangs, a JSON server, and counters as Prometheus text. */
import {
  type Agent,
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { LookupFunction } from "node:net";

export interface Outgoing {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly body?: string;
  readonly timeoutMs?: number;
  readonly lookup?: LookupFunction;
  readonly family?: 4 | 6;
  /** Absent: a connection of its own. */
  readonly agent?: Agent;
  /** Called when this request made a connection of its own, as against riding on a kept one. */
  readonly onConnect?: () => void;
}

export interface Reply {
  readonly status: number;
  readonly body: string;
}

export function fetchText(target: Outgoing): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: target.host,
        port: target.port,
        path: target.path,
        method: target.method ?? "GET",
        agent: target.agent ?? false,
        ...(target.lookup === undefined ? {} : { lookup: target.lookup }),
        ...(target.family === undefined ? {} : { family: target.family }),
      },
      (incoming) => {
        let body = "";
        incoming.setEncoding("utf8");
        incoming.on("data", (part: string) => (body += part));
        incoming.on("error", reject);
        incoming.on("end", () => {
          clearTimeout(timer);
          resolve({ status: incoming.statusCode ?? 0, body });
        });
      },
    );
    // A deadline for the whole exchange: a firewall that drops makes sockets silent, not closed.
    const limit = target.timeoutMs ?? 5000;
    const timer = setTimeout(
      () => outgoing.destroy(Object.assign(new Error("no answer in time"), { code: "ETIMEDOUT" })),
      limit,
    );
    outgoing.on("socket", (socket) => {
      if (socket.connecting) socket.once("connect", () => target.onConnect?.());
    });
    outgoing.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    outgoing.end(target.body);
  });
}

export type Handler = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>;

export async function serve(port: number, handler: Handler): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    handler(incoming, outgoing).catch((error: Error) => {
      process.stderr.write(`${incoming.method} ${incoming.url}: ${error.message}\n`);
      if (!outgoing.headersSent) outgoing.statusCode = 502;
      outgoing.end(`${error.message}\n`);
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen({ port, host: "::", ipv6Only: false }, resolve);
  });
  return server;
}

export async function readBody(incoming: IncomingMessage): Promise<string> {
  let text = "";
  incoming.setEncoding("utf8");
  for await (const part of incoming) text += part as string;
  return text;
}

export class Counters {
  readonly #values = new Map<string, number>();

  add(name: string, by = 1): void {
    this.#values.set(name, (this.#values.get(name) ?? 0) + by);
  }

  get(name: string): number {
    return this.#values.get(name) ?? 0;
  }

  text(): string {
    return [...this.#values].map(([name, value]) => `shop_${name}_total ${value}\n`).join("");
  }
}
