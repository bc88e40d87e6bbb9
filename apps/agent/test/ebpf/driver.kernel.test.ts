/**
 * The eBPF driver by itself, in a real kernel: what it applies is in force and reads back, survives its process, and goes without a
 * trace; what a stranger changes is found and put right; what it does not hold is refused whole.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { MAP_NAMES } from "@bulkhead/datapath";
import { arbitraryHostPolicy } from "@bulkhead/datapath/testing";
import type { HostPolicy } from "@bulkhead/model";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { loadObject, openPinnedLink, openPinnedMap, shippedObject } from "../../src/bpf/index.ts";
import { MAP_ROOM } from "../../src/drivers/ebpf/room.ts";
import { createDriver } from "../../src/drivers/index.ts";
import type { Driver } from "../../src/drivers/index.ts";
import { startFlood } from "../drivers/flood.ts";
import { createLab } from "../drivers/lab.ts";
import type { Lab } from "../drivers/lab.ts";
import { openPair } from "../drivers/pair.ts";
import { ALLOW, DROP, REJECT, policyOf, portRow, processOf, rowOf } from "../drivers/policies.ts";
import { createTraffic } from "../drivers/traffic.ts";
import type { Traffic } from "../drivers/traffic.ts";
import { createEbpfDrivers } from "./drivers.ts";
import type { EbpfDrivers } from "./drivers.ts";

const OPEN = 5000;
const SHUT = 5001;
/** Permitted throughout, and forbidden throughout, for floods. */
const STEADY = 4000;
const NEVER = 4001;
let lab: Lab;
let traffic: Traffic;
let drivers: EbpfDrivers;
let driver: Driver;

beforeAll(() => {
  lab = createLab(["near"], ["far"]);
  traffic = createTraffic();
  for (const port of [OPEN, SHUT]) traffic.serve(lab.workload("far").path, "udp", port);
  drivers = createEbpfDrivers();
  driver = drivers.create(lab);
});
/** What was spoilt was put right, and loading programs anew takes half a second: the next may go on with it. */
let repaired = false;
afterEach(async () => {
  if (repaired) {
    repaired = false;
    return;
  }
  await driver.remove();
  driver = drivers.create(lab);
});
afterAll(() => {
  drivers?.close();
  traffic?.close();
  lab?.close();
});

/** `far` takes datagrams at one port from `near`, and nothing else. `step` changes all around that. */
const guarded = (step = 0): HostPolicy => {
  const { near, far } = { near: lab.workload("near"), far: lab.workload("far") };
  const more = Array.from({ length: 10 + (step % 7) }, (_, at) => 6000 + 2 * at + (step % 2));
  const row = portRow(
    17,
    [[STEADY, STEADY], [OPEN, OPEN], ...more.map((port) => [port, port] as const)],
    ALLOW,
    DROP,
  );
  const inRange = step % 3 === 1;
  return policyOf(lab, {
    revision: step,
    live: [
      {
        direction: "ingress",
        subjects: [far.v4, far.v6],
        exact: inRange
          ? []
          : [
              [near.v4, row],
              [near.v6, row],
            ],
        ranges: [
          ["10.86.0.0", "10.86.0.15", inRange ? row : rowOf(DROP)],
          ["192.0.2.0", `192.0.2.${100 + (step % 50)}`, row],
        ],
        defaultRow: rowOf(DROP),
        overlay: [
          {
            peer: ["10.77.0.1", "10.77.0.1"],
            protocol: 6,
            ports: [80, 80],
            decision: ALLOW,
            deadline: Date.now() + 60_000,
          },
        ],
      },
    ],
    shadow: [{ direction: "ingress", subjects: [near.v4], defaultRow: rowOf(DROP) }],
  });
};

const answer = async (port: number) => {
  const { answer: said } = await traffic.attempt({
    from: lab.workload("near").path,
    destination: lab.workload("far").v4,
    protocol: "udp",
    port,
  });
  return said;
};

