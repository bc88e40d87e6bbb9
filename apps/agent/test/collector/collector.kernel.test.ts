/** The collector against the real kernel: every packet that a rule logged comes out in a record or in a number. */
import type { Worker } from "node:worker_threads";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { ICMP, ICMPV6, SCTP, TCP, UDP, type FlowRecord } from "@bulkhead/model";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  restoreAccounting,
  startCollector,
  type Collector,
  type CollectorOptions,
} from "../../src/collector/index.ts";
import { insideNetns } from "../../src/kernel/index.ts";
import { createLab, sleep, until, type LabEnd, type NetnsLab } from "../kernel/netns-lab.ts";

const GROUP = 1786;
const FLOOD = new URL("../../../../bench/collector-flood.ts", import.meta.url).pathname;
const RULES = `table inet bulkhead_test {
  counter logged { }
  chain forward {
    type filter hook forward priority 0
    tcp dport 9999 counter name logged log prefix "bh1 D i 0000abcd" group ${GROUP} drop
    iifname v2 udp sport 9998 counter name logged log prefix "bh1 D e 00000001 r" group ${GROUP} drop
    ct state new counter name logged log prefix "bh1 F - 00000000" group ${GROUP}
  }
}
`;

let lab: NetnsLab;
let a: LabEnd;
let b: LabEnd;
let collector: Collector | undefined;
let records: FlowRecord[];
let problems: string[];
let readers: Worker[];

beforeAll(() => {
  lab = createLab();
  a = lab.addEnd("a");
  b = lab.addEnd("b");
});
afterAll(() => lab.close());

beforeEach(() => {
  records = [];
  problems = [];
  readers = [];
  lab.load(lab.router, `add table inet bulkhead_test\ndelete table inet bulkhead_test\n${RULES}`);
});
afterEach(async () => {
  await collector?.stop();
  collector = undefined;
  lab.run(lab.router, "conntrack", "-F");
});

function start(options: Partial<CollectorOptions> = {}): Collector {
  const started = startCollector({
    group: GROUP,
    netns: lab.routerPath,
    endpoints: [
      [a.v4, a.v6],
      [b.v4, b.v6],
    ],
    onFlows: (batch) => void records.push(...batch),
    onProblem: (problem) => void problems.push(problem),
    onReader: (reader) => void readers.push(reader),
    windowMs: 100,
    dumpEveryMs: 200,
    ...options,
  });
  collector = started;
  return started;
}

/** The router's own count of packets it logged. */
const logged = (): number =>
  Number(
    /packets (\d+)/.exec(
      lab.run(lab.router, "nft", "list", "counter", "inet", "bulkhead_test", "logged"),
    )?.[1],
  );

const find = (part: Partial<FlowRecord>): FlowRecord[] =>
  records.filter((record) =>
    Object.entries(part).every(([key, value]) => record[key as keyof FlowRecord] === value),
  );

const sum = (
  key: "connections" | "established" | "failed" | "bytes" | "packets",
  part: Partial<FlowRecord>,
): number => find(part).reduce((total, record) => total + record[key], 0);

function flood(packets: number, source = a.v4, destination = b.v4): void {
  lab.run(a.netns, process.execPath, FLOOD, source, destination, String(packets), "0");
}

function python(end: LabEnd, program: string): string {
  return lab.run(end.netns, "python3", "-c", program);
}

async function serve(end: LabEnd, program: string): Promise<void> {
  const child = lab.start(end.netns, "python3", "-c", `import socket\n${program}`);
  await once(child.stdout!, "data");
}

const ECHO_SERVER = `
s=socket.create_server(("::",5432),family=socket.AF_INET6,dualstack_ipv6=True)
print("ready",flush=True)
while True:
  c,_=s.accept()
  c.sendall(b"x"*100000)
  c.close()`;

