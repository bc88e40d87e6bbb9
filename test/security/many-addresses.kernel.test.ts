/** A workload that gives itself addresses without end: the agent goes on, others are found, and other alarms stay in sight. */
import { spawn } from "node:child_process";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TestLab, until } from "../../apps/controller/test/lab.ts";

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.create();
  await lab.up();
});
afterAll(() => lab?.remove());

it("does not keep the agent from its work", async () => {
  const flood = spawn("ip", ["-n", `${lab.prefix}-evil`, "-batch", "-"], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  flood.stdin.on("error", () => undefined);
  for (let n = 1; n <= 900; n += 1)
    flood.stdin.write(`addr add fd00::${n.toString(16)}/128 dev eth0 nodad\n`);
  flood.stdin.end();
  const ended = new Promise((resolve) => flood.once("close", resolve));
  try {
    await lab.detach("web");
    await lab.attach("web");
    await ended;
    const attached = async () => {
      const { workloads } = await lab.client.call("workloads", {});
      const evil = workloads.find(({ id }) => id.endsWith("-evil"));
      const web = workloads.find(({ id }) => id.endsWith("-web"));
      expect(evil?.addresses.length ?? 0).toBeLessThanOrEqual(512);
      return web?.attached === true && web.addresses.includes(lab.address("web"));
    };
    await until(attached, "a workload that came meanwhile was not found");
    const { alarms, agents } = await lab.client.call("status", {});
    expect(alarms.length).toBeLessThanOrEqual(3);
    expect(agents[0]?.connected).toBe(true);
  } finally {
    flood.kill();
    await ended;
  }
});