const isInForce = async (): Promise<void> => {
  expect([await answer(OPEN), (await answer(SHUT)) === "passed"]).toEqual(["passed", false]);
};

describe("what is applied", () => {
  test("is in force, reads back, and gives the receipt that nftables would give", async () => {
    const policy = guarded();
    const { digest, entries } = await driver.apply(policy);
    await isInForce();
    const found = await driver.readBack();
    expect(found.differences).toEqual([]);
    expect([found.digest, found.entries]).toEqual([found.desiredDigest, entries]);
    expect(found.digest).toBe(digest);
    const other = createLab([]);
    try {
      const nftables = createDriver("nftables", {
        owner: "test",
        now: () => Date.now(),
        netns: other.hostPath,
      });
      expect((await nftables.apply(policy)).digest).toBe(digest);
    } finally {
      other.close();
    }
  });

  test("writes nothing when it is there already, and is counted", async () => {
    const policy = guarded();
    await driver.apply(policy);
    await answer(SHUT);
    const map = openPinnedMap(join(drivers.folder(), MAP_NAMES.epoch));
    const epoch = map?.lookup(Buffer.alloc(4));
    await driver.apply({ ...policy, revision: 7 });
    expect(map?.lookup(Buffer.alloc(4))).toEqual(epoch);
    map?.close();
    const denied = (await driver.counters()).find(
      (one) => one.kind === "leaf" && one.verdict === "drop" && one.direction === "ingress",
    );
    expect(denied).toMatchObject({ plane: "live", cookie: DROP.cookie });
    expect(denied?.packets).toBeGreaterThan(0);
    expect(driver.render(policy)).toContain(lab.workload("far").v6);
  });

  test("ends a connection that it does not allow any more", async () => {
    await driver.apply(guarded());
    const pair = await openPair({
      protocol: "udp",
      client: lab.workload("near").path,
      server: lab.workload("far").path,
      address: lab.workload("far").v4,
      port: 6000,
    });
    try {
      expect([await pair?.toServer(), await pair?.toClient()]).toEqual([true, true]);
      await driver.apply(guarded(1));
      expect([await pair?.toServer(300), await pair?.toClient(300)]).toEqual([false, false]);
    } finally {
      pair?.close();
    }
  });

  test("is any sound policy, one after another", async () => {
    /** Without what the driver does not hold; what was told apart before is told apart still. */
    const held = (key: string, value: unknown): unknown =>
      key === "processes" || key === "processOverlay"
        ? undefined
        : typeof value === "object" && value !== null && "verdict" in value && "cookie" in value
          ? value.verdict === "reject"
            ? { verdict: "drop", cookie: `1${String(value.cookie).slice(1)}` }
            : value
          : value;
    const plain = arbitraryHostPolicy(Date.now()).map((policy): HostPolicy =>
      JSON.parse(JSON.stringify({ ...policy, managed: [], sockets: [] }, held)),
    );
    await fc.assert(
      fc.asyncProperty(plain, async (policy) => {
        const { digest } = await driver.apply(policy);
        const found = await driver.readBack();
        expect([found.digest, ...found.differences]).toEqual([digest]);
        expect(digest).toBe(found.desiredDigest);
        const heir = await drivers.create(lab).readBack();
        expect(heir.differences).toEqual([]);
      }),
      { numRuns: 4, endOnFailure: true },
    );
  }, 90_000);
});

test("changes under a flood lose nothing that is permitted and let nothing pass that is not", async () => {
  await driver.apply(guarded());
  const flood = startFlood({
    from: lab.workload("near").path,
    to: lab.workload("far").path,
    address: lab.workload("far").v4,
    permittedPort: STEADY,
    forbiddenPort: NEVER,
    burst: 10,
  });
  for (let step = 1; step <= 15; step += 1) await driver.apply(guarded(step));
  const heir = drivers.create(lab);
  for (let step = 16; step <= 22; step += 1) await heir.apply(guarded(step));
  const count = await flood.stop();
  expect(count.forbiddenArrived).toBe(0);
  expect(count.permittedArrived).toBe(count.permittedSent);
  expect(Math.min(count.permittedSent, count.forbiddenSent)).toBeGreaterThan(1000);
  expect((await heir.readBack()).differences).toEqual([]);
}, 120_000);

