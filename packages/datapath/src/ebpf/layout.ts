/**
 * The maps' keys and values as bytes, as `bpf/include/layout.h` declares them. Integers are in the machine's order, which
 * is little-endian wherever this runs; addresses, and whatever is compared by prefix, are in network order.
 */
import { familyOf, parseCidr, parseIp } from "@bulkhead/model";
import type { DecisionVerdict, Row, RowInterval } from "@bulkhead/model";
import { rowParts } from "./row-parts.ts";
import type { ClassName, Registry, Settings, TimedList, VersionedName } from "./tables.ts";
import { PLANES } from "./tables.ts";

/** As the kernel calls them. */
export const MAP_NAMES = {
  epoch: "bh_epoch",
  settings: "bh_settings",
  subjects: "bh_subjects",
  peers: "bh_peers",
  ranges4: "bh_ranges4",
  ranges6: "bh_ranges6",
  cells: "bh_cells",
  rows: "bh_rows",
  ports: "bh_ports",
  portRanges: "bh_port_ranges",
  timed4: "bh_timed4",
  timed6: "bh_timed6",
  timedLists: "bh_timed_lists",
  locals: "bh_locals",
  resolvers: "bh_resolvers",
  classes: "bh_classes",
  decisions: "bh_decisions",
  counters: "bh_counters",
} as const;

export type MapId = keyof typeof MAP_NAMES;

/** Bytes of a key and of a value. */
export const MAP_SIZES = {
  epoch: [4, 4],
  settings: [4, 12],
  subjects: [20, 12],
  peers: [20, 12],
  ranges4: [8, 12],
  ranges6: [20, 12],
  cells: [8, 12],
  rows: [4, 112],
  ports: [8, 4],
  portRanges: [12, 4],
  timed4: [12, 12],
  timed6: [24, 12],
  timedLists: [4, 264],
  locals: [20, 12],
  resolvers: [24, 12],
  classes: [4, 16],
  decisions: [4, 4],
  counters: [4, 16],
} as const satisfies Record<MapId, readonly [number, number]>;

/** Exceptions of a row that are compared one after the other before any map is asked. */
export const FEW = 8;

const VERDICTS: readonly DecisionVerdict[] = ["allow", "drop", "reject"];
const VERDICT_SHIFT = 30;
export const NO_DECISION = 0xffffffff;

export const decisionRef = (
  { verdict, cookie }: RowInterval["decision"],
  { decisions }: Pick<Registry, "decisions">,
): number => VERDICTS.indexOf(verdict) * 2 ** VERDICT_SHIFT + decisions.of(cookie);

export const splitDecision = (
  ref: number,
): { readonly verdict: DecisionVerdict; readonly number: number } => {
  const verdict = VERDICTS[ref >>> VERDICT_SHIFT];
  if (verdict === undefined) throw new RangeError(`${ref} is no decision`);
  return { verdict, number: ref % 2 ** VERDICT_SHIFT };
};

const view = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const u32s = (...numbers: readonly number[]): Uint8Array => {
  const bytes = new Uint8Array(numbers.length * 4);
  numbers.forEach((number, index) => view(bytes).setUint32(index * 4, number, true));
  return bytes;
};

/** Into 16 bytes, IPv4 in the first four. */
const putAddress = (to: DataView, at: number, family: 4 | 6, value: bigint): void => {
  if (family === 4) to.setUint32(at, Number(value));
  else {
    to.setBigUint64(at, value >> 64n);
    to.setBigUint64(at + 8, value & 0xffffffffffffffffn);
  }
};

const valueOf = (address: string): bigint => {
  const parsed = parseIp(address);
  if (parsed === null) throw new TypeError(`\`${address}\` is no address`);
  return parsed.value;
};

/** `struct address`: 20 bytes. */
const addressKey = (address: string): Uint8Array => {
  const bytes = new Uint8Array(20);
  const family = familyOf(address);
  view(bytes).setUint32(0, family, true);
  putAddress(view(bytes), 4, family, valueOf(address));
  return bytes;
};

const subjectKey = (name: string): Uint8Array => {
  const [plane = "", direction, address = ""] = name.split(" ");
  const bytes = addressKey(address);
  bytes.copyWithin(2, 0, 2);
  bytes[0] = PLANES.findIndex((known) => known === plane);
  bytes[1] = direction === "egress" ? 0 : 1;
  return bytes;
};

const split = (cidr: string) => {
  const parsed = parseCidr(cidr);
  if (parsed === null) throw new TypeError(`\`${cidr}\` is no prefix`);
  const { family, first } = parsed.range;
  return { family, first, length: Number(cidr.slice(cidr.indexOf("/") + 1)) };
};

const prefixKey = (cidr: string): Uint8Array => {
  const { family, first, length } = split(cidr);
  const bytes = new Uint8Array(family === 4 ? 8 : 20);
  view(bytes).setUint32(0, length, true);
  putAddress(view(bytes), 4, family, first);
  return bytes;
};

const timedKey = (name: string): Uint8Array => {
  const [number, cidr = ""] = name.split(" ");
  const { family, first, length } = split(cidr);
  const bytes = new Uint8Array(family === 4 ? 12 : 24);
  view(bytes).setUint32(0, length + 32, true);
  view(bytes).setUint32(4, Number(number));
  putAddress(view(bytes), 8, family, first);
  return bytes;
};

const cellKey = (name: string): Uint8Array => {
  const [number, atom] = name.split(".");
  return u32s(Number(number), Number(atom));
};

