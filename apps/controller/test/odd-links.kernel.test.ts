/** A link whose name no rule can hold, made by whoever may make links: everybody else's policy goes on as if it were not there. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { POLICY, TestLab, until } from "./lab.ts";

const SHUT = {
  name: "more.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: web, namespace: shop }
spec: { subject: app=web, ingress: [] }
`,
};
/** With quotes, commas and what nft takes for its own. */
const NAMES = [`v"x`, `",`, `a;b{},#`];

let lab: TestLab;

beforeAll(async () => {
  lab = await TestLab.create();
  await lab.serve("web", [80]);
  await lab.serve("db", [80]);
  await lab.up();
});
afterAll(() => lab?.remove());

const apply = (...files: readonly { name: string; text: string }[]) =>
  lab.client.call("apply", {
    files: [lab.inventory(), POLICY, ...files],
    author: "ada",
    reason: "walls",
    mode: "enforce",
  });
const told = async (): Promise<readonly string[]> => {
  const { problems } = await lab.client.call("status", {});
  return problems.filter((one) => one.includes("no rule can hold"));
};

it("leaves such ports out, names them, and enforces as asked", async () => {
  for (const [at, name] of NAMES.entries())
    await lab.sh(
      "host",
      `ip link add '${name}' type veth peer name eth${at + 1} netns ${lab.prefix}-db; ip link set '${name}' master br0 up`,
    );
  await lab.sh("db", "ip link set eth1 up; ip addr add 10.9.0.99/32 dev eth1");
  await until(
    async () => (await told()).length === NAMES.length,
    () => lab.controllerLog,
  );
  await apply();
  expect(await lab.reach("db", "web", 80)).toBe("connected");
  expect((await told()).toSorted()[0]).toMatch(/^link `\\u\{22\}\\u\{2c\}` of shop\/db has/);

  await apply(SHUT);
  expect(await lab.reach("db", "web", 80)).toBe("blocked");
  // What is told of it once a second must not spoil what is read back.
  const pinged = await lab.sh("db", `ping -c 2 -i 0.2 -W 1 -I eth1 ${lab.address("evil")} || true`);
  expect(pinged).toContain("100% packet loss");
  const status = await lab.ready();
  expect(status.problems.filter((one) => one.includes("does not hold"))).toEqual([]);
});

it("and so it is with a link that was in force and is then called so", async () => {
  await lab.sh("host", `ip link set vweb down; ip link set vweb name '"w,'; ip link set '"w,' up`);
  await until(
    async () => (await told()).some((one) => one.includes("shop/web")),
    () => `${lab.controllerLog}\n${lab.agentLog}`,
  );
  const { state } = await lab.client.call("status", {});
  expect(state).toBe("failing");
  // Judged by its addresses still, and open again only when policy says so.
  expect(await lab.reach("db", "web", 80)).toBe("blocked");
  await lab.sh("host", `ip link set '"w,' down; ip link set '"w,' name vweb; ip link set vweb up`);
  for (const name of NAMES) await lab.sh("host", `ip link del '${name}'`);
  await until(
    async () => (await told()).length === 0,
    () => `${lab.controllerLog}\n${lab.agentLog}`,
  );
  await lab.ready();
  expect(lab.controllerLog).not.toContain("a policy was not taken");
  expect(await lab.reach("db", "web", 80)).toBe("blocked");
});
