/**
 * Ways around a rule that goes by the destination's address: packets that a workload takes although they are not sent to
 * it, and packets to it that the rules never see. Each arrives before enforcement and does not after it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ConfinedEndpoint, HostPolicy } from "@bulkhead/model";
import type { Driver } from "../../apps/agent/src/drivers/index.ts";
import { createLab, type Lab, type LabWorkload } from "../../apps/agent/test/drivers/lab.ts";
import { onEveryDriver } from "../../apps/agent/test/drivers/on-every-driver.ts";
import { ALLOW, DROP, policyOf, rowOf } from "../../apps/agent/test/drivers/policies.ts";
import { frame, listen, sendFrame, udp4, udp6, type Ear } from "./frames.ts";

const PORT = 4343;
const ELSEWHERE = { 4: "172.31.0.1", 6: "fd99::1" } as const;
const BROADCAST = "ff:ff:ff:ff:ff:ff";

let lab: Lab;
let driver: Driver;
let ear: Ear;

const workload = (name: string): LabWorkload => lab.workload(name);

/** The victim is enforced and takes packets from its friend alone; everybody else is observed; `far` is the network. */
const policy = (mode: ConfinedEndpoint["mode"]): HostPolicy => {
  const { v4, v6 } = workload("victim");
  const friend = workload("friend");
  const allowed = rowOf(ALLOW);
  const whole = policyOf(lab, {
    live:
      mode === "enforce"
        ? [
            {
              direction: "ingress",
              subjects: [v4, v6],
              exact: [
                [friend.v4, allowed],
                [friend.v6, allowed],
              ],
              defaultRow: rowOf(DROP),
            },
          ]
        : [],
  });
  const far = workload("far");
  return {
    ...whole,
    ports: [{ interface: far.interface, ifindex: far.ifindex }],
    endpoints: whole.endpoints
      .filter((endpoint) => endpoint.workload !== "lab/far")
      .map((endpoint) => ({
        ...endpoint,
        mode: /victim|friend/.test(endpoint.workload) ? mode : "observe",
      })),
  };
};

onEveryDriver((under) => {
  beforeAll(() => {
    lab = createLab(["evil", "victim", "friend"], ["far"]);
    driver = under.create(lab);
    const { netns, path } = workload("victim");
    lab.run(netns, ["ip", "addr", "add", `${ELSEWHERE[4]}/32`, "dev", "lo"]);
    lab.run(netns, ["ip", "addr", "add", `${ELSEWHERE[6]}/128`, "dev", "lo"]);
    ear = listen(path, PORT);
  });
  afterAll(() => {
    ear?.close();
    lab?.close();
  });

  interface Way {
    readonly from: "evil" | "far" | "friend";
    readonly bytes: (sender: LabWorkload, victim: LabWorkload, text: string) => Buffer;
  }

  const by = (bytes: Way["bytes"], from: Way["from"] = "evil"): Way => ({ from, bytes });
  const v4 =
    (destination: string, to: string | null = null, tags = "0800"): Way["bytes"] =>
    (sender, victim, text) =>
      frame(
        to ?? victim.mac,
        sender.mac,
        tags,
        udp4(sender.v4, destination === "" ? victim.v4 : destination, PORT, text),
      );
  const v6 =
    (destination: string, to: string | null = null, tags = "86dd"): Way["bytes"] =>
    (sender, victim, text) =>
      frame(
        to ?? victim.mac,
        sender.mac,
        tags,
        udp6(sender.v6, destination === "" ? victim.v6 : destination, PORT, text),
      );

  /** The host's side of the link of `far`. */
  const gateway = (): string =>
    /link\/ether (\S+)/.exec(
      lab.run(lab.host, ["ip", "link", "show", workload("far").interface]),
    )?.[1] ?? "";

  const WAYS: Readonly<Record<string, Way>> = {
    "straight, IPv4": by(v4("")),
    "straight, IPv6": by(v6("")),
    "to the subnet's broadcast address": by(v4("10.86.0.255", BROADCAST)),
    "to the broadcast address, in a frame for one": by(v4("10.86.0.255")),
    "to everybody": by(v4("255.255.255.255", BROADCAST)),
    "to all nodes' multicast group": by(v6("ff02::1", "33:33:00:00:00:01")),
    "to an IPv4 address on another interface": by(v4(ELSEWHERE[4])),
    "to an IPv6 address on another interface": by(v6(ELSEWHERE[6])),
    "tagged for VLAN 0": by(v4("", null, "810000000800")),
    "tagged for VLAN 0, IPv6": by(v6("", null, "8100000086dd")),
    "tagged by a provider for VLAN 0": by(v4("", null, "88a800000800")),
    "tagged twice for VLAN 0": by(v4("", null, "81000000810000000800")),
    "by a neighbour with the friend's IPv4 address": by((sender, victim, text) =>
      frame(victim.mac, sender.mac, "0800", udp4(workload("friend").v4, victim.v4, PORT, text)),
    ),
    "by a neighbour with the friend's IPv6 address": by((sender, victim, text) =>
      frame(victim.mac, sender.mac, "86dd", udp6(workload("friend").v6, victim.v6, PORT, text)),
    ),
    "from the network with the friend's IPv4 address": by(
      (sender, victim, text) =>
        frame(gateway(), sender.mac, "0800", udp4(workload("friend").v4, victim.v4, PORT, text)),
      "far",
    ),
    "from the network with the friend's IPv6 address": by(
      (sender, victim, text) =>
        frame(gateway(), sender.mac, "86dd", udp6(workload("friend").v6, victim.v6, PORT, text)),
      "far",
    ),
  };

  /** The ways, of those given, on which a datagram arrived; `expected`: how many are waited for, however busy the machine is. */
  const arrived = async (
    ways: Readonly<Record<string, Way>>,
    expected: number,
  ): Promise<readonly string[]> => {
    const victim = workload("victim");
    for (const [name, { from, bytes }] of Object.entries(ways)) {
      const sender = workload(from);
      const ifindex = Number.parseInt(
        lab.run(sender.netns, ["ip", "-o", "link", "show", "eth0"]),
        10,
      );
      sendFrame(sender.path, ifindex, bytes(sender, victim, name));
    }
    const heard = new Set<string>();
    const hear = (): number => {
      for (const text of ear.heard()) heard.add(text);
      return heard.size;
    };
    for (const end = Date.now() + 10_000; hear() < expected && Date.now() < end;) await sleep(20);
    await sleep(300);
    hear();
    return Object.keys(ways).filter((name) => heard.has(name));
  };

  test("every way is open where nothing is enforced", async () => {
    await driver.apply(policy("observe"));
    const all = Object.keys(WAYS);
    expect(await arrived(WAYS, all.length)).toEqual(all);
  });

  test("no way is open to a workload whose ingress is judged, but the permitted one", async () => {
    await driver.apply(policy("enforce"));
    expect(await arrived(WAYS, 0)).toEqual([]);
    const permitted = {
      "IPv4 of the friend": by(v4(""), "friend"),
      "IPv6 of the friend": by(v6(""), "friend"),
    };
    expect(await arrived(permitted, 2)).toEqual(Object.keys(permitted));
    const counted = (await driver.counters()).flatMap((one) =>
      one.kind === "special" ? [[one.name, one.packets] as const] : [],
    );
    expect(Object.fromEntries(counted)).toMatchObject({ false_source: 2, spoofed: 3 });
  });
});