describe("what is recorded", () => {
  beforeAll(() => serve(b, ECHO_SERVER));

  test.each([4, 6] as const)(
    "IPv%i: connections, refusals, drops and echoes, with bytes and outcomes",
    async (family) => {
      start();
      const [source, destination] = family === 4 ? [a.v4, b.v4] : [a.v6, b.v6];
      python(
        a,
        `
import socket
c=socket.create_connection(("${destination}",5432))
n=0
while True:
  d=c.recv(65536)
  if not d: break
  n+=len(d)
assert n==100000
c.close()
for p in (81,9999):
  try: socket.create_connection(("${destination}",p),timeout=0.3)
  except OSError: pass
`,
      );
      lab.run(a.netns, "ping", "-c", "1", destination);
      const pair = { source, destination };
      await until(
        "the outcome of the connection",
        () =>
          sum("established", { ...pair, port: 5432 }) === 1 &&
          sum("bytes", { ...pair, port: 5432 }) > 100_000,
      );
      await until("the outcome of the refusal", () => sum("failed", { ...pair, port: 81 }) === 1);
      await until(
        "the outcome of the echo",
        () => sum("established", { ...pair, protocol: family === 4 ? ICMP : ICMPV6 }) === 1,
      );
      // Outcomes come by another way than packets, and may come first.
      const echo =
        family === 4 ? { protocol: ICMP, port: 8 << 8 } : { protocol: ICMPV6, port: 128 << 8 };
      await until("the packets", () => sum("connections", { ...pair, ...echo }) > 0);
      expect(sum("connections", { ...pair, protocol: TCP, port: 5432, verdict: "forwarded" })).toBe(
        1,
      );
      expect(sum("connections", { ...pair, ...echo })).toBe(1);
      expect(sum("failed", { ...pair, port: 5432 })).toBe(0);
      expect(sum("established", { ...pair, port: 81 })).toBe(0);
      const [dropped] = find({ ...pair, port: 9999 });
      expect(dropped).toMatchObject({
        verdict: "dropped",
        cookie: "0000abcd",
        direction: "ingress",
        established: 0,
      });
      expect(dropped!.bytes).toBeGreaterThanOrEqual(60);
      // Bytes are counted once, however many dumps passed.
      const before = sum("bytes", { ...pair, port: 5432 });
      await sleep(600);
      expect(sum("bytes", { ...pair, port: 5432 })).toBe(before);
      expect(before).toBeLessThan(120_000);
    },
  );

  test("a logged reply is told in its connection's original direction", async () => {
    start();
    python(
      b,
      `import socket\nu=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nu.bind(("0.0.0.0",9998))\nu.sendto(b"late",("${a.v4}",40000))`,
    );
    const found = await until("the drop", () => find({ verdict: "dropped", protocol: UDP })[0]);
    expect(found).toMatchObject({
      source: a.v4,
      destination: b.v4,
      port: 9998,
      sourcePort: 40_000,
      direction: "egress",
      cookie: "00000001",
      bytes: 32,
    });
  });

  test("SCTP has ports", async () => {
    start();
    lab.load(
      lab.router,
      `insert rule inet bulkhead_test forward meta l4proto sctp counter name logged log prefix "bh1 F - 00000000" group ${GROUP} accept\n`,
    );
    // An INIT chunk; checksums are none of the packet log's business.
    python(
      a,
      `import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_RAW,132)\ns.sendto(bytes.fromhex("9c400b59000000000000000001000014000000010000ffff0001000100000001"),("${b.v4}",0))`,
    );
    expect(await until("the packet", () => find({ protocol: SCTP })[0])).toMatchObject({
      source: a.v4,
      port: 2905,
      sourcePort: 40_000,
    });
  });

  test("a connection that was there before is told as existing", async () => {
    const holder = lab.start(
      a.netns,
      "python3",
      "-c",
      `import socket,sys\nc=socket.create_connection(("${b.v4}",5432))\nwhile c.recv(65536): pass\nprint("open",flush=True)\nsys.stdin.read()`,
    );
    await once(holder.stdout!, "data");
    start();
    await until(
      "the old connection",
      () => sum("connections", { destination: b.v4, port: 5432 }) === 1,
    );
    expect(sum("established", { destination: b.v4, port: 5432 })).toBe(1);
    await sleep(500);
    expect(sum("connections", { destination: b.v4, port: 5432 })).toBe(1);
    holder.kill("SIGKILL");
  });

  test("a connection picked up in mid-stream is told from the client to the server", async () => {
    const server = lab.start(
      b.netns,
      "python3",
      "-c",
      `import socket,time
s=socket.create_server(("0.0.0.0",5433))
print("ready",flush=True)
c,_=s.accept()
while True:
  c.sendall(b"x"*1000)
  time.sleep(0.05)`,
    );
    await once(server.stdout!, "data");
    const client = lab.start(
      a.netns,
      "python3",
      "-c",
      `import socket\nc=socket.create_connection(("${b.v4}",5433))\nprint("open",flush=True)\nwhile c.recv(65536): pass`,
    );
    await once(client.stdout!, "data");
    start();
    // Forgotten by the kernel, it comes back as new with the next packet, which is the server's.
    lab.run(lab.router, "conntrack", "-F");
    const pair = { source: a.v4, destination: b.v4, port: 5433 };
    await until("the packet", () => sum("connections", pair) > 0);
    await until("its bytes", () => sum("bytes", pair) > 5000);
    expect(find({ source: b.v4, destination: a.v4, protocol: TCP })).toEqual([]);
    client.kill("SIGKILL");
    server.kill("SIGKILL");
  });

  test("connections of strangers are not followed", async () => {
    const running = start({ endpoints: [["10.99.99.99"]] });
    lab.run(a.netns, "ping", "-c", "1", b.v4);
    await until("the packet", () => find({ protocol: ICMP })[0]);
    await until("some dumps", () => running.stats().connections.dumps > 2);
    expect(running.stats().connections.matched).toBe(0);
    running.setEndpoints([[b.v4]]);
    await until(
      "the outcome, now that it concerns us",
      () => sum("established", { protocol: ICMP }) === 1,
    );
  });
});

