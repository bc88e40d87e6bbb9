/** The client against a real unix socket: answers are checked, failures keep their code and exit code, streams stream. */
import { createServer, type RequestListener, type Server } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  ApiFailure,
  createApiClient,
  failureCodes,
  publishedSchemas,
  routes,
} from "../src/index.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function serve(listener: RequestListener): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "bhk-api-"));
  const socketPath = join(folder, "api.sock");
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return socketPath;
}

async function failureOf(promise: Promise<unknown>): Promise<ApiFailure> {
  const outcome = await promise.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(outcome instanceof ApiFailure))
    throw new Error(`expected an ApiFailure, got ${String(outcome)}`);
  return outcome;
}

describe("client", () => {
  it("sends the body, checks the answer, and fills defaults", async () => {
    let seen = "";
    const socketPath = await serve((request, response) => {
      request.on("data", (chunk) => (seen += String(chunk)));
      request.on("end", () => response.end('{"revision":7}'));
    });
    expect(await createApiClient({ socketPath }).call("confirm", {})).toEqual({ revision: 7 });
    expect(seen).toBe("{}");
  });

  it("puts filters into the query string", async () => {
    let url = "";
    const socketPath = await serve((request, response) => {
      url = request.url ?? "";
      response.end('{"edges":[]}');
    });
    await createApiClient({ socketPath }).call("edges", {
      since: 5,
      verdict: ["dropped", "audit"],
      from: ["shop/web"],
    });
    expect(url).toBe("/v1/edges?since=5&verdict=dropped%2Caudit&from=shop%2Fweb");
    const parsed = routes.edges.request.parse({
      since: "5",
      verdict: "dropped,audit",
      from: "shop/web",
    });
    expect(parsed).toMatchObject({
      since: 5,
      verdict: ["dropped", "audit"],
      from: ["shop/web"],
      probes: false,
    });
    expect(routes.edges.request.safeParse({ verdict: "dropped,gone" }).success).toBe(false);
  });

  it("refuses an answer of another shape", async () => {
    const socketPath = await serve((_request, response) => response.end('{"revision":"seven"}'));
    const failure = await failureOf(createApiClient({ socketPath }).call("confirm", {}));
    expect(failure.code).toBe("bad-answer");
    expect(failure.exitCode).toBe(3);
  });

  it("carries code, help, diagnostics and exit code of a failure", async () => {
    const sent = new ApiFailure("bad-policy", "one error", {
      help: "mend it",
      diagnostics: [
        {
          code: "BH0001",
          severity: "error",
          span: { file: "a.yaml", line: 3, column: 2 },
          message: "unknown field",
        },
      ],
    });
    const socketPath = await serve((_request, response) => {
      response.statusCode = sent.status;
      response.end(JSON.stringify(sent.toBody()));
    });
    const failure = await failureOf(createApiClient({ socketPath }).call("confirm", {}));
    expect(failure.toBody()).toEqual(sent.toBody());
    expect(failure.exitCode).toBe(2);
  });

  it("says that nothing runs when the socket is missing", async () => {
    const failure = await failureOf(
      createApiClient({ socketPath: "/nonexistent/api.sock" }).call("status", {}),
    );
    expect(failure.code).toBe("not-running");
    expect(failure.help).toContain("bulkhead up");
  });

  it("yields stream values as they arrive, across chunk borders, and throws an error in mid-stream", async () => {
    const event = JSON.stringify({ type: "plan", total: 2, rules: 1, boundaries: 1 });
    const socketPath = await serve((_request, response) => {
      response.write(event.slice(0, 10));
      setTimeout(() => {
        response.write(`${event.slice(10)}\n${event}\n`);
        response.end(
          `${JSON.stringify({ error: new ApiFailure("agent-away", "gone").toBody() })}\n`,
        );
      }, 20);
    });
    const received: unknown[] = [];
    const failure = await failureOf(
      (async () => {
        for await (const value of createApiClient({ socketPath }).stream("probe", {}))
          received.push(value);
      })(),
    );
    expect(received).toHaveLength(2);
    expect(failure.code).toBe("agent-away");
  });
});

describe("published schemas", () => {
  it("has request and answer of every route, with properties", () => {
    const published = publishedSchemas();
    for (const name of Object.keys(routes)) {
      expect(published).toHaveProperty([name, "answer"]);
    }
    expect(published.status.answer).toHaveProperty(["properties", "coverage"]);
    expect(published.error).toHaveProperty(["properties", "code", "enum"], failureCodes);
  });
});
