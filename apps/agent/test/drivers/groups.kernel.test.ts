/**
 * Broadcast and multicast as peers, from policy text to packets: real datagrams to groups of both families arrive where
 * the sender may send them and the listener lets them in, and nowhere else. Somebody who is not enforced listens as well,
 * so that it is known when a datagram was on its way.
 */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildPolicySet, parseFiles } from "@bulkhead/dialects";
import { compile } from "@bulkhead/engine";
import type { Endpoint, HostPolicy, Inventory } from "@bulkhead/model";
import type { Driver } from "../../src/drivers/index.ts";
import { createLab } from "./lab.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { onEveryDriver } from "./on-every-driver.ts";
import { sleep } from "./traffic.ts";

const GROUPS = ["224.0.0.251", "239.1.2.3", "ff02::fb", "ff05::fb"] as const;
const ALL_ONES = "255.255.255.255";
const PORTS = [5353, 6000, 6001] as const;
const NAMES = [
  "talker",
  "worldly",
  "free",
  "listener",
  "picky",
  "deaf",
  "hushed",
  "shut",
  "open",
] as const;
type Name = (typeof NAMES)[number];

/** What ends by itself shuts the groups until then. */
const LATER = new Date(Date.now() + 3_600_000).toISOString();

const POLICY = `
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: talker }
spec:
  subject: app=talker
  egress:
    - { to: [{ entity: multicast }], ports: [5353/udp] }
    - { to: [{ entity: broadcast }], ports: [6000/udp] }
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: worldly }
spec: { subject: app=worldly, egress: [{ to: [{ entity: world }], ports: [udp] }] }
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: listener }
spec:
  subject: app=listener
  ingress:
    - { from: [{ entity: multicast }], ports: [5353/udp] }
    - { from: [{ entity: broadcast }], ports: [6000/udp] }
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: picky }
spec:
  subject: app=picky
  ingress: [{ from: [{ cidr: 239.1.2.3/32 }, { cidr: "ff05::/16" }], ports: [5353/udp] }]
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: deaf }
spec: { subject: app=deaf, ingress: [{ from: [app=talker, { entity: world }], ports: [udp] }] }
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: hushed }
spec: { subject: app=hushed, ingress: [{ from: [{ entity: multicast }, { entity: broadcast }], ports: [udp] }] }
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: hush }
spec:
  tier: emergency
  subject: app=hushed
  ingress: [{ action: deny, from: [{ cidr: 0.0.0.0/0 }, { cidr: "::/0" }] }]
  expires: "${LATER}"
  owner: test
  reason: for a while
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: shut }
spec: { subject: app=shut, ingress: [], expires: "${LATER}", owner: test, reason: for a while }
`;

let lab: Lab;
let driver: Driver;
let heard: Readonly<Record<Name, () => string>>;

const RECEIVER = `
  const dgram = require("node:dgram");
  let left = 0;
  for (const port of ${JSON.stringify(PORTS)})
    for (const family of ["udp4", "udp6"]) {
      const socket = dgram.createSocket({ type: family, reuseAddr: true, ipv6Only: family === "udp6" });
      left += 1;
      socket.on("message", (text) => process.stdout.write(text + "\\n"));
      socket.bind(port, () => {
        for (const group of ${JSON.stringify(GROUPS)})
          if (group.includes(":") === (family === "udp6"))
            socket.addMembership(group, family === "udp6" ? "::%eth0" : undefined);
        if (--left === 0) process.stdout.write("ready\\n");
      });
    }`;

