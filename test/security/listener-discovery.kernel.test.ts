/**
 * Listener discovery is exempt, since groups do not work without it. It is spoken on one link, so nothing of its kind that
 * was routed, or that goes to somebody alone, is exempt: whoever may reach nobody could say anything in its name.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Driver } from "../../apps/agent/src/drivers/index.ts";
import { createLab, type Lab, type LabWorkload } from "../../apps/agent/test/drivers/lab.ts";
import { onEveryDriver } from "../../apps/agent/test/drivers/on-every-driver.ts";
import { ALLOW, DROP, policyOf, portRow } from "../../apps/agent/test/drivers/policies.ts";
import { icmpv6, frame, openMouth, sniff, udp6, type Ear } from "./frames.ts";

const UDP = 17;
const FENCE_PORT = 53;
const TYPES = [130, 131, 132, 143] as const;
const HOP_LIMITS = [1, 2, 3] as const;
const NAMES = ["a", "b", "far", "farther"] as const;
type Name = (typeof NAMES)[number];

let lab: Lab;
let driver: Driver;
let ears: Readonly<Record<Name | "free", Ear>>;
const texts: Record<string, string> = {};

const linkLocal = ({ netns }: LabWorkload): string => {
  const listed = lab.run(netns, ["ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link"]);
  return /inet6 (fe80:[^/]*)/.exec(listed)![1]!;
};

/** All but `free` may send and receive UDP to one port, and nothing else. */
const enforce = async (): Promise<void> => {
  const subjects = NAMES.map((name) => lab.workload(name)).flatMap((one) => [
    one.v4,
    one.v6,
    linkLocal(one),
  ]);
  const row = portRow(UDP, [[FENCE_PORT, FENCE_PORT]], ALLOW, DROP);
  const whole = policyOf(lab, {
    live: [
      { direction: "ingress", subjects, defaultRow: row },
      { direction: "egress", subjects, defaultRow: row },
    ],
  });
  const endpoints = whole.endpoints.map((endpoint) =>
    endpoint.workload === "lab/free"
      ? { ...endpoint, mode: "observe" as const }
      : {
          ...endpoint,
          addresses: [
            ...endpoint.addresses,
            linkLocal(lab.workload(endpoint.workload.slice("lab/".length))),
          ],
        },
  );
  await driver.apply({ ...whole, endpoints });
};

onEveryDriver((under) => {
  beforeAll(() => {
    lab = createLab(["a", "b", "free"], ["far", "farther"]);
    // Else the bridge keeps reports from those who ask for nothing.
    lab.run(lab.host, ["ip", "link", "set", "br0", "type", "bridge", "mcast_snooping", "0"]);
    driver = under.create(lab);
    ears = Object.fromEntries(
      [...NAMES, "free" as const].map((name) => [name, sniff(lab.workload(name).path)]),
    ) as typeof ears;
  });
  afterAll(() => {
    for (const ear of Object.values(ears ?? {})) ear.close();
    lab?.close();
  });

  /** The MAC address to which a workload sends what is not on its link. */
  const gateway = (from: LabWorkload): string => {
    const device = from.v4.startsWith("10.86.0.") ? "br0" : from.interface;
    return /link\/ether (\S+)/.exec(lab.run(lab.host, ["ip", "link", "show", device]))![1]!;
  };

  const heardBy = (name: Name | "free"): string =>
    (texts[name] = (texts[name] ?? "") + ears[name].heard().join("\n"));

  /** Sends, and after it something that is let in everywhere; what stands in between has arrived when that has. */
  async function say(
    from: Name,
    to: LabWorkload,
    mac: string,
    packets: readonly Buffer[],
  ): Promise<void> {
    const sender = lab.workload(from);
    const index = Number.parseInt(lab.run(sender.netns, ["ip", "-o", "link", "show", "eth0"]));
    const mouth = openMouth(sender.path, index);
    try {
      for (const packet of packets) mouth.send(frame(mac, sender.mac, "86dd", packet));
      const fence = `FENCE ${from} ${to.name} ${performance.now()}.`;
      const end = performance.now() + 30_000;
      do {
        if (performance.now() > end) throw new Error(`${fence} did not arrive`);
        mouth.send(
          frame(gateway(sender), sender.mac, "86dd", udp6(sender.v6, to.v6, FENCE_PORT, fence)),
        );
        await new Promise((resolve) => setTimeout(resolve, 10));
      } while (!heardBy(to.name as Name).includes(fence));
    } finally {
      mouth.close();
    }
  }

  const PAIRS = (["a", "far"] as const).flatMap((from) =>
    NAMES.filter((to) => to !== from).map((to) => ({ from, to })),
  );
  const message = (from: Name, to: Name, type: number, hops: number): string =>
    `SECRET ${from} ${to} ${type} ${hops}.`;

  /** What arrives of what is said to single workloads. */
  async function arriving(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const { from, to } of PAIRS) {
      const [sender, receiver] = [lab.workload(from), lab.workload(to)];
      texts[to] = "";
      const all = TYPES.flatMap((type) => HOP_LIMITS.map((hops) => ({ type, hops })));
      const packets = all.map(({ type, hops }) =>
        icmpv6(sender.v6, receiver.v6, type, `\0\0\0\0${message(from, to, type, hops)}`, hops),
      );
      await say(from, receiver, gateway(sender), packets);
      const heard = heardBy(to);
      found.push(
        ...all
          .map(({ type, hops }) => message(from, to, type, hops))
          .filter((text) => heard.includes(text)),
      );
    }
    return found;
  }

  test("routed, it arrives where nobody is enforced", async () => {
    expect(await arriving()).toEqual(
      PAIRS.flatMap(({ from, to }) =>
        // What has one hop left is not routed.
        TYPES.flatMap((type) => [2, 3].map((hops) => message(from, to, type, hops))),
      ),
    );
  });

  test("to a single workload it is judged like anything else", async () => {
    await enforce();
    expect(await arriving()).toEqual([]);
  });

  test("on one link it reaches the group, and only from who has the right to speak there", async () => {
    await enforce();
    const sender = lab.workload("a");
    const [group, mac] = ["ff02::16", "33:33:00:00:00:16"];
    texts["free"] = "";
    const said = (source: string, hops: number, text: string): Buffer =>
      icmpv6(source, group, 143, `\0\0\0\0${text}`, hops);
    await say("a", lab.workload("free"), mac, [
      said(linkLocal(sender), 1, "REPORT."),
      said("::", 1, "BEFORE IT HAS AN ADDRESS."),
      said(linkLocal(sender), 2, "FARTHER."),
      said(sender.v6, 1, "GLOBAL."),
    ]);
    const free = lab.workload("free");
    await say("a", free, free.mac, [
      icmpv6(linkLocal(sender), free.v6, 143, "\0\0\0\0TO ONE.", 1),
      icmpv6("::", free.v6, 143, "\0\0\0\0TO ONE FROM NOBODY.", 1),
    ]);
    const heard = heardBy("free");
    expect(
      [
        "REPORT.",
        "BEFORE IT HAS AN ADDRESS.",
        "FARTHER.",
        "GLOBAL.",
        "TO ONE.",
        "TO ONE FROM NOBODY.",
      ].filter((text) => heard.includes(text)),
    ).toEqual(["REPORT.", "BEFORE IT HAS AN ADDRESS."]);
  });
});
