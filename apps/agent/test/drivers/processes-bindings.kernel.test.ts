/**
 * Control groups come and go, and the kernel knows them by number only: what is bound, what reads back, what names they may bear,
 * and what strangers do to all that.
 */
import { existsSync, mkdtempSync, rmSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { HostPolicy } from "@bulkhead/model";
import { createControlGroups } from "../../src/drivers/control-groups.ts";
import { createKeptGroups, keepingGroups } from "../../src/drivers/index.ts";
import { policyOf, processOf } from "./policies.ts";
import { OPEN, SHUT, confined, host, onEveryDriverInProcessesLab } from "./processes-lab.ts";

onEveryDriverInProcessesLab((under) => {
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
      const heir = under.create(host.lab);
      expect((await heir.readBack()).digest).toBe(digest);
    });

    test("a unit that starts over and over, and has gone whenever it is told of, keeps no policy from taking effect", async () => {
      const restless = `${host.groups.root}/restless.service`;
      const groups = createControlGroups();
      let number = 10_000_000;
      const driver = under.create(host.lab, {
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

    test("a name that would end a string in somebody's text is refused whole", async () => {
      const { digest } = await host.driver.apply(host.policy([confined()]));
      const processes = [
        ...host.known(),
        processOf("odd", `${host.groups.root}/a" } ; flush ruleset #`),
      ];
      await expect(
        host.driver.apply(host.policy([confined()], { processes })),
      ).rejects.toMatchObject({
        reason: "invalid-policy",
      });
      expect((await host.driver.readBack()).digest).toBe(digest);
    });
  });

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
    beforeEach(async () => {
      await host.driver.apply(host.policy([confined()], { managed: [host.groups.root] }));
    });

    test.each(under.processSabotage.map((one) => [one.name, one] as const))(
      "%s",
      async (_, { spoil, sentence }) => {
        const stranger = host.groups.add("stranger.service");
        spoil(host.lab, {
          judged: host.groups.folder(host.client),
          stranger: host.groups.folder(stranger),
        });
        const drifted = await host.driver.readBack();
        expect(drifted.differences.join("\n")).toMatch(sentence);
        expect(drifted.digest).not.toBe(drifted.desiredDigest);
        await host.driver.repair();
        expect((await host.driver.readBack()).differences).toEqual([]);
        expect(host.send(host.client, host.lab.workload("box").v4, SHUT)).toBe(false);
        host.groups.remove(stranger);
      },
    );
  });

  test("without control groups of version 2, processes are not judged, and that is said", async () => {
    const old = under.create(host.lab, { controlGroups: createControlGroups(null) });
    const { digest } = await host.driver.apply(host.policy([confined()]));
    await expect(old.apply(host.policy([confined()]))).rejects.toMatchObject({
      reason: "unsupported",
    });
    expect((await host.driver.readBack()).digest).toBe(digest);
    await old.apply(policyOf(host.lab, { processes: host.known() }));
  });
});