describe("counting", () => {
  test("a burst of 50,000 flows comes out whole", async () => {
    const running = start();
    flood(50_000);
    await until("all of them", () => running.stats().delivered >= 50_000, 20_000);
    expect(logged()).toBe(50_000);
    expect(running.stats()).toMatchObject({
      received: 50_000,
      delivered: 50_000,
      lost: 0,
      overflowed: 0,
      malformed: 0,
      abandoned: 0,
      queueDepth: 0,
      alive: true,
      restarts: 0,
    });
    expect(sum("connections", { verdict: "forwarded", source: a.v4 })).toBe(50_000);
  });

  test("what a small buffer loses is counted to the packet", async () => {
    const running = start({ logBufferBytes: 150_000 });
    flood(30_000);
    await sleep(300);
    // A loss shows when the next message comes.
    lab.run(a.netns, "ping", "-c", "1", b.v4);
    await until("the last packet", () => find({ protocol: ICMP })[0]);
    const { received, lost, overruns, delivered } = running.stats();
    expect(lost).toBeGreaterThan(0);
    expect(overruns).toBeGreaterThan(0);
    expect(received + lost).toBe(logged());
    expect(delivered).toBe(received);
  });

  test("lost endings of connections are counted", async () => {
    const running = start({ eventBufferBytes: 4096 });
    flood(20_000);
    lab.run(lab.router, "conntrack", "-F");
    await until("every event, read or counted", () => {
      const { events, lost } = running.stats().connections;
      return events + lost >= 20_000;
    });
    const { events, lost } = running.stats().connections;
    expect(lost).toBeGreaterThan(0);
    expect(events + lost).toBe(20_000);
  });

  test("a scanner fills its share only; the rest is counted, and others are still seen", async () => {
    const running = start({
      maxKeys: 256,
      windowMs: 1000,
      endpoints: [[a.v4], [b.v4, b.v6], [a.v6]],
    });
    // Every packet to a port of its own: 20,000 keys.
    python(
      a,
      `import socket\nu=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nfor p in range(10000,30000): u.sendto(b"",("${b.v4}",p))`,
    );
    lab.run(a.netns, "ping", "-c", "1", b.v6);
    await until("the quiet source", () => find({ source: a.v6, protocol: ICMPV6 })[0]);
    const stats = await until("everything accounted for", () => {
      const now = running.stats();
      return now.queueDepth === 0 && now.received === logged() && now;
    });
    expect(stats.overflowed).toBeGreaterThan(10_000);
    expect(stats.lost).toBe(0);
    expect(stats.delivered + stats.overflowed).toBe(stats.received);
    expect(Math.max(...windowSizes())).toBeLessThanOrEqual(256);
  });

  test("messages of others in the group are told apart", async () => {
    lab.load(
      lab.router,
      `insert rule inet bulkhead_test forward icmp type echo-request log prefix "someone else" group ${GROUP}\n`,
    );
    const running = start();
    lab.run(a.netns, "ping", "-c", "1", b.v4);
    await until("ours", () => find({ protocol: ICMP })[0]);
    expect(running.stats()).toMatchObject({ foreign: 1, received: logged(), lost: 0 });
  });
});

/** Records with the same window, by their start falling into the same second. */
function windowSizes(): number[] {
  const sizes = new Map<number, number>();
  for (const { end } of records)
    sizes.set(Math.floor(end / 1000), (sizes.get(Math.floor(end / 1000)) ?? 0) + 1);
  // A second may hold the end of one window and the start of the next.
  return [...sizes.values()].map((size) => Math.ceil(size / 2));
}

