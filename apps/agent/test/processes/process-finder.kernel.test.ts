/** Who holds the sockets at the ends of flows: real programs in namespaces and control groups of their own, and those who are gone. */
import { once } from "node:events";
import type { ChildProcess } from "node:child_process";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { TCP, UDP } from "@bulkhead/model";
import type { ObservedRecord } from "@bulkhead/wire";
import {
  createProcessFinder,
  type FinderLimits,
  type ProcessFinder,
} from "../../src/processes/index.ts";
import { createCgroups, type TestCgroups } from "../cgroups.ts";
import { createLab, type LabEnd, type NetnsLab } from "../kernel/netns-lab.ts";

/** Does one thing at a time, when told to by a line, and keeps what it opened; then says the port. */
const PROGRAM = `
import ctypes, os, socket, sys
kept = []
def name(text): ctypes.CDLL(None).prctl(15, text.encode("latin1").decode("unicode_escape").encode("latin1"), 0, 0, 0)
for line in sys.stdin:
    what, *words = line.split()
    port = 0
    if what == "name": name(words[0])
    if what == "uid": os.setuid(int(words[0]))
    if what in ("listen", "udp"):
        family = socket.AF_INET6 if ":" in words[0] else socket.AF_INET
        end = socket.socket(family, socket.SOCK_STREAM if what == "listen" else socket.SOCK_DGRAM)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        end.bind((words[0], int(words[1])))
        if what == "listen": end.listen(16)
        kept.append(end)
    if what in ("connect", "ask", "call"):
        family = socket.AF_INET6 if ":" in words[0] else socket.AF_INET
        end = socket.socket(family, socket.SOCK_DGRAM if what == "ask" else socket.SOCK_STREAM)
        if what == "call":
            end.setblocking(False)
            end.connect_ex((words[0], int(words[1])))
        else: end.connect((words[0], int(words[1])))
        port = end.getsockname()[1]
        kept.append(end)
    if what == "accept": kept.append(kept[int(words[0])].accept()[0])
    if what == "close": kept.pop().close()
    print(port, flush=True)
`;

let lab: NetnsLab;
let groups: TestCgroups;
let a: LabEnd;
let b: LabEnd;
let client: ChildProcess;
let server: ChildProcess;
let unit = "";
let finder: ProcessFinder;

async function tell(program: ChildProcess, line: string): Promise<number> {
  program.stdin!.write(`${line}\n`);
  let said = "";
  // What is not buffered comes in pieces: its number first, then the end of the line.
  while (!said.endsWith("\n"))
    said += String(((await once(program.stdout!, "data")) as [Buffer])[0]);
  return Number(said);
}

beforeAll(async () => {
  lab = createLab();
  a = lab.addEnd("a");
  b = lab.addEnd("b");
  groups = createCgroups("bhc");
  unit = groups.add("served.service");
  client = lab.start(a.netns, "python3", "-c", PROGRAM);
  server = lab.start(b.netns, "python3", "-c", PROGRAM);
  groups.put(server.pid!, unit);
  await tell(server, "name served");
  await tell(server, "uid 65534");
  await tell(server, "listen 0.0.0.0 8001");
  await tell(server, "listen :: 8002");
  await tell(server, "udp 0.0.0.0 5353");
  await tell(client, "name asking");
});
afterAll(() => {
  lab?.close();
  groups?.close();
});
beforeEach(() => {
  finder = finderWith({ ends: 256, ms: 60_000 });
});

/** As the policy in force names control groups. */
const HANDLES: Record<string, string> = { "00000002": "/elsewhere.slice/other.service" };

function finderWith(limits: FinderLimits): ProcessFinder {
  const users = (uid: number) => (uid === 65534 ? "nobody" : undefined);
  HANDLES["00000001"] = unit;
  const made = createProcessFinder(users, Date.now, limits, (handle) => HANDLES[handle]);
  made.setAddresses([
    { netnsPath: a.path, addresses: [a.v4, a.v6] },
    { netnsPath: b.path, addresses: [b.v4, b.v6] },
  ]);
  return made;
}

function seen(over: Partial<ObservedRecord>): ObservedRecord {
  return {
    start: 1,
    end: 1,
    source: a.v4,
    destination: b.v4,
    protocol: TCP,
    port: 8001,
    sourcePort: 1,
    verdict: "forwarded",
    connections: 1,
    established: 0,
    failed: 0,
    bytes: 0,
    packets: 0,
    ...over,
  };
}

const find = (over: Partial<ObservedRecord>) => finder.apply([seen(over)])[0];
const asking = () => ({ name: "asking", pid: client.pid, uid: 0 });
const served = () => ({
  name: "served",
  pid: server.pid,
  uid: 65534,
  user: "nobody",
  cgroup: unit,
  unit: "served.service",
});

