/**
 * What a machine must be able to do, against changes of policy: the obvious is refused beforehand, what a look afterwards
 * finds broken is taken back, also after a crash in between; and what did not work before is nobody's fault.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compileIndexed } from "@bulkhead/engine";
import type { Invariant, InvariantCheck } from "@bulkhead/model";
import { openStateStore, type StateStore } from "@bulkhead/store";
import { watchChain } from "../src/policy/chain-watch.ts";
import type { Compiled, Distributor, Intent } from "../src/policy/distributor.ts";
import { Governor } from "../src/policy/governor.ts";
import type { Reading } from "../src/policy/reading.ts";
import { buildWorld, type World } from "../src/world/world.ts";
import { INVENTORY, NOW, SHOP } from "./fixtures.ts";

const NTP: Invariant = { kind: "ntp", address: "198.51.100.1", port: 123 };
/** The machine's resolver is a workload, and its way there is judged. */
const MACHINE = {
  name: "machine.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: machine }
spec: { machine: { nodeExempt: false, invariants: { dns: [10.9.0.10], ssh: [192.0.2.7] } } }
`,
};
const shut = (ports: string) => ({
  name: "shut.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: shut, namespace: shop }
spec: { subject: app=web, ingress: [{ from: [{ entity: host }], ports: [${ports}] }] }
`,
});

let directory: string;
let store: StateStore;
let governor: Governor;
/** What each look finds, by kind; the last one stays. Null: nobody looks. */
let finds: (Partial<Record<Invariant["kind"], InvariantCheck["outcome"]>> | null)[];
let asked: { readonly names: readonly string[]; readonly found: boolean }[];
let told: string[];
/** What a crash would leave, at each moment at which the kernel is about to be changed. */
let noted: string[];

const now = () => NOW;

function compile(intent: Intent, world: World): Compiled {
  const { index, endpoints } = world;
  const options = { now: NOW, revision: intent.revision, endpoints };
  return { intent, world, digest: "sha256:0", result: compileIndexed(intent.set, index, options) };
}

function look(
  invariants: readonly Invariant[],
  found: boolean,
): Promise<readonly InvariantCheck[]> {
  asked.push({ names: invariants.map(({ kind }) => kind), found });
  const outcomes = finds.length > 1 ? finds.shift() : finds[0];
  if (outcomes === null || outcomes === undefined)
    return Promise.reject(new Error("the agent did not answer within 5 s"));
  return Promise.resolve(
    [...invariants, ...(found ? [NTP] : [])].map((one) => {
      const outcome = outcomes[one.kind] ?? "held";
      const why = outcome === "held" ? {} : { detail: "no answer" };
      return { ...one, outcome, ...why, ...(one.kind === "ssh" ? {} : { local: "10.9.0.1" }) };
    }),
  );
}

async function start(): Promise<void> {
  const distributor = {
    compile,
    adopt: ({ revision }: Intent) => void told.push(`adopt ${revision}`),
    change: async (intent: Intent, compiled?: Compiled, trialMs?: number) => {
      noted.push((await store.setting("trial")) ?? "");
      told.push(`change ${intent.revision}${trialMs === undefined ? "" : " on trial"}`);
      const world = buildWorld(governor.inForce.reading.declared, SHOP);
      return {
        compiled: compiled ?? compile(intent, world),
        receipt: { readAt: NOW },
        host: "host",
      };
    },
    keep: (until?: number) => {
      told.push(until === undefined ? "keep" : `keep ${(until - NOW) / 1000} s`);
      return Promise.resolve();
    },
    agentConnected: () => void told.push("again"),
  } as unknown as Distributor;
  governor = await Governor.load({
    store,
    chain: watchChain(store, now),
    log: pino({ level: "silent" }),
    now,
    worldUnder: ({ declared }: Reading) => buildWorld(declared, SHOP),
    distributor: () => distributor,
    requireAgent: () => undefined,
    render: () => Promise.resolve("ruleset"),
    capacity: () => 0,
    underWay: () => Promise.resolve(undefined),
    check: look,
    onChange: () => undefined,
  });
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "lockout-trial-"));
  store = await openStateStore(join(directory, "state.db"));
  finds = [{ ssh: "untold" }];
  told = [];
  asked = [];
  noted = [];
  await start();
  await apply([INVENTORY, MACHINE]);
  told = [];
  asked = [];
});

