/**
 * What an Inventory says of the machine itself, with the real controller, agent and kernel: its resolver opens, it is
 * judged like its workloads, leases are let through where they hang, and the reference agrees with all of it.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { TestLab, until } from "./lab.ts";

const SHUT = {
  name: "shut.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: shut, namespace: shop }
spec: { subject: "app in (db, evil)", ingress: [], egress: [] }
`,
};

const machine = (says: string) => ({
  name: "machine.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: machine, namespace: shop }
spec: { machine: ${says} }
`,
});

let lab: TestLab;

beforeAll(async () => {
  lab = await TestLab.create();
  await lab.serve("db", [5432]);
  await lab.serve("host", [53, 54]);
  await lab.up();
});
afterAll(() => lab?.remove());

const apply = (says: string) =>
  lab.client.call("apply", { files: [lab.inventory(), SHUT, machine(says)], mode: "enforce" });

it("is exempt as a client, and nothing on it is, where nothing is said", async () => {
  await apply("{}");
  expect(await lab.reach("host", "db", 5432, 4, 20_000)).toBe("connected");
  expect(await lab.reach("evil", "host", 53)).toBe("blocked");
  expect(await lab.ruleset()).not.toContain("udp sport 68 udp dport 67 accept");
});

it("opens its resolver, serves leases, and is judged, where that is said", async () => {
  await apply('{ nodeExempt: false, dns: [10.9.0.1, "[fd99::1]:53"], dhcp: [br0] }');
  for (const family of [4, 6] as const) {
    expect(await lab.reach("evil", "host", 53, family, 20_000)).toBe("connected");
    expect(await lab.reach("evil", "host", 54, family)).toBe("blocked");
    expect(await lab.reach("host", "db", 5432, family)).toBe("blocked");
  }
  // The bridge was discovered, and it is where both hang.
  const found = (await lab.ruleset()).match(/udp sport 68 udp dport 67 accept/g);
  expect(found).toHaveLength(2);

  const ask = (from: string, to: string, port: string) =>
    lab.client.call("explain", { from, to, port });
  const named = await ask("shop/evil", "10.9.0.1", "53/udp");
  expect(named.verdict).toBe("allow");
  expect(named.paths[0]?.decision.egress.determinedBy).toEqual({
    kind: "exemption",
    exemption: "dns",
  });
  expect((await ask("host", "shop/db", "5432/tcp")).verdict).not.toBe("allow");

  // What was seen has been judged by the reference.
  await until(async () => {
    const { edges } = await lab.client.call("edges", { from: ["shop/evil"], to: ["host"] });
    return edges.some(({ port, verdict }) => port === 53 && verdict === "forwarded");
  }, "the way to the resolver is not on record");
  const status = await lab.client.call("status", {});
  expect(status.profile).toEqual({
    nodeExempt: false,
    hairpinExempt: true,
    default: "allow",
    dhcp: ["br0"],
    dns: [
      { address: "10.9.0.1", port: 53 },
      { address: "fd99::1", port: 53 },
    ],
  });
  expect(status.agents[0]?.exemptions.version).toBe(5);
  expect(status.alarms.filter(({ kind }) => kind === "verdict")).toEqual([]);
});

it("is told of what does not hold on this machine", async () => {
  const { diagnostics } = await apply("{ dns: [10.9.0.11], dhcp: [br1] }");
  expect(diagnostics.map(({ code }) => code)).toEqual(["BH0604", "BH0604"]);
});
