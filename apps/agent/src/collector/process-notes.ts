/**
 * Whose sockets are at the ends of connections, as log messages say just before they say what happened. Memory of a fixed size,
 * one slot a connection: a newer connection takes an older one's, so an end may be unknown, and is never another's.
 */
import { finish, mix } from "./address-index.ts";
import type { PacketFields } from "./packet.ts";

/** Words of a slot: family and protocol, ports, source, destination. */
const WORDS = 10;

export interface ProcessNotes {
  /** `direction`: 1 = the process is at the source, 2 = at the destination. Handles are never 0. */
  note(packet: PacketFields, direction: number, handle: number): void;
  /** Fills `source` and `destination` for this packet's connection; 0 where nobody was named. */
  find(packet: PacketFields): void;
  readonly source: number;
  readonly destination: number;
  /** Remembers that this connection's departure was told with a verdict of its own. */
  markTold(packet: PacketFields): void;
  /** Was it? Then its arrival is no news. True once. */
  takeTold(packet: PacketFields): boolean;
}

export function createProcessNotes(capacity: number, seed: number): ProcessNotes {
  const slots = 1 << Math.ceil(Math.log2(capacity));
  const keys = new Uint32Array(slots * WORDS);
  const sources = new Uint32Array(slots);
  const destinations = new Uint32Array(slots);
  const told = new Uint8Array(slots);
  const key = new Uint32Array(WORDS);
  const found = { source: 0, destination: 0 };

  const slotOf = (packet: PacketFields): number => {
    key[0] = (packet.family << 8) | packet.protocol;
    key[1] = (packet.sourcePort << 16) | packet.port;
    key[2] = packet.s0;
    key[3] = packet.s1;
    key[4] = packet.s2;
    key[5] = packet.s3;
    key[6] = packet.d0;
    key[7] = packet.d1;
    key[8] = packet.d2;
    key[9] = packet.d3;
    let hash = seed;
    for (let word = 0; word < WORDS; word++) hash = mix(hash, key[word]!);
    return finish(hash) & (slots - 1);
  };

  const isHeld = (slot: number): boolean => {
    const at = slot * WORDS;
    let word = 0;
    while (word < WORDS && keys[at + word] === key[word]) word++;
    return word === WORDS;
  };

  const take = (slot: number): void => {
    keys.set(key, slot * WORDS);
    sources[slot] = destinations[slot] = told[slot] = 0;
  };

  return {
    note(packet, direction, handle) {
      const slot = slotOf(packet);
      // The source is named first: what was known of an earlier connection with the same ports is over.
      if (direction === 1 || !isHeld(slot)) take(slot);
      (direction === 1 ? sources : destinations)[slot] = handle;
    },
    find(packet) {
      const slot = slotOf(packet);
      const held = isHeld(slot);
      found.source = held ? sources[slot]! : 0;
      found.destination = held ? destinations[slot]! : 0;
    },
    get source() {
      return found.source;
    },
    get destination() {
      return found.destination;
    },
    markTold(packet) {
      const slot = slotOf(packet);
      if (!isHeld(slot)) take(slot);
      told[slot] = 1;
    },
    takeTold(packet) {
      const slot = slotOf(packet);
      if (!isHeld(slot) || told[slot] === 0) return false;
      told[slot] = 0;
      return true;
    },
  };
}
