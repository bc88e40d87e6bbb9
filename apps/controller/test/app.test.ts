/** The HTTP side: requests are checked, failures have one shape, streams end with their failure, and nothing inside leaks. */
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { ApiFailure, failureBodySchema, routes, type Access, type RouteName } from "@bulkhead/api";
import { createApp, type Handlers } from "../src/api/app.ts";
import { createTurns } from "../src/api/turns.ts";

function app(handlers: Partial<Record<RouteName, unknown>>, access: Access = "change") {
  const missing = () => Promise.reject(new Error("not in this test"));
  const all = Object.fromEntries(
    (Object.keys(routes) as RouteName[]).map((name) => [name, handlers[name] ?? missing]),
  );
  // The table of handlers is typed route by route; a test hands in only those it asks.
  return createApp(all as unknown as Handlers, pino({ level: "silent" }), access);
}

const post = (body: string) => ({
  method: "POST",
  body,
  headers: { "content-type": "application/json" },
});
const failureOf = async (response: Response) => failureBodySchema.parse(await response.json());

describe("requests", () => {
  it("fills defaults in", async () => {
    let seen: unknown;
    const server = app({
      apply: (request: unknown) => {
        seen = request;
        return Promise.resolve({});
      },
    });
    await server.request("/v1/apply", post('{"files":[{"name":"a","text":""}]}'));
    expect(seen).toEqual({
      files: [{ name: "a", text: "" }],
      mode: "audit",
      prune: false,
      strict: false,
      dryRun: false,
      force: false,
      reason: "",
      author: "",
    });
  });

  it("counts what comes, whatever was said of its length, and stops when it is too much", async () => {
    const server = createAdaptorServer({ fetch: app({}).fetch });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const piece = Buffer.alloc(1 << 20, 0x20);
    const offered = 200;
    const taken = await new Promise<{ status: number | undefined; text: string; pieces: number }>(
      (resolve, reject) => {
        let pieces = 0;
        let answered = false;
        const socket = request({ port, path: "/v1/apply", method: "POST" });
        socket.on("error", reject);
        socket.on("response", (answer) => {
          answered = true;
          let text = "";
          answer.setEncoding("utf8").on("data", (more: string) => (text += more));
          answer.on("end", () => {
            socket.destroy();
            resolve({ status: answer.statusCode, text, pieces });
          });
        });
        const more = (): void => {
          if (answered) return;
          if (pieces === offered) socket.end();
          else {
            pieces += 1;
            socket.write(piece, (error) => void (error ?? setImmediate(more)));
          }
        };
        more();
      },
    );
    server.close();
    expect(taken.status).toBe(400);
    expect(taken.text).toContain("larger than 32 MiB");
    // What is on its way between the two comes on top.
    expect(taken.pieces).toBeLessThan(150);
  });

  it("are read as UTF-8 wherever they are cut", async () => {
    let seen: unknown;
    const server = app({
      apply: (asked: { author: string }) => {
        seen = asked.author;
        return Promise.resolve({});
      },
    });
    const bytes = Buffer.from('{"files":[{"name":"a","text":""}],"author":"Zoë"}');
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    await server.request("/v1/apply", { method: "POST", body, duplex: "half" } as RequestInit);
    expect(seen).toBe("Zoë");
  });

  it.each([
    ["no body", "/v1/apply", post(""), "bad-request"],
    ["no files", "/v1/apply", post('{"files":[]}'), "bad-request"],
    [
      "a mistyped field",
      "/v1/apply",
      post('{"files":[{"name":"a","text":""}],"prun":true}'),
      "bad-request",
    ],
    ["an unknown verdict", "/v1/edges?verdict=maybe", {}, "bad-request"],
    ["an unknown path", "/v1/nothing", {}, "no-such-route"],
    ["another method", "/v1/apply", {}, "no-such-route"],
  ])("refuses %s", async (_, path, init, code) => {
    const response = await app({}).request(path, init);
    expect(response.status).toBe(new ApiFailure(code as "bad-request", "").status);
    expect((await failureOf(response)).code).toBe(code);
  });
});