test("a killed process leaves all of it in force, and the next one goes on from there", async () => {
  const policy = guarded();
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "apply-and-wait.ts"), lab.hostPath, drivers.pins],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  child.stdin.end(JSON.stringify(policy));
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  child.kill("SIGKILL");
  await once(child, "exit");
  await isInForce();
  expect(await driver.isInForce()).toBe(true);
  const found = await driver.readBack();
  expect([`${found.digest}\n`, found.desiredDigest, ...found.differences]).toEqual([
    `${said}`,
    null,
  ]);
  const links = drivers.links();
  await driver.apply(guarded(1));
  expect((await driver.readBack()).differences).toEqual([]);
  expect(drivers.links()).toEqual(links);
  await isInForce();
});

test("what a killed process had prepared never comes into force", async () => {
  await driver.apply(guarded());
  const open = (name: string) => {
    const map = openPinnedMap(join(drivers.folder(), name));
    if (map === null) throw new Error(`no map ${name}`);
    return map;
  };
  const [epoch, subjects] = [open(MAP_NAMES.epoch), open(MAP_NAMES.subjects)];
  const inForce = epoch.lookup(Buffer.alloc(4))?.readUInt32LE(0) ?? 0;
  for (const { key, value } of subjects.entries()) {
    // From the next epoch on: not judged.
    value.copy(value, 4, 8, 12);
    value.writeUInt32LE(inForce + 1, 0);
    value.writeUInt32LE(0, 8);
    subjects.update(key, value);
  }
  subjects.close();
  const heir = drivers.create(lab);
  expect((await heir.readBack()).differences.join()).toContain(`is prepared for epoch`);
  await heir.apply(guarded(1));
  // At once, not by finding out afterwards and writing again.
  expect(epoch.lookup(Buffer.alloc(4))?.readUInt32LE(0)).toBe(inForce + 1);
  epoch.close();
  expect((await heir.readBack()).differences).toEqual([]);
  await isInForce();
});

const spoilMap = (name: string, spoil: "take" | "change", at: number): void => {
  const map = openPinnedMap(join(drivers.folder(), name));
  if (map === null) throw new Error(`no map ${name}`);
  const entry = map.entries().find(({ value }) => value.some((byte) => byte !== 0));
  if (entry === undefined) throw new Error(`map ${name} is empty`);
  if (spoil === "take") map.delete(entry.key);
  else {
    entry.value[at] = (entry.value[at] ?? 0) ^ 1;
    map.update(entry.key, entry.value);
  }
  map.close();
};

const DRIFT: readonly (readonly [string, () => void, RegExp])[] = [
  ["an address taken away", () => spoilMap("bh_peers", "take", 0), /of peers is missing/],
  ["a subject let go", () => spoilMap("bh_subjects", "take", 0), /of subjects is missing/],
  ["another row", () => spoilMap("bh_cells", "change", 8), /row|cells|range/],
  ["a row that allows", () => spoilMap("bh_rows", "change", 15), /row/],
  ["a port more", () => spoilMap("bh_ports", "change", 3), /row|ports/],
  [
    "a link detached",
    () => {
      const name = readdirSync(drivers.folder()).find((one) => one.startsWith("forward-ipv4"));
      const link = openPinnedLink(join(drivers.folder(), `${name}`));
      link?.detach();
      link?.close();
    },
    /forward for ipv4/,
  ],
  ["a link unpinned", () => unlinkSync(join(drivers.folder(), "input-ipv6-1")), /input for ipv6/],
  [
    "a map unpinned",
    () => unlinkSync(join(drivers.folder(), "bh_cells")),
    /bh_cells is not pinned/,
  ],
  [
    "a guard deleted",
    () => {
      lab.run(lab.host, ["nft", "delete", "table", "netdev", "bulkhead_guards"]);
    },
    /table netdev bulkhead_guards is missing/,
  ],
];

