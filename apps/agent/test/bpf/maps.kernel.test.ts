// Maps of every kind that the datapath uses, and objects with maps, against the real kernel.
import { statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import {
  allMaps,
  BpfLoadError,
  createMap,
  isBpffs,
  loadObject,
  MapDiffersError,
  mapsOf,
  mountBpffs,
  openMap,
  openPinnedMap,
  openPinnedProgram,
  perCpuValues,
  pin,
  pinsIn,
  possibleCpus,
  testRunOf,
  unpin,
  type BpfMap,
  type MapSpec,
} from "../../src/bpf/index.ts";
import { compileTestObjects } from "./objects.ts";

const objects = compileTestObjects("nested", "unsound", "absent", "verdict");
afterAll(() => objects.close());

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});
const kept = <T extends { close(): void }>(one: T): T => {
  open.push(one);
  return one;
};

const u32 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => bytes.writeUInt32LE(value, index * 4));
  return bytes;
};
const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);
const map = (spec: Partial<MapSpec> = {}): BpfMap =>
  kept(
    createMap({ kind: "hash", name: "test", keyBytes: 4, valueBytes: 4, maxEntries: 8, ...spec }),
  );

describe("a map", () => {
  it("gives back what was put in, and says when there is nothing", () => {
    const one = map();
    expect(one.lookup(u32(1))).toBeNull();
    one.update(u32(1), u32(10));
    expect(one.lookup(u32(1))).toEqual(u32(10));
    const into = Buffer.alloc(4);
    expect([one.lookupInto(u32(1), into), into]).toEqual([true, u32(10)]);
    expect(() => one.update(u32(1), u32(11), "new")).toThrow(/EEXIST/);
    expect(() => one.update(u32(2), u32(11), "existing")).toThrow(/ENOENT/);
    expect([one.delete(u32(1)), one.delete(u32(1))]).toEqual([true, false]);
    one.update(u32(3), u32(30));
    expect([one.take(u32(3)), one.take(u32(3))]).toEqual([u32(30), null]);
  });

  it("that was closed is never another one that has its descriptor by then", () => {
    const [one, other] = [map(), map()];
    one.close();
    // Most likely with the same number.
    const next = map();
    next.update(u32(1), u32(2));
    expect(() => one.lookup(u32(1))).toThrow(/EBADF/);
    expect(() => one.update(u32(1), u32(3))).toThrow(/EBADF/);
    expect(() => one.updateBatch(u32(1), u32(3))).toThrow("map test was closed");
    expect(() => pin(one, join(objects.pins, "closed"))).toThrow("map test was closed");
    one.close();
    expect([next.lookup(u32(1)), other.lookup(u32(1))]).toEqual([u32(2), null]);
  });

  it("takes no key and no value of another size", () => {
    const one = map();
    expect(() => one.lookup(Buffer.alloc(3))).toThrow(RangeError);
    expect(() => one.update(u32(1), Buffer.alloc(5))).toThrow(RangeError);
    expect(() => one.updateBatch(u32(1, 2), u32(1))).toThrow(RangeError);
  });

  it("knows its shape", () => {
    const { info } = map({ name: "a_name_that_is_cut", maxEntries: 5, valueBytes: 12 });
    expect(info).toMatchObject({ kind: "hash", name: "a_name_that_is_", maxEntries: 5 });
    expect(allMaps().find(({ id }) => id === info.id)).toEqual(info);
  });

  it("of addresses finds the longest prefix", () => {
    const trie = map({ kind: "lpm-trie", keyBytes: 8 });
    const prefix = (length: number, ...address: readonly number[]): Buffer =>
      Buffer.concat([u32(length), Buffer.from(address)]);
    trie.update(prefix(8, 10, 0, 0, 0), u32(1));
    trie.update(prefix(24, 10, 1, 2, 0), u32(2));
    expect(trie.lookup(prefix(32, 10, 1, 2, 3))).toEqual(u32(2));
    expect(trie.lookup(prefix(32, 10, 9, 9, 9))).toEqual(u32(1));
    expect(trie.lookup(prefix(32, 11, 0, 0, 1))).toBeNull();
    expect(trie.entries()).toHaveLength(2);
  });

  it("has one value for each possible processor, where it is so declared", () => {
    for (const kind of ["per-cpu-array", "per-cpu-hash"] as const) {
      const one = map({ kind, valueBytes: 12 });
      expect(one.valueBytes).toBe(16 * possibleCpus());
      const value = Buffer.alloc(one.valueBytes);
      perCpuValues(one, value).forEach((each, cpu) => each.fill(cpu + 1));
      one.update(u32(3), value);
      const read = one.lookup(u32(3)) ?? Buffer.alloc(0);
      expect(perCpuValues(one, read).map((each) => [each.length, each[11]])).toEqual(
        range(0, possibleCpus()).map((cpu) => [12, cpu + 1]),
      );
      expect(one.entries().find(({ key }) => key.equals(u32(3)))?.value).toEqual(read);
    }
  });

  it("as an array has all its entries from the start", () => {
    const one = map({ kind: "array", maxEntries: 5000 });
    one.update(u32(4999), u32(1));
    expect(one.entries()).toHaveLength(5000);
    expect(() => one.update(u32(5000), u32(1))).toThrow(/E2BIG/);
  });
});

