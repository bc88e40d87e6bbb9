/** The driver's life in one real kernel: apply, read back, update, drift, repair, remove. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDriver } from "../../src/drivers/index.ts";
import type { Driver } from "../../src/drivers/index.ts";
import { createLab } from "./lab.ts";
import type { Lab } from "./lab.ts";
import { ALLOW, DROP, REJECT, policyOf, portRow, rowOf } from "./policies.ts";

let lab: Lab;
let driver: Driver;

beforeEach(() => {
  lab = createLab(["a", "b"]);
  driver = createDriver("nftables", { owner: "test", now: () => Date.now(), netns: lab.hostPath });
});
afterEach(() => lab.close());

const workload = (name: string) => {
  const found = lab.workloads[name];
  if (found === undefined) throw new Error(`no workload ${name}`);
  return found;
};

const guarded = () => {
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

const nft = (script: string): string => lab.run(lab.host, ["nft", "-f", "-"], script);

describe("apply", () => {
  test("what is read back is what was applied, and nothing else is touched", async () => {
    nft(
      "table ip foreign {\nchain c {\ntype filter hook forward priority 5;\nip saddr 192.0.2.9 drop\n}\n}",
    );
    const foreign = lab.run(lab.host, ["nft", "list", "table", "ip", "foreign"]);
    const receipt = await driver.apply(guarded());
    const found = await driver.readBack();
    expect(found.differences).toEqual([]);
    expect(found.digest).toBe(found.desiredDigest);
    expect(receipt.digest).toBe(found.digest);
    expect(lab.run(lab.host, ["nft", "list", "table", "ip", "foreign"])).toBe(foreign);
    await driver.remove();
    expect(lab.run(lab.host, ["nft", "list", "ruleset"])).toBe(foreign);
  });

  test("a second apply of the same policy writes nothing", async () => {
    const policy = guarded();
    await driver.apply(policy);
    const handles = lab.run(lab.host, ["nft", "-a", "list", "table", "inet", "bulkhead"]);
    await driver.apply({ ...policy, revision: 2 });
    expect(lab.run(lab.host, ["nft", "-a", "list", "table", "inet", "bulkhead"])).toBe(handles);
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

  test("a table of another agent is left alone", async () => {
    await driver.apply(guarded());
    const other = createDriver("nftables", {
      owner: "other",
      now: () => Date.now(),
      netns: lab.hostPath,
    });
    await expect(other.apply(guarded())).rejects.toMatchObject({ reason: "owned-by-another" });
    await expect(other.remove()).rejects.toMatchObject({ reason: "owned-by-another" });
    expect((await driver.readBack()).differences).toEqual([]);
  });

  test("settings are turned on, watched, and put back", async () => {
    const read = () =>
      lab.run(lab.host, ["sysctl", "-n", "net.bridge.bridge-nf-call-iptables"]).trim();
    lab.run(lab.host, ["sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0"]);
    await driver.apply(guarded());
    expect(read()).toBe("1");
    const generation = driver.generation();
    expect(driver.generation()).toBe(generation);
    lab.run(lab.host, ["sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0"]);
    expect(driver.generation()).not.toBe(generation);
    const found = await driver.readBack();
    expect(found.differences).toEqual(["net.bridge.bridge-nf-call-iptables is 0 instead of 1"]);
    expect(found.digest).not.toBe(found.desiredDigest);
    await driver.repair();
    expect(read()).toBe("1");
    await driver.remove();
    expect(read()).toBe("0");
  });
});

describe("drift is found, named and repaired", () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [
      "rule added",
      "insert rule inet bulkhead forward accept",
      /rule added to chain forward: accept/,
    ],
    [
      "element removed",
      "delete element inet bulkhead li_exact4_c0000000 { 10.86.0.2 }",
      /element 10\.86\.0\.2 missing from map li_exact4_c0000000/,
    ],
    [
      "element changed",
      "delete element inet bulkhead li_ports_ROW { tcp . 5432 }\nadd element inet bulkhead li_ports_ROW { tcp . 5432 : goto li_drop_0d200000 }",
      /element 6 \. 5432 of map li_ports_\w+ says `goto li_drop_0d200000` instead of `goto li_allow_0a110000`/,
    ],
    [
      "element added",
      "add element inet bulkhead li_exact4_c0000000 { 10.86.0.99 : goto li_allow_0a110000 }",
      /element added to map li_exact4_c0000000: 10\.86\.0\.99/,
    ],
    [
      "chain flushed",
      "flush chain inet bulkhead li_class_c0000000",
      /chain li_class_c0000000 was emptied/,
    ],
    ["base chain flushed", "flush chain inet bulkhead input", /chain input was emptied/],
    [
      "policy changed",
      "chain inet bulkhead forward { policy drop; }",
      /chain forward is declared `.*policy drop;` instead of/,
    ],
    [
      "chain added",
      "add chain inet bulkhead evil { type filter hook forward priority -10; policy accept; }",
      /chain added: evil/,
    ],
    ["set added", "add set inet bulkhead extra { type ipv4_addr; }", /set added: extra/],
    [
      "table put to sleep",
      "add table inet bulkhead { flags dormant; }",
      /table inet bulkhead is dormant/,
    ],
    ["table deleted", "delete table inet bulkhead", /table inet bulkhead is missing/],
    ["guard deleted", "delete table netdev bulkhead", /table netdev bulkhead is missing/],
    [
      "port let in",
      'add element bridge bulkhead ports { "br0" }',
      /element added to set ports: \d+/,
    ],
    [
      "port shut out",
      'delete element bridge bulkhead ports { "v-a" }',
      /element \d+ missing from set ports/,
    ],
    ["bridge guard deleted", "delete table bridge bulkhead", /table bridge bulkhead is missing/],
    ["bridge guard emptied", "flush chain bridge bulkhead forward", /chain forward was emptied/],
    ["guard emptied", "flush chain netdev bulkhead guard_v-a", /chain guard_v-a was emptied/],
  ];
  test.each(cases)("%s", async (_, script, sentence) => {
    const policy = guarded();
    await driver.apply(policy);
    const row = policy.rows.find(({ protocols }) => protocols.length > 0)?.id ?? "";
    nft(script.replaceAll("ROW", row));
    const drifted = await driver.readBack();
    expect(drifted.differences.join("\n")).toMatch(sentence);
    expect(drifted.digest).not.toBe(drifted.desiredDigest);
    await driver.repair();
    const repaired = await driver.readBack();
    expect(repaired.differences).toEqual([]);
    expect(repaired.digest).toBe(repaired.desiredDigest);
  });
});
