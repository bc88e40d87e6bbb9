/**
 * The lab: brings the shop up as real programs in namespaces, checks each is ready by using it, and takes
 * everything down again. All state lives in one directory and one run file.
 */
import { randomBytes } from "node:crypto";
import {
  mkdirSync,
  rmSync,
  writeFileSync,
  chmodSync,
  existsSync,
  readFileSync,
  readdirSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { callControl } from "../programs/lib/control.ts";
import {
  GATEWAY,
  WORKLOADS,
  WORLD,
  WORLD_GATEWAY,
  ipv4Of,
  ipv6Of,
  linkLocalOf,
} from "../topology.ts";
import { run, tryRun } from "./command.ts";
import {
  POSTGRES_HBA,
  SCHEMA,
  dnsmasqConfig,
  nginxConfig,
  postgresConfig,
  redisConfig,
} from "./configs.ts";
import { inventoryYaml } from "./inventory.ts";
import {
  addNamespaces,
  deleteNamespace,
  inNamespace,
  namespaceExists,
  processesIn,
  wireBridge,
  wireUplink,
} from "./network.ts";
import { endProcesses, isAlive, familyOf, startProcess, type ProcessMark } from "./processes.ts";
import {
  PREFIX,
  forgetRun,
  isLeftover,
  ownMark,
  readRuns,
  writeRun,
  type RunRecord,
} from "./run-file.ts";

const PROGRAMS = join(dirname(dirname(fileURLToPath(import.meta.url))), "programs");
const POSTGRES_BIN = postgresBin();

export const REQUIRED_PROGRAMS: readonly { readonly path: string; readonly debian: string }[] = [
  { path: "/usr/sbin/nginx", debian: "nginx-light" },
  { path: "/usr/bin/redis-server", debian: "redis-server" },
  { path: "/usr/sbin/dnsmasq", debian: "dnsmasq-base" },
  { path: `${POSTGRES_BIN}/initdb`, debian: "postgresql" },
  { path: "/usr/bin/ping", debian: "iputils-ping" },
  { path: "/usr/sbin/ip", debian: "iproute2" },
  { path: "/usr/bin/nsenter", debian: "util-linux" },
];

/** Debian keeps the server's programs in a directory per major version, and none of them in PATH. */
function postgresBin(): string {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).map(Number).filter(Number.isInteger) : [];
  return join(root, String(Math.max(...versions, 0)), "bin");
}

export interface LabOptions {
  /** Also a second, unguarded site with the same nginx, to compare latency against. */
  readonly reference: boolean;
  /** Stays after the starting process has ended. */
  readonly kept: boolean;
  readonly progress?: (what: string) => void;
}

export class Lab {
  #record: RunRecord;

  private constructor(record: RunRecord) {
    this.#record = record;
  }

  get id(): string {
    return this.#record.id;
  }

  get directory(): string {
    return this.#record.directory;
  }

  get record(): RunRecord {
    return this.#record;
  }

  get hostNamespace(): string {
    return this.namespaceOf("host");
  }

  get inventoryFile(): string {
    return join(this.directory, "inventory.yaml");
  }

  namespaceOf(name: string): string {
    return `${PREFIX}${this.id}-${name}`;
  }

  socketOf(name: string): string {
    return join(this.directory, `${name}.sock`);
  }

  logOf(name: string): string {
    return join(this.directory, `${name}.log`);
  }

  call<Result>(program: string, verb: string, body?: unknown, timeoutMs?: number): Promise<Result> {
    return callControl<Result>(this.socketOf(program), verb, body, timeoutMs);
  }

  /** A lab that is there already. */
  static attach(id?: string): Lab {
    const runs = readRuns().filter((record) => id === undefined || record.id === id);
    if (runs.length > 1) {
      const ids = runs.map((record) => record.id).join(", ");
      throw new Error(`several labs are up (${ids}): name one with --id`);
    }
    const [record] = runs;
    if (record === undefined)
      throw new Error(id === undefined ? "no lab is up" : `no lab \`${id}\` is up`);
    return new Lab(record);
  }