describe("bad luck", () => {
  test("a reader that dies is replaced, and nothing the kernel holds is lost", async () => {
    const running = start();
    await until("a living reader", () => running.stats().alive);
    await readers[0]!.terminate();
    expect(running.stats().alive).toBe(false);
    flood(5000);
    await until("the next reader to catch up", () => running.stats().received >= 5000);
    await until("delivery", () => running.stats().queueDepth === 0);
    expect(running.stats()).toMatchObject({
      restarts: 1,
      lost: 0,
      delivered: 5000,
      abandoned: 0,
      alive: true,
    });
    expect(sum("connections", { source: a.v4, verdict: "forwarded" })).toBe(5000);
  });

  test("what dies with a reader is counted as abandoned", async () => {
    const running = start({ windowMs: 1000 });
    await until("a living reader", () => running.stats().alive);
    flood(1000);
    await until("everything read", () => running.stats().received === 1000);
    await readers[0]!.terminate();
    await until("a new reader", () => readers.length === 2 && running.stats().alive);
    const { received, delivered, abandoned, queueDepth } = running.stats();
    expect(queueDepth).toBe(0);
    expect(delivered + abandoned).toBe(received);
  });

  test("records that are refused are counted and told", async () => {
    const running = start({
      onFlows: () => {
        throw new Error("disk full");
      },
    });
    lab.run(a.netns, "ping", "-c", "1", b.v4);
    await until("the refusal", () => problems.some((problem) => problem.includes("disk full")));
    await until("the count", () => running.stats().abandoned === 1);
    expect(running.stats()).toMatchObject({ received: 1, delivered: 0, queueDepth: 0 });
  });

  test("a slow taker holds windows back; nothing is lost and memory stays bounded", async () => {
    let free: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (free = resolve));
    let taken = 0;
    const running = start({
      windowMs: 20,
      onFlows: async (batch) => {
        await gate;
        for (const record of batch) taken += record.connections;
      },
    });
    // Far more windows than may be under way.
    python(
      a,
      `import socket,time\nu=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nfor p in range(10000,10300): u.sendto(b"",("${b.v4}",p)); time.sleep(0.003)`,
    );
    await until("everything read", () => running.stats().received === 300);
    expect(running.stats()).toMatchObject({ delivered: 0, queueDepth: 300, lost: 0 });
    free();
    await until("everything delivered", () => running.stats().delivered === 300);
    expect(taken).toBe(300);
  });

  test("a second agent is refused with a sentence that says why", () => {
    start();
    expect(() =>
      startCollector({ group: GROUP, netns: lab.routerPath, onFlows: () => undefined }),
    ).toThrow(/second agent/);
  });

  test("after stop the group is free again", async () => {
    await start().stop();
    start();
    lab.run(a.netns, "ping", "-c", "1", b.v4);
    const found = await until("the packet", () => find({ protocol: ICMP })[0]);
    expect(found).toMatchObject({ source: a.v4, destination: b.v4 });
  });

  test("what was read is delivered before stop returns", async () => {
    const running = start({ windowMs: 1000 });
    flood(2000);
    await sleep(200);
    await running.stop();
    expect(running.stats()).toMatchObject({ received: 2000, delivered: 2000, queueDepth: 0 });
    expect(sum("connections", { source: a.v4, verdict: "forwarded" })).toBe(2000);
  });

  test("the fault switch makes it deaf, and it says so", async () => {
    const running = start({ fault: "dead-collector" });
    lab.run(a.netns, "ping", "-c", "1", b.v4);
    await sleep(500);
    expect(running.stats()).toMatchObject({ alive: false, received: 0, fault: "dead-collector" });
    expect(records).toEqual([]);
  });
});

describe("accounting", () => {
  const setting = (name: string): string =>
    insideNetns(lab.routerPath, () =>
      readFileSync(`/proc/sys/net/netfilter/${name}`, "utf8").trim(),
    );
  const all = (): string[] =>
    ["acct", "timestamp", "events"].map((name) => setting(`nf_conntrack_${name}`));
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bulkhead-accounting-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("is switched on, and put back on stop", async () => {
    const found = all();
    expect(found[0]).toBe("0");
    const accountingFile = join(folder, "accounting.json");
    const running = start({ accountingFile });
    expect(all()).toEqual(["1", "1", "1"]);
    expect(existsSync(accountingFile)).toBe(true);
    await running.stop();
    expect(all()).toEqual(found);
    expect(existsSync(accountingFile)).toBe(false);
  });

  test("what a killed agent found is put back by the next, or without one", async () => {
    const found = all();
    const accountingFile = join(folder, "accounting.json");
    const killed = lab.node(
      lab.router,
      `import { startCollector } from ${JSON.stringify(new URL("../../src/collector/index.ts", import.meta.url).href)}
startCollector({ group: ${GROUP}, accountingFile: ${JSON.stringify(accountingFile)}, onFlows() {} })
console.log("up")
setInterval(() => undefined, 1000)`,
    );
    await once(killed.stdout!, "data");
    killed.kill("SIGKILL");
    await once(killed, "exit");
    expect(all()).toEqual(["1", "1", "1"]);
    await start({ accountingFile }).stop();
    expect(all()).toEqual(found);

    insideNetns(lab.routerPath, () =>
      lab.run(lab.router, "sysctl", "-qw", "net.netfilter.nf_conntrack_acct=1"),
    );
    start({ accountingFile });
    insideNetns(lab.routerPath, () => restoreAccounting(accountingFile));
    expect(all()[0]).toBe("1");
    lab.run(lab.router, "sysctl", "-qw", "net.netfilter.nf_conntrack_acct=0");
  });
});
