/**
 * The real engine of ClickHouse behind its HTTP interface, as far as the client uses that: what a store sends crosses a wire,
 * compressed, with bound parameters in addresses and forms, and is answered by the engine.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { createClient, type ClickHouseClient } from "@clickhouse/client";
import { createChdbConnection } from "chdb/connection";

/** Of the client's own types, of which the engine has a copy. */
type Connection = NonNullable<NonNullable<Parameters<typeof createClient>[0]>["connection"]>;

export interface EngineServer {
  readonly url: string;
  readonly engine: ClickHouseClient;
  stop(): Promise<void>;
}

/** What a request says besides settings. */
const OURS = /^(?:query|query_id|session_id|database|param_.*|default_format)$/;

/** The engine is one a process, on one folder. */
export async function startEngine(folder: string): Promise<EngineServer> {
  const connection: unknown = createChdbConnection({ path: folder });
  const engine = createClient({ connection: connection as Connection });
  // Settings stay with the engine's session: one request after the other.
  let turn: Promise<unknown> = Promise.resolve();
  const server = createServer((request, response) => {
    const answered = turn.then(async () => {
      try {
        const answer = await run(engine, request);
        response.writeHead(200).end(answer);
      } catch (error) {
        const code = error instanceof Error && "code" in error ? String(error.code) : "0";
        const text = error instanceof Error ? error.message : String(error);
        response.writeHead(500).end(`Code: ${code}. DB::Exception: ${text} (UNKNOWN)`);
      }
    });
    turn = answered;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    engine,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await engine.close();
    },
  };
}

async function run(engine: ClickHouseClient, request: IncomingMessage): Promise<Buffer> {
  const { searchParams } = new URL(request.url ?? "", "http://engine");
  const sent = await buffer(request);
  const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
  const type = request.headers["content-type"] ?? "";
  const said = new Map(searchParams);
  let text = body.toString();
  if (type.startsWith("multipart/form-data")) {
    const form = await new Response(new Uint8Array(body), {
      headers: { "content-type": type },
    }).formData();
    for (const [name, value] of form) said.set(name, String(value));
    text = "";
  }
  const settings = [...said].filter(([name]) => !OURS.test(name));
  const parameters = [...said].flatMap(([name, value]) =>
    name.startsWith("param_") ? [[name.slice("param_".length), valueOf(value)] as const] : [],
  );
  const { stream } = await engine.exec({
    query: [said.get("query") ?? "", text].filter((part) => part !== "").join("\n"),
    query_params: Object.fromEntries(parameters),
    clickhouse_settings: Object.fromEntries(settings),
  });
  return buffer(stream);
}

/** A parameter as the client writes it: the engine writes it anew. */
function valueOf(text: string): unknown {
  if (!text.startsWith("[")) return unescaped(text);
  if (!text.includes("'")) return JSON.parse(text);
  return [...text.matchAll(/'((?:[^'\\]|\\.)*)'/gs)].map(([, one = ""]) => unescaped(one));
}

const LETTERS: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/gs, (_, letter: string) => LETTERS[letter] ?? letter);
}
