/** The lab itself: it comes up, works over both families, is open to an intruder, and leaves nothing behind. */
import { existsSync, readdirSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { Lab, namespaceExists, readRuns } from "../shop/lab/index.ts";
import type { Attempt } from "../shop/programs/lib/attempts.ts";
import type { Tally } from "../shop/programs/lib/samples.ts";

let lab: Lab | undefined;

afterEach(async () => {
  await lab?.down();
  lab = undefined;
});

test("customers are served over IPv4 and IPv6, and the report runs", async () => {
  lab = await Lab.up({ reference: false, kept: false });
  const from = Date.now();
  await lab.call("users", "start", { perSecond: 50 });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await lab.call("users", "stop");
  const result = await lab.call<Tally>("users", "tally", { from });
  expect(result.failed).toBe(0);
  expect(result.byFamily.ipv4).toBeGreaterThan(0);
  expect(result.byFamily.ipv6).toBeGreaterThan(0);
  const { orders } = JSON.parse(await lab.runProgram("report", "report")) as { orders: number };
  expect(orders).toBeGreaterThan(0);
  expect(lab.dead()).toEqual([]);
});

test("nothing keeps the intruder from the database and the world", async () => {
  lab = await Lab.up({ reference: false, kept: false });
  const attempts = await lab.call<readonly Attempt[]>("intruder", "scan");
  const deep = attempts.filter((one) => one.means === "sql");
  expect(deep.map((one) => one.outcome)).toEqual(deep.map(() => "100 customers' cards"));
  expect(deep.map((one) => one.route).toSorted()).toEqual(["ipv4", "ipv6", "link-local"]);
  const world = attempts.filter((one) => one.name === "anywhere.example" && one.means === "http");
  expect(world.map((one) => one.reached)).toEqual([true, true, true, true]);
  const closed = attempts.filter((one) => one.means === "tcp" && one.port === 3306);
  expect(closed.filter((one) => one.reached)).toEqual([]);
});

test("down removes processes, namespaces, files and the run file", async () => {
  lab = await Lab.up({ reference: true, kept: false });
  const { id, directory, record } = lab;
  await lab.down();
  expect(record.namespaces.filter(namespaceExists)).toEqual([]);
  expect(existsSync(directory)).toBe(false);
  expect(readRuns().map((run) => run.id)).not.toContain(id);
  const alive = record.processes.filter((mark) => readdirSync("/proc").includes(String(mark.pid)));
  expect(alive).toEqual([]);
});
