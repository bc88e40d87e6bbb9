/**
 * The lab: brings the shop up as real programs in namespaces, checks each is ready by using it, and takes
 * everything down again. All state lives in one directory and one run file.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { callControl } from "../programs/lib/control.ts";
import {
  CONFIGURATION,
  GATEWAY,
  WORKLOADS,
  WORLD,
  WORLD_GATEWAY,
  ipv4Of,
  ipv6Of,
  linkLocalOf,
  type ShopWorkload,
} from "../topology.ts";
import { run } from "./command.ts";
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
import {
  endProcesses,
  isAlive,
  setPrecedence,
  startProcess,
  type ProcessMark,
} from "./processes.ts";
import { checkPrograms } from "./requirements.ts";
import {
  PREFIX,
  forgetRun,
  isLeftover,
  ownMark,
  readRuns,
  writeRun,
  type RunRecord,
} from "./run-file.ts";
import { Shelf } from "./shelf.ts";
import { until } from "./until.ts";

const PROGRAMS = join(dirname(dirname(fileURLToPath(import.meta.url))), "programs");

/** The reference site: what a page of the shop needs, once more, where no Bulkhead is. */
export const REFERENCE = "ref-";
const IN_REFERENCE = ["web", "users", "storefront-1", "storefront-2", "cache", "db", "dns"];

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
      ...(options.reference ? ["host", ...IN_REFERENCE].map((name) => `${REFERENCE}${name}`) : []),
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
    const prefixes = options.reference ? ["", REFERENCE] : [""];
    const shelves = prefixes.map((prefix) => new Shelf(this, prefix));
    tell("namespaces and wires");
    const prepared = Promise.all(shelves.map((shelf) => shelf.prepareDatabase()));
    prepared.catch(() => undefined); // awaited below; an early failure must not be "unhandled" meanwhile
    await addNamespaces(this.#record.namespaces);
    await Promise.all(prefixes.map((prefix) => this.#wire(prefix)));
    writeFileSync(
      this.inventoryFile,
      inventoryYaml((name) => this.namespaceOf(name)),
    );
    tell("nginx, PostgreSQL, Redis, dnsmasq");
    for (const shelf of shelves) shelf.start();
    this.#startOurs("world", "world");
    this.#startOurs("host", "host-exporter");
    this.#startOurs("intruder", "intruder");
    for (const prefix of prefixes) this.#startOurs(`${prefix}users`, "users");
    await prepared;
    for (const shelf of shelves) shelf.startDatabase();
    await Promise.all(shelves.map((shelf) => shelf.ready()));
    tell("storefront, checkout, metrics");
    const services = prefixes.flatMap((prefix) => [
      `${prefix}storefront-1`,
      `${prefix}storefront-2`,
    ]);
    for (const name of services) this.#startOurs(name, "storefront");
    this.#startOurs("checkout", "checkout");
    const users = prefixes.map((prefix) => `${prefix}users`);
    const ours = ["world", "host", "intruder", "checkout", ...users, ...services];
    await Promise.all(ours.map((name) => this.#answers(name)));
    this.#startOurs("metrics", "metrics");
    tell("first order");
    await Promise.all([this.#answers("metrics"), this.#firstOrder()]);
  }

  /** Ends every process and removes every namespace and file of this lab; tells what could not be removed. */
  async down(): Promise<void> {
    const failures: string[] = [];
    // PostgreSQL is asked first and by its own signal for "at once", so that it frees its shared memory.
    const database = this.#record.processes.filter(({ name }) => name.endsWith("db"));
    await endProcesses(database, 2000, "SIGQUIT");
    const marks = this.#record.processes.toReversed();
    const strangers = processesIn(this.#record.namespaces).filter(
      (mark) => !marks.some((known) => known.pid === mark.pid),
    );
    const left = await endProcesses([...marks, ...strangers], 2000);
    failures.push(...left.map((mark) => `process ${mark.name} (${mark.pid})`));
    for (const prefix of ["", REFERENCE]) await new Shelf(this, prefix).freeSharedMemory();
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

  /** While `work` runs, these programs go before whatever else the machine does; they do not shut it out. */
  async withPrecedence<Result>(
    names: readonly string[],
    work: () => Promise<Result>,
  ): Promise<Result> {
    const marks = this.#record.processes.filter((mark) => names.includes(mark.name));
    for (const mark of marks) setPrecedence(mark, -19);
    try {
      return await work();
    } finally {
      for (const mark of marks) setPrecedence(mark, 0);
    }
  }

  /** Node keeps what it has compiled, so that the tenth start of a program is cheaper than the first. */
  #quickStart(): Readonly<Record<string, string>> {
    return { NODE_COMPILE_CACHE: join(this.directory, "compiled") };
  }

  /** Runs one of the lab's one-shot programs inside a workload and gives its output. */
  async runProgram(name: string, program: string, args: readonly string[] = []): Promise<string> {
    const command = [process.execPath, join(PROGRAMS, `${program}.ts`), ...args];
    const inside = inNamespace(this.namespaceOf(name), command);
    return run(inside, { timeoutMs: 60_000, env: this.#quickStart() });
  }

  #update(change: Partial<RunRecord>): void {
    this.#record = { ...this.#record, ...change };
    writeRun(this.#record);
  }

  /** Starts a command in the namespace of the workload of that name, and remembers it. */
  startIn(name: string, command: readonly string[]): void {
    const inside = inNamespace(this.namespaceOf(name), command);
    const env = { ...this.#quickStart(), ...CONFIGURATION[name] };
    this.adopt(startProcess(name, inside, { log: this.logOf(name), env }));
  }

  #startOurs(name: string, program: string): void {
    this.startIn(name, [process.execPath, join(PROGRAMS, `${program}.ts`), this.socketOf(name)]);
  }

  async #wire(prefix: string): Promise<void> {
    const host = this.namespaceOf(`${prefix}host`);
    const here = (workload: ShopWorkload): boolean =>
      prefix === "" || IN_REFERENCE.includes(workload.name);
    await wireBridge({
      host,
      gateway: [`${GATEWAY.ipv4}/24`, `${GATEWAY.ipv6}/64`],
      gatewayLinkLocal: GATEWAY.linkLocal,
      routes: GATEWAY,
      attachments: WORKLOADS.filter(here).map((workload) => ({
        namespace: this.namespaceOf(`${prefix}${workload.name}`),
        port: `v-${workload.name}`,
        addresses: [`${ipv4Of(workload)}/24`, `${ipv6Of(workload)}/64`],
        linkLocal: linkLocalOf(workload),
      })),
    });
    if (prefix !== "") return;
    await wireUplink({
      host,
      namespace: this.namespaceOf("world"),
      hostAddresses: [`${WORLD_GATEWAY.ipv4}/24`, `${WORLD_GATEWAY.ipv6}/64`],
      addresses: WORLD.flatMap((server) => [`${server.ipv4}/24`, `${server.ipv6}/64`]),
      gateway: WORLD_GATEWAY,
      inside: { ipv4: "10.77.0.0/24", ipv6: "fd77::/64" },
    });
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
