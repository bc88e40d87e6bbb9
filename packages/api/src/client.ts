/**
 * The typed client: one method a route, over the controller's unix socket. Answers are checked against their schema;
 * every failure, the socket's own included, is an `ApiFailure`. Node's http is loaded on first use only.
 */
import type { IncomingMessage } from "node:http";
import { ApiFailure, failureBodySchema } from "./failure.ts";
import { routes, type AnswerOf, type RequestOf, type RouteName } from "./routes.ts";

type StreamRoute = {
  [R in RouteName]: (typeof routes)[R] extends { stream: true } ? R : never;
}[RouteName];
type PlainRoute = Exclude<RouteName, StreamRoute>;

export interface ClientOptions {
  /** Path of a socket of the controller: `STATE/api.sock`, or `STATE/read.sock` for those who may only read. */
  readonly socketPath: string;
}

export interface ApiClient {
  call<R extends PlainRoute>(
    route: R,
    request: RequestOf<R>,
    options?: CallOptions,
  ): Promise<AnswerOf<R>>;
  /** Values as they arrive; hanging up = leaving the loop. */
  stream<R extends StreamRoute>(
    route: R,
    request: RequestOf<R>,
    options?: CallOptions,
  ): AsyncGenerator<AnswerOf<R>>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export function createApiClient(options: ClientOptions): ApiClient {
  return {
    async call(route, request, callOptions = {}) {
      const response = await send(options.socketPath, route, request, callOptions.signal);
      const text = await readAll(response);
      if ((response.statusCode ?? 500) >= 400) throw failureOf(text, response.statusCode);
      return parseAnswer(route, text);
    },
    async *stream(route, request, callOptions = {}) {
      const response = await send(options.socketPath, route, request, callOptions.signal);
      if ((response.statusCode ?? 500) >= 400)
        throw failureOf(await readAll(response), response.statusCode);
      try {
        for await (const line of lines(response)) {
          if (line.startsWith('{"error":'))
            throw failureOf(JSON.stringify(JSON.parse(line).error), 500);
          yield parseAnswer(route, line);
        }
      } finally {
        response.destroy();
      }
    },
  };
}

async function send(
  socketPath: string,
  name: RouteName,
  request: unknown,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  const http = await import("node:http");
  const route = routes[name];
  const body = route.method === "POST" ? JSON.stringify(request) : undefined;
  const path = route.method === "GET" ? `${route.path}${queryString(request)}` : route.path;
  return new Promise((resolve, reject) => {
    const outgoing = http.request(
      {
        socketPath,
        method: route.method,
        path,
        headers: {
          host: "bulkhead",
          ...(body === undefined
            ? {}
            : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
        },
        ...(signal === undefined ? {} : { signal }),
      },
      resolve,
    );
    outgoing.once("error", (error: NodeJS.ErrnoException) =>
      reject(connectionFailure(socketPath, error)),
    );
    outgoing.end(body);
  });
}

function connectionFailure(socketPath: string, error: NodeJS.ErrnoException): Error {
  if (error.name === "AbortError") return error;
  if (error.code === "EACCES" || error.code === "EPERM") {
    return new ApiFailure(
      "no-permission",
      `the socket \`${socketPath}\` may not be used by this user`,
      {
        help: "run it as root; members of the group `bulkhead` may read without: sudo usermod -aG bulkhead NAME, and log in anew",
        cause: error,
      },
    );
  }
  return new ApiFailure("not-running", `no controller answers at \`${socketPath}\``, {
    help: "start it with `bulkhead up`, or name its state directory with `--state`",
    cause: error,
  });
}

function queryString(request: unknown): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(request as Record<string, unknown>)) {
    if (value === undefined) continue;
    parameters.set(key, Array.isArray(value) ? value.join(",") : String(value));
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

async function* lines(response: IncomingMessage): AsyncGenerator<string> {
  let rest = "";
  response.setEncoding("utf8");
  try {
    for await (const chunk of response) {
      rest += chunk as string;
      const parts = rest.split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) if (part !== "") yield part;
    }
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") throw error;
    throw new ApiFailure("not-running", "the controller hung up in the middle of its answer", {
      cause: error,
    });
  }
  if (rest !== "") yield rest;
}

function failureOf(text: string, status: number | undefined): ApiFailure {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return new ApiFailure("bad-answer", `the controller answered ${status} with no readable body`, {
      cause: error,
    });
  }
  const parsed = failureBodySchema.safeParse(value);
  if (!parsed.success)
    return new ApiFailure("bad-answer", `the controller answered ${status} in an unknown shape`);
  const { code, message, ...more } = parsed.data;
  return new ApiFailure(code, message, more);
}

function parseAnswer<R extends RouteName>(name: R, text: string): AnswerOf<R> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ApiFailure("bad-answer", `the answer to \`${name}\` is not JSON`, { cause: error });
  }
  const parsed = routes[name].answer.safeParse(value);
  if (!parsed.success) {
    throw new ApiFailure(
      "bad-answer",
      `the answer to \`${name}\` is not of its schema: ${parsed.error.message}`,
      {
        help: "client and controller may be of different versions; restart with `bulkhead down` and `bulkhead up`",
      },
    );
  }
  return parsed.data as AnswerOf<R>;
}
