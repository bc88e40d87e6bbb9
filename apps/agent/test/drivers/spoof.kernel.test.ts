/**
 * A workload that lies about who it is, on every layer: address, MAC, ARP, neighbour discovery, tags that hide a packet
 * from the IP hooks. Each lie works before enforcement (or the test would prove nothing) and does not after it.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Driver } from "../../src/drivers/index.ts";
import { createLab } from "./lab.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { lies, MARK, ways } from "./lies.ts";
import { onEveryDriver } from "./on-every-driver.ts";
import { ALLOW, DROP, policyOf, rowOf } from "./policies.ts";
import type { ClassText } from "./policies.ts";
import { frame, ipv4, send, udp } from "./wire.ts";

let lab: Lab;
let driver: Driver;

beforeAll(() => {
  lab = createLab(["liar", "victim", "witness", "fickle"], ["outside"]);
});
afterAll(() => lab?.close());
beforeEach(() => {
  // A lie about MAC addresses is remembered by the bridge, and would swallow later frames.
  lab.run(lab.host, ["ip", "link", "set", "dev", "br0", "type", "bridge", "fdb_flush"]);
  for (const { netns } of Object.values(lab.workloads))
    lab.run(netns, ["ip", "neigh", "flush", "all"]);
});

const workload = (name: string): LabWorkload => lab.workload(name);

const apply = (mode: "audit" | "enforce") => driver.apply(policyOf(lab, { mode }));

const spoofed = async (): Promise<number> =>
  (await driver.counters()).find((c) => c.kind === "special" && c.name === "spoofed")?.packets ?? 0;

onEveryDriver((under) => {
  beforeAll(() => {
    driver = under.create(lab);
  });
  afterAll(() => driver.remove());

  describe.each(["audit", "enforce"] as const)("in %s a lie", (mode) => {
    beforeAll(() => apply(mode));

    test.each(lies)(`%s ${mode === "audit" ? "works" : "does not"}`, async (_, build) => {
      const [liar, victim, witness] = [workload("liar"), workload("victim"), workload("witness")];
      const bytes = build(liar, victim, witness);
      const before = await spoofed();
      const heard = await send(lab, liar, witness, bytes, Buffer.from(MARK));
      expect([heard, (await spoofed()) > before]).toEqual([mode === "audit", mode === "enforce"]);
    });
  });

  const linkLocalOf = (of: LabWorkload): string => {
    const found = /fe80::[0-9a-f:]+/.exec(lab.run(of.netns, ["ip", "-6", "addr", "show", "eth0"]));
    if (found === null) throw new Error("no link-local address");
    return found[0];
  };

  /** Only the witness is confined; nobody may reach it. */
  const isolateWitness = (mode: "audit" | "enforce") => {
    const { v4, v6 } = workload("witness");
    const isolated: ClassText[] = [
      { direction: "ingress", subjects: [v4, v6], defaultRow: rowOf(DROP) },
    ];
    const policy = policyOf(lab, {
      mode: "audit",
      ...(mode === "enforce" ? { live: isolated } : { shadow: isolated }),
    });
    return driver.apply({
      ...policy,
      endpoints: policy.endpoints.map((endpoint) =>
        endpoint.workload === "lab/witness" ? { ...endpoint, mode } : endpoint,
      ),
    });
  };

  describe.each(["audit", "enforce"] as const)(
    "a workload that nobody confines reaches one that is isolated in %s",
    (mode) => {
      const misdirected = async (): Promise<number> =>
        (await driver.counters()).find((c) => c.kind === "special" && c.name === "misdirected")
          ?.packets ?? 0;
      beforeAll(() => isolateWitness(mode));

      test.each(ways)(`by %s: ${mode === "audit"}`, async (_, build) => {
        const [liar, witness] = [workload("liar"), workload("witness")];
        const bytes = build(liar, witness, () => linkLocalOf(witness));
        const before = await misdirected();
        const heard = await send(lab, liar, witness, bytes, Buffer.from(MARK));
        expect([heard, (await misdirected()) > before]).toEqual([
          mode === "audit",
          mode === "enforce",
        ]);
      });
    },
  );

  describe("a workload that nobody confines reaches an isolated one by", () => {
    test("using its name towards a third one works in audit, and not in enforce", async () => {
      const liar = workload("liar");
      const { v4 } = workload("witness");
      const victim = workload("victim");
      const lie = frame(victim.mac, liar.mac, 0x0800, ipv4(v4, victim.v4, 17, udp(MARK)));
      await isolateWitness("audit");
      expect(await send(lab, liar, victim, lie, Buffer.from(MARK))).toBe(true);
      await isolateWitness("enforce");
      expect(await send(lab, liar, victim, lie, Buffer.from(MARK))).toBe(false);
    });

    test("using a permitted one's name from elsewhere works in audit, and not in enforce", async () => {
      const outside = workload("outside");
      const witness = workload("witness");
      const victim = workload("victim");
      const link = lab.run(lab.host, ["ip", "-o", "link", "show", outside.interface]);
      const router = /link\/ether (\S+)/.exec(link)?.[1] ?? "";
      const lie = frame(router, outside.mac, 0x0800, ipv4(victim.v4, witness.v4, 17, udp(MARK)));
      lab.run(lab.host, ["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0"]);
      lab.run(lab.host, ["sysctl", "-qw", `net.ipv4.conf.${outside.interface}.rp_filter=0`]);
      lab.run(lab.host, [
        "ip",
        "neigh",
        "replace",
        witness.v4,
        "lladdr",
        witness.mac,
        "dev",
        "br0",
      ]);
      const open: ClassText = {
        direction: "ingress",
        subjects: [witness.v4],
        exact: [[victim.v4, rowOf(ALLOW)]],
        defaultRow: rowOf(DROP),
      };
      await driver.apply(policyOf(lab, { mode: "audit", shadow: [open] }));
      expect(await send(lab, outside, witness, lie, Buffer.from(MARK))).toBe(true);
      lab.run(lab.host, ["conntrack", "-F"]);
      await driver.apply(policyOf(lab, { mode: "audit", live: [open] }));
      expect(await send(lab, outside, witness, lie, Buffer.from(MARK))).toBe(false);
      // From where it lives, the permitted one gets through.
      const truth = frame(
        witness.mac,
        victim.mac,
        0x0800,
        ipv4(victim.v4, witness.v4, 17, udp(MARK)),
      );
      expect(await send(lab, victim, witness, truth, Buffer.from(MARK))).toBe(true);
    });

    test("neighbours still find each other", async () => {
      await isolateWitness("enforce");
      const { netns } = workload("liar");
      const { v4, v6, mac } = workload("witness");
      for (const address of [v4, v6]) {
        // The echo is denied, and the address is resolved all the same.
        expect(() => lab.run(netns, ["ping", "-c", "1", "-W", "1", address])).toThrow(
          /Command failed/,
        );
        expect(lab.run(netns, ["ip", "neigh", "show", address])).toContain(mac);
      }
    });
  });

  describe("the truth", () => {
    test("passes: ARP, neighbour discovery and data under one's own name", async () => {
      await apply("enforce");
      const before = await spoofed();
      for (const address of [workload("victim").v4, workload("victim").v6, "10.86.0.1", "fd86::1"])
        lab.run(workload("liar").netns, ["ping", "-c", "1", "-W", "2", address]);
      expect(await spoofed()).toBe(before);
    });

    test("a guard holds again when its interface comes back", async () => {
      await apply("enforce");
      const { interface: link, netns, mac, v4 } = workload("fickle");
      lab.run(lab.host, ["ip", "link", "del", link]);
      lab.run(lab.host, [
        "ip",
        "link",
        "add",
        link,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        netns,
        "address",
        mac,
      ]);
      lab.run(lab.host, ["ip", "link", "set", link, "master", "br0", "up"]);
      lab.run(netns, ["ip", "link", "set", "eth0", "up"]);
      lab.run(netns, ["ip", "addr", "add", `${v4}/24`, "dev", "eth0"]);
      await driver.repair();
      expect((await driver.readBack()).differences).toEqual([]);
      const before = await spoofed();
      const fickle = workload("fickle");
      const lie = frame(
        workload("victim").mac,
        mac,
        0x0800,
        ipv4("10.86.0.77", workload("victim").v4, 17, udp(MARK)),
      );
      expect(await send(lab, fickle, workload("victim"), lie, Buffer.from(MARK))).toBe(false);
      expect(await spoofed()).toBeGreaterThan(before);
    });
  });
});
