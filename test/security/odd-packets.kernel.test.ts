/**
 * Packets that are read one way by a filter and another way by their receiver: options, extension headers, fragments,
 * tunnels, protocols that few know. A workload that may reach nobody sends them; not one arrives.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HostPolicy } from "@bulkhead/model";
import type { Driver } from "../../apps/agent/src/drivers/index.ts";
import { createLab, type Lab, type LabWorkload } from "../../apps/agent/test/drivers/lab.ts";
import { onEveryDriver } from "../../apps/agent/test/drivers/on-every-driver.ts";
import { ALLOW, DROP, policyOf, portRow, rowOf } from "../../apps/agent/test/drivers/policies.ts";
import { datagram, frame, ip4, ip6, sendFrame, sniff, udp4, udp6 } from "./frames.ts";

const UDP = 17;
const ALLOWED_PORT = 53;
const PORT = 4343;

let lab: Lab;
let driver: Driver;

const workload = (name: string): LabWorkload => lab.workload(name);

onEveryDriver((under) => {
  beforeAll(() => {
    lab = createLab(["evil", "victim"]);
    driver = under.create(lab);
  });
  afterAll(() => lab?.close());

  /** The victim takes UDP to one port from anybody, and nothing else; evil itself is free to send. */
  const policy = (judged: boolean): HostPolicy => {
    const { v4, v6 } = workload("victim");
    return policyOf(lab, {
      live: judged
        ? [
            {
              direction: "ingress",
              subjects: [v4, v6],
              defaultRow: portRow(UDP, [[ALLOWED_PORT, ALLOWED_PORT]], ALLOW, DROP),
            },
          ]
        : [],
    });
  };

  const bytes = (...parts: readonly (string | Buffer)[]): Buffer =>
    Buffer.concat(
      parts.map((part) => (typeof part === "string" ? Buffer.from(part, "hex") : part)),
    );
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

  type Make = (text: string) => {
    readonly type: "0800" | "86dd";
    readonly packets: readonly Buffer[];
  };
  const v4 =
    (
      make: (source: string, destination: string, text: string) => Buffer | readonly Buffer[],
    ): Make =>
    (text) => ({
      type: "0800",
      packets: [make(workload("evil").v4, workload("victim").v4, text)].flat(),
    });
  const v6 =
    (
      make: (source: string, destination: string, text: string) => Buffer | readonly Buffer[],
    ): Make =>
    (text) => ({
      type: "86dd",
      packets: [make(workload("evil").v6, workload("victim").v6, text)].flat(),
    });

  /** A header of kind `kind` in front of UDP: hop-by-hop, destination options and routing share this form. */
  const behind = (kind: number, body: string): Make =>
    v6((a, b, text) => ip6(a, b, kind, bytes(hex(UDP, 2), body, datagram(PORT, text))));
  const fragment6 = (offset: number, more: boolean, next: number): string =>
    `${hex(next, 2)}00${hex((offset << 3) | (more ? 1 : 0), 4)}00000077`;
  const bare4 = (protocol: number): Make =>
    v4((a, b, text) =>
      ip4(a, b, protocol, bytes("00351092", hex(text.length + 8, 4), "0000", Buffer.from(text))),
    );

  const PACKETS: Readonly<Record<string, Make>> = {
    "plain UDP": v4((a, b, text) => udp4(a, b, PORT, text)),
    "plain UDP over IPv6": v6((a, b, text) => udp6(a, b, PORT, text)),
    "an IPv4 timestamp option": v4((a, b, text) =>
      ip4(a, b, UDP, datagram(PORT, text), { options: "4408050000000000" }),
    ),
    "loose source routing": v4((a, b, text) =>
      ip4(a, b, UDP, datagram(PORT, text), { options: `830704${"0a560001"}00` }),
    ),
    "hop-by-hop options": behind(0, "00010400000000"),
    "destination options": behind(60, "00010400000000"),
    "a routing header of type 0": behind(43, "00000000000000"),
    "a routing header of type 2": behind(43, "02020000000000".replace("0202", "0002")),
    "UDP-Lite that names the allowed port": bare4(136),
    "DCCP that names the allowed port": bare4(33),
    "SCTP that names the allowed port": bare4(132),
    GRE: bare4(47),
    ESP: bare4(50),
    "a protocol that nobody knows": bare4(253),
    "IPv4 in IPv4, the allowed port inside": v4((a, b, text) =>
      ip4(a, b, 4, udp4(a, b, ALLOWED_PORT, text)),
    ),
    "IPv6 in IPv4, the allowed port inside": v4((a, b, text) =>
      ip4(a, b, 41, udp6(workload("evil").v6, workload("victim").v6, ALLOWED_PORT, text)),
    ),
    "IPv4 in IPv6, the allowed port inside": v6((a, b, text) =>
      ip6(a, b, 4, udp4(workload("evil").v4, workload("victim").v4, ALLOWED_PORT, text)),
    ),
    "fragments with the port in the first": v4((a, b, text) => {
      const whole = datagram(PORT, text.padEnd(24));
      return [
        ip4(a, b, UDP, whole.subarray(0, 8), { fragment: 0x2000 }),
        ip4(a, b, UDP, whole.subarray(8), { fragment: 1 }),
      ];
    }),
    "a later fragment alone": v4((a, b, text) =>
      ip4(a, b, UDP, Buffer.from(text), { fragment: 3, id: 78 }),
    ),
    "a fragment that writes the port over": v4((a, b, text) => {
      const good = datagram(ALLOWED_PORT, text.padEnd(48));
      const bad = datagram(PORT, text.padEnd(48));
      return [
        ip4(a, b, UDP, good.subarray(0, 24), { fragment: 0x2000, id: 79 }),
        ip4(a, b, UDP, bad.subarray(0, 32), { fragment: 0x2000, id: 79 }),
        ip4(a, b, UDP, bad.subarray(32), { fragment: 4, id: 79 }),
      ];
    }),
    "IPv6 fragments whose first has no port": v6((a, b, text) => {
      const whole = bytes(hex(UDP, 2), "00010400000000", datagram(PORT, text.padEnd(24)));
      return [
        ip6(a, b, 44, bytes(fragment6(0, true, 60), whole.subarray(0, 8))),
        ip6(a, b, 44, bytes(fragment6(1, false, 60), whole.subarray(8))),
      ];
    }),
    "an IPv6 fragment alone": v6((a, b, text) =>
      ip6(a, b, 44, bytes(fragment6(4, false, UDP), Buffer.from(text))),
    ),
  };

  /** `expected`: how many are waited for, however busy the machine is. */
  const arrived = async (expected = 0): Promise<readonly string[]> => {
    const { path, mac, netns } = workload("evil");
    const ifindex = Number.parseInt(lab.run(netns, ["ip", "-o", "link", "show", "eth0"]), 10);
    const ear = sniff(workload("victim").path);
    try {
      for (const [name, make] of Object.entries(PACKETS)) {
        const { type, packets } = make(`<${name}>`);
        for (const packet of packets)
          sendFrame(path, ifindex, frame(workload("victim").mac, mac, type, packet));
      }
      const heard: string[] = [];
      const found = (): readonly string[] => {
        heard.push(...ear.heard());
        return Object.keys(PACKETS).filter((name) =>
          heard.some((text) => text.includes(`<${name}>`)),
        );
      };
      for (const end = Date.now() + 10_000; found().length < expected && Date.now() < end;)
        await sleep(20);
      await sleep(300);
      return found();
    } finally {
      ear.close();
    }
  };

  test("those that are whole arrive where no rule forbids it", async () => {
    await driver.apply(policy(false));
    // Fragments are put together before any rule, or not at all.
    const incomplete = [
      "a later fragment alone",
      "a fragment that writes the port over",
      "IPv6 fragments whose first has no port",
      "an IPv6 fragment alone",
    ];
    const found = await arrived(Object.keys(PACKETS).length - incomplete.length);
    expect(Object.keys(PACKETS).filter((name) => !found.includes(name))).toEqual(incomplete);
  });

  test("none arrives at a workload that takes one port of UDP only", async () => {
    await driver.apply(policy(true));
    expect(await arrived()).toEqual([]);
  });

  test("a row that allows everything but one port is not opened by them either", async () => {
    const { v4: address, v6: address6 } = workload("victim");
    const allButOne = portRow(UDP, [[PORT, PORT]], DROP, rowOf(ALLOW).others);
    await driver.apply(
      policyOf(lab, {
        live: [{ direction: "ingress", subjects: [address, address6], defaultRow: allButOne }],
      }),
    );
    const found = await arrived();
    const udp = Object.keys(PACKETS).filter((name) =>
      /plain|option|routing|fragments|writes/.test(name),
    );
    expect(found.filter((name) => udp.includes(name))).toEqual([]);
  });
});
