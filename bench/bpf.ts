/**
 * What this process pays to fill maps, read them back, change a link's program, and drain a ring. Peers are what one would do
 * without: entries one at a time, the same records out of ordinary memory. In turns, medians.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  createMap,
  loadInstructions,
  loadObject,
  pin,
  readRing,
  returning,
  testRunOf,
  unpin,
  type BpfMap,
} from "../apps/agent/src/bpf/index.ts";
import { compileTestObjects } from "../apps/agent/test/bpf/objects.ts";
import { absolute, compared, type Figure } from "./figure.ts";

const ENTRIES = 200_000;
const ROUNDS = 5;
const RECORD = 24;

const perSecond = (count: number, work: () => void): number => {
  const started = performance.now();
  work();
  return (count / (performance.now() - started)) * 1000;
};

/** `bytes` long each, numbered. */
function numbered(count: number, bytes: number): Buffer {
  const all = Buffer.alloc(count * bytes);
  for (let index = 0; index < count; index++) all.writeUInt32LE(index, index * bytes);
  return all;
}

function withMap<T>(entries: number, work: (map: BpfMap) => T): T {
  const map = createMap({
    kind: "hash",
    name: "bench",
    keyBytes: 8,
    valueBytes: 8,
    maxEntries: entries,
  });
  try {
    return work(map);
  } finally {
    map.close();
  }
}

function benchMaps(): readonly Figure[] {
  const all = numbered(ENTRIES, 8);
  const keys = Array.from({ length: ENTRIES }, (_, index) =>
    all.subarray(index * 8, index * 8 + 8),
  );
  const rates = Array.from({ length: ROUNDS }, () => ({
    batch: withMap(ENTRIES, (map) => perSecond(ENTRIES, () => map.updateBatch(all, all))),
    ...withMap(ENTRIES, (map) => ({
      single: perSecond(ENTRIES, () => {
        for (const key of keys) map.update(key, key);
      }),
      read: perSecond(ENTRIES, () => map.eachChunk(() => undefined)),
      looked: perSecond(ENTRIES, () => {
        for (const key of keys) map.lookupInto(key, all);
      }),
      deleted: perSecond(ENTRIES, () => map.deleteBatch(all)),
    })),
  }));
  const of = (name: keyof (typeof rates)[number]): number[] => rates.map((round) => round[name]);
  return [
    compared(
      "bpf/map, entries put in by batches",
      "1/s",
      of("batch"),
      "one at a time",
      of("single"),
    ),
    compared("bpf/map, entries read back", "1/s", of("read"), "one at a time", of("looked")),
    absolute("bpf/map, entries deleted by batches", "1/s", of("deleted")),
  ];
}

interface Places {
  readonly object: string;
  readonly pins: string;
}

/** A burst that waits in the ring, and as many records in ordinary memory. */
function benchBurst({ object: file }: Places): Figure {
  const object = loadObject({ file, maps: { events: { maxEntries: 8 << 20 } } });
  try {
    let sum = 0;
    const take = (memory: Buffer, start: number): void => {
      sum += memory.readUInt32LE(start);
    };
    const emit = testRunOf(object.program("emit"));
    const reader = readRing(object.map("events"), { take });
    reader.pause();
    const plain = numbered(ENTRIES, RECORD);
    const rounds = Array.from({ length: ROUNDS }, () => {
      emit.run(Buffer.alloc(64), null, ENTRIES);
      return {
        ring: perSecond(ENTRIES, () => void reader.drain()),
        memory: perSecond(ENTRIES, () => {
          for (let at = 0; at < plain.length; at += RECORD) take(plain, at);
        }),
      };
    });
    reader.close();
    return compared(
      "bpf/ring, records of a burst drained",
      "1/s",
      rounds.map(({ ring }) => ring),
      "out of memory",
      rounds.map(({ memory }) => memory),
    );
  } finally {
    object.close();
  }
}

const LIVE = 3_000_000;
const LIVE_RATE = 1_200_000;

/** Another process writes at a steady rate, and the event loop reads meanwhile. */
async function benchLive({ object: file, pins }: Places): Promise<readonly Figure[]> {
  const object = loadObject({ file, maps: { events: { maxEntries: 16 << 20 } } });
  const path = join(pins, "emit");
  try {
    pin(object.program("emit"), path);
    let first = 0;
    const reader = readRing(object.map("events"), {
      take() {
        if (first === 0) first = performance.now();
      },
    });
    const busy = process.cpuUsage();
    const script = fileURLToPath(new URL("../apps/agent/test/bpf/emit.ts", import.meta.url));
    const child = spawn(process.execPath, [script, path, String(LIVE), String(LIVE_RATE)], {
      stdio: "inherit",
    });
    await once(child, "exit");
    reader.drain();
    const seconds = (performance.now() - first) / 1000;
    const { user, system } = process.cpuUsage(busy);
    const { taken } = reader.statistics;
    reader.close();
    return [
      absolute("bpf/ring, records while another process writes", "1/s", [taken / seconds], {
        atLeast: 1_000_000,
      }),
      absolute("bpf/ring, of them lost", "records", [LIVE - taken], { atMost: 0 }),
      absolute("bpf/ring, processor time a record", "us", [(user + system) / taken]),
    ];
  } finally {
    unpin(path);
    object.close();
  }
}

/** What a record costs the program that writes it. */
function benchEmit({ object: file }: Places): Figure {
  const object = loadObject({ file, maps: { events: { maxEntries: 8 << 20 } } });
  const nothing = loadInstructions({
    kind: "sched-cls",
    name: "nothing",
    instructions: returning(0),
  });
  try {
    const floor = testRunOf(nothing);
    const emit = testRunOf(object.program("emit"));
    const reader = readRing(object.map("events"), { take: () => undefined });
    reader.pause();
    const packet = Buffer.alloc(64);
    const rounds = Array.from({ length: ROUNDS }, () => {
      const figures = [emit, floor].map((run) => run.run(packet, null, 100_000).nanoseconds);
      reader.drain();
      return figures;
    });
    reader.close();
    const of = (which: number): number[] => rounds.map((round) => round[which] ?? Number.NaN);
    return compared("bpf/program that writes a record", "ns", of(0), "does nothing", of(1));
  } finally {
    nothing.close();
    object.close();
  }
}

/** Needs root and a compiler. Leaves nothing behind. */
export async function benchBpf(): Promise<Figure[]> {
  const objects = compileTestObjects("ring");
  const places: Places = { object: objects.path("ring"), pins: objects.pins };
  try {
    return [...benchMaps(), benchBurst(places), ...(await benchLive(places)), benchEmit(places)];
  } finally {
    objects.close();
  }
}
