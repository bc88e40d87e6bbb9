/** A disk that is really full: what was not written left nothing behind, says so, and all goes on when there is room. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import {
  openDuckDbFlowStore,
  openStateStore,
  hashText,
  StoreFullError,
  type NewRevision,
} from "../src/index.ts";
import { flow } from "./flow-store-conformance.ts";

let disk: string;

beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), "bhk-full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "bhk-full", disk]);
});
afterEach(() => {
  execFileSync("umount", [disk]);
  rmSync(disk, { recursive: true });
});

const ballast = () => join(disk, "ballast");

/** Everything that is left but so many bytes. */
function fill(leave: number): void {
  const free = Number(execFileSync("stat", ["-f", "-c", "%a", disk])) * 4096;
  writeFileSync(ballast(), Buffer.alloc(Math.max(0, free - leave)));
}

it("leaves no half of a revision, and takes it when there is room", async () => {
  const store = await openStateStore(join(disk, "state.sqlite"));
  const text = "x".repeat(1_500_000);
  const change: NewRevision = {
    time: 1,
    kind: "apply",
    author: "",
    reason: "",
    mode: "audit",
    forced: false,
    changes: { added: [], changed: [], removed: [], unchanged: [], kept: [] },
    given: [{ name: "a", hash: hashText(text) }],
    resources: [],
  };
  fill(600_000);
  await expect(store.append(change, [{ name: "a", text }])).rejects.toThrow(StoreFullError);
  expect(await store.current()).toBeNull();
  expect(await store.fileText(hashText(text))).toBeNull();
  rmSync(ballast());
  expect((await store.append(change, [{ name: "a", text }])).revision).toBe(1);
  expect(await store.verifyChain()).toEqual({ intact: true });
  await store.close();
});

it("stores no half of a batch, and goes on with the same store when there is room", async () => {
  const store = await openDuckDbFlowStore(join(disk, "flows.duckdb"), { minFreeBytes: 0 });
  const batch = (sequence: number, count: number) => ({
    boot: "b",
    sequence,
    flows: Array.from({ length: count }, (_, index) =>
      flow({ start: sequence * 100_000 + index, rule: `${sequence}-${index}-${"x".repeat(200)}` }),
    ),
  });
  await store.append([batch(1, 10)]);
  fill(50_000);
  await expect(store.append([batch(2, 5000)])).rejects.toThrow(StoreFullError);
  expect(await store.stats()).toMatchObject({ stored: 10 });
  rmSync(ballast());
  await store.append([batch(3, 10)]);
  expect(await store.stats()).toMatchObject({ stored: 20 });
  expect(await store.lastSequence("b")).toBe(3);
  await store.close();
});
