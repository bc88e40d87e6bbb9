/**
 * A rollout on real packets: exactly the flows that `takesPart` names are cut, all others pass and are audited; growing it
 * under a flood loses nothing that it spares; and what runs outside its share goes on running.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { TCP, UDP, canaryBucket, takesPart } from "@bulkhead/model";
import type { Canary, FlowQuery, HostPolicy } from "@bulkhead/model";
import type { Driver } from "../../src/drivers/index.ts";
import { startFlood } from "./flood.ts";
import { createLab } from "./lab.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { onEveryDriver } from "./on-every-driver.ts";
import { openPair, patiently } from "./pair.ts";
import type { Pair } from "./pair.ts";
import { DROP, REJECT, policyOf, rowOf } from "./policies.ts";
import type { ClassText } from "./policies.ts";
import { createTraffic, sleep } from "./traffic.ts";
import type { Traffic } from "./traffic.ts";

const SEED = 0x0ddba11;
const PORTS = Array.from({ length: 24 }, (_, at) => 6000 + at);

let lab: Lab;
let driver: Driver;
let traffic: Traffic;

beforeAll(() => {
  lab = createLab(["near", "same", "third"], ["far"]);
  traffic = createTraffic();
  for (const port of PORTS)
    for (const protocol of ["tcp", "udp"] as const)
      traffic.serve(workload("same").path, protocol, port);
  traffic.serve(workload("third").path, "udp", 6000);
});
afterAll(() => {
  traffic?.close();
  lab?.close();
});

const workload = (name: string): LabWorkload => {
  const found = lab.workloads[name];
  if (found === undefined) throw new Error(`no workload ${name}`);
  return found;
};

/** Nobody may reach `same`. */
const closed = (verdict = DROP): ClassText => ({
  direction: "ingress",
  subjects: [workload("same").v4, workload("same").v6],
  defaultRow: rowOf(verdict),
});

/** As the compiler has it: endpoints of a rollout are not in enforce yet, and shadow maps report its denials. */
const rollout = (canary: Canary, verdict = DROP): HostPolicy => {
  const maps = [closed(verdict)];
  return policyOf(lab, { mode: "audit", shadow: maps, canary: { ...canary, maps } });
};
const audited = (): HostPolicy => policyOf(lab, { mode: "audit", shadow: [closed()] });
const enforced = (): HostPolicy => policyOf(lab, { mode: "enforce", live: [closed()] });

const flowTo = (family: 4 | 6, protocol: number, port: number): FlowQuery => {
  const [near, same] = [workload("near"), workload("same")];
  return family === 4
    ? { source: near.v4, destination: same.v4, protocol, port }
    : { source: near.v6, destination: same.v6, protocol, port };
};

interface Attempt {
  readonly name: string;
  readonly query: FlowQuery;
  readonly protocol: "tcp" | "udp";
}

const ATTEMPTS = (): readonly Attempt[] =>
  ([4, 6] as const).flatMap((family) =>
    (["tcp", "udp"] as const).flatMap((protocol) =>
      PORTS.map((port) => ({
        name: `${protocol} ${family} ${port}`,
        query: flowTo(family, protocol === "tcp" ? TCP : UDP, port),
        protocol,
      })),
    ),
  );

/** A busy machine may be slow to answer: who should pass tries again, who should not is given one chance. */
const tryAll = async (expected: ReadonlySet<string>): Promise<readonly string[]> => {
  const outcomes = await Promise.all(
    ATTEMPTS().map(async ({ name, query: { destination, port }, protocol }) => {
      const flow = { from: workload("near").path, destination, protocol, port };
      for (let again = expected.has(name) ? 20 : 1; again > 0; again -= 1) {
        const { answer, arrived } = await traffic.attempt(flow);
        if (answer === "passed" || arrived) return [name];
      }
      return [];
    }),
  );
  return outcomes.flat();
};

const sparedBy = (canary: Canary): ReadonlySet<string> =>
  new Set(
    ATTEMPTS()
      .filter(({ query }) => !takesPart(query, canary))
      .map(({ name }) => name),
  );

const told = async (): Promise<Record<string, number>> => {
  const sums: Record<string, number> = {};
  for (const counter of await driver.counters()) {
    if (counter.kind !== "leaf") continue;
    const name = `${counter.plane} ${counter.verdict}`;
    sums[name] = (sums[name] ?? 0) + counter.packets;
  }
  return sums;
};

