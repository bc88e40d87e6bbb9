/**
 * What the kernel tells of: one message for each new connection, the first packet of each kind that is denied, and
 * nothing twice.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parseLogPrefix } from "@bulkhead/datapath";
import type { Driver } from "../../src/drivers/index.ts";
import { createLab } from "./lab.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { onEveryDriver } from "./on-every-driver.ts";
import { ALLOW, DROP, REJECT, policyOf, portRow, rowOf } from "./policies.ts";
import { openPair } from "./pair.ts";
import type { LogReader } from "./log-reader.ts";
import { createTraffic, sleep } from "./traffic.ts";
import type { Traffic } from "./traffic.ts";

let lab: Lab;
let driver: Driver;
let traffic: Traffic;
let log: LogReader;

const workload = (name: string): LabWorkload => lab.workload(name);

beforeAll(() => {
  lab = createLab(["near", "same"]);
  traffic = createTraffic();
  for (const protocol of ["tcp", "udp", "icmp"] as const)
    traffic.serve(workload("same").path, protocol, 5000);
});
afterAll(() => {
  traffic?.close();
  lab?.close();
});
beforeEach(async () => {
  lab.run(lab.host, ["conntrack", "-F"]);
  await sleep(50);
  log.clear();
});

const seen = async (): Promise<readonly string[]> => {
  const told = await log.seen();
  for (const message of told) expect(parseLogPrefix(message), message).not.toBeNull();
  return told.toSorted();
};

const to = (protocol: "tcp" | "udp" | "icmp", port = 5000) => ({
  from: workload("near").path,
  destination: workload("same").v4,
  protocol,
  port,
});

const FORWARDED = "bh1 F - 00000000";

onEveryDriver((under) => {
  beforeAll(async () => {
    driver = under.create(lab);
    log = await under.readLog(lab);
  });
  afterAll(async () => {
    log?.close();
    await driver.remove();
  });

  test("each new connection once, whatever its number of packets", async () => {
    await driver.apply(policyOf(lab, { mode: "observe" }));
    for (const protocol of ["tcp", "udp", "icmp"] as const)
      expect(await traffic.attempt(to(protocol))).toMatchObject({ answer: "passed" });
    expect(await seen()).toEqual([FORWARDED, FORWARDED, FORWARDED]);
    log.clear();
    // Nobody answers at this port: every datagram finds the connection still new, and only the first is told.
    const flow = { ...to("udp", 4321), sourcePort: 33_333 };
    lab.run(workload("same").netns, [
      "nft",
      "add table ip t; add chain ip t o { type filter hook output priority 0; }; add rule ip t o ip protocol icmp drop",
    ]);
    for (let count = 0; count < 3; count += 1) await traffic.attempt(flow, 20);
    expect(await seen()).toEqual([FORWARDED]);
    lab.run(workload("same").netns, ["nft", "delete table ip t"]);
  });

  test("denied packets: the first of a kind in a while, with verdict, direction and cookie", async () => {
    const row = portRow(17, [[5000, 5000]], REJECT, DROP);
    await driver.apply(
      policyOf(lab, {
        live: [{ direction: "ingress", subjects: [workload("same").v4], defaultRow: row }],
      }),
    );
    for (let count = 0; count < 3; count += 1) {
      await traffic.attempt(to("udp"), 20);
      await traffic.attempt(to("tcp"), 20);
    }
    expect(await seen()).toEqual(["bh1 D i 0d200000", "bh1 R i 0e300000"]);
    const counters = await driver.counters();
    const special = (name: string): number =>
      counters.find((c) => c.kind === "special" && c.name === name)?.packets ?? -1;
    const leaf = (verdict: string): number =>
      counters.find((c) => c.kind === "leaf" && c.plane === "live" && c.verdict === verdict)
        ?.packets ?? -1;
    expect(leaf("reject")).toBe(3);
    expect(leaf("drop")).toBe(3);
    // What was not told is counted.
    expect(special("live_suppressed")).toBe(4);
  });

  test("audit: told once instead of forwarded, and nothing stops", async () => {
    await driver.apply(
      policyOf(lab, {
        mode: "audit",
        shadow: [{ direction: "egress", subjects: [workload("near").v4], defaultRow: rowOf(DROP) }],
      }),
    );
    expect(await traffic.attempt(to("tcp"))).toMatchObject({ answer: "passed" });
    expect(await seen()).toEqual(["bh1 A e 0d200000"]);
  });

  test("a reply that a revocation stops says that it is one", async () => {
    const target = workload("same");
    const allow = portRow(17, [[6000, 6000]], ALLOW, DROP);
    const ingress = { direction: "ingress", subjects: [target.v4] } as const;
    await driver.apply(policyOf(lab, { live: [{ ...ingress, defaultRow: allow }] }));
    const pair = await openPair({
      protocol: "udp",
      client: workload("near").path,
      server: target.path,
      address: target.v4,
      port: 6000,
    });
    expect(await pair?.toClient()).toBe(true);
    await driver.apply(policyOf(lab, { live: [{ ...ingress, defaultRow: rowOf(DROP) }] }));
    expect(await seen()).toEqual([FORWARDED]);
    log.clear();
    expect(await pair?.toClient(100)).toBe(false);
    pair?.close();
    expect(await seen()).toEqual(["bh1 D i 0d200000 r"]);
  });
});
