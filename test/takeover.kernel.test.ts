/**
 * Busy machines that talked to each other in both directions long before anything was tracked, through many programs, and
 * go on opening connections: when their policy is enforced, none that it permits is lost, old or new, and those that it
 * forbids end and are told by name. Once for workloads with a network of their own, once for services of the machine itself.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ApiFailure } from "@bulkhead/api";
import { createCgroups, type TestCgroups } from "../apps/agent/test/cgroups.ts";
import { TestLab, until, type Name } from "../apps/controller/test/lab.ts";

/** Echoes, or speaks alone: then the kernel takes the server for the caller. */
const SERVER = `
  const [kind, port] = process.argv.slice(1)
  process.stdin.once('data', () => require('node:net').createServer((socket) => {
    socket.on('error', () => {})
    if (kind === 'echo') socket.on('data', (data) => socket.write(data))
    else {
      socket.write('beat')
      const timer = setInterval(() => socket.write('beat'), 100)
      socket.on('close', () => clearInterval(timer))
    }
  }).listen(Number(port), '::', () => console.log('ready')))`;

/** Keeps `count` connections busy, opens one new one after another, and reports twice a second what came of both. */
const CLIENT = `
  const [kind, host, port, count] = process.argv.slice(1)
  const net = require('node:net')
  const report = { line: 0, heard: Array(Number(count)).fill(0), closed: 0, done: 0, failed: 0 }
  const begin = () => { for (let index = 0; index < Number(count); index += 1) {
    const socket = net.connect(Number(port), host)
    socket.on('error', () => {}).on('close', () => { report.closed += 1 })
    socket.on('data', () => { report.heard[index] += 1 })
    if (kind === 'echo') setInterval(() => socket.write('x'), 100)
  } again() }
  const again = () => {
    const socket = net.connect(Number(port), host)
    if (kind === 'echo') socket.on('connect', () => socket.write('x'))
    socket.once('data', () => { report.done += 1; socket.destroy(); setTimeout(again, 20) })
    socket.on('error', () => { report.failed += 1; setTimeout(again, 200) })
  }
  process.stdin.once('data', begin)
  setInterval(() => { report.line += 1; console.log(JSON.stringify(report)) }, 500)`;

interface Report {
  readonly line: number;
  readonly heard: readonly number[];
  readonly closed: number;
  readonly done: number;
  readonly failed: number;
}

let lab: TestLab;
let groups: TestCgroups | undefined;
let programs: ChildProcess[] = [];

beforeEach(async () => {
  lab = await TestLab.create();
});
afterEach(async () => {
  const ended = programs.map(
    (program) =>
      new Promise((resolve) => {
        program.once("close", resolve);
        if (!program.kill("SIGKILL")) resolve(null);
      }),
  );
  programs = [];
  await Promise.all(ended);
  await lab?.remove();
  groups?.close();
  groups = undefined;
});

/** `end`: a workload, or a unit of the machine. Its sockets are made where it belongs. The last line that it said. */
function start(end: string, program: string, ...args: readonly string[]): () => string | undefined {
  return startAs(process.execPath, end, program, ...args);
}

function startAs(
  executable: string,
  end: string,
  program: string,
  ...args: readonly string[]
): () => string | undefined {
  const unit = end.endsWith(".service") ? end : undefined;
  const netns = lab.netns(unit === undefined ? (end as Name) : "host");
  const command = [`--net=${netns}`, executable, "-e", program, ...args];
  const child = spawn("nsenter", command, { stdio: ["pipe", "pipe", "inherit"] });
  programs.push(child);
  if (unit !== undefined && groups !== undefined) groups.put(child.pid!, groups.add(unit));
  child.stdin.write("go");
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  return () => said.split("\n").at(-2);
}

interface Pair {
  readonly from: string;
  readonly to: string;
  /** Instead of that of `to`. */
  readonly address?: string;
  readonly port: number;
  readonly kind: "echo" | "beat";
  readonly permitted: boolean;
}