describe("a batch", () => {
  it.each(["hash", "lpm-trie"] as const)(
    "into a full map tells how many were taken: %s",
    (kind) => {
      const lpm = kind === "lpm-trie";
      const one = map({ kind, keyBytes: lpm ? 8 : 4, maxEntries: 100 });
      const keys = Buffer.concat(
        range(0, 130).map((each) => (lpm ? Buffer.concat([u32(32), u32(each)]) : u32(each))),
      );
      const outcome = one.updateBatch(keys, u32(...range(0, 130)));
      expect(outcome.taken).toBe(100);
      expect(outcome.refused?.code).toBe(lpm ? "ENOSPC" : "E2BIG");
      expect(one.entries()).toHaveLength(100);
      // What is there already may change all the same.
      expect(
        one.updateBatch(keys.subarray(0, 100 * one.info.keyBytes), u32(...range(1, 101))),
      ).toEqual({ taken: 100, refused: null });
    },
  );

  it("of deletions stops where there is nothing", () => {
    const one = map();
    one.updateBatch(u32(1, 2, 3), u32(1, 2, 3));
    const { taken, refused } = one.deleteBatch(u32(1, 2, 9, 3));
    expect([taken, refused?.code]).toEqual([2, "ENOENT"]);
    expect(one.keys()).toEqual([u32(3)]);
    expect(one.deleteBatch(u32(3))).toEqual({ taken: 1, refused: null });
    expect(one.deleteBatch(Buffer.alloc(0))).toEqual({ taken: 0, refused: null });
  });

  it("that is refused as a whole has taken nothing", () => {
    const BPF_F_RDONLY = 8;
    const { taken, refused } = map({ flags: BPF_F_RDONLY }).updateBatch(u32(1), u32(1));
    expect([taken, refused?.code]).toEqual([0, "EPERM"]);
  });

  it("reads more entries than fit one call", () => {
    const one = map({ maxEntries: 20_000 });
    const all = range(0, 20_000);
    expect(one.updateBatch(u32(...all), u32(...all)).taken).toBe(20_000);
    const read = one.entries().map(({ key, value }) => {
      expect(key).toEqual(value);
      return key.readUInt32LE();
    });
    expect(read.toSorted((a, b) => a - b)).toEqual(all);
  });
});

describe("pins", () => {
  it("are nobody else's to see, and are mounted over no files", () => {
    expect(isBpffs(objects.pins)).toBe(true);
    expect(statSync(objects.pins).mode & 0o777).toBe(0o700);
    // Once more is nothing to do.
    mountBpffs(objects.pins);
    expect(() => mountBpffs(import.meta.dirname)).toThrow(/holds files/);
    expect([isBpffs("/tmp"), isBpffs("/nowhere"), pinsIn("/tmp")]).toEqual([false, false, []]);
  });

  it("keep a map when its descriptor is closed", () => {
    const path = join(objects.pins, "kept");
    const one = createMap({ kind: "hash", name: "x", keyBytes: 4, valueBytes: 4, maxEntries: 8 });
    one.update(u32(1), u32(2));
    pin(one, path);
    expect(() => pin(one, path)).toThrow(/EEXIST/);
    one.close();
    expect(pinsIn(objects.pins)).toContain("kept");
    expect(kept(openPinnedMap(path) ?? map()).lookup(u32(1))).toEqual(u32(2));
    expect(() => openPinnedProgram(path)).toThrow(/is no prog/);
    expect([unpin(path), unpin(path), openPinnedMap(path)]).toEqual([true, false, null]);
  });
});