describe("failures", () => {
  it("keep their code and status", async () => {
    const server = app({
      status: () => Promise.reject(new ApiFailure("agent-away", "gone", { help: "wait" })),
    });
    const response = await server.request("/v1/status");
    expect(response.status).toBe(503);
    expect(await failureOf(response)).toEqual({
      code: "agent-away",
      message: "gone",
      help: "wait",
      diagnostics: [],
    });
  });

  it("of our own tell nothing of the inside", async () => {
    const response = await app({ status: () => Promise.reject(new Error("secret path")) }).request(
      "/v1/status",
    );
    expect(response.status).toBe(500);
    expect(JSON.stringify(await response.json())).not.toContain("secret");
  });
});

describe("streams", () => {
  const lines = async (response: Response) =>
    (await response.text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);

  it("are JSON Lines", async () => {
    const server = app({
      async *flows() {
        yield { a: 1 };
        yield { a: 2 };
      },
    });
    const response = await server.request("/v1/flows");
    expect(response.headers.get("content-type")).toContain("jsonl");
    expect(await lines(response)).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it("end with their failure when it comes late, and are plain failures when it comes first", async () => {
    const late = app({
      async *flows() {
        yield { a: 1 };
        throw new ApiFailure("agent-away", "gone");
      },
    });
    expect(await lines(await late.request("/v1/flows"))).toMatchObject([
      { a: 1 },
      { error: { code: "agent-away" } },
    ]);
    const first = app({
      // eslint-disable-next-line require-yield
      async *flows() {
        await Promise.resolve();
        throw new ApiFailure("agent-away", "gone");
      },
    });
    expect((await first.request("/v1/flows")).status).toBe(503);
  });

  it("answer before their first value comes, and stop when nobody listens", async () => {
    let stopped = false;
    const server = app({
      async *flows(_request: unknown, signal: AbortSignal) {
        await new Promise<void>((resolve) => {
          signal.addEventListener("abort", () => resolve());
        });
        stopped = true;
        yield* [];
      },
    });
    const response = await server.request("/v1/flows?follow=true");
    expect(response.status).toBe(200);
    await response.body?.cancel();
    await expect.poll(() => stopped).toBe(true);
  });
});

describe("who may only read", () => {
  const ask = (text = "") => post(JSON.stringify({ files: [{ name: "a", text }] }));

  it("sends less than who may change, and is told the limit", async () => {
    const plan = () => Promise.resolve({});
    const large = ask("#".repeat(3 << 20));
    const refused = await app({ plan }, "read").request("/v1/plan", large);
    const { code, message, help } = await failureOf(refused);
    expect([code, message]).toEqual(["bad-request", "the request is larger than 2 MiB"]);
    expect(help).toContain("root (sudo) 32");
    expect((await app({ plan }).request("/v1/plan", large)).status).toBe(200);
  });

  it("is answered one at a time where it costs most, and others meanwhile", async () => {
    let under = 0;
    let most = 0;
    const ends: (() => void)[] = [];
    const begun = Promise.withResolvers<void>();
    const plan = async () => {
      most = Math.max(most, ++under);
      await new Promise<void>((resolve) => {
        ends.push(resolve);
        begun.resolve();
      });
      under -= 1;
      return {};
    };
    const server = app({ plan, replay: plan, status: () => Promise.resolve({}) }, "read");
    const asked = ["plan", "replay", "plan"].map((name) => server.request(`/v1/${name}`, ask()));
    await begun.promise;
    expect((await server.request("/v1/status")).status).toBe(200);
    for (let done = 0; done < asked.length;) {
      const end = ends.shift();
      if (end === undefined) await new Promise((resolve) => setImmediate(resolve));
      else done += (end(), 1);
    }
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(most).toBe(1);
  });
});

describe("turns", () => {
  it("go on behind one that failed, and too many are refused", async () => {
    const inTurn = createTurns(2);
    const first = Promise.withResolvers<string>();
    const running = inTurn(() => first.promise);
    // The first is no longer waiting as soon as it runs.
    await new Promise((resolve) => setImmediate(resolve));
    const waiting = [inTurn(() => Promise.resolve("b")), inTurn(() => Promise.resolve("c"))];
    await expect(inTurn(() => Promise.resolve("d"))).rejects.toMatchObject({ code: "busy" });
    first.reject(new Error("a"));
    await expect(running).rejects.toThrow("a");
    expect(await Promise.all(waiting)).toEqual(["b", "c"]);
    expect(await inTurn(() => Promise.resolve("e"))).toBe("e");
  });
});
