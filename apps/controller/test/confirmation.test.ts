/** A change that waits to be confirmed keeps its way back, whatever else is asked for meanwhile. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { compileIndexed } from "@bulkhead/engine";
import { openStateStore, type StateStore } from "@bulkhead/store";
import { watchChain } from "../src/policy/chain-watch.ts";
import type { Compiled, Distributor, Intent } from "../src/policy/distributor.ts";
import { Governor } from "../src/policy/governor.ts";
import type { Reading } from "../src/policy/reading.ts";
import { buildWorld, type World } from "../src/world/world.ts";
import { INVENTORY, NOW, SHOP } from "./fixtures.ts";
import { POLICY } from "./lab.ts";

let directory: string;
let store: StateStore;
let governor: Governor;
let broken: boolean;

const now = () => NOW;
const worldUnder = ({ declared }: Reading) => buildWorld(declared, SHOP);

function compile(intent: Intent, world: World): Compiled {
  const { revision, set } = intent;
  const { index, endpoints } = world;
  const result = compileIndexed(set, index, { now: NOW, revision, endpoints });
  return { intent, world, digest: "sha256:0", result };
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "bulkhead-confirm-"));
  store = await openStateStore(join(directory, "state.db"));
  broken = false;
  const distributor = {
    compile,
    adopt: () => undefined,
    change: (intent: Intent, compiled: Compiled) =>
      broken
        ? Promise.reject(new Error("the kernel says no"))
        : Promise.resolve({
            compiled: compiled ?? { intent, digest: "sha256:0" },
            receipt: { revision: intent.revision, digest: "sha256:0", driver: "-", readAt: NOW },
            host: "host",
          }),
    keep: () => Promise.resolve(),
  } as Pick<Distributor, "compile" | "adopt" | "change" | "keep"> as Distributor;
  governor = await Governor.load({
    store,
    chain: watchChain(store, now),
    log: pino({ level: "silent" }),
    now,
    worldUnder,
    distributor: () => distributor,
    requireAgent: () => undefined,
    render: () => Promise.resolve("ruleset"),
    capacity: () => 0,
    underWay: () => Promise.resolve(undefined),
    check: () => Promise.resolve([]),
    onChange: () => undefined,
  });
  await apply([INVENTORY]);
  await apply([INVENTORY, POLICY], { confirmSeconds: 60 });
});

afterEach(async () => {
  try {
    await governor.stop();
    await store.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

const common = { force: false, reason: "", author: "" };
function apply(files: readonly { name: string; text: string }[], more: object = {}) {
  const given = { mode: "audit", prune: true, strict: false, dryRun: false } as const;
  return governor.apply({ files: [...files], ...given, ...common, ...more });
}
const rollback = (revision: number, more: object = {}) =>
  governor.rollback({ revision, opens: false, ...common, ...more });
const waiting = { revision: 2, revertsTo: 1, deadline: NOW + 60_000 };
const outcome = async () => (await store.confirmations()).get(2);

it("refuses another apply, and a rollback to elsewhere, and goes on waiting", async () => {
  const refused = {
    code: "busy",
    exitCode: 2,
    message: `revision 2 waits for confirmation until ${new Date(NOW + 60_000).toISOString()}: nothing was changed`,
    help: expect.stringMatching(/`bulkhead confirm` .*`bulkhead rollback`/),
  };
  await expect(apply([INVENTORY])).rejects.toMatchObject(refused);
  await expect(apply([INVENTORY], { force: true })).rejects.toMatchObject({ code: "bad-request" });
  await expect(rollback(0)).rejects.toMatchObject(refused);
  await expect(rollback(1, { confirmSeconds: 60 })).rejects.toMatchObject({ code: "bad-request" });
  expect([governor.inForce.revision, await store.pendingConfirm()]).toEqual([2, waiting]);
});

it("shows a dry run, and goes on waiting", async () => {
  expect(await apply([INVENTORY], { dryRun: true })).toMatchObject({ ruleset: "ruleset" });
  expect(await store.pendingConfirm()).toEqual(waiting);
});

it("takes the way back as a revert", async () => {
  expect(await rollback(1)).toMatchObject({ revision: 3, resources: { added: [] } });
  expect([await outcome(), await store.pendingConfirm()]).toEqual(["reverted", null]);
});

it("waits again when the kernel does not take the way back", async () => {
  broken = true;
  await expect(rollback(1)).rejects.toThrow("the kernel says no");
  expect([await outcome(), await store.pendingConfirm()]).toEqual([undefined, waiting]);
  const [back, again] = [await store.revision(3), await store.revision(4)];
  expect(back?.resources).toEqual((await store.revision(1))?.resources);
  expect(again?.resources).toEqual((await store.revision(2))?.resources);
});

it("waits again when the kernel does not take what was forced", async () => {
  broken = true;
  const forced = { force: true, reason: "known" };
  await expect(apply([INVENTORY], forced)).rejects.toThrow("the kernel says no");
  expect([await outcome(), await store.pendingConfirm()]).toEqual([undefined, waiting]);
  await expect(apply([INVENTORY], { ...forced, confirmSeconds: 5 })).rejects.toThrow("says no");
  expect([await outcome(), await store.pendingConfirm()]).toEqual([undefined, waiting]);
  // 3 and 5 failed; 4 and 6 brought back what waits.
  const outcomes = await store.confirmations();
  expect([outcomes.get(3), outcomes.get(5)]).toEqual([undefined, "reverted"]);
  expect((await store.revision(6))?.resources).toEqual((await store.revision(2))?.resources);

  broken = false;
  expect(await governor.confirm()).toBe(2);
  expect(await outcome()).toBe("confirmed");
});

it("reverts to where it would have, after a forced change failed", async () => {
  broken = true;
  await expect(apply([INVENTORY], { force: true, reason: "known" })).rejects.toThrow("says no");
  broken = false;
  expect(await rollback(1)).toMatchObject({ revision: 5 });
  expect([await outcome(), await store.pendingConfirm()]).toEqual(["reverted", null]);
});

it("goes on by force with a reason, and says what that means", async () => {
  const answer = await apply([INVENTORY], { force: true, reason: "known" });
  expect(answer.notices).toContain("forced: revision 2 counts as confirmed");
  expect([await outcome(), await store.pendingConfirm()]).toEqual(["confirmed", null]);
});
