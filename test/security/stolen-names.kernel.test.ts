/**
 * Names that somebody who is not enforced takes without using an address of another: an enforced workload's MAC, by
 * which a bridge decides where frames go.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ConfinedEndpoint, HostPolicy } from "@bulkhead/model";
import type { Driver } from "../../apps/agent/src/drivers/index.ts";
import { createLab, type Lab, type LabWorkload } from "../../apps/agent/test/drivers/lab.ts";
import { onEveryDriver } from "../../apps/agent/test/drivers/on-every-driver.ts";
import { ALLOW, DROP, policyOf, rowOf } from "../../apps/agent/test/drivers/policies.ts";
import { frame, listen, openMouth, sniff, udp4, type Mouth } from "./frames.ts";

const PORT = 4343;
const EVERYBODY = "ff:ff:ff:ff:ff:ff";

let lab: Lab;
let driver: Driver;
let mouths: Readonly<Record<string, Mouth>>;

const workload = (name: string): LabWorkload => lab.workload(name);

/** `victim` and `friend` are enforced and speak to each other alone; `card` is a port that leads to no workload. */
const policy = (mode: ConfinedEndpoint["mode"], others: "observe" | "audit"): HostPolicy => {
  const pair = [workload("victim"), workload("friend")];
  const addresses = pair.flatMap(({ v4, v6 }) => [v4, v6]);
  const exact = addresses.map((address) => [address, rowOf(ALLOW)] as const);
  const whole = policyOf(lab, {
    live:
      mode === "enforce"
        ? (["ingress", "egress"] as const).map((direction) => ({
            direction,
            subjects: addresses,
            exact,
            defaultRow: rowOf(DROP),
          }))
        : [],
  });
  const card = workload("card");
  return {
    ...whole,
    ports: [{ interface: card.interface, ifindex: card.ifindex }],
    endpoints: whole.endpoints
      .filter((endpoint) => endpoint.workload !== "lab/card")
      .map((endpoint) => ({
        ...endpoint,
        mode: endpoint.workload === "lab/evil" ? others : mode,
      })),
  };
};

onEveryDriver((under) => {
  beforeAll(() => {
    lab = createLab(["evil", "victim", "friend", "card"]);
    driver = under.create(lab);
    mouths = Object.fromEntries(
      Object.values(lab.workloads).map(({ name, netns, path }) => {
        const index = Number.parseInt(lab.run(netns, ["ip", "-o", "link", "show", "eth0"]), 10);
        return [name, openMouth(path, index)];
      }),
    );
  });
  afterAll(() => {
    for (const mouth of Object.values(mouths ?? {})) mouth.close();
    lab?.close();
  });
  beforeEach(() => {
    lab.run(lab.host, ["ip", "link", "set", "dev", "br0", "type", "bridge", "fdb_flush"]);
  });

  const say = (
    from: string,
    to: string,
    mac: string,
    ip: readonly [string, string],
    text: string,
  ) => mouths[from]?.send(frame(to, mac, "0800", udp4(...ip, PORT, text)));

  /** Where the bridge sends what is for the friend's MAC. */
  const seenAt = (): string =>
    new RegExp(`^${workload("friend").mac} dev (\\S+)`, "m").exec(
      lab.run(lab.host, ["bridge", "fdb", "show", "br", "br0"]),
    )?.[1] ?? "";

  describe.each([
    ["evil", "observe"],
    ["evil", "audit"],
    ["card", "observe"],
  ] as const)("an enforced workload's MAC, taken by %s in %s", (thief, others) => {
    const steal = async (mode: ConfinedEndpoint["mode"]) => {
      await driver.apply(policy(mode, others));
      const victim = workload("victim");
      const friend = workload("friend");
      const robber = workload(thief);
      const ears = { friend: listen(friend.path, PORT), thief: sniff(robber.path) };
      const heard: { friend: string[]; thief: string[] } = { friend: [], thief: [] };
      // After each theft: whatever the friend says of its own, as to find its neighbours, calls the bridge back.
      const seen = new Set<string>();
      const hear = () => {
        heard.friend.push(...ears.friend.heard());
        heard.thief.push(...ears.thief.heard());
      };
      try {
        // The bridge learns where the friend is.
        say("friend", EVERYBODY, friend.mac, [friend.v4, "255.255.255.255"], "here");
        await expect.poll(seenAt, { timeout: 10_000 }).toBe(friend.interface);
        for (let round = 0; round < 20; round += 1) {
          say(thief, EVERYBODY, friend.mac, [robber.v4, "255.255.255.255"], "theft");
          seen.add(seenAt());
          say("victim", friend.mac, victim.mac, [victim.v4, friend.v4], `secret ${round};`);
        }
        await expect
          .poll(
            () => {
              hear();
              return new Set(
                [...heard.friend, ...heard.thief].flatMap(
                  (text) => /secret \d+;/.exec(text)?.[0] ?? [],
                ),
              ).size;
            },
            { timeout: 10_000 },
          )
          .toBe(20);
      } finally {
        ears.friend.close();
        ears.thief.close();
      }
      return {
        friend: heard.friend.filter((text) => text.startsWith("secret")).length,
        thief: heard.thief.filter((text) => text.includes("secret")).length,
        seen: [...seen],
      };
    };

    test("draws everything to it where nothing is enforced", async () => {
      const { thief: stolen, seen } = await steal("audit");
      expect(stolen).toBeGreaterThan(0);
      expect(seen).toContain(workload(thief).interface);
    });

    test("draws nothing in enforce, and is counted", async () => {
      expect(await steal("enforce")).toEqual({
        friend: 20,
        thief: 0,
        seen: [workload("friend").interface],
      });
      const spoofed = (await driver.counters()).find(
        (one) => one.kind === "special" && one.name === "spoofed",
      );
      expect(spoofed?.packets).toBeGreaterThanOrEqual(20);
    });
  });
});