  /** Starts a lab. On failure, whatever was made is removed before the error is given on. */
  static async up(options: LabOptions): Promise<Lab> {
    const lab = Lab.reserve(options);
    try {
      await lab.start(options);
      return lab;
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  /** Takes an id and writes the run file; nothing is made yet, so `down` is safe from here on. */
  static reserve(options: LabOptions): Lab {
    const id = randomBytes(3).toString("hex");
    const names = [
      "host",
      "world",
      ...WORKLOADS.map((workload) => workload.name),
      ...(options.reference ? REFERENCE : []),
    ];
    const record: RunRecord = {
      id,
      owner: ownMark(),
      kept: options.kept,
      directory: join(tmpdir(), `${PREFIX}${id}`),
      namespaces: names.map((name) => `${PREFIX}${id}-${name}`),
      processes: [],
    };
    writeRun(record);
    return new Lab(record);
  }

  async start(options: LabOptions): Promise<void> {
    const tell = options.progress ?? (() => undefined);
    checkPrograms();
    mkdirSync(this.directory, { mode: 0o755 });
    tell("namespaces and wires");
    const prepared = this.#prepareDatabase(); // the slowest part needs no network: start it first
    prepared.catch(() => undefined); // awaited below; an early failure must not be "unhandled" meanwhile
    await addNamespaces(this.#record.namespaces);
    await Promise.all([this.#wireShop(), ...(options.reference ? [this.#wireReference()] : [])]);
    writeFileSync(
      this.inventoryFile,
      inventoryYaml((name) => this.namespaceOf(name)),
    );
    tell("nginx, PostgreSQL, Redis, dnsmasq");
    this.#startShelf(options.reference);
    this.#startOurs(
      ["world", "world"],
      ["host", "host-exporter"],
      ["users", "users"],
      ["intruder", "intruder"],
    );
    await prepared;
    this.#startDatabase();
    await Promise.all([this.#databaseReady(), this.#redisReady(), this.#dnsReady()]);
    tell("storefront, checkout, metrics");
    this.#startOurs(
      ["storefront-1", "storefront"],
      ["storefront-2", "storefront"],
      ["checkout", "checkout"],
    );
    await Promise.all(
      ["world", "host", "users", "intruder", "storefront-1", "storefront-2", "checkout"].map(
        (name) => this.#answers(name),
      ),
    );
    this.#startOurs(["metrics", "metrics"]);
    tell("first order");
    await Promise.all([this.#answers("metrics"), this.#firstOrder()]);
  }

  /** Ends every process and removes every namespace and file of this lab; tells what could not be removed. */
  async down(): Promise<void> {
    const failures: string[] = [];
    // PostgreSQL is asked first and by its own signal for "at once", so that it frees its shared memory.
    const database = this.#record.processes.filter((mark) => mark.name === "db");
    await endProcesses(database, 2000, "SIGQUIT");
    const marks = this.#record.processes.toReversed();
    const strangers = processesIn(this.#record.namespaces).filter(
      (mark) => !marks.some((known) => known.pid === mark.pid),
    );
    const left = await endProcesses([...marks, ...strangers]);
    failures.push(...left.map((mark) => `process ${mark.name} (${mark.pid})`));
    await this.#freeSharedMemory();
    for (const name of this.#record.namespaces) {
      if (!namespaceExists(name)) continue;
      await deleteNamespace(name).catch((error: Error) => failures.push(error.message));
    }
    rmSync(this.directory, { recursive: true, force: true });
    if (failures.length > 0) throw new Error(`left behind: ${failures.join(", ")}`); // the run file stays for the next try
    forgetRun(this.id);
  }

  /** From now on the lab outlives its starter. */
  keep(): void {
    this.#update({ kept: true });
  }

  /** Processes that have ended although nobody ended them. */
  dead(): readonly string[] {
    return this.#record.processes.filter((mark) => !isAlive(mark)).map((mark) => mark.name);
  }

  /** Remembers a process started by others on this lab's behalf, so that `down` ends it too. */
  adopt(mark: ProcessMark): void {
    this.#update({ processes: [...this.#record.processes, mark] });
  }

  /**
   * While `work` runs, these programs go before whatever else the machine does (SCHED_FIFO). Where that is not
   * permitted, what is measured is only noisier.
   */
  async withPrecedence<Result>(
    names: readonly string[],
    work: () => Promise<Result>,
  ): Promise<Result> {
    const pids = this.#record.processes
      .filter((mark) => names.includes(mark.name))
      .flatMap(familyOf)
      .map(String);
    const schedule = (...policy: readonly string[]): Promise<unknown> =>
      Promise.all(pids.map((pid) => tryRun(["chrt", "-a", ...policy, pid])));
    await schedule("-f", "-p", "1");
    try {
      return await work();
    } finally {
      await schedule("-o", "-p", "0");
    }
  }

  /** Runs one of the lab's one-shot programs inside a workload and gives its output. */
  async runProgram(
    name: string,
    program: string,
    args: readonly string[] = [],
    timeoutMs = 20_000,
  ): Promise<string> {
    return run(
      inNamespace(this.namespaceOf(name), [
        process.execPath,
        join(PROGRAMS, `${program}.ts`),
        ...args,
      ]),
      { timeoutMs },
    );
  }

  #update(change: Partial<RunRecord>): void {
    this.#record = { ...this.#record, ...change };
    writeRun(this.#record);
  }

  #startIn(name: string, where: string, command: readonly string[]): void {
    const mark = startProcess(name, inNamespace(this.namespaceOf(where), command), {
      log: this.logOf(name),
    });
    this.adopt(mark);
  }

  #startOurs(...programs: readonly (readonly [name: string, program: string])[]): void {
    for (const [name, program] of programs) {
      this.#startIn(name, name, [
        process.execPath,
        join(PROGRAMS, `${program}.ts`),
        this.socketOf(name),
      ]);
    }
  }

  #wireShop(): Promise<void> {
    const host = this.hostNamespace;
    return wireBridge({
      host,
      gateway: [`${GATEWAY.ipv4}/24`, `${GATEWAY.ipv6}/64`],
      gatewayLinkLocal: GATEWAY.linkLocal,
      routes: GATEWAY,
      attachments: WORKLOADS.map((workload) => ({
        namespace: this.namespaceOf(workload.name),
        port: `v-${workload.name}`,
        addresses: [`${ipv4Of(workload)}/24`, `${ipv6Of(workload)}/64`],
        linkLocal: linkLocalOf(workload),
      })),
    }).then(() =>
      wireUplink({
        host,
        namespace: this.namespaceOf("world"),
        hostAddresses: [`${WORLD_GATEWAY.ipv4}/24`, `${WORLD_GATEWAY.ipv6}/64`],
        addresses: WORLD.flatMap((server) => [`${server.ipv4}/24`, `${server.ipv6}/64`]),
        gateway: WORLD_GATEWAY,
        inside: { ipv4: "10.77.0.0/24", ipv6: "fd77::/64" },
      }),
    );
  }

  #wireReference(): Promise<void> {
    return wireBridge({
      host: this.namespaceOf("ref-host"),
      gateway: ["10.77.0.1/24", "fd77::1/64"],
      gatewayLinkLocal: GATEWAY.linkLocal,
      routes: GATEWAY,
      attachments: WORKLOADS.filter(
        (workload) => workload.name === "web" || workload.name === "users",
      ).map((workload) => ({
        namespace: this.namespaceOf(`ref-${workload.name}`),
        port: `v-${workload.name}`,
        addresses: [`${ipv4Of(workload)}/24`, `${ipv6Of(workload)}/64`],
        linkLocal: linkLocalOf(workload),
      })),
    });
  }

  async #prepareDatabase(): Promise<void> {
    const data = join(this.directory, "pg");
    mkdirSync(data);
    await run(["chown", "postgres:postgres", data]);
    await run(
      [
        ...AS_POSTGRES,
        `${POSTGRES_BIN}/initdb`,
        "-D",
        join(data, "data"),
        "--no-sync",
        "--no-locale",
        "-E",
        "UTF8",
        "-A",
        "peer",
      ],
      { cwd: data },
    );
    writeFileSync(join(data, "data", "postgresql.conf"), postgresConfig(data));
    writeFileSync(join(data, "data", "pg_hba.conf"), POSTGRES_HBA);
  }

