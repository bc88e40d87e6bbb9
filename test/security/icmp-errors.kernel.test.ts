/**
 * Errors about connections of others. An end of a connection that is allowed may report errors about it, and so may a
 * router on its way; a workload that is neither may not, though it knows all four numbers.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Driver } from "../../apps/agent/src/drivers/index.ts";
import { createLab, type Lab, type LabWorkload } from "../../apps/agent/test/drivers/lab.ts";
import { onEveryDriver } from "../../apps/agent/test/drivers/on-every-driver.ts";
import { ALLOW, DROP, policyOf, rowOf } from "../../apps/agent/test/drivers/policies.ts";
import { until } from "../../apps/agent/test/kernel/netns-lab.ts";
import { frame, icmp4, icmp6, sendFrame, sniff, udp4, udp6 } from "./frames.ts";

const PORT = 4343;
let lab: Lab;
let driver: Driver;

const workload = (name: string): LabWorkload => lab.workload(name);

onEveryDriver((under) => {
  beforeAll(async () => {
    lab = createLab(["evil", "client", "server"]);
    driver = under.create(lab);
    const [client, server] = [workload("client"), workload("server")];
    const allow = rowOf(ALLOW);
    await driver.apply(
      policyOf(lab, {
        live: [
          {
            direction: "egress",
            subjects: [client.v4, client.v6],
            exact: [
              [server.v4, allow],
              [server.v6, allow],
            ],
            defaultRow: rowOf(DROP),
          },
          {
            direction: "egress",
            subjects: [workload("evil").v4, workload("evil").v6],
            defaultRow: rowOf(DROP),
          },
          { direction: "ingress", subjects: [client.v4, client.v6], defaultRow: rowOf(DROP) },
        ],
      }),
    );
  });
  afterAll(() => lab?.close());

  const indexOf = ({ netns }: LabWorkload): number =>
    Number.parseInt(lab.run(netns, ["ip", "-o", "link", "show", "eth0"]), 10);

  /** Did an error that `from` sends about a datagram of the client to the server reach the client within that time? */
  const arrives = async (from: LabWorkload, family: 4 | 6, withinMs: number): Promise<boolean> => {
    const [client, server] = [workload("client"), workload("server")];
    const text = `<${from.name} ${family}>`;
    const [packet, type] =
      family === 4
        ? [udp4(client.v4, server.v4, PORT, text), "0800"]
        : [udp6(client.v6, server.v6, PORT, text), "86dd"];
    const there = sniff(server.path);
    const ear = sniff(client.path);
    try {
      sendFrame(client.path, indexOf(client), frame(server.mac, client.mac, type, packet));
      await until("the datagram", () => there.heard().some((heard) => heard.includes(text)));
      const error =
        family === 4 ? icmp4(from.v4, client.v4, packet) : icmp6(from.v6, client.v6, packet);
      sendFrame(from.path, indexOf(from), frame(client.mac, from.mac, type, error));
      const end = Date.now() + withinMs;
      for (;;) {
        if (ear.heard().some((heard) => heard.includes(`${text}ERR`))) return true;
        if (Date.now() > end) return false;
        await sleep(20);
      }
    } finally {
      there.close();
      ear.close();
    }
  };

  test.each([4, 6] as const)(
    "over IPv%s, an end reports errors and a stranger does not",
    async (family) => {
      expect(await arrives(workload("server"), family, 10_000)).toBe(true);
      expect(await arrives(workload("evil"), family, 200)).toBe(false);
    },
  );
});
