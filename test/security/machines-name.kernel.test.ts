/**
 * The machine's own addresses in the mouth of others: from the network, routed or through a card on the bridge, and from a
 * neighbour that is not enforced. A rule that lets the machine in lets nobody else in, and nobody else answers for it.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { ConfinedEndpoint, HostPolicy } from "@bulkhead/model";
import type { Driver } from "../../apps/agent/src/drivers/index.ts";
import { createLab, type Lab, type LabWorkload } from "../../apps/agent/test/drivers/lab.ts";
import { onEveryDriver } from "../../apps/agent/test/drivers/on-every-driver.ts";
import { ALLOW, DROP, policyOf, rowOf } from "../../apps/agent/test/drivers/policies.ts";
import { arp, frame as wireFrame, icmpv6, ipv6 } from "../../apps/agent/test/drivers/wire.ts";
import { addressBytes } from "../../apps/agent/src/probe/socket-address.ts";
import { frame, listen, openMouth, udp4, udp6, type Ear, type Mouth } from "./frames.ts";

const PORT = 4343;
const MACHINE = { v4: "10.86.0.1", v6: "fd86::1", mac: "02:86:00:00:00:01" } as const;
const LAST = "the last one";

let lab: Lab;
let driver: Driver;
let ears: Readonly<Record<string, Ear>>;
let mouths: Readonly<Record<string, Mouth>>;

const workload = (name: string): LabWorkload => lab.workload(name);

/**
 * `victim` and `routed` take packets from the machine alone; `evil` is not enforced. `card` on the bridge and `far` beyond a link
 * of its own lead to the network.
 */
const policy = (mode: ConfinedEndpoint["mode"], nodeExempt: boolean): HostPolicy => {
  const victims = [workload("victim"), workload("routed")];
  const whole = policyOf(lab, {
    nodeExempt,
    live:
      mode === "enforce"
        ? [
            {
              direction: "ingress",
              subjects: victims.flatMap(({ v4, v6 }) => [v4, v6]),
              exact: lab.hostAddresses.map((address) => [address, rowOf(ALLOW)] as const),
              defaultRow: rowOf(DROP),
            },
          ]
        : [],
  });
  const ports = [workload("card"), workload("far")];
  return {
    ...whole,
    ports: ports.map(({ interface: link, ifindex }) => ({ interface: link, ifindex })),
    endpoints: whole.endpoints
      .filter((endpoint) => !/card|far/.test(endpoint.workload))
      .map((endpoint) => ({
        ...endpoint,
        mode: /evil|plain/.test(endpoint.workload) ? "observe" : mode,
      })),
  };
};

