/** What makes a probe evidence: services that are there stay undisturbed, and where nothing is proven, that is said. */
import { once } from "node:events";
import { ICMP, TCP, UDP } from "@bulkhead/model";
import { describe, expect, test } from "vitest";
import { createProber, type ProbeRequest } from "../../src/probe/index.ts";
import { sleep, until } from "../kernel/netns-lab.ts";
import { a, b, between, lab, prober, python, useProbeLab } from "./probe-lab.ts";

useProbeLab();

describe("a service that is there", () => {
  test("is used and not disturbed: TCP", async () => {
    const server = await python(
      b,
      `import socket
s=socket.create_server(("0.0.0.0",5432))
print("up",flush=True)
for i in range(2):
  c,_=s.accept()
  print(repr(c.recv(10)),flush=True)
`,
    );
    const exited = once(server, "exit");
    const said: string[] = [];
    server.stdout!.on("data", (text: Buffer) => said.push(text.toString()));
    expect(await prober.probe(between(4, TCP, 5432, true))).toMatchObject({
      outcome: "pass",
      connected: true,
    });
    expect(await prober.probe(between(4, TCP, 5432, false))).toMatchObject({ outcome: "fail" });
    await exited;
    // Each probe opened, sent nothing, and closed in order.
    expect(said.join("").trim()).toBe("b''\nb''");
  });

  test("that does not answer is proven by the witness: UDP", async () => {
    const server = await python(
      b,
      `import socket
u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); u.bind(("0.0.0.0",514))
print("up",flush=True)
print(repr(u.recv(100)),flush=True)
`,
    );
    let said = "";
    server.stdout!.on("data", (text: Buffer) => (said += text.toString()));
    expect(await prober.probe(between(4, UDP, 514, true))).toMatchObject({
      outcome: "pass",
      connected: false,
      witnessed: true,
      agree: true,
    });
    expect(await until("the service's word", () => said.includes("b'") && said.trim())).toBe("b''");
  });

  test("keeps its port free for itself afterwards", async () => {
    await prober.probe(between(4, TCP, 6379, true));
    const server = await python(
      b,
      `import socket\ns=socket.socket()\ns.bind(("0.0.0.0",6379))\ns.listen()\nprint("up",flush=True)\ns.accept()`,
    );
    expect(await prober.probe(between(4, TCP, 6379, true))).toMatchObject({ outcome: "pass" });
    server.kill("SIGKILL");
  });
});

describe("nothing is proven when", () => {
  const inconclusive = (detail: RegExp) => ({
    outcome: "inconclusive",
    agree: false,
    detail: expect.stringMatching(detail) as string,
  });

  test("a namespace is gone", async () => {
    const gone = `/run/netns/${lab.prefix}-never`;
    const results = await Promise.all([
      prober.probe({ ...between(4, TCP, 80, false), sourceNetns: gone }),
      prober.probe({ ...between(4, TCP, 80, true), destinationNetns: gone }),
    ]);
    for (const result of results) expect(result).toMatchObject(inconclusive(/gone/));
  });

  test("an address is not the workload's", async () => {
    const results = await Promise.all([
      prober.probe({ ...between(4, TCP, 80, false), source: "10.77.1.200" }),
      prober.probe({ ...between(4, TCP, 80, false), destination: "10.77.2.200" }),
    ]);
    for (const result of results) expect(result).toMatchObject(inconclusive(/not an address/));
  });

  test("the source cannot send", async () => {
    lab.load(
      a.netns,
      "table inet own {\n chain output {\n type filter hook output priority 0\n udp dport 4444 drop\n }\n}\n",
    );
    const result = await prober.probe(between(4, UDP, 4444, false));
    expect(result).toMatchObject({ outcome: "inconclusive", sent: false });
    lab.run(a.netns, "nft", "delete", "table", "inet", "own");
  });

  test("the packet is lost before it reaches the agent's namespace", async () => {
    // The source's system takes it, but it is dropped on leaving.
    lab.load(
      a.netns,
      "table netdev own {\n chain out {\n type filter hook egress device eth0 priority 0\n tcp dport 9999 drop\n }\n}\n",
    );
    try {
      expect(await prober.probe(between(4, TCP, 9999, false))).toMatchObject(
        inconclusive(/never left/),
      );
    } finally {
      lab.run(a.netns, "nft", "delete", "table", "netdev", "own");
    }
  });

  test("the destination would not have been reached anyway", async () => {
    lab.run(b.netns, "ip", "link", "set", "eth0", "arp", "off");
    lab.run(lab.router, "ip", "neigh", "flush", "dev", b.interface);
    try {
      expect(await prober.probe(between(4, TCP, 9999, false))).toMatchObject(
        inconclusive(/does not answer on its link/),
      );
    } finally {
      lab.run(b.netns, "ip", "link", "set", "eth0", "arp", "on");
      // What waits for an answer would ask again only after a second.
      lab.run(lab.router, "ip", "neigh", "flush", "dev", b.interface);
    }
    expect(await prober.probe(between(4, TCP, 9999, false))).toMatchObject({ outcome: "pass" });
  });
});

