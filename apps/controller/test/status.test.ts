/** What `status` makes of warnings that only show on this machine: a problem that wants attention, with its place. */
import { expect, it } from "vitest";
import { compileIndexed } from "@bulkhead/engine";
import { statusOf } from "../src/queries/status.ts";
import { buildWorld } from "../src/world/world.ts";
import { endpoint, held, INVENTORY, NOW, reading, SHOP, surroundings } from "./fixtures.ts";

function problems(around: typeof SHOP): readonly string[] {
  const files = [INVENTORY];
  const read = reading(files);
  const world = buildWorld(read.declared, around);
  const options = { now: NOW, revision: 1, endpoints: world.endpoints };
  const result = compileIndexed(read.set, world.index, options);
  return statusOf({
    version: "0",
    now: NOW,
    startedAt: NOW,
    inForce: { revision: 1, record: null, held: held(files), reading: read },
    world,
    wanted: { intent: { revision: 1, set: read.set }, world, digest: "sha256:0", result },
    problem: undefined,
    modes: result.modes,
    session: undefined,
    pending: null,
    chain: { intact: true },
    drift: { setting: "repair", total: 0, last: undefined },
    flows: { stored: 0, unstored: 0, writable: true },
    alarms: [],
    probe: null,
  }).problems;
}

it("names them beside what else is not well", () => {
  const well = problems(SHOP);
  const twice = surroundings([...SHOP.endpoints, endpoint("copy", { addresses: ["10.9.0.10"] })]);
  expect(problems(twice).filter((problem) => !well.includes(problem))).toEqual([
    "BH0602: address `10.9.0.10` is claimed by `default/copy`, `shop/web`",
  ]);
});
