/**
 * What the datapath copies of DNS and the collector makes of it, with a real resolver and real look-ups: every way an
 * answer can take to a workload or to the machine, and nothing that nobody asked for.
 */
import { NFLOG_DNS_GROUP, NFLOG_GROUP } from "@bulkhead/datapath";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startCollector, type Collector } from "../../src/collector/index.ts";
import type { DnsAnswer } from "../../src/dns/index.ts";
import { createDriver, type Driver } from "../../src/drivers/index.ts";
import { createLab, type Lab, type LabWorkload } from "../drivers/lab.ts";
import { policyOf } from "../drivers/policies.ts";
import { until } from "../kernel/netns-lab.ts";
import { A, ASKED, message, record } from "./dns-bytes.ts";

let lab: Lab;
let driver: Driver;
let collector: Collector;
let answers: DnsAnswer[];
let near: LabWorkload;
let other: LabWorkload;
let far: LabWorkload;

const RECORDS = [
  "--host-record=db.example,192.0.2.1,2001:db8::1",
  "--cname=www.example,db.example",
  "--host-record=late.example,192.0.2.9",
  "--local-ttl=70",
];

/** Answers on every address of the namespace. */
async function serve(netns: string): Promise<void> {
  const server = lab.start(netns, [
    "dnsmasq",
    "--keep-in-foreground",
    "--conf-file=/dev/null",
    "--no-resolv",
    "--no-hosts",
    "--user=root",
    "--pid-file=",
    ...RECORDS,
  ]);
  let said = "";
  server.stderr.on("data", (text: Buffer) => void (said += text.toString()));
  await until("dnsmasq", () => {
    if (server.exitCode !== null) throw new Error(`dnsmasq ended: ${said}`);
    return lab.run(netns, ["ss", "-Hlnup", "sport = :53"]) !== "";
  });
}

/** As programs ask: node's resolver, which takes an answer only if it asked for it. */
function ask(netns: string, server: string, name: string, kind: 4 | 6 = 4, timeout = 2000): string {
  const program = `
    const resolver = new (require("node:dns").promises.Resolver)({ timeout: Number(process.argv[4]), tries: 2 });
    resolver.setServers([process.argv[1]]);
    resolver["resolve" + process.argv[3]](process.argv[2]).then(
      (found) => console.log(found.join()),
      (error) => console.log(error.code),
    );`;
  return lab
    .run(netns, [process.execPath, "-e", program, server, name, String(kind), String(timeout)])
    .trim();
}

const python = (netns: string, program: string, ...args: string[]): string =>
  lab.run(netns, ["python3", "-c", program, ...args]);

/** A program that has said that it is ready; the result says what it says. */
async function started(netns: string, program: string, ...args: string[]): Promise<() => string> {
  const child = lab.start(netns, ["python3", "-c", program, ...args]);
  let said = "";
  child.stdout.on("data", (text: Buffer) => void (said += text.toString()));
  child.stderr.on("data", (text: Buffer) => void (said += text.toString()));
  await until("it is ready", () => {
    if (child.exitCode !== null) throw new Error(`it ended: ${said}`);
    return said.includes("ready");
  });
  return () => said;
}

const QUESTION = Buffer.from(message({ name: "db.example" }, [], { flags: 0x0100 })).toString(
  "hex",
);

const seen = (client: string, name: string, address: string): Promise<DnsAnswer> =>
  until(`${name} for ${client}`, () =>
    answers.find(
      (one) =>
        one.client === client &&
        one.name === name &&
        one.addresses.some((found) => found.address === address && found.ttl === 70),
    ),
  );

beforeAll(async () => {
  lab = createLab(["near", "other"], ["far"]);
  [near, other, far] = ["near", "other", "far"].map((name) => lab.workload(name)) as [
    LabWorkload,
    LabWorkload,
    LabWorkload,
  ];
  driver = createDriver("nftables", { owner: "dns", now: () => Date.now(), netns: lab.hostPath });
  await driver.apply(policyOf(lab, { mode: "observe" }));
  await Promise.all([serve(far.netns), serve(lab.host), serve(near.netns)]);
});
afterAll(() => lab?.close());

beforeEach(() => {
  answers = [];
  collector = startCollector({
    group: NFLOG_GROUP,
    dnsGroup: NFLOG_DNS_GROUP,
    netns: lab.hostPath,
    windowMs: 50,
    onFlows: () => undefined,
    onAnswers: (told) => void answers.push(...told),
  });
});
afterEach(() => collector.stop());