describe("many at once", () => {
  test("a hundred probes, half of them negative, take less than five seconds", async () => {
    const requests = Array.from({ length: 100 }, (_, index) =>
      index % 2 === 0
        ? between(index % 4 === 0 ? 4 : 6, TCP, 3000 + index, true)
        : between(index % 4 === 1 ? 4 : 6, UDP, 9999, false),
    );
    const begun = performance.now();
    const results = await Promise.all(requests.map((request) => prober.probe(request)));
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(results.filter(({ outcome }) => outcome !== "pass")).toEqual([]);
    // Each can be told from the workloads' own flows.
    expect(new Set(results.map(({ sourcePort }) => sourcePort)).has(0)).toBe(false);
  });

  test("under heavy traffic to the destination the witness is not overrun", async () => {
    const sink = await python(
      b,
      `import socket\ns=socket.create_server(("0.0.0.0",5001))\nprint("up",flush=True)\nc,_=s.accept()\nwhile c.recv(1<<20): pass`,
    );
    const source = lab.start(
      a.netns,
      "python3",
      "-c",
      `import socket,time\nc=socket.create_connection(("${b.v4}",5001))\nend=time.time()+3\nwhile time.time()<end: c.send(b"x"*65536)`,
    );
    await sleep(300);
    const results = await Promise.all([
      prober.probe(between(4, TCP, 9999, false)),
      prober.probe(between(4, TCP, 81, true)),
      prober.probe(between(4, ICMP, 8 << 8, true)),
    ]);
    source.kill("SIGKILL");
    sink.kill("SIGKILL");
    expect(results.map(({ outcome }) => outcome)).toEqual(["pass", "pass", "pass"]);
  });

  test("a prober that is stopped leaves its probes inconclusive, and starts again on demand", async () => {
    const own = createProber(lab.routerPath);
    const pending = own.probe(between(4, TCP, 9999, false));
    await sleep(300);
    await own.stop();
    expect(await pending).toMatchObject({ outcome: "inconclusive" });
    expect(await own.probe(between(4, TCP, 81, true))).toMatchObject({ outcome: "pass" });
    await own.stop();
  });
});

describe("the world beyond", () => {
  test("is watched on its way out", async () => {
    const world = lab.addEnd("world");
    const beyond: ProbeRequest = {
      sourceNetns: a.path,
      source: a.v4,
      destination: world.v4,
      protocol: TCP,
      port: 443,
      expectPass: true,
    };
    const server = await python(
      world,
      `import socket\ns=socket.create_server(("0.0.0.0",443))\nprint("up",flush=True)\nwhile True: s.accept()`,
    );
    lab.load(
      lab.router,
      `table ip bulkhead_nat {\n chain post {\n type nat hook postrouting priority 100\n oifname ${world.interface} masquerade\n }\n}\n`,
    );
    expect(await prober.probe(beyond)).toMatchObject({
      outcome: "pass",
      connected: true,
      witnessed: true,
    });
    expect(await prober.probe({ ...beyond, expectPass: false })).toMatchObject({ outcome: "fail" });
    expect(await prober.probe({ ...beyond, port: 9999, expectPass: false })).toMatchObject({
      outcome: "pass",
      witnessed: false,
    });
    server.kill("SIGKILL");
  });
});