  #startDatabase(): void {
    const data = join(this.directory, "pg", "data");
    this.#startIn("db", "db", [...AS_POSTGRES, `${POSTGRES_BIN}/postgres`, "-D", data]);
  }

  #startShelf(reference: boolean): void {
    const own = (name: string): string => {
      const directory = join(this.directory, name);
      mkdirSync(directory);
      chmodSync(directory, 0o777); // nginx and Redis write as their own users
      return directory;
    };
    for (const name of reference ? ["web", "ref-web"] : ["web"]) {
      const directory = own(name);
      writeFileSync(join(directory, "nginx.conf"), nginxConfig(directory));
      this.#startIn(name, name, [
        "/usr/sbin/nginx",
        "-e",
        "stderr",
        "-c",
        join(directory, "nginx.conf"),
      ]);
    }
    const cache = own("cache");
    writeFileSync(join(cache, "redis.conf"), redisConfig(cache));
    this.#startIn("cache", "cache", ["/usr/bin/redis-server", join(cache, "redis.conf")]);
    const dns = own("dns");
    writeFileSync(join(dns, "dnsmasq.conf"), dnsmasqConfig());
    this.#startIn("dns", "dns", [
      "/usr/sbin/dnsmasq",
      "--keep-in-foreground",
      "--pid-file=",
      `--conf-file=${join(dns, "dnsmasq.conf")}`,
    ]);
    if (reference) {
      this.#startIn("ref-users", "ref-users", [
        process.execPath,
        join(PROGRAMS, "users.ts"),
        this.socketOf("ref-users"),
      ]);
    }
  }

  async #databaseReady(): Promise<void> {
    const socket = join(this.directory, "pg");
    const psql = [
      ...AS_POSTGRES,
      `${POSTGRES_BIN}/psql`,
      "-qAt",
      "-v",
      "ON_ERROR_STOP=1",
      "-h",
      socket,
    ];
    await until(
      "PostgreSQL",
      this.logOf("db"),
      async () => (await tryRun([...psql, "-c", "select 1"], { cwd: "/" })).code === 0,
    );
    await run([...psql, "-f", "-"], { input: SCHEMA, cwd: "/" });
  }

  async #redisReady(): Promise<void> {
    const ping = inNamespace(this.namespaceOf("cache"), [
      "/usr/bin/redis-cli",
      "-h",
      "127.0.0.1",
      "ping",
    ]);
    await until(
      "Redis",
      this.logOf("cache"),
      async () => (await tryRun(ping)).stdout.trim() === "PONG",
    );
  }

  async #dnsReady(): Promise<void> {
    const listening = inNamespace(this.namespaceOf("dns"), ["ss", "-Hlun", "sport = :53"]);
    await until("dnsmasq", this.logOf("dns"), async () => (await run(listening)).includes(":53"));
  }

  async #answers(name: string): Promise<void> {
    await until(name, this.logOf(name), () => Promise.resolve(existsSync(this.socketOf(name))));
  }

  /** The whole chain once, over each family: users → web → storefront → checkout → database, cache, world. */
  async #firstOrder(): Promise<void> {
    await until("the first order", this.logOf("web"), async () => {
      const { failed } = await this.call<{ failed: number }>("users", "rehearse");
      return failed === 0;
    });
  }

  async #freeSharedMemory(): Promise<void> {
    const file = join(this.directory, "pg", "data", "postmaster.pid");
    if (!existsSync(file)) return;
    // Line 7: key and id of the segment; it is only still there when PostgreSQL was killed.
    const id = readFileSync(file, "utf8").split("\n")[6]?.trim().split(/\s+/)[1];
    if (id !== undefined && /^\d+$/.test(id)) await tryRun(["ipcrm", "-m", id]);
  }
}