describe("an object", () => {
  it("gives its maps and programs by name, and says which there are", () => {
    const object = kept(loadObject({ file: objects.path("verdict"), programs: ["hook"] }));
    expect([...object.programs.keys()]).toEqual(["hook"]);
    expect(object.program("hook").info.kind).toBe("netfilter");
    expect(mapsOf(object.program("hook")).map((each) => kept(each).info.name)).toEqual(
      expect.arrayContaining(["denied", "seen"]),
    );
    expect(() => object.map("nothing")).toThrow("no map nothing; there are next, denied, seen");
    expect(() => loadObject({ file: objects.path("verdict"), programs: ["nobody"] })).toThrow(
      /no program nobody; there are group_egress/,
    );
    expect(() => loadObject({ file: objects.path("verdict"), maps: { nobody: {} } })).toThrow(
      /no map nobody/,
    );
  });

  it("finds maps in maps", () => {
    const object = kept(loadObject({ file: objects.path("nested") }));
    const run = testRunOf(object.program("look_up"));
    const answer = (): number => run.run(Buffer.alloc(64)).returned;
    expect(answer()).toBe(0);
    const inner = map({ maxEntries: 4 });
    object.map("outer").put(u32(7), inner);
    expect(answer()).toBe(1);
    inner.update(u32(1), u32(4711));
    expect(answer()).toBe(4711);
    const number = object.map("outer").lookup(u32(7))?.readUInt32LE() ?? 0;
    expect(number).toBe(inner.info.id);
    expect(kept(openMap(number) ?? map()).lookup(u32(1))).toEqual(u32(4711));
    const other = map({ maxEntries: 4 });
    other.update(u32(1), u32(4712));
    object.map("outer").put(u32(7), other);
    expect(answer()).toBe(4712);
  });

  it("takes over pinned maps of an earlier load with what is in them, and none of another shape", () => {
    const file = objects.path("verdict");
    const options = { file, pins: objects.pins, programs: ["hook"] };
    const first = loadObject(options);
    first.map("denied").update(u32(53), u32(1));
    const { id } = first.map("denied").info;
    first.close();
    const second = loadObject(options);
    expect(second.map("denied").info.id).toBe(id);
    expect(second.map("denied").lookup(u32(53))).toEqual(u32(1));
    expect(() => loadObject({ ...options, maps: { denied: { maxEntries: 17 } } })).toThrow(
      MapDiffersError,
    );
    const larger = kept(loadObject({ file, maps: { denied: { maxEntries: 17 } } }));
    expect(larger.map("denied").info.maxEntries).toBe(17);
    expect(
      kept(loadObject({ file, maps: { denied: { reuse: second.map("denied") } } })).map("denied")
        .info.id,
    ).toBe(id);
    second.close();
    for (const name of pinsIn(objects.pins)) unpin(join(objects.pins, name));
  });

  it("that the verifier refuses says where in the source, and leaves no pins", () => {
    const load = (): unknown => loadObject({ file: objects.path("unsound"), pins: objects.pins });
    expect(load).toThrow(BpfLoadError);
    expect(load).toThrow(
      /^cannot load unsound\.o: EACCES\n; return \*value; .*\n.*\n?.*invalid mem access 'map_value_or_null'/,
    );
    expect(pinsIn(objects.pins)).toEqual([]);
  });

  it("that needs a field the kernel has not says which", () => {
    expect(() => loadObject({ file: objects.path("absent") })).toThrow(
      /struct sk_buff\.bulkhead_never_had_this/,
    );
  });

  it("that is no object file, or is missing, is an error of loading", () => {
    expect(() => loadObject({ file: "/nowhere/nothing.o" })).toThrow(
      /cannot load nothing.o: ENOENT/,
    );
    expect(() => loadObject({ file: import.meta.filename })).toThrow(BpfLoadError);
  });
});
