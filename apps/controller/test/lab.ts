/**
 * A small machine of its own for tests: a host namespace with a bridge and a few workloads on it, and the real
 * controller and agent run inside as processes, so that they can be killed like processes.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { createApiClient, type ApiClient, type StatusAnswer } from "@bulkhead/api";

const run = promisify(execFile);
const APPS = join(import.meta.dirname, "..", "..");
/** Where the supervisor has them keep compiled code too: they start in half the time. */
const COMPILED = join(APPS, "..", "node_modules", ".cache", "bulkhead");
const SERVE = `
  const net = require('node:net')
  for (const port of process.argv.slice(1)) {
    net.createServer((socket) => socket.on('error', () => {}).on('data', (data) => socket.write(data))).listen(Number(port), '::')
  }
  setInterval(() => {}, 1000)`;
const CONNECT = `
  const [address, port, wait] = process.argv.slice(1)
  const socket = require('node:net').connect(Number(port), address)
  const end = (word) => { process.stdout.write(word); process.exit(0) }
  socket.on('error', (error) => end(error.code === 'ECONNREFUSED' ? 'refused' : 'blocked'))
  socket.on('connect', () => socket.write('hello'))
  socket.on('data', () => end('connected'))
  setTimeout(() => end('blocked'), Number(wait))`;

export const WORKLOADS = ["web", "db", "evil"] as const;
export type Name = (typeof WORKLOADS)[number];
export type Reached = "connected" | "refused" | "blocked";

/**
 * The agent's report that it can enforce on this kernel: proven once, later labs start as a machine does that has it. In a run of
 * all tests, once for all files of it (`scripts/test.ts`); whether a report fits the machine, each agent looks for itself.
 */
const PROOF = process.env["BULKHEAD_TEST_PROOF"];
let proof: string | undefined;
const knownProof = (): string | undefined =>
  (proof ??= PROOF !== undefined && existsSync(PROOF) ? readFileSync(PROOF, "utf8") : undefined);
function keepProof(report: string): void {
  proof = report;
  if (PROOF === undefined) return;
  // Whole or not at all: others are reading.
  const aside = `${PROOF}.${process.pid}`;
  writeFileSync(aside, report, { mode: 0o600 });
  renameSync(aside, PROOF);
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The controller finds a group `bulkhead` of this number, whose members may read. */
  readonly readers?: number;
}

export class TestLab {
  readonly prefix = `bhk-${randomBytes(3).toString("hex")}`;
  readonly state: string;
  readonly client: ApiClient;
  readonly #children = new Set<ChildProcess>();
  controller: ChildProcess | undefined;
  agent: ChildProcess | undefined;
  controllerLog = "";
  agentLog = "";

  readonly #ownsState: boolean;

  constructor(state?: string) {
    this.state = state ?? mkdtempSync(join(tmpdir(), "bhk-state-"));
    this.#ownsState = state === undefined;
    this.client = createApiClient({ socketPath: join(this.state, "api.sock") });
  }

  static async create(state?: string): Promise<TestLab> {
    const lab = new TestLab(state);
    try {
      await lab.#wire();
    } catch (error) {
      await lab.remove();
      throw error;
    }
    return lab;
  }

  netns(name: Name | "host"): string {
    return `/run/netns/${this.prefix}-${name}`;
  }

  address(name: Name | "host", family: 4 | 6 = 4): string {
    const number = name === "host" ? 1 : 10 + WORKLOADS.indexOf(name);
    return family === 4 ? `10.9.0.${number}` : `fd99::${number}`;
  }

  async #wire(): Promise<void> {
    await run("ip", ["netns", "add", `${this.prefix}-host`]);
    await this.sh("host", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    await this.sh(
      "host",
      `ip link set lo up; ip link add br0 type bridge mcast_snooping 0; ip addr add ${this.address("host")}/24 dev br0
       ip addr add ${this.address("host", 6)}/64 dev br0 nodad; ip link set br0 up`,
    );
    for (const name of WORKLOADS) await this.attach(name);
  }

  async attach(name: Name): Promise<void> {
    // The kernel takes down the links of a namespace some time after its name is gone.
    await until(
      async () => !(await this.sh("host", "ip -oneline link")).includes(` v${name}@`),
      `the link of ${name} does not go`,
      60_000,
    );
    await run("ip", ["netns", "add", `${this.prefix}-${name}`]);
    await this.sh(
      "host",
      `ip link add v${name} type veth peer name eth0 netns ${this.prefix}-${name}; ip link set v${name} master br0 up`,
    );
    await this.sh(
      name,
      `sysctl -qw net.ipv6.conf.all.accept_dad=0; ip addr add ${this.address(name)}/24 dev eth0
       ip addr add ${this.address(name, 6)}/64 dev eth0 nodad; ip link set lo up; ip link set eth0 up`,
    );
  }

  async detach(name: Name): Promise<void> {
    await run("ip", ["netns", "del", `${this.prefix}-${name}`]);
  }

  /** Fails when any of the commands does. */
  async sh(name: Name | "host", script: string): Promise<string> {
    const { stdout } = await run("nsenter", [`--net=${this.netns(name)}`, "sh", "-ec", script]);
    return stdout;
  }