const REFERENCE = ["ref-host", "ref-web", "ref-users"];
const AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"];

export function checkPrograms(): void {
  if (process.getuid?.() !== 0) throw new Error("the lab makes network namespaces: run it as root");
  const missing = REQUIRED_PROGRAMS.filter((program) => !existsSync(program.path));
  if (missing.length > 0) {
    throw new Error(
      `missing programs; install the Debian packages ${missing.map((program) => program.debian).join(" ")}`,
    );
  }
}

async function until(
  what: string,
  log: string,
  check: () => Promise<boolean>,
  patienceMs = 15_000,
): Promise<void> {
  const end = Date.now() + patienceMs;
  while (!(await check())) {
    if (Date.now() > end) {
      const tail = existsSync(log)
        ? readFileSync(log, "utf8").trim().split("\n").slice(-5).join("\n")
        : "";
      throw new Error(`${what} is not ready after ${patienceMs / 1000} s\n${tail}`);
    }
    await sleep(25);
  }
}

/** Removes what killed runs have left behind; gives the ids removed. */
export async function sweepLeftovers(): Promise<readonly string[]> {
  const swept: string[] = [];
  for (const record of readRuns().filter(isLeftover)) {
    await Lab.attach(record.id).down();
    swept.push(record.id);
  }
  return swept;
}
