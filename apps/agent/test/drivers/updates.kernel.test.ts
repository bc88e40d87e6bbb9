/**
 * Changing the rules under load: no forbidden packet passes and no permitted one is lost while policies are replaced,
 * agents restart, or a set that does not fit is refused.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostPolicy } from "@bulkhead/model";
import type { FloodCount } from "./flood-worker.ts";
import { startFlood } from "./flood.ts";
import { createLab } from "./lab.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { onEveryDriver } from "./on-every-driver.ts";
import { ALLOW, DROP, policyOf, portRow, rowOf } from "./policies.ts";
import { sleep } from "./traffic.ts";

const OPEN = 5000;
const SHUT = 5001;
let lab: Lab;

beforeAll(() => {
  lab = createLab(["near", "same"], ["far"]);
});
afterAll(() => lab?.close());

const workload = (name: string): LabWorkload => lab.workload(name);

/** Port 5000 from `near` is always permitted and port 5001 never; everything around that changes with `step`. */
const variant = (targets: readonly string[], step: number): HostPolicy => {
  const near = workload("near");
  const other = step % 7;
  const row = portRow(
    17,
    other === 0
      ? [[OPEN, OPEN]]
      : [
          [1000 + other, 1000 + other],
          [OPEN - (step % 3), OPEN],
          [6000, 6000 + other],
        ],
    ALLOW,
    DROP,
  );
  const elsewhere = Array.from(
    { length: 20 + other },
    (_, n) => [`10.99.${step % 200}.${n + 1}`, row] as const,
  );
  const inRange = step % 4 === 0;
  return policyOf(lab, {
    revision: step,
    nodeExempt: step % 2 === 0,
    hairpinExempt: step % 3 === 0,
    live: [
      ...(step % 5 === 0
        ? [{ direction: "egress" as const, subjects: [near.v4], defaultRow: row }]
        : []),
      ...targets.map(workload).map((target) => ({
        direction: "ingress" as const,
        subjects: [target.v4, target.v6],
        exact: [...elsewhere, ...(inRange ? [] : [[near.v4, row] as const])],
        ranges: inRange ? [["10.86.0.0", "10.86.0.15", row] as const] : [],
        defaultRow: rowOf(DROP),
        overlay:
          step % 6 === 0
            ? [
                {
                  peer: ["10.77.0.1", "10.77.0.1"] as const,
                  protocol: 6,
                  ports: [80, 80] as const,
                  decision: ALLOW,
                  deadline: Date.now() + 60_000,
                },
              ]
            : [],
      })),
    ],
  });
};

onEveryDriver((under) => {
  describe("under a flood", () => {
    const targets = ["same", "far"];
    const counts = new Map<string, FloodCount>();
    let differences: readonly string[] | undefined;

    // Both at once: it is the updates that take long.
    beforeAll(async () => {
      const driver = under.create(lab);
      await driver.apply(variant(targets, 1));
      const floods = targets.map((to) => ({
        to,
        flood: startFlood({
          from: workload("near").path,
          to: workload(to).path,
          address: workload(to).v4,
          permittedPort: OPEN,
          forbiddenPort: SHUT,
          burst: 10,
        }),
      }));
      await sleep(200);
      for (let step = 2; step <= 101; step += 1) await driver.apply(variant(targets, step));
      // An agent that was killed and started again finds its own tables and goes on.
      const restarted = under.create(lab);
      for (let step = 102; step <= 111; step += 1) await restarted.apply(variant(targets, step));
      for (const { to, flood } of floods) counts.set(to, await flood.stop());
      ({ differences } = await restarted.readBack());
      await restarted.remove();
    }, 240_000);

    test.each(targets)("a hundred updates to %s lose and leak nothing", (to) => {
      const count = counts.get(to);
      expect(count?.forbiddenArrived).toBe(0);
      expect(count?.permittedArrived).toBe(count?.permittedSent);
      expect(count?.permittedSent).toBeGreaterThan(10_000);
      expect(count?.forbiddenSent).toBeGreaterThan(10_000);
      expect(differences).toEqual([]);
      console.log(
        `${to}: 110 updates, ${count?.permittedSent} permitted datagrams (0 lost), ${count?.forbiddenSent} forbidden (0 passed)`,
      );
    });
  });

  describe("what cannot be taken whole is not taken at all", () => {
    test("more entries than the limits", async () => {
      const small = variant(["same"], 14);
      const large = variant(["same"], 13);
      const maxEntries = under.create(lab).capacity(small).entries;
      const driver = under.create(lab, { maxEntries });
      expect(driver.limit).toBe(maxEntries);
      await driver.apply(small);
      const before = await driver.readBack();
      const { entries, problems } = driver.capacity(large);
      expect(entries).toBeGreaterThan(maxEntries);
      await expect(driver.apply(large)).rejects.toMatchObject({
        reason: "does-not-fit",
        message: expect.stringContaining(`${entries}`),
        details: problems,
      });
      expect(await driver.readBack()).toMatchObject({ digest: before.digest, differences: [] });
      await driver.remove();
    });

    test("an update that the kernel refuses at its last step", async () => {
      const driver = under.create(lab);
      const open = (step: number): HostPolicy => {
        const policy = variant(["same"], step);
        return {
          ...policy,
          endpoints: policy.endpoints.map((e) => ({ ...e, mode: "audit" as const })),
        };
      };
      await driver.apply(open(1));
      const before = await driver.readBack();
      const held = under.holdings(lab);
      const giveWay = under.obstruct(lab);
      await expect(driver.apply(variant(["same"], 2))).rejects.toMatchObject({ reason: "refused" });
      expect(await driver.readBack()).toMatchObject({ digest: before.digest, differences: [] });
      expect(under.holdings(lab)).toBe(held);
      giveWay();
      await driver.apply(variant(["same"], 2));
      expect((await driver.readBack()).differences).toEqual([]);
      await driver.remove();
    });

    test("a policy that is not sound", async () => {
      const driver = under.create(lab);
      const policy = variant(["same"], 1);
      for (const name of under.settings) lab.run(lab.host, ["sysctl", "-qw", `${name}=0`]);
      await expect(driver.apply({ ...policy, rows: [] })).rejects.toMatchObject({
        reason: "invalid-policy",
        message: expect.stringMatching(/row \w+ is not given/),
      });
      expect(under.holdings(lab)).toBe("");
      for (const name of under.settings)
        expect(lab.run(lab.host, ["sysctl", "-n", name]).trim(), name).toBe("0");
    });
  });
});
