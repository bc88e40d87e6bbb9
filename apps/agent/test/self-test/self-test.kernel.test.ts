/** The self-test on this kernel, on kernels that fail in one way each, and when it is due. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  ensureSelfTested,
  measureLatency,
  SelfTestError,
  selfTestNow,
} from "../../src/self-test/index.ts";
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

test("latency is measured with rules and without, and nothing is left behind", async () => {
  const open = (): number => readdirSync("/proc/self/fd").length;
  const sizes = { batches: 3, perBatch: 20, entries: 300 };
  const before = open();
  const { exchange, connect, samples, entries } = await measureLatency(() => 7, sizes);
  expect([samples, entries]).toEqual([60, 300]);
  for (const { p50, p95 } of [exchange, connect].flatMap((one) => Object.values(one))) {
    expect(p50).toBeGreaterThan(0);
    expect(p95).toBeGreaterThanOrEqual(p50);
  }
  expect(open()).toBe(before);
});

test("latency is not told where the rules let nothing through", async () => {
  played = play(PASSES_NOTHING);
  await expect(measureLatency(() => 7, { batches: 1, perBatch: 1, entries: 1 })).rejects.toThrow(
    /does not come about/,
  );
}, 30_000);

/** Network namespaces that this process, and every other one that `pids` names, is in or holds open. */
function namespacesOf(pids: readonly string[]): ReadonlySet<string> {
  const links = pids.flatMap((pid) => {
    try {
      const fds = readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`);
      return [`/proc/${pid}/ns/net`, ...fds].flatMap((path) => {
        try {
          return [readlinkSync(path)];
        } catch {
          return []; // closed meanwhile
        }
      });
    } catch {
      return []; // ended meanwhile
    }
  });
  return new Set(links.filter((link) => link.startsWith("net:[")));
}

test("killed in the middle it leaves nothing", async () => {
  const main = join(import.meta.dirname, "..", "..", "src", "main.ts");
  const own = namespacesOf(["self"]);
  let made: readonly string[] = [];
  // On a machine that is busy with others it may be over before anybody looks: then another one.
  while (made.length === 0) {
    const child = spawn(process.execPath, [main, "--self-test", "--state", folder], {
      stdio: "ignore",
    });
    const closed = new Promise((resolve) => {
      child.once("close", resolve);
    });
    await until(() => {
      made = [...namespacesOf([String(child.pid)])].filter((link) => !own.has(link));
      return made.length > 0 || child.exitCode !== null;
    });
    child.kill("SIGKILL");
    await closed;
  }
  const left = (): readonly string[] => {
    const all = namespacesOf(readdirSync("/proc").filter((name) => /^\d+$/.test(name)));
    return made.filter((link) => all.has(link));
  };
  // A tool that it had just started ends by itself.
  await until(() => left().length === 0);
  expect(left()).toEqual([]);
});

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("waited in vain");
}

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
