/**
 * Frames that are tagged twice: the kernel shows our hooks what is behind the first tag, and the machine and its workloads
 * take the rest off later. In an enforced workload's name, such a frame reaches nobody, whoever sends it and
 * wherever it goes; tags of real VLANs between those who are not enforced go on.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { ConfinedEndpoint, HostPolicy } from "@bulkhead/model";
import type { Driver } from "../../apps/agent/src/drivers/index.ts";
import { createLab, type Lab, type LabWorkload } from "../../apps/agent/test/drivers/lab.ts";
import { onEveryDriver } from "../../apps/agent/test/drivers/on-every-driver.ts";
import { ALLOW, DROP, policyOf, rowOf } from "../../apps/agent/test/drivers/policies.ts";
import { addressBytes } from "../../apps/agent/src/probe/socket-address.ts";
import { frame, listen, openMouth, sniff, udp4, udp6, type Ear, type Mouth } from "./frames.ts";

const PORT = 4343;
const HOST_MAC = "02:86:00:00:00:01";
const LAST = "the last one";

/** In front of the packet's type, in hex. */
const TAGS: Readonly<Record<string, string>> = {
  "two tags": "8100000081000000",
  "three tags": "810000008100000081000000",
  "two of a provider": "88a8000088a80000",
  "a provider's outside": "88a8000081000000",
  "a provider's inside": "8100000088a80000",
};

let lab: Lab;
let driver: Driver;
let ears: Readonly<Record<string, Ear>>;
let mouths: Readonly<Record<string, Mouth>>;

const workload = (name: string): LabWorkload => lab.workload(name);

/**
 * `judged` and `routed` take packets from `friend` alone, `open` is enforced and takes everybody's; `evil`, `plain`, and
 * `card`, which is no workload, are not enforced. `stranger` is not known.
 */
const policy = (mode: ConfinedEndpoint["mode"]): HostPolicy => {
  const [judged, routed, friend, card] = ["judged", "routed", "friend", "card"].map(workload) as [
    LabWorkload,
    LabWorkload,
    LabWorkload,
    LabWorkload,
  ];
  const whole = policyOf(lab, {
    live:
      mode === "enforce"
        ? [
            {
              direction: "ingress",
              subjects: [judged.v4, judged.v6, routed.v4, routed.v6],
              exact: [
                [friend.v4, rowOf(ALLOW)],
                [friend.v6, rowOf(ALLOW)],
              ],
              defaultRow: rowOf(DROP),
            },
          ]
        : [],
  });
  return {
    ...whole,
    ports: [{ interface: card.interface, ifindex: card.ifindex }],
    endpoints: whole.endpoints
      .filter((endpoint) => !/card|stranger/.test(endpoint.workload))
      .map((endpoint) => ({
        ...endpoint,
        mode: /evil|plain/.test(endpoint.workload) ? "observe" : mode,
      })),
  };
};

const SENDERS = ["evil", "card", "stranger"];
const LISTENERS = ["judged", "open", "plain", "routed"];

