/**
 * The off-the-shelf programs of one site: nginx, PostgreSQL, Redis and dnsmasq, each in the namespace of its
 * workload, configured in a directory of its own, and ready when it answers.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, tryRun } from "./command.ts";
import {
  POSTGRES_HBA,
  SCHEMA,
  dnsmasqConfig,
  nginxConfig,
  postgresConfig,
  redisConfig,
} from "./configs.ts";
import { inNamespace } from "./network.ts";
import { POSTGRES_BIN } from "./requirements.ts";
import { until } from "./until.ts";

/** What a site needs of the lab it stands in. */
export interface Ground {
  readonly directory: string;
  namespaceOf(name: string): string;
  logOf(name: string): string;
  /** Starts a command in the namespace of the workload of that name. */
  startIn(name: string, command: readonly string[]): void;
}

const AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"];

export class Shelf {
  readonly #ground: Ground;
  readonly #prefix: string;

  /** `prefix` tells the site's names from another site's: `ref-web`. */
  constructor(ground: Ground, prefix: string) {
    this.#ground = ground;
    this.#prefix = prefix;
  }

  /** The slowest part, and it needs no network. */
  async prepareDatabase(): Promise<void> {
    const own = this.#own("db");
    const data = join(own, "data");
    await run(["chown", "postgres:postgres", own]);
    const initdb = [`${POSTGRES_BIN}/initdb`, "-D", data, "--no-sync", "--no-locale"];
    await run([...AS_POSTGRES, ...initdb, "-E", "UTF8", "-A", "peer"], { cwd: own });
    writeFileSync(join(data, "postgresql.conf"), postgresConfig(own));
    writeFileSync(join(data, "pg_hba.conf"), POSTGRES_HBA);
  }

  start(): void {
    const web = this.#own("web");
    const nginx = join(web, "nginx.conf");
    writeFileSync(nginx, nginxConfig(web));
    this.#start("web", ["/usr/sbin/nginx", "-e", "stderr", "-c", nginx]);
    const cache = this.#own("cache");
    const redis = join(cache, "redis.conf");
    writeFileSync(redis, redisConfig(cache));
    this.#start("cache", ["/usr/bin/redis-server", redis]);
    const dnsmasq = join(this.#own("dns"), "dnsmasq.conf");
    writeFileSync(dnsmasq, dnsmasqConfig());
    const flags = ["--keep-in-foreground", "--pid-file=", `--conf-file=${dnsmasq}`];
    this.#start("dns", ["/usr/sbin/dnsmasq", ...flags]);
  }

  startDatabase(): void {
    const data = join(this.#directoryOf("db"), "data");
    this.#start("db", [...AS_POSTGRES, `${POSTGRES_BIN}/postgres`, "-D", data]);
  }

  async ready(): Promise<void> {
    await Promise.all([this.#databaseReady(), this.#redisReady(), this.#dnsReady()]);
  }

  /** PostgreSQL's segment; it is only still there when the server was killed. */
  async freeSharedMemory(): Promise<void> {
    const file = join(this.#directoryOf("db"), "data", "postmaster.pid");
    if (!existsSync(file)) return;
    // Line 7: key and id.
    const id = readFileSync(file, "utf8").split("\n")[6]?.trim().split(/\s+/)[1];
    if (id !== undefined && /^\d+$/.test(id)) await tryRun(["ipcrm", "-m", id]);
  }

  #start(name: string, command: readonly string[]): void {
    this.#ground.startIn(`${this.#prefix}${name}`, command);
  }

  #directoryOf(name: string): string {
    return join(this.#ground.directory, `${this.#prefix}${name}`);
  }

  #own(name: string): string {
    const directory = this.#directoryOf(name);
    mkdirSync(directory);
    chmodSync(directory, 0o777); // they write as users of their own
    return directory;
  }

  async #databaseReady(): Promise<void> {
    const socket = this.#directoryOf("db");
    const psql = [`${POSTGRES_BIN}/psql`, "-qAt", "-v", "ON_ERROR_STOP=1", "-h", socket];
    const ask = [...AS_POSTGRES, ...psql];
    await until("PostgreSQL", this.#logOf("db"), async () => {
      return (await tryRun([...ask, "-c", "select 1"], { cwd: "/" })).code === 0;
    });
    await run([...ask, "-f", "-"], { input: SCHEMA, cwd: "/" });
  }

  async #redisReady(): Promise<void> {
    const ping = this.#inside("cache", ["/usr/bin/redis-cli", "-h", "127.0.0.1", "ping"]);
    await until("Redis", this.#logOf("cache"), async () => {
      return (await tryRun(ping)).stdout.trim() === "PONG";
    });
  }

  async #dnsReady(): Promise<void> {
    const listening = this.#inside("dns", ["ss", "-Hlun", "sport = :53"]);
    await until("dnsmasq", this.#logOf("dns"), async () => (await run(listening)).includes(":53"));
  }

  #inside(name: string, command: readonly string[]): readonly string[] {
    return inNamespace(this.#ground.namespaceOf(`${this.#prefix}${name}`), command);
  }

  #logOf(name: string): string {
    return this.#ground.logOf(`${this.#prefix}${name}`);
  }
}
