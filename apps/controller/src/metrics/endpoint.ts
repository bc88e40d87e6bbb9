/**
 * Where Prometheus scrapes: `GET /metrics` over plain HTTP, and nothing else. It changes nothing and names no secret, but it
 * names workloads: who may connect to its address may read it, which is this machine alone unless told otherwise.
 */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { Logger } from "pino";
import type { ListenAddress } from "@bulkhead/api";
import { CONTENT_TYPES, exposition, formOf } from "./exposition.ts";
import { createFairRoom } from "./fair-room.ts";
import type { Family } from "./family.ts";

export interface MetricsEndpoint {
  stop(): Promise<void>;
}

export interface EndpointDeps {
  readonly gather: () => Promise<readonly Family[]>;
  readonly log: Logger;
  /** It cannot be served, and is tried again. */
  readonly onProblem: (problem: string) => void;
  /** So long somebody may take to say what is asked for. */
  readonly requestMs?: number;
}

const RETRY_MS = 10_000;
/** More than a Prometheus, its spare and a person looking. */
const MOST_CONNECTIONS = 32;
/** To say what is asked for: whoever needs longer asks for nothing. */
const REQUEST_MS = 10_000;
const CHECK_EVERY_MS = 1000;
/** Nothing comes and nothing is taken; gathering is part of it, and takes less. */
const IDLE_MS = 60_000;

export function startEndpoint(address: ListenAddress, deps: EndpointDeps): MetricsEndpoint {
  const { log } = deps;
  let retry: NodeJS.Timeout | undefined;
  const limits = {
    headersTimeout: deps.requestMs ?? REQUEST_MS,
    requestTimeout: deps.requestMs ?? REQUEST_MS,
    connectionsCheckingInterval: CHECK_EVERY_MS,
  };
  const server: Server = createServer(limits, (request, response) => {
    // Anybody may send anything: what is no path must not throw.
    const [path] = (request.url ?? "").split("?", 1);
    if (request.method !== "GET" && request.method !== "HEAD") return end(response, 405);
    if (path !== "/metrics") return end(response, 404);
    if (!isMeant(address, request.headers.host)) return end(response, 421);
    const form = formOf(request.headers.accept);
    deps.gather().then(
      (families) => {
        response.writeHead(200, { "content-type": CONTENT_TYPES[form] });
        response.end(exposition(families, form));
      },
      (error: unknown) => {
        log.error({ err: error }, "metrics could not be gathered");
        end(response, 503);
      },
    );
  });
  const room = createFairRoom(MOST_CONNECTIONS, (error) =>
    log.warn({ err: error }, "whose connections to the metrics these are cannot be told"),
  );
  server.timeout = IDLE_MS;
  server.on("connection", (socket) => room.enter(socket));
  server.on("error", (error) => {
    deps.onProblem(`metrics are not served at ${address.host}:${address.port}: ${error.message}`);
    retry = setTimeout(listen, RETRY_MS);
    retry.unref();
  });
  server.on("listening", () => log.info({ ...address }, "metrics are served"));

  function listen(): void {
    server.listen(address.port, address.host);
  }
  listen();

  return {
    async stop() {
      clearTimeout(retry);
      room.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/**
 * A page in somebody's browser may have its own name lead to this machine, and would read what is answered. What is served
 * to this machine alone is asked for by an address or as `localhost`.
 */
function isMeant({ host }: ListenAddress, name = ""): boolean {
  if (!/^(?:127\.|::1$|localhost$)/.test(host)) return true;
  return /^(?:localhost|[\d.]+|\[[\da-f:.]+\])?(?::\d+)?$/i.test(name);
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${status}\n`);
}