onEveryDriver((under) => {
  beforeAll(() => {
    lab = createLab(["evil", "judged", "friend", "open", "plain", "card", "stranger"], ["routed"]);
    driver = under.create(lab);
    ears = {
      ...Object.fromEntries(LISTENERS.map((name) => [name, listen(workload(name).path, PORT)])),
      host: listen(lab.hostPath, PORT),
    };
    mouths = Object.fromEntries(
      [...SENDERS, "plain"].map((name) => {
        const { netns, path } = workload(name);
        const index = Number.parseInt(lab.run(netns, ["ip", "-o", "link", "show", "eth0"]), 10);
        return [name, openMouth(path, index)];
      }),
    );
  });
  afterAll(() => {
    for (const one of [...Object.values(ears ?? {}), ...Object.values(mouths ?? {})]) one.close();
    lab?.close();
  });
  beforeEach(() => {
    lab.run(lab.host, ["ip", "link", "set", "dev", "br0", "type", "bridge", "fdb_flush"]);
  });

  /** What was heard, after something that is heard for certain came behind it, by everybody who can be reached. */
  const heardAfter = async (send: () => void): Promise<ReadonlySet<string>> => {
    send();
    const heard: string[] = [];
    const plain = workload("plain");
    const { v4 } = workload("evil");
    await expect
      .poll(
        () => {
          mouths["evil"]?.send(
            frame(plain.mac, workload("evil").mac, "0800", udp4(v4, plain.v4, PORT, LAST)),
          );
          heard.push(...Object.values(ears).flatMap((ear) => ear.heard()));
          return heard.filter((text) => text === LAST).length;
        },
        { timeout: 20_000 },
      )
      // Queues of other processors have been worked off meanwhile.
      .toBeGreaterThan(5);
    return new Set(heard.filter((text) => text !== LAST));
  };

  /** In the friend's name, tagged in each way, from `sender`: by way of the machine, and straight. */
  const lies = (sender: string, tags = Object.entries(TAGS)): Readonly<Record<string, Buffer>> => {
    const friend = workload("friend");
    const { mac } = workload(sender);
    const found: Record<string, Buffer> = {};
    for (const [name, tag] of tags) {
      for (const to of ["judged", "routed", "open"]) {
        const { v4, v6 } = workload(to);
        const text = `${sender}, ${name}, by the machine to ${to}, `;
        found[`${text}4`] = frame(
          HOST_MAC,
          mac,
          `${tag}0800`,
          udp4(friend.v4, v4, PORT, `${text}4`),
        );
        found[`${text}6`] = frame(
          HOST_MAC,
          mac,
          `${tag}86dd`,
          udp6(friend.v6, v6, PORT, `${text}6`),
        );
      }
      for (const to of ["open", "plain"]) {
        const { v4, mac: at } = workload(to);
        const text = `${sender}, ${name}, straight to ${to}`;
        found[text] = frame(at, mac, `${tag}0800`, udp4(friend.v4, v4, PORT, text));
      }
      const text = `${sender}, ${name}, to the machine`;
      found[text] = frame(HOST_MAC, mac, `${tag}0800`, udp4(friend.v4, "10.86.0.1", PORT, text));
    }
    return found;
  };

  const all = (): Readonly<Record<string, Buffer>> =>
    Object.assign({}, ...SENDERS.map((sender) => lies(sender))) as Record<string, Buffer>;

  const tell = (lie: Readonly<Record<string, Buffer>>): void => {
    for (const [text, bytes] of Object.entries(lie))
      mouths[text.slice(0, text.indexOf(","))]?.send(bytes);
  };

  test("every such frame arrives where nothing is enforced", async () => {
    await driver.apply(policy("observe"));
    const lie = all();
    const heard = await heardAfter(() => tell(lie));
    expect([...heard].toSorted()).toEqual(Object.keys(lie).toSorted());
  });

  test("none arrives in an enforced workload's name, and each is counted", async () => {
    await driver.apply(policy("enforce"));
    const lie = all();
    const heard = await heardAfter(() => tell(lie));
    expect([...heard]).toEqual([]);
    const counted = (await driver.counters()).flatMap((one) =>
      one.kind === "special" && /^(?:spoofed|unknown_port)$/.test(one.name) ? [one.packets] : [],
    );
    expect(counted.reduce((sum, packets) => sum + packets, 0)).toBeGreaterThanOrEqual(
      Object.keys(lie).length,
    );
  });

  test("ARP behind two tags changes what is known of a neighbour, and nothing in enforce", async () => {
    const friend = workload("friend");
    const evil = workload("evil");
    const open = workload("open");
    const hex = (mac: string): Buffer => Buffer.from(mac.replaceAll(":", ""), "hex");
    const told = async (
      netns: string,
      device: string,
      mac: string,
      address: string,
    ): Promise<string | undefined> => {
      // An entry may else be changed once a second only.
      lab.run(netns, ["sysctl", "-qw", `net.ipv4.neigh.${device}.locktime=0`]);
      const known = ["neigh", "replace", friend.v4, "lladdr", friend.mac, "dev", device];
      lab.run(netns, ["ip", ...known, "nud", "stale"]);
      const answer = Buffer.concat([
        Buffer.from("0001080006040002", "hex"),
        hex(evil.mac),
        addressBytes(friend.v4),
        hex(mac),
        addressBytes(address),
      ]);
      const bytes = frame(mac, evil.mac, "81000000810000000806", answer);
      // Twice: within the tick of the clock in which it was made, an entry is not changed.
      for (let round = 0; round < 2; round += 1)
        await heardAfter(() => mouths["evil"]?.send(bytes));
      return /lladdr (\S+)/.exec(lab.run(netns, ["ip", "neigh", "show", friend.v4]))?.[1];
    };
    const both = async () => [
      await told(lab.host, "br0", HOST_MAC, "10.86.0.1"),
      await told(open.netns, "eth0", open.mac, open.v4),
    ];
    await driver.apply(policy("observe"));
    expect(await both()).toEqual([evil.mac, evil.mac]);
    await driver.apply(policy("enforce"));
    expect(await both()).toEqual([friend.mac, friend.mac]);
  });

  /** Tags that those who are not enforced may use among themselves. */
  const LEGITIMATE: Readonly<Record<string, string>> = {
    "a priority": "81006000",
    "VLAN 0 of a provider": "88a80000",
    "VLAN 5": "81000005",
    "VLAN 5 with a priority": "8100a005",
    "VLAN 100 of a provider": "88a80064",
    "a customer's VLAN in a provider's": "88a8006481000005",
    "a customer's priority in a provider's VLAN": "88a8006481006000",
  };

  test("those who are not enforced go on using tags among themselves", async () => {
    await driver.apply(policy("enforce"));
    const plain = workload("plain");
    const ear = sniff(plain.path);
    try {
      const permitted: Record<string, Buffer> = {};
      for (const from of ["evil", "card"])
        for (const [name, tag] of Object.entries(LEGITIMATE)) {
          const { mac, v4 } = workload(from);
          const text = `${from}, ${name};`;
          permitted[text] = frame(plain.mac, mac, `${tag}0800`, udp4(v4, plain.v4, PORT, text));
        }
      await heardAfter(() => tell(permitted));
      const heard = ear.heard().join("\n");
      expect(Object.keys(permitted).filter((text) => !heard.includes(text))).toEqual([]);
    } finally {
      ear.close();
    }
  });
});
