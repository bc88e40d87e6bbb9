/** ClickHouse over the wire, as far as it can be had without one: who does not answer, who refuses, and what is told of it. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { openClickHouseFlowStore, StoreFullError } from "../src/index.ts";

const PASSWORD = "p@ss/w:rd";
let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

interface Asked {
  readonly url: string;
  readonly user: string;
  readonly body: string;
}

/** Answers every request alike; null: never. */
async function serverThat(answer: { readonly status: number; readonly text: string } | null) {
  const asked: Asked[] = [];
  const created = createServer((request, response) => {
    const { "x-clickhouse-user": user = "", authorization = "" } = request.headers;
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      asked.push({ url: request.url ?? "", user: `${String(user)}${authorization}`, body });
      if (answer !== null) response.writeHead(answer.status).end(answer.text);
    });
  });
  server = created;
  await new Promise<void>((resolve) => created.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(created.address() as AddressInfo).port}`, asked };
}

async function refusal(url: string, more: object = {}): Promise<Error> {
  try {
    const store = openClickHouseFlowStore({
      url,
      username: "bulkhead",
      password: PASSWORD,
      ...more,
    });
    await store.stats();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it answered");
}

describe("a ClickHouse that is away", () => {
  it("is told of, and the password is not, even where the server repeats it", async () => {
    const text = `Code: 516. DB::Exception: bulkhead: wrong password ${PASSWORD} ${encodeURIComponent(PASSWORD)}. (AUTHENTICATION_FAILED)`;
    const { url, asked } = await serverThat({ status: 401, text });
    const error = await refusal(url);
    expect(error.message).toContain("ClickHouse: ");
    expect(error.message).toContain("wrong password … …");
    expect(JSON.stringify([error.message, error.stack, error.cause])).not.toContain("p@ss");
    // Credentials travel in headers: addresses of requests are logged on the way.
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.map((one) => one.url).join()).not.toMatch(/password|p%40ss/i);
    expect(asked.every(({ user }) => user !== "")).toBe(true);
  });

  it("that has no room is full, as other stores are", async () => {
    const text = "Code: 243. DB::Exception: Cannot reserve 1.00 MiB. (NOT_ENOUGH_SPACE)";
    const { url } = await serverThat({ status: 500, text });
    expect(await refusal(url)).toBeInstanceOf(StoreFullError);
  });

  it("is waited for no longer than it is said, and a port where nobody is not at all", async () => {
    const { url } = await serverThat(null);
    expect((await refusal(url, { requestTimeoutMs: 50 })).message).toMatch(/^ClickHouse: .*imeout/);
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve));
    expect((await refusal(url)).message).toContain("ECONNREFUSED");
  });

  it("is not asked under a name that would be more than one", async () => {
    for (const name of ["flows; DROP TABLE x", "", "a b", "`x`", "1a"]) {
      const error = await refusal("http://127.0.0.1:9", { database: name });
      expect(error.message).toContain("is no name of a database");
    }
    const error = await refusal("http://127.0.0.1:9", { cluster: "a' b" });
    expect(error.message).toContain("is no name of a database or a cluster");
  });
});