const until = async (holds: () => boolean, what: () => string): Promise<void> => {
  const end = performance.now() + 30_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what()}`);
    await sleep(10);
  }
};

const workload = (name: Name): LabWorkload => lab.workloads[name]!;

const linkLocal = ({ netns }: LabWorkload): string => {
  const listed = lab.run(netns, ["ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link"]);
  return /inet6 (fe80:[^/]*)/.exec(listed)![1]!;
};

const policy = (): HostPolicy => {
  const now = Date.now();
  const { resources } = parseFiles([{ name: "policy.yaml", text: POLICY }]);
  const built = buildPolicySet(resources, { now, strict: false, mode: "enforce" });
  expect(built.diagnostics).toEqual([]);
  const endpoints = NAMES.map((name): Endpoint => {
    const one = workload(name);
    return {
      workload: `default/${name}`,
      kind: "netns",
      interface: one.interface,
      bridge: "br0",
      ifindex: one.ifindex,
      mac: one.mac,
      addresses: [one.v4, one.v6, linkLocal(one)],
      netnsPath: one.path,
    };
  });
  const inventory: Inventory = {
    workloads: NAMES.map((name, at) => ({
      id: `default/${name}`,
      namespace: "default",
      name,
      kind: "netns",
      labels: { app: name },
      addresses: endpoints[at]!.addresses,
      namedPorts: [],
      hostNetwork: false,
    })),
    namespaces: [{ name: "default", labels: {} }],
    hostAddresses: lab.hostAddresses,
  };
  return compile(built.set, inventory, { now, revision: 1, endpoints }).policy;
};

beforeAll(async () => {
  lab = createLab(NAMES);
  const listen = (name: Name): (() => string) => {
    const child: ChildProcessWithoutNullStreams = lab.start(workload(name).netns, [
      process.execPath,
      "-e",
      RECEIVER,
    ]);
    let text = "";
    child.stdout.on("data", (more: Buffer) => (text += more.toString()));
    child.stderr.on("data", (more: Buffer) => (text += more.toString()));
    return () => text;
  };
  heard = Object.fromEntries(NAMES.map((name) => [name, listen(name)])) as typeof heard;
  await until(
    () => NAMES.every((name) => heard[name]().includes("ready")),
    () => NAMES.map(heard.open).join(),
  );
});
afterAll(() => lab?.close());

/** Those whom 239.1.2.3 reaches, whoever sends to it. */
const LISTENING = ["open", "listener", "picky"] as const;
let sent = 0;

/** Says something, and who heard it; the one who hears everything tells when to look. Null: it did not get that far. */
const say = async (
  from: Name,
  destination: string,
  port: number,
): Promise<readonly Name[] | null> => {
  const text = `message ${(sent += 1)} from ${from}`;
  const send = (netns: string, words: string, to: string, at: number): void => {
    const script = `
      const v6 = ${JSON.stringify(to)}.includes(":");
      const socket = require("node:dgram").createSocket(v6 ? "udp6" : "udp4");
      socket.bind(0, () => {
        if (v6) socket.setMulticastInterface("::%eth0"); else socket.setBroadcast(true);
        socket.send(${JSON.stringify(words)}, ${at}, ${JSON.stringify(to)}, () => socket.close());
      });`;
    lab.run(netns, [process.execPath, "-e", script]);
  };
  send(workload(from).netns, text, destination, port);
  // Sent after it and let in by everybody who hears anything at all. Twice: a program may read its sockets in any order,
  // but what came before the first fence is read before the second.
  for (const fence of [`fence ${sent}`, `second fence ${sent}`]) {
    send(workload("free").netns, fence, "239.1.2.3", 5353);
    await until(
      () => LISTENING.every((name) => heard[name]().split("\n").includes(fence)),
      () => heard.open(),
    );
  }
  const found = NAMES.filter((name) => name !== from && heard[name]().split("\n").includes(text));
  return found.includes("open") ? found.filter((name) => name !== "open") : null;
};

/** Enforced for what they send alone: nothing keeps from them what others say. */
const UNJUDGED: readonly Name[] = ["talker", "worldly", "free"];
const hearers = (from: Name, ...more: readonly Name[]): readonly Name[] =>
  NAMES.filter((name) => name !== from && (UNJUDGED.includes(name) || more.includes(name)));

onEveryDriver((under) => {
  beforeAll(async () => {
    driver = under.create(lab);
    await driver.apply(policy());
  });
  afterAll(() => driver.remove());

  describe("multicast", () => {
    test.each(GROUPS)("to %s arrives where both ends allow it, and nowhere else", async (group) => {
      const picky: readonly Name[] = group === "239.1.2.3" || group === "ff05::fb" ? ["picky"] : [];
      expect(await say("talker", group, 5353)).toEqual(hearers("talker", "listener", ...picky));
      expect(await say("free", group, 5353)).toEqual(hearers("free", "listener", ...picky));
      expect(await say("free", group, 6000)).toEqual(hearers("free"));
      expect(await say("talker", group, 6000)).toBe(null);
      expect(await say("worldly", group, 5353)).toBe(null);
    });
  });

  describe("broadcast", () => {
    test("arrives where both ends allow it, and nowhere else", async () => {
      expect(await say("talker", ALL_ONES, 6000)).toEqual(hearers("talker", "listener"));
      expect(await say("free", ALL_ONES, 6000)).toEqual(hearers("free", "listener"));
      expect(await say("free", ALL_ONES, 6001)).toEqual(hearers("free"));
      expect(await say("talker", ALL_ONES, 6001)).toBe(null);
      expect(await say("worldly", ALL_ONES, 6000)).toBe(null);
    });

    test("of a subnet is not told from other addresses, and is let in by no rule", async () => {
      expect(await say("free", "10.86.0.255", 6000)).toEqual(hearers("free"));
    });
  });

  test("the kernel holds what was rendered", async () => {
    expect((await driver.readBack()).differences).toEqual([]);
  });
});
