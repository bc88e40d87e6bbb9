/** The self-test on this kernel, on kernels that fail in one way each, and when it is due. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ensureSelfTested, SelfTestError, selfTestNow } from "../../src/self-test/index.ts";
import { runSelfTest } from "../../src/self-test/self-test.ts";
import {
  BELIEVES_SENDERS,
  DROPS_NOTHING,
  FORGETS_NOTHING,
  PASSES_NOTHING,
  play,
  type Played,
  type StandIn,
} from "./stand-in-nft.ts";

let played: Played | undefined;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bbo-self-"));
});
afterEach(() => {
  played?.end();
  played = undefined;
  rmSync(folder, { recursive: true });
});

test("this kernel does all that enforcement rests on, and nothing is left behind", async () => {
  const open = (): number => readdirSync("/proc/self/fd").length;
  await runSelfTest();
  const before = open();
  const { failure, works, absent } = await runSelfTest();
  expect(failure).toBeUndefined();
  expect(works).toHaveLength(6);
  expect(absent).toEqual([]);
  expect(open()).toBe(before);
});

describe("a kernel fails by what it does not do", () => {
  const KERNELS: readonly (readonly [string, StandIn, RegExp])[] = [
    ["takes no rules", { load: "s/table/tabel/" }, /taken whole/],
    ["loses elements", { list: "s/198.18.3.2/198.18.3.9/" }, /reads back/],
    ["passes nothing on", PASSES_NOTHING, /what is allowed passes/],
    ["drops nothing", DROPS_NOTHING, /what is not allowed is dropped/],
    ["checks no sender", BELIEVES_SENDERS, /forged/],
    ["forgets nothing", FORGETS_NOTHING, /with an end/],
  ];
  test.each(KERNELS)("one that %s", async (_, standIn, feature) => {
    played = play(standIn);
    const { failure } = await runSelfTest();
    expect(failure?.feature).toMatch(feature);
    expect(failure?.detail).not.toBe("");
  });
});

test("it is due once, and again when something else is underneath", async () => {
  const file = join(folder, "self-test.json");
  const place = { file, version: "1", now: Date.now };
  expect(await ensureSelfTested(place)).toMatchObject({ on: { bulkhead: "1" } });
  expect(await ensureSelfTested(place)).toBeNull();

  played = play({ load: "s/table/tabel/" });
  // What passed before holds for the same machine; another version is tried, and this kernel fails it each time.
  expect(await ensureSelfTested(place)).toBeNull();
  const newer = { ...place, version: "2" };
  await expect(ensureSelfTested(newer)).rejects.toBeInstanceOf(SelfTestError);
  await expect(ensureSelfTested(newer)).rejects.toThrow(/self-test failed.*taken whole.*kernel/);
  expect((await selfTestNow(newer)).failure).toBeDefined();

  played.end();
  played = undefined;
  expect(await ensureSelfTested(newer)).not.toBeNull();
  expect(await ensureSelfTested(newer)).toBeNull();
});
