import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { createAddressIndex } from "../../src/collector/address-index.ts";
import {
  FlowTable,
  KEY_WORDS,
  packMeta,
  V_CONNECTIONS,
  V_PACKETS,
  VALUE_NUMBERS,
} from "../../src/collector/flow-table.ts";
import { createAddressTexts, recordsOf } from "../../src/collector/flow-records.ts";

const SPOOFED = 4;

interface Packet {
  readonly source: number;
  readonly destination: number;
  readonly port: number;
  readonly verdict?: number;
}

function put(
  table: FlowTable,
  { source, destination, port, verdict = 0 }: Packet,
  now = 1000,
): boolean {
  table.key.fill(0);
  table.key[0] = packMeta(4, verdict, 0, 6, port);
  table.key[2] = source;
  table.key[6] = destination;
  Object.assign(table.counts, { connections: 1, established: 0, failed: 0, bytes: 60, packets: 1 });
  return table.add(1234, now);
}

let table: FlowTable;
beforeEach(() => {
  table = new FlowTable({ maxKeys: 1024, maxOtherSources: 16, seed: 7 });
});

describe("folding", () => {
  test("like packets become one entry with the window's times", () => {
    put(table, { source: 1, destination: 2, port: 80 }, 1000);
    put(table, { source: 1, destination: 2, port: 80 }, 1200);
    put(table, { source: 1, destination: 2, port: 81 }, 1300);
    const records = recordsOf({ ...table.take(), logged: 3, answers: [] }, createAddressTexts());
    expect(records).toEqual([
      {
        start: 1000,
        end: 1200,
        source: "0.0.0.1",
        destination: "0.0.0.2",
        protocol: 6,
        port: 80,
        sourcePort: 1234,
        verdict: "forwarded",
        connections: 2,
        established: 0,
        failed: 0,
        bytes: 120,
        packets: 2,
      },
      {
        start: 1300,
        end: 1300,
        source: "0.0.0.1",
        destination: "0.0.0.2",
        protocol: 6,
        port: 81,
        sourcePort: 1234,
        verdict: "forwarded",
        connections: 1,
        established: 0,
        failed: 0,
        bytes: 60,
        packets: 1,
      },
    ]);
  });

  test("after a window the table is empty", () => {
    put(table, { source: 1, destination: 2, port: 80 });
    expect(table.take().count).toBe(1);
    expect(table.take().count).toBe(0);
    put(table, { source: 1, destination: 2, port: 80 });
    expect(table.take().values[V_CONNECTIONS]).toBe(1);
  });

  test("agrees with a plain map, whatever comes", () => {
    const packets = fc.array(
      fc.record({
        source: fc.nat(5),
        destination: fc.nat(5),
        port: fc.nat(20),
        verdict: fc.nat(3),
      }),
      { maxLength: 400 },
    );
    fc.assert(
      fc.property(packets, (list) => {
        const own = new FlowTable({ maxKeys: 4096, maxOtherSources: 16, seed: 3 });
        const expected = new Map<string, number>();
        for (const packet of list) {
          expect(put(own, packet)).toBe(true);
          const key = [packet.source, packet.destination, packet.port, packet.verdict].join();
          expected.set(key, (expected.get(key) ?? 0) + 1);
        }
        const { count, keys, values } = own.take();
        const found = new Map<string, number>();
        for (let entry = 0; entry < count; entry++) {
          const k = entry * KEY_WORDS;
          const key = [keys[k + 2], keys[k + 6], keys[k]! >>> 16, (keys[k]! >>> 1) & 7].join();
          found.set(key, values[entry * VALUE_NUMBERS + V_PACKETS]!);
        }
        expect(found).toEqual(expected);
      }),
    );
  });
});

describe("bounds and shares", () => {
  test("one scanner neither fills the table nor shuts out the others", () => {
    let taken = 0;
    for (let port = 0; port < 20_000; port++)
      if (put(table, { source: 666, destination: 2, port })) taken++;
    // A quarter of the open half, and its floor.
    expect(taken).toBeGreaterThan(100);
    expect(taken).toBeLessThanOrEqual(1024 / 8 + 1024 / 2 / 17);
    for (let source = 1; source <= 14; source++)
      expect(put(table, { source, destination: 2, port: 80 })).toBe(true);
  });

  test("known flows of a source whose share is used up still count", () => {
    put(table, { source: 666, destination: 2, port: 0 });
    for (let port = 1; port < 20_000; port++) put(table, { source: 666, destination: 2, port });
    expect(put(table, { source: 666, destination: 2, port: 0 })).toBe(true);
  });

  test("many scanners leave every endpoint its floor", () => {
    const addresses = createAddressIndex(4, 7);
    for (let endpoint = 0; endpoint < 4; endpoint++)
      addresses.add(0, 1000 + endpoint, 0, 0, 0, endpoint);
    table.setEndpoints(addresses, 4);
    for (let round = 0; round < 300; round++)
      for (let source = 1; source < 200; source++)
        put(table, { source, destination: 2, port: round });
    expect(table.size).toBeLessThanOrEqual(1024);
    for (let endpoint = 0; endpoint < 4; endpoint++)
      for (let port = 0; port < 20; port++)
        expect(put(table, { source: 1000 + endpoint, destination: 2, port })).toBe(true);
  });

  test("a spoofer gains nothing by many addresses, and takes nothing from those it names", () => {
    const addresses = createAddressIndex(4, 7);
    addresses.add(0, 1000, 0, 0, 0, 0);
    table.setEndpoints(addresses, 1);
    let taken = 0;
    for (let source = 0; source < 5000; source++)
      if (put(table, { source, destination: 2, port: 80, verdict: SPOOFED })) taken++;
    expect(taken).toBeLessThanOrEqual(1024 / 8 + 1024 / 2 / 19);
    for (let port = 0; port < 20; port++)
      expect(put(table, { source: 1000, destination: 2, port })).toBe(true);
  });

  test("memory never holds more than was asked for", () => {
    for (let source = 0; source < 5000; source++)
      put(table, { source, destination: 2, port: source });
    expect(table.size).toBeLessThanOrEqual(1024);
    expect(table.take().keys.length).toBeLessThanOrEqual(1024 * KEY_WORDS);
  });

  test("shares are those of one window", () => {
    for (let port = 0; port < 20_000; port++) put(table, { source: 666, destination: 2, port });
    table.take();
    expect(put(table, { source: 666, destination: 2, port: 1 })).toBe(true);
  });
});

describe("address index", () => {
  test("full means full, and nothing is evicted", () => {
    const index = createAddressIndex(8, 1);
    for (let address = 0; address < 8; address++)
      expect(index.add(0, address, 0, 0, 0, address)).toBe(true);
    expect(index.add(0, 99, 0, 0, 0, 99)).toBe(false);
    expect(index.add(0, 3, 0, 0, 0, 77)).toBe(true);
    expect(index.get(0, 3, 0, 0, 0)).toBe(3);
    expect(index.get(1, 3, 0, 0, 0)).toBe(-1);
    expect(index.get(0, 99, 0, 0, 0)).toBe(-1);
  });

  test("words above 2^31 are found again", () => {
    const index = createAddressIndex(8, 1);
    index.add(1, 0xfd770001, 0, 0xffffffff, 0x80000000, 5);
    expect(index.get(1, 0xfd770001, 0, 0xffffffff, 0x80000000)).toBe(5);
  });
});
