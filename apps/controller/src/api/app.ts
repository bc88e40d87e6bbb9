/**
 * The HTTP API: every route of the table in `@bulkhead/api`, with its request checked on the way in. What a handler
 * throws becomes the one failure shape; a fault of ours is logged and told without its insides.
 */
import { Hono, type Context } from "hono";
import { stream } from "hono/streaming";
import type { Logger } from "pino";
import {
  accessOf,
  ApiFailure,
  routes,
  type Access,
  type AnswerOf,
  type RouteName,
} from "@bulkhead/api";
import type { z } from "zod";
import { createTurns } from "./turns.ts";

type Parsed<R extends RouteName> = z.output<(typeof routes)[R]["request"]>;
type StreamRoute = {
  [R in RouteName]: (typeof routes)[R] extends { stream: true } ? R : never;
}[RouteName];

/**
 * One function a route. Streams yield values until they end or the signal says that nobody listens any more, and are told by
 * which of the sockets they were asked for.
 */
export type Handlers = {
  readonly [R in RouteName]: R extends StreamRoute
    ? (request: Parsed<R>, signal: AbortSignal, access: Access) => AsyncIterable<AnswerOf<R>>
    : (request: Parsed<R>) => Promise<AnswerOf<R>>;
};

/** MiB of one request. Who may only read sends policy to ask what it would do, and the controller has others to answer. */
const MOST_MEBIBYTES: Readonly<Record<Access, number>> = { read: 2, change: 32 };
/** Routes that read and judge policies, and what is on record, at length. */
const COSTLY: ReadonlySet<RouteName> = new Set([
  "assess",
  "plan",
  "readiness",
  "replay",
  "slo",
  "suggest",
]);
const MOST_WAITING = 8;

/** `access`: what those who reach this app may do; `read` refuses every route that changes something. */
export function createApp(handlers: Handlers, log: Logger, access: Access = "change"): Hono {
  const app = new Hono();
  const inTurn = createTurns(MOST_WAITING);
  app.notFound((context) => {
    const failure = new ApiFailure(
      "no-such-route",
      `there is no ${context.req.method} ${context.req.path}`,
    );
    return context.json(failure.toBody(), failure.status);
  });
  app.onError((error, context) => {
    const failure = failureOf(error, log);
    return context.json(failure.toBody(), failure.status);
  });
  for (const name of Object.keys(routes) as RouteName[]) {
    const route = routes[name];
    app.on(route.method, route.path, async (context) => {
      if (access === "read" && accessOf[name] === "change") throw mayOnlyRead(name);
      const request = await readRequest(name, context, access);
      // The table ties each handler to its route's types; a loop over all of them cannot.
      const handler = handlers[name] as (
        request: unknown,
        signal: AbortSignal,
        access: Access,
      ) => unknown;
      if (!("stream" in route)) {
        const answer = async () =>
          (await handler(request, context.req.raw.signal, access)) as object;
        const isInTurn = access === "read" && COSTLY.has(name);
        return context.json(await (isInTurn ? inTurn(answer) : answer()));
      }
      return lines(
        context,
        (signal) => handler(request, signal, access) as AsyncIterable<unknown>,
        log,
      );
    });
  }
  return app;
}

function mayOnlyRead(name: RouteName): ApiFailure {
  return new ApiFailure("no-permission", `\`${name}\` changes something, and you may only read`, {
    help: "members of the group `bulkhead` may read; what changes the system needs root (sudo)",
  });
}

async function readRequest(name: RouteName, context: Context, access: Access): Promise<unknown> {
  const route = routes[name];
  const value = route.method === "GET" ? context.req.query() : await readBody(context, access);
  const parsed = route.request.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(
    ({ path, message }) => `\`${path.join(".") || name}\`: ${message}`,
  );
  throw new ApiFailure("bad-request", issues.join("; "));
}

async function readBody(context: Context, access: Access): Promise<unknown> {
  const text = await readText(context, access);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiFailure("bad-request", "the body is not JSON", { cause: error });
  }
}

/** Counts what comes, since what a request says of its length it need not say, nor keep to. */
async function readText(context: Context, access: Access): Promise<string> {
  const most = MOST_MEBIBYTES[access];
  const tooLarge = new ApiFailure(
    "bad-request",
    `the request is larger than ${most} MiB`,
    access === "change"
      ? {}
      : {
          help: `who may only read sends ${most} MiB at most, and root (sudo) ${MOST_MEBIBYTES.change}; give fewer files, or \`bulkhead check\` and \`bulkhead diff\` the folder`,
        },
  );
  const mostBytes = most << 20;
  if (Number(context.req.header("content-length") ?? 0) > mostBytes) throw tooLarge;
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  // Not cancelled when it is too much: that would cut the connection before it is answered. The server throws the rest away.
  const reader = context.req.raw.body?.getReader();
  for (;;) {
    const chunk = (await reader?.read())?.value;
    if (chunk === undefined) return text + decoder.decode();
    length += chunk.byteLength;
    if (length > mostBytes) throw tooLarge;
    text += decoder.decode(chunk, { stream: true });
  }
}

/** JSON Lines. A failure before the first value is a plain one; later it is the last line, under `error`. */
async function lines(
  context: Context,
  start: (signal: AbortSignal) => AsyncIterable<unknown>,
  log: Logger,
): Promise<Response> {
  const ended = new AbortController();
  const iterator = start(ended.signal)[Symbol.asyncIterator]();
  // Following a quiet stream must not wait for a first value before it answers at all.
  let pending: Promise<IteratorResult<unknown>> | undefined = iterator.next();
  const first = await Promise.race([pending, quiet(50)]);
  if (first !== undefined) pending = undefined;
  context.header("content-type", "application/jsonl");
  return stream(context, async (output) => {
    output.onAbort(() => {
      ended.abort();
    });
    try {
      let result = first ?? (await pending) ?? (await iterator.next());
      while (result.done !== true && !output.aborted) {
        await output.write(`${JSON.stringify(result.value)}\n`);
        result = await iterator.next();
      }
    } catch (error) {
      await output.write(`${JSON.stringify({ error: failureOf(error, log).toBody() })}\n`);
    } finally {
      ended.abort();
      await iterator.return?.();
    }
  });
}

function quiet(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(undefined), milliseconds);
  });
}

function failureOf(error: unknown, log: Logger): ApiFailure {
  if (error instanceof ApiFailure) return error;
  log.error({ err: error }, "a request failed");
  return new ApiFailure("internal", "something went wrong inside the controller", {
    help: "its log tells more: STATE/log/controller.log",
    cause: error,
  });
}