const OLD = 15;
const WORKLOADS: readonly Pair[] = [
  { from: "web", to: "db", port: 5001, kind: "echo", permitted: true },
  { from: "web", to: "db", port: 5002, kind: "beat", permitted: true },
  { from: "web", to: "db", port: 5009, kind: "beat", permitted: false },
  { from: "db", to: "web", port: 6001, kind: "echo", permitted: true },
  { from: "db", to: "web", port: 6002, kind: "beat", permitted: true },
  { from: "db", to: "web", port: 6009, kind: "echo", permitted: false },
];

const BETWEEN_WORKLOADS = `apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: there, namespace: shop }
spec: { from: app=web, to: app=db, ports: [5001/tcp, 5002/tcp] }
---
apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: back, namespace: shop }
spec: { from: app=db, to: app=web, ports: [6001/tcp, 6002/tcp] }
`;

const UNITS: readonly Pair[] = [
  { from: "back.service", to: "db", port: 5001, kind: "echo", permitted: true },
  { from: "back.service", to: "db", port: 5002, kind: "beat", permitted: true },
  { from: "back.service", to: "db", port: 5009, kind: "beat", permitted: false },
  { from: "db", to: "front.service", port: 6001, kind: "echo", permitted: true },
  { from: "db", to: "front.service", port: 6002, kind: "beat", permitted: true },
  { from: "db", to: "front.service", port: 6009, kind: "echo", permitted: false },
  {
    from: "back.service",
    to: "front.service",
    address: "127.0.0.1",
    port: 6003,
    kind: "beat",
    permitted: true,
  },
];
const OF_UNITS = `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: front, namespace: host }
spec:
  subject: bulkhead.dev/unit=front.service
  ingress:
    - { from: [{ selector: app=db, namespace: shop }], ports: [6001/tcp, 6002/tcp] }
    - { from: [bulkhead.dev/unit=back.service], ports: [6003/tcp] }
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: back, namespace: host }
spec:
  subject: bulkhead.dev/unit=back.service
  egress:
    - { to: [{ selector: app=db, namespace: shop }], ports: [5001/tcp, 5002/tcp] }
    - { to: [bulkhead.dev/unit=front.service], ports: [6003/tcp] }
`;

/** How people name an end. */
const called = (end: string): string => (end.endsWith(".service") ? `host/${end}` : `shop/${end}`);