test.each(DRIFT)("%s is found, named and put right", async (_, spoil, sentence) => {
  await driver.apply(guarded());
  spoil();
  const drifted = await driver.readBack();
  expect(drifted.differences.join("\n")).toMatch(sentence);
  expect(drifted.digest).not.toBe(drifted.desiredDigest);
  await driver.repair();
  const after = await driver.readBack();
  expect([after.digest, ...after.differences]).toEqual([after.desiredDigest]);
  await isInForce();
  repaired = true;
});

test("who looks at the generation learns of a link at once, and of an entry within seconds", async () => {
  await driver.apply(guarded());
  for (const [name, spoil] of [DRIFT[5], DRIFT[0]].flatMap((one) => (one ? [one] : []))) {
    const generation = driver.generation();
    spoil();
    await expect
      .poll(() => driver.generation(), { timeout: 10_000, message: name })
      .not.toBe(generation);
  }
});

describe("refused whole", () => {
  test("what it does not hold, what is too much, and what is not sound", async () => {
    await driver.apply(guarded());
    const before = await driver.readBack();
    const refused = async (policy: HostPolicy, reason: string, by = driver): Promise<void> => {
      await expect(by.apply(policy)).rejects.toMatchObject({ reason });
      expect(await driver.readBack()).toMatchObject({ digest: before.digest, differences: [] });
    };
    const drop = { direction: "ingress" as const, subjects: [lab.workload("far").v4] };
    await refused(policyOf(lab, { live: [{ ...drop, defaultRow: rowOf(REJECT) }] }), "unsupported");
    await refused({ ...guarded(), processes: [processOf("one", "/one")] }, "unsupported");
    await refused({ ...guarded(), rows: [] }, "invalid-policy");
    const small = drivers.create(lab, { maxEntries: 5 });
    expect(small.capacity(guarded()).problems.join()).toContain("the limit is 5");
    await refused(guarded(), "does-not-fit", small);
    await isInForce();
  });

  test("another agent's, by all that would touch it", async () => {
    await driver.apply(guarded());
    const other = drivers.create(lab, { owner: "other.one" });
    const refusal = { reason: "owned-by-another" };
    await expect(other.apply(guarded())).rejects.toMatchObject(refusal);
    await expect(other.readBack()).rejects.toMatchObject(refusal);
    await expect(other.remove()).rejects.toMatchObject(refusal);
    expect((await driver.readBack()).differences).toEqual([]);
  });
});

test("what is removed leaves nothing behind, and no setting changed", async () => {
  const names = ["net.bridge.bridge-nf-call-iptables", "net.netfilter.nf_conntrack_acct"];
  const values = (): string[] =>
    names.map((name) => lab.run(lab.host, ["sysctl", "-n", name]).trim());
  for (const name of names) lab.run(lab.host, ["sysctl", "-qw", `${name}=0`]);
  expect(await driver.readBack()).toMatchObject({ policy: null, desiredDigest: null, entries: 0 });
  expect([await driver.isInForce(), await driver.repair()]).toEqual([false, null]);
  await driver.apply(guarded());
  expect(values()).toEqual(["1", "1"]);
  const links = drivers.links();
  expect(links.length).toBe(6);
  await driver.remove();
  await expect.poll(() => drivers.left(lab, links)).toEqual([]);
  expect(values()).toEqual(["0", "0"]);
  expect(await answer(SHUT)).toBe("passed");
});

test("it knows how much room the maps have", () => {
  const object = loadObject({ file: shippedObject("netfilter") });
  const room = Object.fromEntries(
    Object.keys(MAP_ROOM).map((id) => [
      id,
      object.map(MAP_NAMES[id as keyof typeof MAP_ROOM]).info.maxEntries,
    ]),
  );
  object.close();
  expect(MAP_ROOM).toEqual(room);
});
