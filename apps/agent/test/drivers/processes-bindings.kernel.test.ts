/**
 * Control groups come and go, and the kernel knows them by number only: what is bound, what reads back, what names they may bear,
 * and what strangers do to all that.
 */
import { existsSync, mkdtempSync, rmSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { HostPolicy } from "@bulkhead/model";
import { createControlGroups } from "../../src/drivers/control-groups.ts";
import { createKeptGroups, createDriver, keepingGroups } from "../../src/drivers/index.ts";
import { DROP, policyOf, processOf, rowOf } from "./policies.ts";
import { OPEN, SHUT, confined, createProcessesLab } from "./processes-lab.ts";
import type { ProcessesLab } from "./processes-lab.ts";

let host: ProcessesLab;
beforeAll(() => {
  host = createProcessesLab();
});
afterAll(() => host?.close());

describe("bindings", () => {
  test("what is read back is the same whether units run or not", async () => {
    // Nothing is managed: then it does not matter what control groups others make meanwhile.
    const wanted = host.policy([confined()], {
      processes: [...host.known(), processOf("late", `${host.groups.root}/late.service`)],
    });
    const { digest } = await host.driver.apply(wanted);
    expect((await host.driver.readBack()).differences).toEqual([]);
    const generation = host.driver.generation();
    const late = host.groups.add("late.service");
    expect(host.driver.generation()).not.toBe(generation);
    expect(await host.driver.bindProcesses()).toBe(true);
    expect(await host.driver.bindProcesses()).toBe(false);
    const present = await host.driver.readBack();
    expect([present.digest, ...present.differences]).toEqual([digest]);
    host.groups.remove(late);
    const absent = await host.driver.readBack();
    expect([absent.digest, ...absent.differences]).toEqual([digest]);
    // Another agent of the same installation finds what this one left.
    const heir = createDriver("nftables", {
      owner: "test",
      now: () => Date.now(),
      netns: host.lab.hostPath,
    });
    expect((await heir.readBack()).digest).toBe(digest);
  });

  test("a unit that starts over and over, and has gone whenever it is told of, keeps no policy from taking effect", async () => {
    const restless = `${host.groups.root}/restless.service`;
    const groups = createControlGroups();
    let number = 10_000_000;
    const driver = createDriver("nftables", {
      owner: "test",
      now: () => Date.now(),
      netns: host.lab.hostPath,
      controlGroups: {
        ...groups,
        look(policy) {
          const there = groups.look(policy);
          number += 1;
          return { ...there, numbers: new Map([...there.numbers, [restless, `${number}`]]) };
        },
      },
    });
    const wanted = host.policy([confined()], {
      managed: [host.groups.root],
      processes: [...host.known(), processOf("restless", restless)],
    });
    const { digest } = await driver.apply(wanted);
    const { v4 } = host.lab.workload("box");
    expect([
      await host.passes(host.client, v4, OPEN),
      await host.passes(host.client, v4, SHUT),
    ]).toEqual([true, false]);
    expect((await host.driver.apply(wanted)).digest).toBe(digest);
  });

  test("five hundred units, and one more: one transaction each", async () => {
    const names = Array.from({ length: 500 }, (_, index) => `unit-${index}.service`);
    const processes = names.map((name) => processOf(name, `${host.groups.root}/${name}`));
    const wanted = policyOf(host.lab, {
      processes,
      live: [
        {
          direction: "egress",
          subjects: [],
          processes: processes.map(({ workload }) => workload),
          defaultRow: rowOf(DROP),
        },
      ],
    });
    const { digest } = await host.driver.apply(wanted);
    const listed = (): number =>
      host.lab
        .run(host.lab.host, ["unshare", "--mount", "sh", "-c", BLIND])
        .split("\n")
        .filter((line) => /jump le1?_class/.test(line)).length;
    expect(listed()).toBe(0);
    const made = names.map((name) => host.groups.add(name));
    const transactions = async (work: () => unknown): Promise<number> => {
      await work();
      const before = Math.floor(host.driver.generation());
      await host.driver.bindProcesses();
      return host.driver.generation() - before;
    };
    expect(await transactions(() => undefined)).toBe(1);
    expect(listed()).toBe(500);
    expect(await transactions(() => host.groups.remove(made.pop() as string))).toBe(1);
    expect(listed()).toBe(499);
    expect(await transactions(() => host.groups.add("unit-499.service"))).toBe(1);
    expect(listed()).toBe(500);
    expect(await transactions(() => undefined)).toBe(0);
    const found = await host.driver.readBack();
    expect([found.digest, ...found.differences]).toEqual([digest]);
    for (const name of names) host.groups.remove(`${host.groups.root}/${name}`);
  });

  test.each(["dev-disk-by\\x2duuid.service", "odd . name; drop } #'$x", "*", "ünit, 2"])(
    "%s is a name like any other",
    async (name) => {
      const odd = host.groups.add(name);
      const wanted = host.policy([{ ...confined(), processes: ["host/odd"] }], {
        processes: [...host.known(), processOf("odd", odd)],
      });
      const { digest } = await host.driver.apply(wanted);
      const found = await host.driver.readBack();
      expect([found.digest, ...found.differences]).toEqual([digest]);
      expect(await host.passes(odd, host.lab.workload("box").v4, OPEN)).toBe(true);
      expect(host.send(odd, host.lab.workload("box").v4, SHUT)).toBe(false);
      host.groups.remove(odd);
    },
  );

  test("a name that ends a string of nft's is refused whole", async () => {
    const { digest } = await host.driver.apply(host.policy([confined()]));
    const processes = [
      ...host.known(),
      processOf("odd", `${host.groups.root}/a" } ; flush ruleset #`),
    ];
    await expect(host.driver.apply(host.policy([confined()], { processes }))).rejects.toMatchObject(
      {
        reason: "invalid-policy",
      },
    );
    expect((await host.driver.readBack()).digest).toBe(digest);
  });
});

const BLIND = "mount -t tmpfs none /sys/fs/cgroup && exec nft list map inet bulkhead le_process2";

test("a unit is bound while the rules are being read, and what is read is whole", async () => {
  const wanted = host.policy([confined()], {
    processes: [...host.known(), processOf("brief", `${host.groups.root}/brief.service`)],
  });
  const { digest } = await host.driver.apply(wanted);
  for (const _round of [1, 2, 3]) {
    const order: string[] = [];
    const reading = host.driver.readBack().finally(() => order.push("read"));
    await host.driver.bindProcesses();
    order.push("bound");
    const brief = host.groups.add("brief.service");
    await host.driver.bindProcesses();
    const found = await reading;
    expect([order, found.digest, found.differences]).toEqual([["bound", "read"], digest, []]);
    host.groups.remove(brief);
    await host.driver.bindProcesses();
  }
});

test("a service that is kept has its first packet judged as its own, however often it stops and starts", async () => {
  const slice = host.groups.add("/kept.slice");
  const feed = `${slice}/feed.service`;
  const noted = mkdtempSync(join(tmpdir(), "bhp-kept-"));
  const noting = {
    file: join(noted, "groups.json"),
    onProblem: (problem: string) => expect.fail(problem),
  };
  const kept = createKeptGroups(noting);
  const driver = keepingGroups(host.driver, kept);
  const policy = (managed: readonly string[]): HostPolicy =>
    host.policy([{ ...confined(), processes: ["host/feed"] }], {
      managed: [...managed],
      processes: [...host.known(), processOf("feed", feed, "observe")],
    });
  const { v4 } = host.lab.workload("box");
  try {
    await driver.apply(policy([slice]));
    for (let round = 0; round < 3; round += 1) {
      expect(await host.passes(feed, v4, OPEN)).toBe(true);
      expect(host.send(feed, v4, SHUT)).toBe(false);
      // As systemd does when it stops: the group that is made then is bound while nobody is in it.
      rmdirSync(host.groups.folder(feed));
      kept.renew();
      expect(await driver.bindProcesses()).toBe(true);
    }
    expect((await driver.readBack()).differences).toEqual([]);
    // The agent ends: then nobody would make it again.
    kept.hold();
    expect(() => rmdirSync(host.groups.folder(feed))).toThrow("EBUSY");
    expect(await host.passes(feed, v4, OPEN)).toBe(true);
    const next = keepingGroups(host.driver, createKeptGroups(noting));
    await next.apply(policy([slice]));
    expect((await next.readBack()).differences).toEqual([]);
    await next.apply(policy([]));
    expect(existsSync(host.groups.folder(feed))).toBe(false);
  } finally {
    createKeptGroups(noting).letGo();
    host.groups.remove(slice);
    rmSync(noted, { recursive: true });
  }
});

describe("what strangers do to bindings is found, named and repaired", () => {
  let wanted: HostPolicy;
  beforeEach(async () => {
    wanted = host.policy([confined()], { managed: [host.groups.root] });
    await host.driver.apply(wanted);
  });
  const spelled = (path: string): string =>
    host.groups.folder(path).slice("/sys/fs/cgroup/".length);

  test.each([
    ["flush map inet bulkhead le_process2", /"\S*client\.service" missing from map le_process2/],
    ["delete element inet bulkhead le_process2 { CLIENT }", /missing from map le_process2/],
    ["add element inet bulkhead known2 { OTHER }", /element added to set known2/],
    ["flush chain inet bulkhead managed_calling", /chain managed_calling was emptied/],
    ["flush set inet bulkhead processes", /missing from set processes/],
    ["delete rule", /rule missing from chain output/],
  ])("%s", async (text, sentence) => {
    const stranger = host.groups.add("stranger.service");
    const script =
      text === "delete rule"
        ? "flush chain inet bulkhead output\nadd rule inet bulkhead output oifname lo return"
        : text
            .replace("CLIENT", `"${spelled(host.client)}"`)
            .replace("OTHER", `"${spelled(stranger)}"`);
    host.lab.run(host.lab.host, ["nft", "-f", "-"], script);
    const drifted = await host.driver.readBack();
    expect(drifted.differences.join("\n")).toMatch(sentence);
    expect(drifted.digest).not.toBe(drifted.desiredDigest);
    await host.driver.repair();
    expect((await host.driver.readBack()).differences).toEqual([]);
    expect(host.send(host.client, host.lab.workload("box").v4, SHUT)).toBe(false);
    host.groups.remove(stranger);
  });
});

test("without control groups of version 2, processes are not judged, and that is said", async () => {
  const old = createDriver("nftables", {
    owner: "test",
    now: () => Date.now(),
    netns: host.lab.hostPath,
    controlGroups: createControlGroups(null),
  });
  const { digest } = await host.driver.apply(host.policy([confined()]));
  await expect(old.apply(host.policy([confined()]))).rejects.toMatchObject({
    reason: "unsupported",
  });
  expect((await host.driver.readBack()).digest).toBe(digest);
  await old.apply(policyOf(host.lab, { processes: host.known() }));
});
