/**
 * What a workload with root in its namespace can change about itself: addresses, MAC, and the namespace that its
 * interface lies in. None of it may get it past the policy, or take from others what is theirs.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestLab, until } from "../../apps/controller/test/lab.ts";

/** Shorter than a workload that is just being attached may take; the test waits once for it. */
const SETTLED_MS = 5_500;

const POLICY = `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: shut, namespace: shop }
spec: { owner: ada, reason: test, subject: '', ingress: [], egress: [] }
---
apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: web-db, namespace: shop }
spec: { from: app=web, to: app=db, ports: [5432/tcp], owner: ada, reason: test }
`;

let lab: TestLab;

beforeAll(async () => {
  lab = await TestLab.create();
  await lab.serve("db", [5432]);
  await lab.serve("web", [80]);
  // Outside every workload: what `egress: []` must keep everybody from.
  await lab.sh("host", "ip addr add 198.51.100.1/32 dev lo");
  await lab.up();
  await lab.client.call("apply", {
    files: [lab.inventory(), { name: "policy.yaml", text: POLICY }],
    mode: "enforce",
    author: "ada",
    reason: "test",
  });
  await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
});
afterAll(() => lab?.remove());

async function alarmed(words: RegExp): Promise<void> {
  const raised = async () => (await lab.client.call("status", {})).alarms.map((one) => one.message);
  await until(
    async () => (await raised()).some((message) => words.test(message)),
    `no alarm ${words}`,
  );
}

async function ownAddresses(): Promise<readonly string[]> {
  const { workloads } = await lab.client.call("workloads", {});
  return workloads.find(({ id }) => id === "shop/evil")?.addresses ?? [];
}

describe("a workload that changes itself", () => {
  it("gains nothing by taking the address of one that may", async () => {
    expect(await lab.reach("web", "db", 5432)).toBe("connected");
    expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
    const web = lab.address("web");
    await lab.sh("evil", `ip addr add ${web}/24 dev eth0`);
    await alarmed(new RegExp(`evil.* has taken ${web}.*belongs to vweb`));
    // Only the stolen address is left to send from.
    await lab.sh(
      "evil",
      `ip addr del ${lab.address("evil")}/24 dev eth0; ip addr add ${web}/24 dev eth0 || true`,
    );
    expect(await lab.reach("evil", "db", 5432)).toBe("blocked");
    await lab.sh(
      "evil",
      `ip addr flush dev eth0 scope global; ip addr add ${lab.address("evil")}/24 dev eth0`,
    );
    expect(await lab.reach("web", "db", 5432)).toBe("connected");
  });

  it("gains nothing by taking an address that nobody has", async () => {
    await lab.sh("evil", "ip addr add 10.9.0.77/24 dev eth0");
    await alarmed(/has taken 10\.9\.0\.77.*did not have/);
    expect(await ownAddresses()).not.toContain("10.9.0.77");
    await lab.sh("evil", "ip addr del 10.9.0.77/24 dev eth0");
  });

  it("does not cut the machine off by taking its address", async () => {
    const host = lab.address("host");
    await lab.sh("evil", `ip addr add ${host}/32 dev eth0`);
    await alarmed(new RegExp(`has taken ${host}.*this machine's own`));
    // Long enough for the rules to follow, if they did.
    await new Promise((resolve) => setTimeout(resolve, 800));
    const dial = `timeout 2 bash -c '</dev/tcp/${lab.address("web")}/80' && echo reached`;
    expect(await lab.sh("host", dial)).toContain("reached");
    await lab.sh("evil", `ip addr del ${host}/32 dev eth0`);
  });

  it("cannot turn another's frames to itself by taking its MAC address", async () => {
    const macOf = async (name: "web" | "evil") =>
      /link\/ether (\S+)/.exec(await lab.sh(name, "ip link show eth0"))?.[1] ?? "";
    const [web, evil] = [await macOf("web"), await macOf("evil")];
    await lab.sh("evil", `ip link set eth0 address ${web}`);
    await alarmed(new RegExp(`has taken the MAC address ${web}`));
    await lab.sh("evil", "ping -c 2 -i 0.2 -W 1 10.9.0.99 || true");
    expect(await lab.sh("host", "bridge fdb show br br0")).not.toMatch(
      new RegExp(`${web} dev vevil`),
    );
    await lab.sh("evil", `ip link set eth0 address ${evil}`);
  });

  it("stays what it is when it moves its interface into a namespace of its own", async () => {
    const nested = `unshare -n sleep 30 & child=$!; sleep 0.3
      ip link set eth0 netns $child
      nsenter --net=/proc/$child/ns/net sh -c '
        ip link set eth0 up; ip addr add ${lab.address("evil")}/24 dev eth0; ip route add default via ${lab.address("host")}
        sleep 2
        ping -c 1 -W 1 198.51.100.1 >/dev/null && echo WORLD
        ping -c 1 -W 1 ${lab.address("web")} >/dev/null && echo WEB
        true'
      kill $child`;
    const reached = await lab.sh("evil", nested);
    await alarmed(/has moved into another network namespace/);
    expect(reached).not.toMatch(/WORLD|WEB/);
    const { workloads } = await lab.client.call("workloads", {});
    expect(workloads.map(({ id }) => id)).toEqual(["shop/db", "shop/evil", "shop/web"]);
  });
});