onEveryDriver((under) => {
  beforeAll(() => {
    driver = under.create(lab);
  });
  afterEach(() => driver.remove());

  test.each([
    ["dropped", DROP],
    ["rejected", REJECT],
  ] as const)("exactly those who take part are %s, and the shares nest", async (_, verdict) => {
    const everybody = new Set(ATTEMPTS().map(({ name }) => name));
    let before: readonly string[] = [...everybody];
    for (const share of [500, 3000, 7000]) {
      const canary = { seed: SEED, share };
      await driver.apply(rollout(canary, verdict));
      const expected = sparedBy(canary);
      const now = await tryAll(expected);
      expect(now.toSorted()).toEqual([...expected].toSorted());
      expect(now.filter((flow) => !before.includes(flow))).toEqual([]);
      before = now;
      const { "shadow drop": dropped = 0, "shadow reject": rejected = 0, ...sums } = await told();
      // Whoever was spared was audited, whoever was not was cut.
      expect(dropped + rejected).toBeGreaterThanOrEqual(expected.size);
      expect((sums["canary drop"] ?? 0) + (sums["canary reject"] ?? 0)).toBeGreaterThanOrEqual(
        everybody.size - expected.size,
      );
      expect((await driver.readBack()).differences).toEqual([]);
    }
    await driver.apply(audited());
    expect(await tryAll(everybody)).toHaveLength(everybody.size);
  });

  test("what is enforced for all goes on being so beside a rollout", async () => {
    const third: ClassText = {
      direction: "ingress",
      subjects: [workload("third").v4],
      defaultRow: rowOf(DROP),
    };
    const maps = [closed(), third];
    const canary = { seed: SEED, share: 1 };
    const policy = policyOf(lab, {
      live: [third],
      shadow: [closed()],
      canary: { ...canary, maps },
    });
    await driver.apply({
      ...policy,
      endpoints: policy.endpoints.map((endpoint) => ({
        ...endpoint,
        mode: endpoint.workload === "lab/third" ? ("enforce" as const) : ("audit" as const),
      })),
    });
    const from = workload("near").path;
    const flow = { from, destination: workload("third").v4, protocol: "udp", port: 6000 } as const;
    expect(await traffic.attempt(flow)).toEqual({ answer: "silent", arrived: false });
    const expected = sparedBy(canary);
    expect(await tryAll(expected)).toHaveLength(expected.size);
  });

  /** A port of `same` whose flow from `near` does or does not take part. */
  const portThat = (part: boolean, canary: Canary, protocol: number, from = 8000): number => {
    for (let port = from; ; port += 1)
      if (takesPart(flowTo(4, protocol, port), canary) === part) return port;
  };

  const connect = (protocol: "tcp" | "udp", port: number): Promise<Pair> => {
    const [near, same] = [workload("near"), workload("same")];
    const ends = { client: near.path, server: same.path, address: same.v4 };
    return patiently(() => openPair({ protocol, port, ...ends }));
  };

  /** A busy machine may take its time. */
  const PATIENCE = 5000;

  test.each(["tcp", "udp"] as const)(
    "what runs outside the share goes on running over %s, and what runs inside is cut",
    async (protocol) => {
      const canary = { seed: SEED, share: 5000 };
      const number = protocol === "tcp" ? TCP : UDP;
      await driver.apply(audited());
      const inside = await connect(protocol, portThat(true, canary, number));
      const outside = await connect(protocol, portThat(false, canary, number));
      try {
        for (const pair of [inside, outside]) {
          expect(await pair.toServer(PATIENCE)).toBe(true);
          expect(await pair.toClient(PATIENCE)).toBe(true);
        }
        await driver.apply(rollout(canary));
        expect(await inside.toServer()).toBe(false);
        expect(await inside.toClient()).toBe(false);
        // Its entry lost, a connection looks like a stray: strays are dropped only where all flows are judged.
        if (protocol === "tcp") lab.run(lab.host, ["conntrack", "-F"]);
        expect(await outside.toServer(PATIENCE)).toBe(true);
        expect(await outside.toClient(PATIENCE)).toBe(true);
        await driver.apply(enforced());
        expect(await outside.toServer()).toBe(false);
        expect(await outside.toClient()).toBe(false);
      } finally {
        inside.close();
        outside.close();
      }
    },
  );

  test("behind a translation, what was addressed decides", async () => {
    const far = workload("far");
    const canary = { seed: SEED, share: 5000 };
    const maps: ClassText[] = [{ ...closed(), subjects: [far.v4] }];
    const front = "10.99.9.9";
    const at = { address: far.v4, port: 9000 };
    const bucket = (destination: string, port: number): boolean =>
      takesPart({ source: workload("near").v4, destination, protocol: UDP, port }, canary);
    const ports = Array.from({ length: 200 }, (_, n) => 9000 + n);
    // All of them lead to one address and port, so for one of the two these would say the opposite.
    const spared = ports.find((port) => !bucket(front, port)) as number;
    const cut = ports.find((port) => bucket(front, port)) as number;
    lab.run(
      lab.host,
      ["nft", "-f", "-"],
      [
        "table ip front {",
        "chain pre { type nat hook prerouting priority -100; policy accept;",
        `ip daddr ${front} meta l4proto udp dnat to ${far.v4}:${at.port}; }`,
        "}",
      ].join("\n"),
    );
    const knock = (port: number) =>
      openPair({
        protocol: "udp",
        client: workload("near").path,
        server: far.path,
        address: front,
        port,
        at,
      });
    try {
      await driver.apply(
        policyOf(lab, { mode: "audit", shadow: maps, canary: { ...canary, maps } }),
      );
      expect(await knock(cut)).toBeNull();
      const pair = await patiently(() => knock(spared));
      expect(await pair.toClient(PATIENCE)).toBe(true);
      pair.close();
    } finally {
      lab.run(lab.host, ["nft", "delete", "table", "ip", "front"]);
    }
  });

  test("a rollout begins, grows, ends and begins again under a flood, and loses nothing that it permits", async () => {
    const permitted = Array.from({ length: 5000 }, (_, at) => 10_000 + at).find(
      (port) => canaryBucket(flowTo(4, UDP, port), SEED) >= 9000,
    ) as number;
    const forbidden = Array.from({ length: 5000 }, (_, at) => 10_000 + at).find(
      (port) => canaryBucket(flowTo(4, UDP, port), SEED) < 500,
    ) as number;
    const shares = [500, 1000, 3000, 5000, 9000];
    const order = {
      from: workload("near").path,
      to: workload("same").path,
      address: workload("same").v4,
      permittedPort: permitted,
      forbiddenPort: forbidden,
      burst: 20,
    };
    // From audit to a rollout and back: what it spares never notices.
    await driver.apply(audited());
    const first = startFlood(order);
    await sleep(100);
    for (let round = 0; round < 3; round += 1) {
      await driver.apply(rollout({ seed: SEED, share: shares[round % 5] as number }));
      await driver.apply(audited());
    }
    const both = await first.stop();
    expect(both.permittedArrived).toBe(both.permittedSent);
    expect(both.permittedSent).toBeGreaterThan(500);
    // While it runs, whatever its share: who takes part in the smallest is cut all the time, who is outside the largest never.
    await driver.apply(rollout({ seed: SEED, share: 500 }));
    const second = startFlood(order);
    await sleep(100);
    for (let round = 0; round < 6; round += 1)
      await driver.apply(rollout({ seed: SEED, share: shares[(round * 3) % 5] as number }));
    const running = await second.stop();
    expect(running.permittedArrived).toBe(running.permittedSent);
    expect(running.permittedSent).toBeGreaterThan(500);
    expect(running.forbiddenArrived).toBe(0);
    expect(running.forbiddenSent).toBeGreaterThan(500);
    // To all flows and back: who always took part is never let through in between.
    await driver.apply(enforced());
    const third = startFlood(order);
    await sleep(100);
    for (let round = 0; round < 3; round += 1) {
      await driver.apply(rollout({ seed: SEED, share: shares[round % 5] as number }));
      await driver.apply(enforced());
    }
    const whole = await third.stop();
    expect(whole.forbiddenArrived).toBe(0);
    expect(whole.forbiddenSent).toBeGreaterThan(500);
    console.log(
      `${both.permittedSent + running.permittedSent} permitted datagrams (0 lost), ${running.forbiddenSent + whole.forbiddenSent} forbidden (0 passed)`,
    );
  });
});
