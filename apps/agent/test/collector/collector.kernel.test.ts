/** The collector against the real kernel: what a connection was, and how it ended, is in its record. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { ICMP, ICMPV6, SCTP, TCP, UDP } from "@bulkhead/model";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { restoreAccounting } from "../../src/collector/index.ts";
import { insideNetns } from "../../src/kernel/index.ts";
import { sleep, until, type LabEnd } from "../kernel/netns-lab.ts";
import { a, b, find, GROUP, lab, python, start, sum, useCollectorLab } from "./collector-lab.ts";

useCollectorLab();

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
