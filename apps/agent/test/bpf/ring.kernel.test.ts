// Rings that the kernel writes and this process reads: in order, none lost that fit, and those that did not fit counted.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { isKernelError } from "../../src/kernel/kernel-error.ts";
import {
  loadObject,
  pin,
  readRing,
  testRunOf,
  unpin,
  type BpfObject,
  type RingReader,
} from "../../src/bpf/index.ts";
import { until } from "../kernel/netns-lab.ts";
import { compileTestObjects } from "./objects.ts";

const objects = compileTestObjects("ring");
afterAll(() => objects.close());

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0).toReversed()) one.close();
});
const kept = <T extends { close(): void }>(one: T): T => {
  open.push(one);
  return one;
};

const MEBI = 1 << 20;
const ringOf = (bytes: number): BpfObject =>
  kept(loadObject({ file: objects.path("ring"), maps: { events: { maxEntries: bytes } } }));
const PACKET = Buffer.alloc(64);
const counted = (object: BpfObject, what: number): number => {
  const key = Buffer.alloc(4);
  key.writeUInt32LE(what);
  return Number(object.map("counts").lookup(key)?.readBigUInt64LE() ?? -1n);
};
const LOST = 1;
/** Put in, lost, and begun and thrown away: every run is one of them. */
const runs = (object: BpfObject): number =>
  counted(object, 0) + counted(object, LOST) + counted(object, 2);
/** A signal to this process ends repeated runs where they are. */
const emit = (object: BpfObject, times: number, program = "emit"): void => {
  const run = testRunOf(object.program(program));
  const goal = runs(object) + times;
  for (let left = times; left > 0; left = goal - runs(object)) {
    try {
      run.run(PACKET, null, left);
    } catch (error) {
      if (!isKernelError(error, "EINTR")) throw error;
    }
  }
};

/** Reads numbers, and says at once when one is not the next one. */
function numbers(object: BpfObject, atOnce?: number): { reader: RingReader; next: () => number } {
  let next = 0;
  const reader = kept(
    readRing(object.map("events"), {
      ...(atOnce === undefined ? {} : { atOnce }),
      take(memory, start, length) {
        const number = Number(memory.readBigUInt64LE(start));
        if (length !== 16 || number !== next)
          throw new Error(`record ${number} of ${length} bytes came where ${next} was due`);
        next++;
      },
    }),
  );
  return { reader, next: () => next };
}

describe("a ring", () => {
  it("gives a burst that fits, in order and without loss", async () => {
    const object = ringOf(8 * MEBI);
    const { reader, next } = numbers(object);
    emit(object, 200_000);
    expect(reader.statistics).toEqual({ taken: 0, discarded: 0, waiting: 200_000 * 24 });
    await until("all records", () => next() === 200_000 || undefined);
    expect(counted(object, LOST)).toBe(0);
    expect(reader.statistics).toEqual({ taken: 200_000, discarded: 0, waiting: 0 });
  });

  it("that is too small for a burst counts exactly what did not fit", async () => {
    const object = ringOf(MEBI);
    const { next, reader } = numbers(object);
    emit(object, 200_000);
    await until("the ring to be empty", () => reader.statistics.waiting === 0 || undefined);
    expect(counted(object, LOST)).toBeGreaterThan(100_000);
    expect(next() + counted(object, LOST)).toBe(200_000);
    // There is room again, and the end of the ring's memory was passed.
    const before = next();
    emit(object, 30_000);
    await until("the rest", () => next() === before + 30_000 || undefined);
  });

  it("is read while another process writes", async () => {
    const object = ringOf(MEBI);
    const { next, reader } = numbers(object, 1000);
    const path = join(objects.pins, "emit");
    pin(object.program("emit"), path);
    const child = spawn(process.execPath, [join(import.meta.dirname, "emit.ts"), path, "200000"], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    kept({ close: () => child.kill("SIGKILL") });
    expect(await once(child, "exit")).toEqual([0, null]);
    await until("the ring to be empty", () => reader.statistics.waiting === 0 || undefined);
    expect(next()).toBeGreaterThan(0);
    expect(next() + counted(object, LOST)).toBe(200_000);
    unpin(path);
  });

  it("takes no more in one turn than it was told, so that others get theirs", async () => {
    const object = ringOf(MEBI);
    const { next } = numbers(object, 100);
    emit(object, 10_000);
    let largest = 0;
    for (let before = 0; next() < 10_000; before = next()) {
      await new Promise((resolve) => setImmediate(resolve));
      largest = Math.max(largest, next() - before);
    }
    expect(largest).toBe(100);
  });

  it("holds what comes while nobody takes, and goes on where it stopped", async () => {
    const object = ringOf(MEBI);
    const { next, reader } = numbers(object);
    reader.pause();
    emit(object, 100);
    expect(reader.drain(40)).toBe(40);
    expect(reader.statistics).toMatchObject({ taken: 40, waiting: 60 * 24 });
    reader.resume();
    await until("the rest", () => next() === 100 || undefined);
  });

  it("passes over what the program threw away", () => {
    const object = ringOf(MEBI);
    const { next, reader } = numbers(object);
    emit(object, 5);
    emit(object, 3, "begin_and_discard");
    emit(object, 5);
    expect([reader.drain(), next()]).toEqual([10, 10]);
    expect(reader.statistics).toEqual({ taken: 10, discarded: 3, waiting: 0 });
  });

  it("is not stopped by a record that nobody can read", () => {
    const object = ringOf(MEBI);
    const failures: unknown[] = [];
    let calls = 0;
    const take = (): void => {
      if (++calls % 2 === 0) throw new Error("unreadable");
    };
    const tolerant = kept(
      readRing(object.map("events"), { take, failed: (error) => failures.push(error) }),
    );
    emit(object, 6);
    expect([tolerant.drain(), failures.length]).toEqual([6, 3]);
    tolerant.close();
    const strict = kept(readRing(object.map("events"), { take }));
    emit(object, 3);
    expect(() => strict.drain()).toThrow("unreadable");
    // The one that failed is not read again.
    expect([strict.statistics.waiting, strict.drain()]).toEqual([24, 1]);
  });

  it("may be closed by whoever is given a record", () => {
    const object = ringOf(MEBI);
    const reader = readRing(object.map("events"), { take: () => reader.close() });
    emit(object, 3);
    expect([reader.drain(), reader.drain(), reader.statistics.taken]).toEqual([1, 0, 1]);
  });

  it("does not keep a process alive", async () => {
    const source = new URL("../../src/bpf/index.ts", import.meta.url).href;
    const program = `
      import { loadObject, readRing } from ${JSON.stringify(source)};
      readRing(loadObject({ file: ${JSON.stringify(objects.path("ring"))} }).map("events"), { take() {} });
      console.log("reading");`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    kept({ close: () => child.kill("SIGKILL") });
    expect(await once(child, "exit")).toEqual([0, null]);
  });
});
