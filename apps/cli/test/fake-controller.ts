/** A controller that answers what a test tells it to, over a real socket, through the published schemas. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { routes, type ApiFailure, type AnswerOf, type RouteName } from "@bulkhead/api";

export type Answers = {
  readonly [R in RouteName]?: AnswerOf<R> | readonly AnswerOf<R>[] | ApiFailure;
};

export interface FakeController {
  readonly state: string;
  /** What was asked, in order. */
  readonly requests: { readonly route: string; readonly request: unknown }[];
  stop(): Promise<void>;
}

export async function startFakeController(answers: Answers): Promise<FakeController> {
  const state = mkdtempSync(join(tmpdir(), "bhi-"));
  const requests: FakeController["requests"] = [];
  const server = createServer((incoming, outgoing) => {
    void serve(incoming).then(({ status, body }) => {
      outgoing.writeHead(status, { "content-type": "application/json" }).end(body);
    });
  });

  async function serve(
    incoming: IncomingMessage,
  ): Promise<{ readonly status: number; readonly body: string }> {
    const url = new URL(incoming.url ?? "/", "http://bulkhead");
    const found = Object.entries(routes).find(([, route]) => route.path === url.pathname);
    const name = (found?.[0] ?? "none") as RouteName;
    const text = await bodyOf(incoming);
    requests.push({
      route: name,
      request: text === "" ? Object.fromEntries(url.searchParams) : JSON.parse(text),
    });
    const answer: unknown = answers[name];
    if (answer === undefined) return { status: 404, body: failure(`no answer for ${name}`) };
    if (answer instanceof Error && "toBody" in answer) {
      const failed = answer as ApiFailure;
      return { status: failed.status, body: JSON.stringify(failed.toBody()) };
    }
    const streams = found !== undefined && "stream" in found[1];
    if (streams && Array.isArray(answer)) {
      return { status: 200, body: answer.map((item) => `${JSON.stringify(item)}\n`).join("") };
    }
    return { status: 200, body: JSON.stringify(answer) };
  }

  await new Promise<void>((resolve) => {
    server.listen(join(state, "api.sock"), resolve);
  });
  return {
    state,
    requests,
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      rmSync(state, { recursive: true, force: true });
    },
  };
}

function failure(message: string): string {
  return JSON.stringify({ code: "no-such-route", message, diagnostics: [] });
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
