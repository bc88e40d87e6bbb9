/** Notes name the ends of exactly the connection that they were made for, or nobody. */
import { expect, test } from "vitest";
import { emptyPacketFields, type PacketFields } from "../../src/collector/packet.ts";
import { createProcessNotes } from "../../src/collector/process-notes.ts";

const SOURCE = 1;
const DESTINATION = 2;

const connection = (sourcePort: number): PacketFields => ({
  ...emptyPacketFields(),
  protocol: 6,
  port: 80,
  sourcePort,
  s0: 0x7f000001,
  d0: 0x7f000001,
});

const ends = (notes: ReturnType<typeof createProcessNotes>, packet: PacketFields) => {
  notes.find(packet);
  return [notes.source, notes.destination];
};

test("both ends of one connection, and none of another", () => {
  const notes = createProcessNotes(64, 1);
  notes.note(connection(1), SOURCE, 0xaaaaaaaa);
  expect(ends(notes, connection(1))).toEqual([0xaaaaaaaa, 0]);
  notes.note(connection(1), DESTINATION, 0xbbbbbbbb);
  expect(ends(notes, connection(1))).toEqual([0xaaaaaaaa, 0xbbbbbbbb]);
  expect(ends(notes, connection(2))).toEqual([0, 0]);
  expect(ends(notes, { ...connection(1), protocol: 17 })).toEqual([0, 0]);
});

test("a new connection with the same ports begins without a destination", () => {
  const notes = createProcessNotes(64, 1);
  notes.note(connection(1), SOURCE, 1);
  notes.note(connection(1), DESTINATION, 2);
  notes.note(connection(1), SOURCE, 3);
  expect(ends(notes, connection(1))).toEqual([3, 0]);
});

test("a slot that two connections want is the newer one's", () => {
  const notes = createProcessNotes(1, 1);
  notes.note(connection(1), SOURCE, 1);
  notes.note(connection(2), DESTINATION, 2);
  expect(ends(notes, connection(1))).toEqual([0, 0]);
  expect(ends(notes, connection(2))).toEqual([0, 2]);
});

test("what was told at the departure is told once", () => {
  const notes = createProcessNotes(64, 1);
  expect(notes.takeTold(connection(1))).toBe(false);
  notes.markTold(connection(1));
  expect(notes.takeTold(connection(2))).toBe(false);
  expect(notes.takeTold(connection(1))).toBe(true);
  expect(notes.takeTold(connection(1))).toBe(false);
  // The next connection with these ports is another one.
  notes.markTold(connection(1));
  notes.note(connection(1), SOURCE, 1);
  expect(notes.takeTold(connection(1))).toBe(false);
});
