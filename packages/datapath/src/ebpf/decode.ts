/** The maps' keys and values back from bytes: the other way of `layout.ts`. What cannot be one of ours is null. */
import { formatIp } from "@bulkhead/model";
import type { Cidr, IpAddress, IpFamily, RowDecision } from "@bulkhead/model";
import { FEW, splitDecision } from "./layout.ts";
import type { MapId } from "./layout.ts";
import { PLANES, TIMED } from "./tables.ts";
import type { ClassName, Settings, TimedEntry, VersionedName } from "./tables.ts";
import type { ProtocolInterval } from "./row-parts.ts";

export interface RawEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Cookies by number. */
export interface Cookies {
  get(number: number): string | undefined;
}

const view = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);

const takeAddress = (from: DataView, at: number, family: IpFamily): IpAddress =>
  formatIp(
    family,
    family === 4
      ? BigInt(from.getUint32(at))
      : (from.getBigUint64(at) << 64n) | from.getBigUint64(at + 8),
  );

const isFamily = (family: number): family is IpFamily => family === 4 || family === 6;

const addressName = (key: Uint8Array): IpAddress | null => {
  const family = view(key).getUint32(0, true);
  return isFamily(family) ? takeAddress(view(key), 4, family) : null;
};

const prefixName = (key: Uint8Array, family: IpFamily): Cidr =>
  `${takeAddress(view(key), 4, family)}/${view(key).getUint32(0, true)}`;

const subjectName = (key: Uint8Array): string | null => {
  const [plane, direction] = [PLANES[key[0] ?? -1], (["egress", "ingress"] as const)[key[1] ?? -1]];
  const family = view(key).getUint16(2, true);
  if (plane === undefined || direction === undefined || !isFamily(family)) return null;
  return `${plane} ${direction} ${takeAddress(view(key), 4, family)}`;
};

const timedName = (key: Uint8Array, family: IpFamily): string => {
  const length = view(key).getUint32(0, true) - 32;
  return `${view(key).getUint32(4)} ${takeAddress(view(key), 8, family)}/${length}`;
};

const cellName = (key: Uint8Array): string =>
  `${view(key).getUint32(0, true)}.${view(key).getUint32(4, true)}`;

const resolverName = (key: Uint8Array): string | null => {
  const address = addressName(key);
  return address === null ? null : `${address} ${view(key).getUint32(20, true)}`;
};

/** Names of versioned entries, as `tables.ts` has them. */
export const versionedNames: readonly (readonly [
  MapId,
  VersionedName,
  (key: Uint8Array) => string | null,
])[] = [
  ["subjects", "subjects", subjectName],
  ["peers", "peers", addressName],
  ["ranges4", "ranges", (key) => prefixName(key, 4)],
  ["ranges6", "ranges", (key) => prefixName(key, 6)],
  ["cells", "cells", cellName],
  ["timed4", "timed", (key) => timedName(key, 4)],
  ["timed6", "timed", (key) => timedName(key, 6)],
  ["locals", "locals", addressName],
  ["resolvers", "resolvers", resolverName],
];

export const versionedNumbers = (value: Uint8Array) => ({
  since: view(value).getUint32(0, true),
  before: view(value).getUint32(4, true),
  after: view(value).getUint32(8, true),
});

export const keyNumber = (key: Uint8Array): number => view(key).getUint32(0, true);

export const readSettings = (value: Uint8Array): Settings => {
  const flags = view(value).getUint32(8, true);
  return {
    seed: view(value).getUint32(0, true),
    share: view(value).getUint32(4, true),
    nodeExempt: (flags & 1) !== 0,
    hairpinExempt: (flags & 2) !== 0,
  };
};

const idOf = (from: DataView, digits: number): string =>
  from.getBigUint64(0, true).toString(16).padStart(digits, "0");

export const readClassName = (value: Uint8Array): ClassName | null => {
  const plane = PLANES[value[9] ?? -1];
  const direction = (["egress", "ingress"] as const)[value[10] ?? -1];
  if (plane === undefined || direction === undefined) return null;
  return { plane, direction, classId: idOf(view(value), value[8] ?? 0) };
};

export const readCookie = (value: Uint8Array): string =>
  view(value).getUint32(0, true).toString(16).padStart(8, "0");

/** Null where the number stands for no cookie. */
export const readDecision = (ref: number, cookies: Cookies): RowDecision | null => {
  const verdict = ref >>> 30;
  if (verdict > 2) return null;
  const { number } = splitDecision(ref);
  const cookie = cookies.get(number);
  return cookie === undefined ? null : { verdict: splitDecision(ref).verdict, cookie };
};

export interface RowHead {
  readonly id: string;
  readonly others: RowDecision;
  readonly few: readonly ProtocolInterval[];
  readonly hasPorts: boolean;
  readonly hasRanges: boolean;
}

/** Null: nothing is there, or nothing of ours. */
export const readRowHead = (value: Uint8Array, cookies: Cookies): RowHead | null => {
  const from = view(value);
  const [digits = 0, count = 0, ports, ranges] = value.subarray(8, 12);
  if (digits === 0 || count > FEW) return null;
  const others = readDecision(from.getUint32(12, true), cookies);
  if (others === null) return null;
  const few: ProtocolInterval[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = 16 + index * 12;
    const decision = readDecision(from.getUint32(at + 8, true), cookies);
    if (decision === null) return null;
    few.push({
      protocol: from.getUint8(at + 4),
      first: from.getUint16(at, true),
      last: from.getUint16(at + 2, true),
      decision,
    });
  }
  return { id: idOf(from, digits), others, few, hasPorts: ports === 1, hasRanges: ranges === 1 };
};

/** A port of a row, or ports that begin alike; `row` is its number. */
export const readPort = ({ key, value }: RawEntry, cookies: Cookies) => {
  const from = view(key);
  const decision = readDecision(view(value).getUint32(0, true), cookies);
  const port = from.getUint16(4, true);
  const interval = { protocol: from.getUint8(6), first: port, last: port };
  return { row: from.getUint32(0, true), interval, decision };
};

export const readPortRange = ({ key, value }: RawEntry, cookies: Cookies) => {
  const from = view(key);
  const decision = readDecision(view(value).getUint32(0, true), cookies);
  const size = 2 ** (64 - from.getUint32(0, true));
  const first = from.getUint16(10);
  const interval = { protocol: from.getUint16(8), first, last: first + size - 1 };
  return { row: from.getUint32(4), interval, decision };
};

export interface FoundTimed extends TimedEntry {
  /** When the kernel lets go of it: ns since boot. */
  readonly boot: bigint;
}

export interface FoundTimedList {
  readonly entries: readonly FoundTimed[];
  readonly next: number;
}

/** Null where an entry is none of ours. */
export const readTimedList = (value: Uint8Array, cookies: Cookies): FoundTimedList | null => {
  const from = view(value);
  const count = from.getUint32(0, true);
  if (count > TIMED) return null;
  const entries: FoundTimed[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = 8 + index * 32;
    const decision = readDecision(from.getUint32(at + 16, true), cookies);
    if (decision === null) return null;
    entries.push({
      protocol: from.getUint8(at + 24),
      first: from.getUint16(at + 20, true),
      last: from.getUint16(at + 22, true),
      decision,
      deadline: Number(from.getBigUint64(at + 8, true)),
      boot: from.getBigUint64(at, true),
    });
  }
  return { entries, next: from.getUint32(4, true) };
};