const resolverKey = (name: string): Uint8Array => {
  const [address = "", port] = name.split(" ");
  const bytes = new Uint8Array(24);
  bytes.set(addressKey(address));
  view(bytes).setUint32(20, Number(port), true);
  return bytes;
};

const byFamily = (text: string, four: MapId, six: MapId): MapId =>
  text.includes(":") ? six : four;

/** Which of the kernel's maps an entry is in, and its key there. */
export const versionedKey: Readonly<
  Record<VersionedName, (name: string) => { readonly map: MapId; readonly key: Uint8Array }>
> = {
  subjects: (name) => ({ map: "subjects", key: subjectKey(name) }),
  peers: (name) => ({ map: "peers", key: addressKey(name) }),
  ranges: (name) => ({ map: byFamily(name, "ranges4", "ranges6"), key: prefixKey(name) }),
  cells: (name) => ({ map: "cells", key: cellKey(name) }),
  timed: (name) => ({ map: byFamily(name, "timed4", "timed6"), key: timedKey(name) }),
  locals: (name) => ({ map: "locals", key: addressKey(name) }),
  resolvers: (name) => ({ map: "resolvers", key: resolverKey(name) }),
};

/** `after` from epoch `since` on, `before` until then. */
export const versionedValue = (since: number, before: number, after: number): Uint8Array =>
  u32s(since, before, after);

export const numberKey = (number: number): Uint8Array => u32s(number);

export const settingsValue = ({ seed, share, nodeExempt, hairpinExempt }: Settings): Uint8Array =>
  u32s(seed, share, (nodeExempt ? 1 : 0) | (hairpinExempt ? 2 : 0));

const putInterval = (
  to: DataView,
  at: number,
  protocol: number,
  { first, last, decision }: RowInterval,
  registry: Registry,
): void => {
  to.setUint16(at, first, true);
  to.setUint16(at + 2, last, true);
  to.setUint8(at + 4, protocol);
  to.setUint32(at + 8, decisionRef(decision, registry), true);
};

export interface Entry {
  readonly map: MapId;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** The row under its number, and what does not fit into it. */
export const rowEntries = (number: number, row: Row, registry: Registry): readonly Entry[] => {
  const { few, ports, ranges } = rowParts(row, FEW);
  const value = new Uint8Array(MAP_SIZES.rows[1]);
  const to = view(value);
  to.setBigUint64(0, BigInt(`0x${row.id}`), true);
  to.setUint8(8, row.id.length);
  to.setUint8(9, few.length);
  to.setUint8(10, ports.length > 0 ? 1 : 0);
  to.setUint8(11, ranges.length > 0 ? 1 : 0);
  to.setUint32(12, decisionRef(row.others, registry), true);
  few.forEach(({ protocol, ...interval }, index) =>
    putInterval(to, 16 + index * 12, protocol, interval, registry),
  );
  return [
    ...ports.map(({ protocol, first, decision }): Entry => {
      const key = new Uint8Array(8);
      view(key).setUint32(0, number, true);
      view(key).setUint16(4, first, true);
      view(key).setUint8(6, protocol);
      return { map: "ports", key, value: u32s(decisionRef(decision, registry)) };
    }),
    ...ranges.map(({ protocol, port, length, decision }): Entry => {
      const key = new Uint8Array(12);
      view(key).setUint32(0, 48 + length, true);
      view(key).setUint32(4, number);
      view(key).setUint16(8, protocol);
      view(key).setUint16(10, port);
      return { map: "portRanges", key, value: u32s(decisionRef(decision, registry)) };
    }),
    // What it leads to is there before it is.
    { map: "rows", key: numberKey(number), value },
  ];
};

const TIMED_BYTES = 32;

/** The kernel's clock and the wall's, read at the same moment. */
export interface Clocks {
  /** ns since boot, counting sleep */
  readonly boot: bigint;
  /** ms since 1970 */
  readonly wall: number;
}

export const timedListValue = (
  { entries, next }: TimedList,
  clocks: Clocks,
  registry: Registry,
): Uint8Array => {
  const value = new Uint8Array(MAP_SIZES.timedLists[1]);
  const to = view(value);
  to.setUint32(0, entries.length, true);
  to.setUint32(4, next, true);
  entries.forEach(({ protocol, first, last, decision, deadline }, index) => {
    const at = 8 + index * TIMED_BYTES;
    const left = BigInt(Math.round((deadline - clocks.wall) * 1e6));
    const end = clocks.boot + left;
    to.setBigUint64(at, end > 0n ? end : 0n, true);
    to.setBigUint64(at + 8, BigInt(Math.round(deadline)), true);
    to.setUint32(at + 16, decisionRef(decision, registry), true);
    to.setUint16(at + 20, first, true);
    to.setUint16(at + 22, last, true);
    to.setUint8(at + 24, protocol);
  });
  return value;
};

/** `deadbeef` under its decision's number. */
export const decisionEntry = (cookie: string, number: number): Entry => ({
  map: "decisions",
  key: numberKey(number),
  value: u32s(Number.parseInt(cookie, 16)),
});

/** What a class's number stands for. */
export const classEntry = ({ plane, direction, classId }: ClassName, number: number): Entry => {
  const value = new Uint8Array(MAP_SIZES.classes[1]);
  view(value).setBigUint64(0, BigInt(`0x${classId}`), true);
  value[8] = classId.length;
  value[9] = PLANES.indexOf(plane);
  value[10] = direction === "egress" ? 0 : 1;
  return { map: "classes", key: numberKey(number), value };
};
