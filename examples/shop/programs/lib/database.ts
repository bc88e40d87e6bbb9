/**
 * PostgreSQL for the shop's services: a pool whose connections are renewed now and then (so that new ones
 * appear, over both families), and one connection that is opened once and must never be lost.
 */
import { Socket, type SocketConnectOpts } from "node:net";
import pg from "pg";
import type { Names } from "./names.ts";

/** pg hands (port, host) to its socket; ours asks the shop's DNS for the host. */
class NamedSocket extends Socket {
  readonly #names: Names;

  constructor(names: Names) {
    super();
    this.#names = names;
  }

  override connect(
    options: SocketConnectOpts | number | string,
    host?: unknown,
    ready?: unknown,
  ): this {
    if (typeof options !== "number" || typeof host !== "string") {
      throw new TypeError("a connection to the database is made by port and host");
    }
    const listener = typeof ready === "function" ? (ready as () => void) : undefined;
    return super.connect(
      { port: options, host, lookup: this.#names.lookup, autoSelectFamily: false },
      listener,
    );
  }
}

export function clientConfig(names: Names, user: string, password: string): pg.ClientConfig {
  return {
    host: "db",
    port: 5432,
    database: "shop",
    user,
    password,
    connectionTimeoutMillis: 4000,
    query_timeout: 4000,
    stream: () => new NamedSocket(names),
  };
}

export function openPool(names: Names, user: string, password: string): pg.Pool {
  const pool = new pg.Pool({
    ...clientConfig(names, user, password),
    max: 6,
    maxUses: 6,
    idleTimeoutMillis: 1500,
  });
  pool.on("error", (error) => process.stderr.write(`idle database connection: ${error.message}\n`));
  return pool;
}

/** A connection that is never given back; `lost()` counts how often it ended under us. */
export class HeldClient {
  #lost = 0;
  #heard = 0;
  readonly #client: pg.Client;

  constructor(names: Names, user: string, password: string) {
    this.#client = new pg.Client({ ...clientConfig(names, user, password), keepAlive: false });
    this.#client.on("error", () => (this.#lost += 1));
    this.#client.on("end", () => (this.#lost += 1));
  }

  async open(channel: string): Promise<void> {
    await this.#client.connect();
    this.#client.on("notification", () => (this.#heard += 1));
    await this.#client.query(`listen ${channel}`);
  }

  async check(): Promise<void> {
    await this.#client.query("select 1");
  }

  report(): { readonly lost: number; readonly heard: number } {
    return { lost: this.#lost, heard: this.#heard };
  }
}