onEveryDriver((under) => {
  beforeAll(() => {
    lab = createLab(["evil", "victim", "card", "plain"], ["far", "routed"]);
    driver = under.create(lab);
    ears = Object.fromEntries(
      ["victim", "routed", "plain"].map((name) => [name, listen(workload(name).path, PORT)]),
    );
    mouths = Object.fromEntries(
      ["evil", "card", "far"].map((name) => {
        const { netns, path } = workload(name);
        const index = Number.parseInt(lab.run(netns, ["ip", "-o", "link", "show", "eth0"]), 10);
        return [name, openMouth(path, index)];
      }),
    );
    const { netns } = workload("victim");
    // An entry may else be changed once a second only.
    lab.run(netns, ["sysctl", "-qw", "net.ipv4.neigh.eth0.locktime=0"]);
  });
  afterAll(() => {
    for (const one of [...Object.values(ears ?? {}), ...Object.values(mouths ?? {})]) one.close();
    lab?.close();
  });
  beforeEach(() => {
    lab.run(lab.host, ["ip", "link", "set", "dev", "br0", "type", "bridge", "fdb_flush"]);
    lab.run(lab.host, ["conntrack", "-F"]);
  });

  /** What was heard, after something that is heard for certain came behind it. */
  const heardAfter = async (send: () => void): Promise<ReadonlySet<string>> => {
    send();
    const heard: string[] = [];
    const plain = workload("plain");
    const { v4, mac } = workload("evil");
    await expect
      .poll(
        () => {
          mouths["evil"]?.send(frame(plain.mac, mac, "0800", udp4(v4, plain.v4, PORT, LAST)));
          heard.push(...Object.values(ears).flatMap((ear) => ear.heard()));
          return heard.filter((text) => text === LAST).length;
        },
        { timeout: 20_000 },
      )
      // Queues of other processors have been worked off meanwhile.
      .toBeGreaterThan(5);
    return new Set(heard.filter((text) => text !== LAST));
  };

  /** Every way in which somebody says that it is the machine, except those that Linux itself does not take. */
  const lies = (): Readonly<Record<string, Buffer>> => {
    const found: Record<string, Buffer> = {};
    const tell = (from: string, to: string, at: string, address: string): void => {
      const text = `${from}, as ${address}, to ${to}${at === workload(to).mac ? "" : ", routed"}`;
      const { v4, v6 } = workload(to);
      found[text] = address.includes(":")
        ? frame(at, workload(from).mac, "86dd", udp6(address, v6, PORT, text))
        : frame(at, workload(from).mac, "0800", udp4(address, v4, PORT, text));
    };
    const link = lab.run(lab.host, ["ip", "link", "show", workload("far").interface]);
    const gateway = /link\/ether (\S+)/.exec(link)?.[1] ?? "";
    for (const address of lab.hostAddresses) {
      for (const from of ["evil", "card"]) tell(from, "victim", workload("victim").mac, address);
      // Linux takes no IPv4 packet to be routed that comes from an address of its own.
      if (!address.includes(":")) continue;
      for (const to of ["victim", "routed"]) {
        tell("far", to, gateway, address);
        for (const from of ["evil", "card"]) tell(from, to, MACHINE.mac, address);
      }
    }
    return found;
  };

  const send = (lie: Readonly<Record<string, Buffer>>): void => {
    for (const [text, bytes] of Object.entries(lie))
      mouths[text.slice(0, text.indexOf(","))]?.send(bytes);
  };

  test("every lie arrives where nothing is enforced", async () => {
    await driver.apply(policy("observe", false));
    const lie = lies();
    const heard = await heardAfter(() => send(lie));
    expect([...heard].toSorted()).toEqual(Object.keys(lie).toSorted());
  });

  test.each([false, true])(
    "a rule that lets the machine in lets in nobody who wears its address (node exempt: %s)",
    async (nodeExempt) => {
      await driver.apply(policy("enforce", nodeExempt));
      expect([...(await heardAfter(() => send(lies())))]).toEqual([]);
    },
  );

  test("and the machine itself is let in, and found, by whoever asks", async () => {
    await driver.apply(policy("enforce", false));
    const before = await driver.counters();
    for (const name of ["victim", "routed"])
      for (const address of [workload(name).v4, workload(name).v6])
        lab.run(lab.host, ["ping", "-c", "1", "-W", "5", address]);
    for (const name of ["victim", "evil", "plain"]) {
      lab.run(workload(name).netns, ["ip", "neigh", "flush", "dev", "eth0"]);
      for (const address of [MACHINE.v4, MACHINE.v6])
        lab.run(workload(name).netns, ["ping", "-c", "1", "-W", "5", address]);
    }
    const lost = (counters: typeof before): number =>
      counters
        .filter((one) => one.kind === "special" && /spoofed$|false_source/.test(one.name))
        .reduce((sum, { packets }) => sum + packets, 0);
    expect(lost(await driver.counters())).toBe(lost(before));
  });

  /** Tells the victim where the machine is, in ARP and by an advertisement. */
  const answersFor = (from: string): readonly Buffer[] => {
    const { mac, v4 } = workload(from);
    const body = Buffer.alloc(24);
    body.writeUInt8(136, 0);
    body.writeUInt8(0x20, 4);
    addressBytes(MACHINE.v6).copy(body, 8);
    const link = Buffer.from(`0201${mac.replaceAll(":", "")}`, "hex");
    const message = icmpv6("fe80::bad", "ff02::1", Buffer.concat([body, link]));
    const victim = workload("victim");
    return [
      wireFrame(victim.mac, mac, 0x0806, arp(mac, MACHINE.v4, victim.v4, "")),
      wireFrame("33:33:00:00:00:01", mac, 0x86dd, ipv6("fe80::bad", "ff02::1", 58, 255, message)),
      frame(victim.mac, mac, "0800", udp4(v4, victim.v4, 9, "")),
    ];
  };

  const believed = async (from: string): Promise<readonly (string | undefined)[]> => {
    const { netns } = workload("victim");
    for (const address of [MACHINE.v4, MACHINE.v6]) {
      const known = ["neigh", "replace", address, "lladdr", MACHINE.mac, "dev", "eth0"];
      lab.run(netns, ["ip", ...known, "nud", "stale"]);
    }
    // Twice: within the tick of the clock in which it was made, an entry is not changed.
    for (let round = 0; round < 2; round += 1)
      await heardAfter(() => {
        for (const bytes of answersFor(from)) mouths[from]?.send(bytes);
      });
    return [MACHINE.v4, MACHINE.v6].map(
      (address) => /lladdr (\S+)/.exec(lab.run(netns, ["ip", "neigh", "show", address]))?.[1],
    );
  };

  test("nobody behind a veth answers for the machine; another machine may take its address over", async () => {
    await driver.apply(policy("observe", false));
    expect(await believed("evil")).toEqual([workload("evil").mac, workload("evil").mac]);
    await driver.apply(policy("enforce", false));
    expect(await believed("evil")).toEqual([MACHINE.mac, MACHINE.mac]);
    expect(await believed("card")).toEqual([workload("card").mac, workload("card").mac]);
  });
});