/** How many permitted ones were closed or failed. */
async function lostBy(pairs: readonly Pair[], text: string): Promise<number> {
  const servers = pairs.map(({ to, kind, port }) => start(to, SERVER, kind, `${port}`));
  await until(async () => servers.every((said) => said() === "ready"), "a server does not listen");
  const clients = pairs.map(({ from, to, address, kind, port, permitted }) => {
    const host = address ?? lab.address(to.endsWith(".service") ? "host" : (to as Name));
    const said = start(from, CLIENT, kind, host, `${port}`, `${OLD}`);
    const report = (): Report | undefined => {
      const line = said();
      return line === undefined ? undefined : (JSON.parse(line) as Report);
    };
    return { port, permitted, report };
  });
  const permitted = clients.filter((client) => client.permitted);
  const forbidden = clients.filter((client) => !client.permitted);
  const reports = (of: typeof clients): readonly Report[] => of.map(({ report }) => report()!);
  await until(
    async () => clients.every(({ report }) => report()?.heard.every((heard) => heard > 0)),
    "not all are connected",
    30_000,
  );
  expect((await lab.sh("host", "sysctl -n net.netfilter.nf_conntrack_count")).trim()).toBe("0");

  await lab.up();
  await lab.client.call("apply", { files: [lab.inventory()] });
  await until(
    async () => {
      const { workloads } = await lab.client.call("workloads", { running: "true" });
      return pairs.every(({ from, to, port }) => {
        const [source, owner] = [from, to].map((end) =>
          workloads.find(({ id }) => id === called(end)),
        );
        const waits = owner?.kind !== "process" || owner.sockets?.some((one) => one.port === port);
        return source !== undefined && owner !== undefined && waits === true;
      });
    },
    "not all are known",
    30_000,
  );
  const answer = await lab.client.call("apply", {
    files: [{ name: "busy.yaml", text }],
    mode: "enforce",
  });
  const open = new Map<string, number>();
  for (const { source, destination, port, connections } of answer.underWay ?? []) {
    const name = `${source.name} → ${destination.name} ${port}`;
    open.set(name, (open.get(name) ?? 0) + connections);
  }
  const forbids = pairs.filter((pair) => !pair.permitted);
  const cut = forbids.map(({ from, to, port }) => `${called(from)} → ${called(to)} ${port}`);
  expect([...open.keys()].toSorted()).toEqual(cut.toSorted());
  expect(Math.min(...open.values())).toBeGreaterThanOrEqual(OLD);

  /** Every old one has been heard again so many times, and so many new ones have come about. */
  const goOn = async (times: number): Promise<void> => {
    const before = reports(permitted);
    const moved = (now: Report, was: Report | undefined): boolean =>
      now.done > (was?.done ?? 0) + times &&
      now.heard.every((heard, index) => heard > (was?.heard[index] ?? 0) + times);
    await until(
      async () => reports(permitted).every((now, index) => moved(now, before[index])),
      () => `they do not go on: ${JSON.stringify(reports(permitted))}`,
      60_000,
    );
  };
  /** As told by the next report but one, which is begun after this call. */
  const ended = async (): Promise<string> => {
    const lines = reports(forbidden).map(({ line }) => line);
    await until(
      async () => reports(forbidden).every(({ line }, index) => line > (lines[index] ?? 0) + 1),
      "they report no more",
      30_000,
    );
    return JSON.stringify(reports(forbidden).map(({ heard, done }) => ({ heard, done })));
  };
  let last = "";
  await until(async () => last === (last = await ended()), "what is forbidden goes on", 60_000);
  await goOn(10);
  expect(await ended()).toBe(last);

  let told: readonly string[] = [];
  await until(
    async () => {
      const { edges } = await lab.client.call("edges", { verdict: ["dropped"] });
      told = edges.map(({ destination, port }) => `${destination.name} ${port}`);
      return forbids.every(({ to, port }) => told.includes(`${called(to)} ${port}`));
    },
    () => `what is dropped is not told by name, but as ${told.join(", ")}`,
    30_000,
  );
  const { undecided } = await lab.client.call("status", {});
  expect(undecided).toBeUndefined();
  return reports(permitted).reduce((sum, { closed, failed }) => sum + closed + failed, 0);
}

it("loses none of the permitted connections of busy workloads, old or new, and names those it ends", async () => {
  expect(await lostBy(WORKLOADS, BETWEEN_WORKLOADS)).toBe(0);
});

it("loses none of the permitted connections of the machine's own busy services, over loopback too", async () => {
  groups = createCgroups("bhk", ".slice");
  expect(await lostBy(UNITS, OF_UNITS)).toBe(0);
});

it("does not cut an SSH session to the machine itself unasked", async () => {
  groups = createCgroups("bhk", ".slice");
  const sshd = join(lab.state, "sshd");
  await lab.sh("host", `cp ${process.execPath} ${sshd}`);
  const server = startAs(sshd, "ssh.service", SERVER, "beat", "22");
  await until(async () => server() === "ready", "sshd does not listen");
  const client = start("evil", CLIENT, "beat", lab.address("host"), "22", "1");
  await until(async () => client()?.includes('"heard":[0]') === false, "no session", 30_000);
  await lab.up();
  await lab.client.call("apply", { files: [lab.inventory()] });
  const shut = `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: ssh, namespace: host }
spec:
  subject: bulkhead.dev/unit=ssh.service
  ingress: [{ from: [{ selector: app=web, namespace: shop }], ports: [22/tcp] }]
`;
  const apply = () =>
    lab.client
      .call("apply", { files: [{ name: "ssh.yaml", text: shut }], mode: "enforce", dryRun: true })
      .catch((error: unknown) => error);
  await until(async () => (await apply()) instanceof ApiFailure, "it is not refused", 30_000);
  expect(await apply()).toMatchObject({
    code: "lockout",
    message: expect.stringMatching(/ssh session .*sshd.* from 10\.9\.0\.12 to 10\.9\.0\.1 port 22/),
  });
});
