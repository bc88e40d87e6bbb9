/**
 * Two busy machines that talked to each other in both directions long before anything was tracked, through many
 * programs, and go on opening connections: when their policy is enforced, none that it permits is lost, old or new, and
 * those that it forbids end and are told by name.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TestLab, until, type Name } from "./lab.ts";

/** Echoes, or speaks alone: then the kernel takes the server for the caller. */
const SERVER = `
  const [kind, port] = process.argv.slice(1)
  require('node:net').createServer((socket) => {
    socket.on('error', () => {})
    if (kind === 'echo') socket.on('data', (data) => socket.write(data))
    else {
      socket.write('beat')
      const timer = setInterval(() => socket.write('beat'), 100)
      socket.on('close', () => clearInterval(timer))
    }
  }).listen(Number(port), '::', () => console.log('ready'))`;

/** Keeps \`count\` connections busy, opens one new one after another, and reports twice a second what came of both. */
const CLIENT = `
  const [kind, host, port, count] = process.argv.slice(1)
  const net = require('node:net')
  const report = { heard: Array(Number(count)).fill(0), closed: 0, done: 0, failed: 0 }
  for (let index = 0; index < Number(count); index += 1) {
    const socket = net.connect(Number(port), host)
    socket.on('error', () => {}).on('close', () => { report.closed += 1 })
    socket.on('data', () => { report.heard[index] += 1 })
    if (kind === 'echo') setInterval(() => socket.write('x'), 100)
  }
  const again = () => {
    const socket = net.connect(Number(port), host)
    if (kind === 'echo') socket.on('connect', () => socket.write('x'))
    socket.once('data', () => { report.done += 1; socket.destroy(); setTimeout(again, 20) })
    socket.on('error', () => { report.failed += 1; setTimeout(again, 200) })
  }
  again()
  setInterval(() => console.log(JSON.stringify(report)), 500)`;

interface Report {
  readonly heard: readonly number[];
  readonly closed: number;
  readonly done: number;
  readonly failed: number;
}

let lab: TestLab;
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
});

/** The last line that it said; undefined until then. */
function start(name: Name, program: string, ...args: readonly string[]): () => string | undefined {
  const command = [`--net=${lab.netns(name)}`, process.execPath, "-e", program, ...args];
  const child = spawn("nsenter", command, { stdio: ["ignore", "pipe", "inherit"] });
  programs.push(child);
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  return () => said.split("\n").at(-2);
}

const OLD = 15;
const PAIRS = [
  { from: "web", to: "db", port: 5001, kind: "echo", permitted: true },
  { from: "web", to: "db", port: 5002, kind: "beat", permitted: true },
  { from: "web", to: "db", port: 5009, kind: "beat", permitted: false },
  { from: "db", to: "web", port: 6001, kind: "echo", permitted: true },
  { from: "db", to: "web", port: 6002, kind: "beat", permitted: true },
  { from: "db", to: "web", port: 6009, kind: "echo", permitted: false },
] as const;

const POLICY = {
  name: "busy.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: there, namespace: shop }
spec: { from: app=web, to: app=db, ports: [5001/tcp, 5002/tcp] }
---
apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: back, namespace: shop }
spec: { from: app=db, to: app=web, ports: [6001/tcp, 6002/tcp] }
`,
};

it("loses none of the permitted connections of a busy machine, old or new, and names those it ends", async () => {
  const servers = PAIRS.map(({ to, kind, port }) => start(to, SERVER, kind, `${port}`));
  await until(async () => servers.every((said) => said() === "ready"), "a server does not listen");
  const clients = PAIRS.map(({ from, to, kind, port, permitted }) => {
    const said = start(from, CLIENT, kind, lab.address(to), `${port}`, `${OLD}`);
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
  const answer = await lab.client.call("apply", {
    files: [lab.inventory(), POLICY],
    mode: "enforce",
  });
  const named = (answer.underWay ?? []).map(
    ({ source, destination, port }) => `${source.name} → ${destination.name} ${port}`,
  );
  expect(named.toSorted()).toEqual(["shop/db → shop/web 6009", "shop/web → shop/db 5009"]);
  for (const { connections } of answer.underWay ?? [])
    expect(connections).toBeGreaterThanOrEqual(OLD);

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
  await goOn(3);
  const ended = reports(forbidden).map(({ heard, done }) => ({ heard, done }));
  await goOn(10);
  expect(reports(permitted).map(({ closed, failed }) => [closed, failed])).toEqual(
    permitted.map(() => [0, 0]),
  );
  expect(reports(forbidden)).toMatchObject(ended);

  await until(async () => {
    const { edges } = await lab.client.call("edges", { verdict: ["dropped"] });
    const cut = edges.map(({ source, destination, port }) =>
      [source.name, destination.name, port].join(" "),
    );
    return cut.includes("shop/web shop/db 5009") && cut.includes("shop/db shop/web 6009");
  }, "what is dropped is not told by name");
  const { undecided } = await lab.client.call("status", {});
  expect(undecided).toBeUndefined();
});