afterEach(async () => {
  try {
    await governor.stop();
    await store.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

const common = { strict: false, dryRun: false, force: false, reason: "", author: "ada" };
const apply = (files: readonly { name: string; text: string }[], more: object = {}) =>
  governor.apply({ files: [...files], mode: "enforce", prune: false, ...common, ...more });
const kinds = async () => (await store.revisions()).map(({ kind }) => kind).toReversed();

describe("what policy itself says", () => {
  it("refuses beforehand what would break it, at the rule and with the place where it is declared", async () => {
    const failure: unknown = await apply([shut("443/tcp")]).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "lockout",
      diagnostics: [
        {
          code: "BH0606",
          severity: "error",
          span: { file: "shut.yaml", line: 4 },
          message: expect.stringMatching(
            /^`dns 10\.9\.0\.10`, declared at machine\.yaml:4:\d+ would be broken by `Policy\/shop\/shut/,
          ),
          help: expect.stringContaining("--force --reason"),
        },
      ],
    });
    expect([await kinds(), told]).toEqual([["apply"], []]);
    await expect(apply([shut("443/tcp")], { dryRun: true })).rejects.toMatchObject({
      code: "lockout",
    });
    await expect(apply([shut("53/udp")])).resolves.toMatchObject({ changed: true });
  });

  it("says nothing of what did not work before, nor of what was denied already", async () => {
    finds = [{ dns: "failed" }];
    const { invariants } = await apply([shut("443/tcp")]);
    expect(invariants).toMatchObject([
      { name: "dns 10.9.0.10", before: "failed", detail: "no answer" },
      { name: "ssh from 192.0.2.7", after: "held" },
      { name: "ntp 198.51.100.1", before: "held", after: "held" },
    ]);
    expect(invariants?.[0]).not.toHaveProperty("after");
    finds = [{}];
    await expect(apply([shut("444/tcp")])).resolves.toMatchObject({ changed: true });
  });

  it("wants a reason for force, in words, and records it", async () => {
    for (const reason of ["", "  "])
      await expect(apply([shut("443/tcp")], { force: true, reason })).rejects.toMatchObject({
        code: "bad-request",
      });
    const answer = await apply([shut("443/tcp")], { force: true, reason: "moving the resolver" });
    expect(answer.notices).toContainEqual(
      expect.stringMatching(/^forced: `dns 10\.9\.0\.10`, declared/),
    );
    expect(await store.revision(2)).toMatchObject({ forced: true, reason: "moving the resolver" });
    expect(await store.verifyChain()).toEqual({ intact: true });
  });
});

describe("a look from the machine", () => {
  it("tries what held before once more, and keeps what passes", async () => {
    finds = [{ ssh: "untold" }, {}];
    await apply([shut("53/udp")]);
    expect(asked).toEqual([
      { names: ["dns", "ssh"], found: true },
      { names: ["dns", "ntp"], found: false },
    ]);
    expect(told).toEqual(["change 2 on trial", "keep"]);
    expect(noted.at(-1)).toBe('{"revision":2,"revertsTo":1}');
    expect(governor.lastLook).toMatchObject({ revision: 2 });
    expect(await store.setting("trial")).toBe("");
  });

  it("keeps a change that waits for confirmation only as long as that, and for good once it is confirmed", async () => {
    await apply([shut("53/udp")], { confirmSeconds: 60 });
    await governor.confirm();
    expect(told).toEqual(["change 2 on trial", "keep 65 s", "keep"]);
  });

  it("takes back what broke something, twice seen, and says so in the history", async () => {
    finds = [{}, { dns: "failed", ntp: "failed" }, { ntp: "failed" }, {}];
    await expect(apply([shut("53/udp")])).rejects.toMatchObject({
      code: "lockout",
      message: expect.stringMatching(
        /^revision 2 broke `ntp 198\.51\.100\.1` \(no answer\): it was taken back, .* as revision 3$/,
      ),
    });
    expect(asked.slice(1)).toEqual([
      { names: ["dns", "ssh", "ntp"], found: false },
      { names: ["dns", "ntp"], found: false },
    ]);
    expect(await kinds()).toEqual(["apply", "apply", "revert"]);
    expect(await store.revision(3)).toMatchObject({
      restores: 1,
      author: "bulkhead",
      reason: "revision 2 broke `ntp 198.51.100.1` (no answer)",
    });
    expect(told).toEqual(["change 2 on trial", "adopt 2", "adopt 3", "change 3"]);
    expect(governor.inForce.revision).toBe(3);
    expect(await store.setting("trial")).toBe("");
  });

  it("is not needed for what is forced; what broke is told", async () => {
    finds = [{}, { ntp: "failed" }];
    const answer = await apply([shut("53/udp")], { force: true, reason: "no clock needed" });
    expect(answer.notices).toContain("forced: it broke `ntp 198.51.100.1` (no answer)");
    expect(await kinds()).toEqual(["apply", "apply"]);
  });

  it("counts as broken when nobody can look any more, as a note when nobody could before", async () => {
    finds = [{}, null];
    await expect(apply([shut("53/udp")])).rejects.toMatchObject({
      code: "lockout",
      message: expect.stringContaining("the agent did not answer"),
    });
    expect(await kinds()).toEqual(["apply", "apply", "revert"]);
    finds = [null];
    const { notices } = await apply([shut("53/udp")]);
    expect(notices).toContainEqual(expect.stringContaining("could not be tried"));
  });

  it("that never happened, because the controller was killed, counts as broken", async () => {
    await store.saveSetting("trial", JSON.stringify({ revision: 2, revertsTo: 1 }));
    finds = [{}];
    const after = await store.append(
      { ...(await store.revision(1))!, time: NOW, reason: "killed before the look" },
      [],
    );
    expect(after.revision).toBe(2);
    await governor.stop();
    await start();
    await governor.resume();
    expect(await store.revision(3)).toMatchObject({
      kind: "revert",
      restores: 1,
      reason: "the controller ended before it was seen what revision 2 breaks",
    });
    expect(await store.setting("trial")).toBe("");
    await governor.resume();
    expect(await kinds()).toEqual(["apply", "apply", "revert"]);
  });

  it("is not missed where a crash left the note and no revision", async () => {
    await store.saveSetting("trial", JSON.stringify({ revision: 2, revertsTo: 1 }));
    await governor.resume();
    expect([await kinds(), await store.setting("trial")]).toEqual([["apply"], ""]);
  });
});

describe("an agent that went back by itself", () => {
  it("is believed of what waits for confirmation, and told again of what does not", async () => {
    await apply([shut("53/udp")], { confirmSeconds: 60 });
    await governor.wentBack(1);
    expect(await kinds()).toEqual(["apply", "apply"]);
    await governor.wentBack(2);
    expect(await store.revision(3)).toMatchObject({ kind: "revert", restores: 1 });
    expect((await store.confirmations()).get(2)).toBe("reverted");
    told = [];
    await governor.wentBack(3);
    expect([told, await kinds()]).toEqual([["again"], ["apply", "apply", "revert"]]);
  });
});