describe("an answer is told", () => {
  it("to a workload, from a resolver elsewhere, by either family, over aliases", async () => {
    expect(ask(near.netns, far.v4, "www.example")).toBe("192.0.2.1");
    await seen(near.v4, "www.example", "192.0.2.1");
    expect(ask(near.netns, `[${far.v6}]:53`, "db.example", 6)).toBe("2001:db8::1");
    await seen(near.v6, "db.example", "2001:db8::1");
    expect(collector.stats().dns).toMatchObject({ available: true, malformed: 0, lost: 0 });
  });

  it("to a workload, from its neighbour on a bridge", async () => {
    expect(ask(other.netns, near.v4, "db.example")).toBe("192.0.2.1");
    await seen(other.v4, "db.example", "192.0.2.1");
  });

  it("to a workload, from the machine", async () => {
    expect(ask(near.netns, "10.86.0.1", "db.example")).toBe("192.0.2.1");
    await seen(near.v4, "db.example", "192.0.2.1");
  });

  it("to the machine, from elsewhere and by its own loopback", async () => {
    expect(ask(lab.host, far.v4, "db.example")).toBe("192.0.2.1");
    await seen("10.86.100.1", "db.example", "192.0.2.1");
    expect(ask(lab.host, "127.0.0.1", "www.example")).toBe("192.0.2.1");
    await seen("127.0.0.1", "www.example", "192.0.2.1");
    expect(answers.map(({ name }) => name)).toEqual(["db.example", "www.example"]);
  });

  it("that came by TCP", async () => {
    const program = `
import socket, sys
question = bytes.fromhex(sys.argv[2])
with socket.create_connection((sys.argv[1], 53), 5) as connection:
    connection.sendall(len(question).to_bytes(2, "big") + question)
    connection.recv(4096)`;
    python(near.netns, program, far.v4, QUESTION);
    expect(await seen(near.v4, "db.example", "192.0.2.1")).toBeDefined();
  });
});

describe("nothing is told", () => {
  it("of packets that nobody asked for", async () => {
    const lie = Buffer.from(
      message({ name: "lie.example" }, [record(ASKED, A, 70, [192, 0, 2, 66])]),
    ).toString("hex");
    const send = `
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
    out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    out.bind((sys.argv[1], 53))
    out.sendto(bytes.fromhex(sys.argv[3]), (sys.argv[2], 40000))`;
    const receive = `
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
    end.bind((sys.argv[1], 40000))
    print("ready", flush=True)
    print(end.recv(512).hex(), flush=True)`;
    for (const [netns, address] of [
      [near.netns, near.v4],
      [lab.host, "10.86.100.1"],
    ] as const) {
      const receiver = await started(netns, receive, address);
      python(far.netns, send, far.v4, address, lie);
      await until("the lie arrived", () => receiver().includes(lie));
    }
    expect(ask(near.netns, far.v4, "late.example")).toBe("192.0.2.9");
    await seen(near.v4, "late.example", "192.0.2.9");
    expect(answers.map(({ name }) => name)).toEqual(["late.example"]);
  });

  it.each(["forward", "input"] as const)(
    "of an answer that a filter of somebody else kept from its client, in %s",
    async (hook) => {
      const client = hook === "forward" ? near.netns : lab.host;
      lab.run(lab.host, [
        "nft",
        `add table ip others; add chain ip others stop { type filter hook ${hook} priority 10; }; add rule ip others stop udp sport 53 drop`,
      ]);
      try {
        expect(ask(client, far.v4, "db.example", 4, 200)).toBe("ETIMEOUT");
      } finally {
        lab.run(lab.host, ["nft", "delete table ip others"]);
      }
      expect(ask(near.netns, far.v4, "late.example")).toBe("192.0.2.9");
      await seen(near.v4, "late.example", "192.0.2.9");
      expect(answers.map(({ name }) => name)).toEqual(["late.example"]);
    },
  );

  it("of what is no DNS, which is counted", async () => {
    lab.run(lab.host, ["ip", "addr", "add", "10.86.0.53/24", "dev", "br0"]);
    const program = `
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("10.86.0.53", 53))
print("ready", flush=True)
while True:
    question, client = server.recvfrom(512)
    server.sendto(question[:2] + bytes.fromhex("818000010005") + bytes(4) + b"\\xc0" * 40, client)`;
    await started(lab.host, program);
    expect(ask(other.netns, "10.86.0.53", "db.example", 4, 200)).not.toMatch(/^192/);
    await until("it is counted", () => collector.stats().dns.malformed > 0);
    expect(answers).toEqual([]);
  });
});

it("a client's flood is not copied whole, and hides no answer to another", async () => {
  const flood = `
import socket, sys
question = bytes.fromhex(sys.argv[2])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
    out.connect((sys.argv[1], 53))
    out.settimeout(3)
    got = 0
    for _ in range(15):
        for _ in range(100): out.send(question)
        try:
            for _ in range(100):
                out.recv(512)
                got += 1
        except TimeoutError: pass
    print(got)`;
  const flooded = Number(python(near.netns, flood, far.v4, QUESTION));
  expect(ask(other.netns, far.v4, "late.example")).toBe("192.0.2.9");
  await seen(other.v4, "late.example", "192.0.2.9");
  const counters = await driver.counters();
  const suppressed = counters.find(
    (one) => one.kind === "special" && one.name === "dns_suppressed",
  );
  const { read, lost } = collector.stats().dns;
  // Each answer was copied or counted.
  expect(read + lost + (suppressed?.packets ?? 0)).toBe(flooded + 1);
  expect(suppressed?.packets).toBeGreaterThan(0);
});