it.each([
  ["TCP", 8001, 4],
  ["TCP to a socket of both families", 8002, 4],
  ["TCP", 8002, 6],
] as const)("both ends of a connection: %s, port %i, IPv%i", async (_, port, family) => {
  const [from, to] = family === 4 ? [a.v4, b.v4] : [a.v6, b.v6];
  const sourcePort = await tell(client, `connect ${to} ${port}`);
  // Whether anybody has taken it or not.
  for (const step of ["waiting", `accept ${port - 8001}`]) {
    if (step !== "waiting") await tell(server, step);
    const record = find({ source: from, destination: to, port, sourcePort });
    expect(record?.sourceProcess, step).toMatchObject(asking());
    expect(record?.destinationProcess, step).toEqual(served());
  }
});

it("both ends of an exchange by UDP", async () => {
  const sourcePort = await tell(client, `ask ${b.v4} 5353`);
  const record = find({ protocol: UDP, port: 5353, sourcePort });
  expect(record?.sourceProcess).toMatchObject(asking());
  expect(record?.destinationProcess).toEqual(served());
});

it("who has the socket now is not believed where the kernel saw another's, and handles end here", async () => {
  const sourcePort = await tell(client, `ask ${b.v4} 5353`);
  const told = (destinationHandle: string) =>
    finder.apply([{ ...seen({ protocol: UDP, port: 5353, sourcePort }), destinationHandle }])[0];
  expect(told("00000001")?.destinationProcess).toEqual(served());
  expect(told("00000001")).not.toHaveProperty("destinationHandle");
  const other = { cgroup: "/elsewhere.slice/other.service", unit: "other.service" };
  expect(told("00000002")?.destinationProcess).toEqual(other);
  // Of who is in no policy, nobody has said anything.
  expect(told("00000003")?.destinationProcess).toEqual(served());
});

it("who was denied, and not whom it asked for", async () => {
  lab.load(b.netns, "table inet wall { chain in { type filter hook input priority 0; drop; }; }");
  try {
    const sourcePort = await tell(client, `call ${b.v4} 8001`);
    const record = find({ sourcePort, verdict: "dropped", cookie: "0badcafe" });
    expect(record?.sourceProcess).toMatchObject(asking());
    expect(record).not.toHaveProperty("destinationProcess");
  } finally {
    lab.run(b.netns, "nft", "delete", "table", "inet", "wall");
  }
});

it("a socket that has gone is missed, and one that waits at its port is not taken for it", async () => {
  const sourcePort = await tell(client, `ask ${b.v4} 5353`);
  await tell(client, "close");
  const gone = find({ protocol: UDP, port: 5353, sourcePort });
  expect(gone).not.toHaveProperty("sourceProcess");
  expect(gone?.destinationProcess).toEqual(served());
  await tell(client, "listen 0.0.0.0 8001");
  expect(find({ sourcePort: 8001, port: 8001 })).not.toHaveProperty("sourceProcess");
});

it("of a socket that has gone, the control group is known that the kernel told", async () => {
  const sourcePort = await tell(client, `connect ${b.v4} 8001`);
  await tell(client, "close");
  const [record] = finder.apply([{ ...seen({ sourcePort }), sourceHandle: "00000002" }]);
  const other = { cgroup: "/elsewhere.slice/other.service", unit: "other.service" };
  expect(record?.sourceProcess).toEqual(other);
});

it("news of earlier connections, probes, pings and strangers are not asked about", () => {
  const records = [
    seen({ connections: 0 }),
    seen({ probe: true }),
    seen({ protocol: 1, port: 2048, sourcePort: 0 }),
    seen({ source: "192.0.2.1", destination: "192.0.2.2" }),
  ];
  expect(finder.apply(records)).toBe(records);
});

it("a namespace that is gone has no processes", () => {
  finder.setAddresses([{ netnsPath: "/run/netns/bhc-nowhere", addresses: [a.v4, b.v4] }]);
  const record = seen({});
  expect(finder.apply([record])).toEqual([record]);
});

it("names are text for terminals, whatever a process calls itself", async () => {
  await tell(client, "name \\x1b[31m\\xe9vil");
  try {
    const sourcePort = await tell(client, `ask ${b.v4} 5353`);
    expect(find({ protocol: UDP, port: 5353, sourcePort })?.sourceProcess?.name).toBe("?[31m?vil");
  } finally {
    await tell(client, "name asking");
  }
});

it.each([
  [{ ends: 100, ms: 60_000 }, 700],
  [{ ends: 800, ms: -1 }, 800],
])("no more is asked than %o, and what is not is counted", (limits, skipped) => {
  finder = finderWith(limits);
  const records = Array.from({ length: 400 }, (_, index) => seen({ sourcePort: 2000 + index }));
  expect(finder.apply(records)).toHaveLength(400);
  expect(finder.skipped).toBe(skipped);
});
