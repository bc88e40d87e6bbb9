/** A driver's life in one real kernel: apply, read back, update, drift, repair, remove. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { HostPolicy } from "@bulkhead/model";
import type { Driver } from "../../src/drivers/index.ts";
import { createLab } from "./lab.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { onEveryDriver } from "./on-every-driver.ts";
import { ALLOW, DROP, REJECT, policyOf, portRow, rowOf } from "./policies.ts";

let lab: Lab;
beforeAll(() => {
  lab = createLab(["a", "b"]);
});
afterAll(() => lab?.close());

const workload = (name: string): LabWorkload => lab.workload(name);

const guarded = (): HostPolicy => {
  const a = workload("a");
  const b = workload("b");
  const row = portRow(
    6,
    [
      [5432, 5432],
      [6379, 6379],
      [8000, 8100],
      [9090, 9090],
      [9100, 9100],
      [9200, 9200],
    ],
    ALLOW,
    DROP,
  );
  return policyOf(lab, {
    live: [
      {
        direction: "ingress",
        subjects: [b.v4, b.v6],
        exact: [
          [a.v4, row],
          [a.v6, row],
        ],
        ranges: [["192.0.2.0", "192.0.2.255", row]],
        defaultRow: rowOf(DROP),
      },
    ],
  });
};

onEveryDriver((under) => {
  let driver: Driver;
  beforeEach(() => {
    driver = under.create(lab);
  });
  afterEach(() => driver.remove());

  describe("apply", () => {
    test("what is read back is what was applied, and nothing else is touched", async () => {
      const others = (): string =>
        lab
          .run(lab.host, ["nft", "list", "ruleset"])
          .split(/^(?=table )/m)
          .filter((table) => !/^table \S+ bulkhead/.test(table))
          .join("");
      const script =
        "table ip foreign {\nchain c {\ntype filter hook forward priority 5;\nip saddr 192.0.2.9 drop\n}\n}";
      lab.run(lab.host, ["nft", "-f", "-"], script);
      const foreign = others();
      expect(foreign).toContain("192.0.2.9");
      try {
        expect(await driver.isInForce()).toBe(false);
        const receipt = await driver.apply(guarded());
        expect(receipt.driver).toBe(under.name);
        const found = await driver.readBack();
        expect(found.differences).toEqual([]);
        expect(found.digest).toBe(found.desiredDigest);
        expect(receipt.digest).toBe(found.digest);
        expect([others(), under.holdings(lab) !== "", await driver.isInForce()]).toEqual([
          foreign,
          true,
          true,
        ]);
        await driver.remove();
        expect([others(), under.holdings(lab), await driver.isInForce()]).toEqual([
          foreign,
          "",
          false,
        ]);
      } finally {
        lab.run(lab.host, ["nft", "delete", "table", "ip", "foreign"]);
      }
    });

    test("a second apply of the same policy writes nothing", async () => {
      const policy = guarded();
      await driver.apply(policy);
      const held = under.holdings(lab);
      const generation = driver.generation();
      await driver.apply({ ...policy, revision: 2 });
      expect([under.holdings(lab), driver.generation()]).toEqual([held, generation]);
    });

    test("a changed policy replaces the old one in place", async () => {
      await driver.apply(guarded());
      const open = policyOf(lab, {
        live: [{ direction: "egress", subjects: [workload("a").v4], defaultRow: rowOf(REJECT) }],
        shadow: [{ direction: "ingress", subjects: [workload("b").v4], defaultRow: rowOf(DROP) }],
        hairpinExempt: false,
        nodeExempt: true,
        mode: "audit",
      });
      const receipt = await driver.apply(open);
      const found = await driver.readBack();
      expect(found.differences).toEqual([]);
      expect(receipt.digest).toBe(found.desiredDigest);
      expect(found.policy?.live.maps.map(({ direction }) => direction)).toEqual(["egress"]);
    });

    test("calls that come at once take effect one after another", async () => {
      const open = policyOf(lab, {});
      const [first, , second] = await Promise.all([
        driver.apply(guarded()),
        driver.readBack(),
        driver.apply(open),
      ]);
      expect(first.digest).not.toBe(second.digest);
      const { digest, differences } = await driver.readBack();
      expect([digest, differences]).toEqual([second.digest, []]);
    });

    test("another process goes on from what it finds", async () => {
      const { digest } = await driver.apply(guarded());
      const heir = under.create(lab);
      expect(await heir.isInForce()).toBe(true);
      const found = await heir.readBack();
      expect([found.digest, found.desiredDigest, found.differences]).toEqual([digest, null, []]);
    });

    test("what belongs to another agent is left alone", async () => {
      await driver.apply(guarded());
      const held = under.holdings(lab);
      const other = under.create(lab, { owner: "other" });
      const refusal = { reason: "owned-by-another" };
      await expect(other.apply(guarded())).rejects.toMatchObject(refusal);
      await expect(other.readBack()).rejects.toMatchObject(refusal);
      await expect(other.remove()).rejects.toMatchObject(refusal);
      expect((await driver.readBack()).differences).toEqual([]);
      expect(under.holdings(lab)).toBe(held);
    });

    test("settings are turned on, watched, and put back", async () => {
      const set = (name: string, value: string) =>
        lab.run(lab.host, ["sysctl", "-qw", `${name}=${value}`]);
      const values = (): string[] =>
        under.settings.map((name) => lab.run(lab.host, ["sysctl", "-n", name]).trim());
      const all = (value: string): string[] => under.settings.map(() => value);
      for (const name of under.settings) set(name, "0");
      await driver.apply(guarded());
      expect(values()).toEqual(all("1"));
      for (const name of under.settings) {
        const generation = driver.generation();
        expect(driver.generation()).toBe(generation);
        set(name, "0");
        expect(driver.generation()).not.toBe(generation);
        const found = await driver.readBack();
        expect(found.differences).toEqual([`${name} is 0 instead of 1`]);
        expect(found.digest).not.toBe(found.desiredDigest);
        await driver.repair();
      }
      expect(values()).toEqual(all("1"));
      await driver.remove();
      expect(values()).toEqual(all("0"));
    });

    test("settings are left to a successor, which puts them back in its time", async () => {
      const values = (): string[] =>
        under.settings.map((name) => lab.run(lab.host, ["sysctl", "-n", name]).trim());
      for (const name of under.settings) lab.run(lab.host, ["sysctl", "-qw", `${name}=0`]);
      expect(await driver.settingsBefore()).toBe(null);
      await driver.apply(guarded());
      const before = await driver.settingsBefore();
      await driver.remove({ settings: "kept" });
      expect([under.holdings(lab), ...values()]).toEqual(["", ...under.settings.map(() => "1")]);
      const heir = under.create(lab);
      if (before !== null) heir.inherit(before);
      await heir.apply(guarded());
      expect(await heir.settingsBefore()).toEqual(before);
      await heir.remove();
      expect(values()).toEqual(under.settings.map(() => "0"));
    });

    test("workloads that are not attached yet are no drift, nor are they when they come", async () => {
      const policy = policyOf(lab, {
        live: [{ direction: "ingress", subjects: ["10.86.0.99"], defaultRow: rowOf(DROP) }],
      });
      const late = {
        workload: "lab/late",
        interface: "v-late",
        ifindex: 99,
        mac: "02:86:00:00:00:99",
        addresses: ["10.86.0.99" as const],
        mode: "enforce" as const,
      };
      const { digest } = await driver.apply({
        ...policy,
        endpoints: [...policy.endpoints, late],
      });
      const before = await driver.readBack();
      expect([before.digest, before.desiredDigest, ...before.differences]).toEqual([
        digest,
        digest,
      ]);
      const veth = "ip link add v-late type veth peer name v-other";
      lab.run(lab.host, veth.split(" "));
      try {
        const after = await driver.readBack();
        expect([after.digest, ...after.differences]).toEqual([digest]);
      } finally {
        lab.run(lab.host, ["ip", "link", "del", "v-late"]);
      }
    });
  });

  describe("drift is found, named and repaired", () => {
    test.each(under.sabotage.map((one) => [one.name, one] as const))(
      "%s",
      async (_, { spoil, sentence }) => {
        const policy = guarded();
        await driver.apply(policy);
        const generation = driver.generation();
        spoil(lab, policy);
        expect(driver.generation()).not.toBe(generation);
        const drifted = await driver.readBack();
        expect(drifted.differences.join("\n")).toMatch(sentence);
        expect(drifted.digest).not.toBe(drifted.desiredDigest);
        await driver.repair();
        const repaired = await driver.readBack();
        expect(repaired.differences).toEqual([]);
        expect(repaired.digest).toBe(repaired.desiredDigest);
      },
    );
  });

  test("for people it prints what names of rules, and writes nothing", async () => {
    const policy = guarded();
    const text = driver.render(policy);
    for (const word of [workload("a").v4, workload("b").v6, "5432", ALLOW.cookie, DROP.cookie])
      expect(text).toContain(word);
    expect(under.holdings(lab)).toBe("");
  });

  test("before the first apply there is nothing to repair, and whatever is read is not desired", async () => {
    expect(await driver.repair()).toBe(null);
    const { desiredDigest, policy, entries } = await driver.readBack();
    expect([desiredDigest, policy, entries]).toEqual([null, null, 0]);
  });
});