  async serve(name: Name | "host", ports: readonly number[]): Promise<void> {
    this.#start([
      "nsenter",
      `--net=${this.netns(name)}`,
      process.execPath,
      "-e",
      SERVE,
      ...ports.map(String),
    ]);
    const wanted = ports.map((port) => port.toString(16).toUpperCase().padStart(4, "0"));
    await until(async () => {
      const sockets = await this.sh(name, "cat /proc/net/tcp6");
      return wanted.every((port) => sockets.includes(`:${port} `));
    }, "the server does not listen");
  }

  async reach(
    from: Name | "host",
    to: Name | "host",
    port: number,
    family: 4 | 6 = 4,
    waitMs = 700,
  ): Promise<Reached> {
    const { stdout } = await run("nsenter", [
      `--net=${this.netns(from)}`,
      process.execPath,
      "-e",
      CONNECT,
      this.address(to, family),
      String(port),
      String(waitMs),
    ]);
    return stdout as Reached;
  }

  #start(
    command: readonly string[],
    env: Readonly<Record<string, string>> = {},
    onOutput?: (text: string) => void,
  ): ChildProcess {
    const [program = "", ...args] = command;
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NODE_COMPILE_CACHE: COMPILED, ...env },
    });
    this.#children.add(child);
    child.once("close", () => this.#children.delete(child));
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => onOutput?.(text));
    return child;
  }

  startController(options: StartOptions = {}): void {
    const program = this.#app("controller");
    const { readers } = options;
    this.controller = this.#start(
      readers === undefined ? program : [...this.#amongReaders(readers), ...program],
      options.env,
      (text) => (this.controllerLog += text),
    );
  }

  /** In a mount namespace of its own, with another list of groups. */
  #amongReaders(group: number): string[] {
    const groups = join(this.state, "groups");
    writeFileSync(groups, `root:x:0:\nbulkhead:x:${group}:\n`);
    return ["unshare", "--mount", "sh", "-ec", 'mount --bind "$0" /etc/group; exec "$@"', groups];
  }

  startAgent(options: StartOptions = {}): void {
    this.agent = this.#start(this.#app("agent"), options.env, (text) => (this.agentLog += text));
  }

  /** For a second one, or one with other arguments: what it said and how it ended. */
  async runApp(
    app: "controller" | "agent",
    args: readonly string[] = [],
  ): Promise<{ code: number | null; said: string }> {
    let said = "";
    const child = this.#start([...this.#app(app), ...args], {}, (text) => (said += text));
    const code = await new Promise<number | null>((resolve) => {
      child.once("close", resolve);
    });
    return { code, said };
  }

  #app(app: "controller" | "agent"): string[] {
    const main = join(APPS, app, "src", "main.ts");
    return [
      "nsenter",
      `--net=${this.netns("host")}`,
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      main,
      "--state",
      this.state,
    ];
  }

  async up(options: StartOptions = {}): Promise<void> {
    const report = join(this.state, "agent", "self-test.json");
    const known = knownProof();
    if (known !== undefined && !existsSync(dirname(report))) {
      mkdirSync(dirname(report), { mode: 0o700 });
      writeFileSync(report, known, { mode: 0o600 });
    }
    this.startController(options);
    this.startAgent(options);
    await this.ready();
    if (known === undefined) keepProof(readFileSync(report, "utf8"));
  }

  /** Until the kernel holds what the controller wants. */
  async ready(): Promise<StatusAnswer> {
    let last: StatusAnswer | undefined;
    await until(
      async () => {
        try {
          last = await this.client.call("status", {});
        } catch {
          return false;
        }
        return last.agents.some((agent) => agent.connected && agent.receipt?.matches === true);
      },
      () => `not ready: ${JSON.stringify(last?.problems)}\n${this.controllerLog}\n${this.agentLog}`,
      60_000,
    );
    if (last === undefined) throw new Error("no status");
    return last;
  }

  async kill(which: "controller" | "agent", signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this[which];
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise<void>((resolve) => {
      child.once("close", () => resolve());
    });
    child.kill(signal);
    await closed;
  }

  /** Without what the kernel itself writes into sets as packets pass, and forgets again. */
  async ruleset(): Promise<string> {
    const listing = await this.sh("host", "nft -s list ruleset");
    return listing.replace(/(flags dynamic,timeout\n[^{}]*?)\n\t\telements = \{[^{}]*\}/g, "$1");
  }

  async remove(): Promise<void> {
    const ended = [...this.#children].map(
      (child) =>
        new Promise<void>((resolve) => {
          child.once("close", () => resolve());
          child.kill("SIGKILL");
        }),
    );
    await Promise.all(ended);
    for (const name of [...WORKLOADS, "host"]) {
      await run("ip", ["netns", "del", `${this.prefix}-${name}`]).catch((error: unknown) => {
        // Some tests take one away themselves.
        if (!String(error).includes("No such file")) throw error;
      });
    }
    if (this.#ownsState) rmSync(this.state, { recursive: true, force: true });
  }

  inventory(): { name: string; text: string } {
    const workloads = WORKLOADS.map(
      (name) => `    - { name: ${name}, netns: ${this.prefix}-${name}, labels: { app: ${name} } }`,
    );
    return {
      name: "inventory.yaml",
      text: `apiVersion: bulkhead.dev/v1\nkind: Inventory\nmetadata: { name: lab, namespace: shop }\nspec:\n  workloads:\n${workloads.join("\n")}\n`,
    };
  }
}

export async function until(
  condition: () => Promise<boolean>,
  message: string | (() => string),
  timeoutMs = 10_000,
): Promise<void> {
  for (const end = Date.now() + timeoutMs; Date.now() < end;) {
    if (await condition()) return;
    await sleep(50);
  }
  throw new Error(typeof message === "string" ? message : message());
}

/** Web may reach the database; the rest is shut. */
export const POLICY = {
  name: "policy.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: web-db, namespace: shop }
spec:
  from: app=web
  to: app=db
  ports: [5432/tcp]
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: shut, namespace: shop }
spec:
  subject: app=evil
  ingress: []
  egress: []
`,
};
