/** The state store: accepted changes stay, in order, chained; alterations show; a full disk leaves nothing behind. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  GENESIS,
  hashText,
  openStateStore,
  type NewRevision,
  type StateStore,
} from "../src/index.ts";
import { revisionHash } from "../src/state/revision.ts";

let folder: string;
let store: StateStore;
const path = () => join(folder, "state.sqlite");

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "bhk-state-"));
  store = await openStateStore(path());
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const text = "kind: Policy\n";
function change(more: Partial<NewRevision> = {}): NewRevision {
  return {
    time: 1000,
    kind: "apply",
    author: "ada",
    reason: "first",
    mode: "audit",
    forced: false,
    changes: { added: ["Policy/shop/db"], changed: [], removed: [], unchanged: [], kept: [] },
    given: [{ name: "db.yaml", hash: hashText(text) }],
    resources: [
      { key: "Policy/shop/db", fileName: "db.yaml", fileHash: hashText(text), mode: "audit" },
    ],
    ...more,
  };
}
const files = [{ name: "db.yaml", text }];

async function reopen(): Promise<void> {
  await store.close();
  store = await openStateStore(path());
}

function tamper(statement: string): void {
  const database = new DatabaseSync(path());
  try {
    database.exec("DROP TRIGGER revisions_stay; DROP TRIGGER revisions_keep;");
    database.exec(statement);
  } finally {
    database.close();
  }
}

describe("revisions", () => {
  it("numbers from 1, chains, and gives back what was put in after reopening", async () => {
    const first = await store.append(change(), files);
    const second = await store.append(
      change({ reason: "second", restores: 1, kind: "rollback" }),
      [],
    );
    expect([first.revision, first.prevHash]).toEqual([1, GENESIS]);
    expect([second.revision, second.prevHash]).toEqual([2, first.hash]);
    await reopen();
    expect(await store.revisions()).toEqual([second, first]);
    expect(await store.current()).toEqual(second);
    expect(await store.revision(1)).toEqual(first);
    expect(await store.revision(3)).toBeNull();
    expect(await store.fileText(hashText(text))).toBe(text);
    expect(await store.verifyChain()).toEqual({ intact: true });
  });

  it("refuses to change or delete a revision", async () => {
    await store.append(change(), files);
    const database = new DatabaseSync(path());
    try {
      expect(() => database.exec("UPDATE revisions SET author = 'eve'")).toThrow("append-only");
      expect(() => database.exec("DELETE FROM revisions")).toThrow("append-only");
    } finally {
      database.close();
    }
  });

  it("finds a rollout's share or seed that was altered, and hashes as ever what has none", async () => {
    const [resource] = change().resources;
    const canary = { seed: 5, share: 1000 };
    const rolledOut = change({ resources: [{ ...resource!, mode: "enforce", canary }] });
    const plain = change({ resources: [{ ...resource!, mode: "enforce" }] });
    const [rolled, without] = [rolledOut, plain].map((one) =>
      revisionHash({ ...one, revision: 1, prevHash: GENESIS }),
    );
    // Computed before there were rollouts: revisions of then must go on holding.
    expect(without).toBe("77547ce56b025ed59807d70825b6dec77364f8baa7bc7363563eba602ee7325b");
    expect(rolled).not.toBe(without);
    for (const altered of [{ share: 9999 }, { seed: 6 }]) {
      await store.append(rolledOut, files);
      expect((await store.current())?.resources[0]?.canary).toEqual(canary);
      const [now, then] = [canary, { ...canary, ...altered }].map((one) => JSON.stringify(one));
      tamper(`UPDATE revisions SET resources = replace(resources, '${now}', '${then}')`);
      expect(await store.verifyChain()).toEqual({ intact: false, brokenAt: 1 });
      await store.close();
      rmSync(path());
      store = await openStateStore(path());
    }
  });

  it("finds a commit or a path that was altered", async () => {
    const [resource] = change().resources;
    const origin = { commit: "a".repeat(40), path: "shop.yaml", changed: false };
    const given = change().given.map((file) => ({ ...file, origin }));
    const fromGit = change({ given, resources: [{ ...resource!, origin }] });
    for (const column of ["given", "resources"]) {
      for (const [then, now] of [
        ["aaaa", "bbbb"],
        ['"path":"shop.yaml"', '"path":"mine.yaml"'],
        ['"changed":false', '"changed":true'],
      ]) {
        await store.append(fromGit, files);
        expect((await store.current())?.resources[0]?.origin).toEqual(origin);
        expect((await store.current())?.given[0]?.origin).toEqual(origin);
        expect(await store.verifyChain()).toEqual({ intact: true });
        tamper(`UPDATE revisions SET ${column} = replace(${column}, '${then}', '${now}')`);
        expect(await store.verifyChain()).toEqual({ intact: false, brokenAt: 1 });
        await store.close();
        rmSync(path());
        store = await openStateStore(path());
      }
    }
  });

  it.each([
    ["an author", "UPDATE revisions SET author = 'eve' WHERE revision = 2", 2],
    [
      "a mode inside the set",
      "UPDATE revisions SET resources = replace(resources, 'audit', 'enforce') WHERE revision = 1",
      1,
    ],
    ["a removed row", "DELETE FROM revisions WHERE revision = 1", 2],
    ["a file text", "UPDATE files SET text = 'kind: Nothing'", 1],
    ["an unreadable row", "UPDATE revisions SET changes = '{' WHERE revision = 3", 3],
  ])("finds %s that was altered behind its back", async (_, statement, brokenAt) => {
    for (const reason of ["one", "two", "three"]) await store.append(change({ reason }), files);
    tamper(statement);
    expect(await store.verifyChain()).toEqual({ intact: false, brokenAt });
  });

  it("leaves nothing of a change whose transaction fails", async () => {
    await store.append(change(), files);
    tamper(
      "CREATE TRIGGER broken BEFORE INSERT ON pending_confirm BEGIN SELECT RAISE(ABORT, 'broken'); END",
    );
    await expect(
      store.append(change(), [{ name: "x", text: "x" }], { confirmBy: 5 }),
    ).rejects.toThrow("broken");
    expect((await store.current())?.revision).toBe(1);
    expect(await store.fileText(hashText("x"))).toBeNull();
  });
});

describe("pending confirmation", () => {
  it("survives a restart, and is settled once", async () => {
    await store.append(change(), files);
    await store.append(change(), files, { confirmBy: 9000 });
    await reopen();
    expect(await store.pendingConfirm()).toEqual({ revision: 2, revertsTo: 1, deadline: 9000 });
    expect(await store.confirm(5)).toBe(true);
    expect(await store.confirm(5)).toBe(false);
    expect(await store.confirmations()).toEqual(new Map([[2, "confirmed"]]));
  });

  it("is settled by the revision that reverts it", async () => {
    await store.append(change(), files, { confirmBy: 9000 });
    await store.append(change({ kind: "revert", restores: 0 }), [], { settles: "reverted" });
    expect(await store.pendingConfirm()).toBeNull();
    expect(await store.confirmations()).toEqual(new Map([[1, "reverted"]]));
  });

  it("is given back whole when what settled it is undone", async () => {
    await store.append(change(), files);
    await store.append(change(), files, { confirmBy: 9000 });
    const waiting = await store.pendingConfirm();
    if (waiting === null) throw new Error("nothing waits");
    await store.append(change(), files, { confirmBy: 12_000, settles: "confirmed" });
    expect(await store.confirmations()).toEqual(new Map([[2, "confirmed"]]));
    const undo = { settles: "reverted", reopens: waiting } as const;
    await store.append(change({ kind: "revert", restores: 2 }), [], undo);
    expect(await store.pendingConfirm()).toEqual(waiting);
    expect(await store.confirmations()).toEqual(new Map([[3, "reverted"]]));
  });
});

describe("the rest", () => {
  it("keeps settings, drift and probe runs over a restart", async () => {
    await store.saveSetting("drift", "report");
    await store.saveSetting("drift", "repair");
    const report = {
      host: "box",
      detectedAt: 5,
      revision: 1,
      expectedDigest: "sha256:a",
      actualDigest: null,
      differences: ["table missing"],
      repaired: true,
    };
    await store.saveDrift(report);
    await store.saveDrift({ ...report, detectedAt: 6 });
    await store.saveProbeRun({ time: 7, summary: { passed: 1 }, results: [] });
    await reopen();
    expect(await store.setting("drift")).toBe("repair");
    expect(await store.setting("none")).toBeNull();
    expect(await store.drifts(1)).toEqual({ total: 2, reports: [{ ...report, detectedAt: 6 }] });
    expect(await store.lastProbeRun()).toEqual({ time: 7, summary: { passed: 1 }, results: [] });
  });

  it("refuses a file of a newer schema", async () => {
    tamper("PRAGMA user_version = 99");
    await expect(openStateStore(path())).rejects.toThrow("newer version");
  });
});

describe("what measures are made of", () => {
  const HOUR = 3_600_000;
  const drift = { kind: "drift", subject: "edge-1", message: "gone", detectedAt: 5 } as const;

  it("adds up what is counted in an hour, also over restarts", async () => {
    await store.tally(HOUR + 5, { done: 2, failed: 0 });
    await reopen();
    await store.tally(2 * HOUR - 1, { done: 3, failed: 1 });
    await store.tally(2 * HOUR, { done: 7 });
    expect(await store.tallies(0)).toEqual([
      { hour: HOUR, name: "done", count: 5 },
      { hour: HOUR, name: "failed", count: 1 },
      { hour: 2 * HOUR, name: "done", count: 7 },
    ]);
    expect(await store.tallies(2 * HOUR)).toHaveLength(1);
    await store.forgetMeasures(2 * HOUR);
    expect((await store.tallies(0)).map(({ hour }) => hour)).toEqual([2 * HOUR]);
    await store.forgetMeasures(2 * HOUR);
    expect((await store.tallies(-1)).map(({ name, count }) => [name, count])).toEqual([
      ["done", 5],
      ["failed", 1],
      ["done", 7],
    ]);
  });

  it("keeps one incident of a kind and subject open, until it is ended", async () => {
    expect(await store.openIncident(drift)).toBe(true);
    await reopen();
    expect(await store.openIncident({ ...drift, detectedAt: 9 })).toBe(false);
    expect(await store.openIncident({ ...drift, subject: "edge-2" })).toBe(true);
    const end = { at: 20, by: "the agent" };
    expect(await store.endIncidents({ kind: "false-deny" }, end)).toBe(0);
    expect(await store.endIncidents({ kind: "drift", subject: "edge-1" }, end)).toBe(1);
    expect(await store.incidents(21)).toEqual([{ ...drift, subject: "edge-2" }]);
    expect(await store.incidents(20)).toEqual([
      { ...drift, subject: "edge-2" },
      { ...drift, endedAt: 20, endedBy: "the agent" },
    ]);
    expect(await store.openIncident({ ...drift, detectedAt: 30 })).toBe(true);
  });

  it("has drift of a span of time, the oldest first", async () => {
    const report = { host: "edge-1", revision: 2, expectedDigest: "a", differences: [] };
    await store.saveDrift({ ...report, detectedAt: 10, actualDigest: null, repaired: false });
    await store.saveDrift({ ...report, detectedAt: 20, actualDigest: "b", repaired: true });
    expect((await store.driftSince(10)).map(({ detectedAt }) => detectedAt)).toEqual([10, 20]);
    expect(await store.driftSince(11)).toEqual([
      { host: "edge-1", detectedAt: 20, revision: 2, actualDigest: "b", repaired: true },
    ]);
  });

  it("opens a file that was written before there were any", async () => {
    await store.append(change(), files);
    await store.close();
    const database = new DatabaseSync(path());
    database.exec("DROP TABLE tallies; DROP TABLE incidents");
    database.close();
    store = await openStateStore(path());
    expect(await store.incidents(0)).toEqual([]);
    expect((await store.revisions()).length).toBe(1);
  });
});
