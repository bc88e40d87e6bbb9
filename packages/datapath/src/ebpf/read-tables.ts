/**
 * The maps as found in the kernel → tables, strictly: whatever is none of ours is a difference, and so is what only prepares
 * another epoch, or was left behind by one.
 */
import { MAX_PORT } from "@bulkhead/model";
import type { Row } from "@bulkhead/model";
import { intervalsOf, sameDecision } from "../port-intervals.ts";
import {
  keyNumber,
  readClassName,
  readCookie,
  readPort,
  readPortRange,
  readRowHead,
  readSettings,
  readTimedList,
  versionedNames,
  versionedNumbers,
} from "./decode.ts";
import type { Cookies, FoundTimed, RawEntry, RowHead } from "./decode.ts";
import type { Clocks, MapId } from "./layout.ts";
import type { ProtocolInterval } from "./row-parts.ts";
import type { ClassName, Tables, TimedList, VersionedName, VersionedTables } from "./tables.ts";

/** Every map's entries; of arrays, all of them. */
export type RawMaps = Readonly<Record<Exclude<MapId, "counters">, readonly RawEntry[]>>;

export interface FoundTables {
  readonly epoch: number;
  readonly tables: Tables;
  /** Sentences: entries that are none of ours, or of another epoch. */
  readonly differences: readonly string[];
}

/** A deadline of the kernel's clock may be off by so much from the moment that it stands for. */
const CLOCK_TOLERANCE_NS = 2_000_000_000n;

type Note = (difference: string) => void;

/** Cookies by number, and which of them anything has led to: what nothing leads to is left from before. */
const cookiesOf = (raw: RawMaps) => {
  const all = new Map(raw.decisions.map(({ key, value }) => [keyNumber(key), readCookie(value)]));
  const asked = new Map<number, string>();
  const get = (number: number): string | undefined => {
    const cookie = all.get(number);
    if (cookie !== undefined) asked.set(number, cookie);
    return cookie;
  };
  return { get, asked };
};

const readVersioned = (raw: RawMaps, epoch: number, note: Note): VersionedTables => {
  const tables: Record<VersionedName, Map<string, number>> = {
    subjects: new Map(),
    peers: new Map(),
    ranges: new Map(),
    cells: new Map(),
    timed: new Map(),
    locals: new Map(),
    resolvers: new Map(),
  };
  for (const [map, table, nameOf] of versionedNames)
    for (const { key, value } of raw[map as keyof RawMaps]) {
      const name = nameOf(key);
      const { since, before, after } = versionedNumbers(value);
      const number = since <= epoch ? after : before;
      if (name === null) note(`${map} holds a key that is none of ours`);
      else if (since > epoch) note(`${table} ${name} is prepared for epoch ${since}`);
      else if (number === 0) note(`${table} ${name} was left behind`);
      if (name !== null && number !== 0) tables[table].set(name, number);
    }
  // Of one shape each; the names' types say so.
  return tables as VersionedTables;
};

/** What the kernel finds of a row by port, and by prefix. */
interface More {
  readonly ports: ProtocolInterval[];
  readonly ranges: ProtocolInterval[];
}

const readMore = (raw: RawMaps, cookies: Cookies, note: Note): Map<number, More> => {
  const more = new Map<number, More>();
  const add = (
    kind: keyof More,
    { row, interval, decision }: ReturnType<typeof readPort>,
  ): void => {
    const found = more.get(row) ?? { ports: [], ranges: [] };
    more.set(row, found);
    if (decision === null) note(`row ${row} has a decision that is none of ours`);
    else found[kind].push({ ...interval, decision });
  };
  for (const entry of raw.ports) add("ports", readPort(entry, cookies));
  for (const entry of raw.portRanges) add("ranges", readPortRange(entry, cookies));
  return more;
};

const readRows = (raw: RawMaps, cookies: Cookies, note: Note): Map<number, Row> => {
  const more = readMore(raw, cookies, note);
  const rows = new Map<number, Row>();
  for (const { key, value } of raw.rows) {
    if (value.every((byte) => byte === 0)) continue;
    const number = keyNumber(key);
    const head = readRowHead(value, cookies);
    const found = more.get(number);
    if (found !== undefined && head !== null)
      for (const [kind, asked] of [
        ["ports", head.hasPorts],
        ["ranges", head.hasRanges],
      ] as const)
        if (!asked && found[kind].length > 0) note(`${kind} of row ${number}, which asks for none`);
    if (head === null) note(`row ${number} cannot be read`);
    else rows.set(number, rowOf(head, more.get(number)));
  }
  for (const number of more.keys())
    if (!rows.has(number)) note(`ports of row ${number}, which is not there`);
  return rows;
};

const isWhole = ({ first, last }: ProtocolInterval): boolean => first === 0 && last === MAX_PORT;

/** What the kernel does not ask for (`has_ports`, `has_ranges`) is not part of the row. */
const rowOf = ({ id, others, few, hasPorts, hasRanges }: RowHead, more: More | undefined): Row => {
  const asked = [
    ...few,
    ...(hasPorts ? (more?.ports ?? []) : []),
    ...(hasRanges ? (more?.ranges ?? []) : []),
  ];
  const byProtocol = Map.groupBy(asked, ({ protocol }) => protocol);
  const protocols = [...byProtocol].map(([protocol, list]) => {
    const base = list.find(isWhole)?.decision ?? others;
    const exceptions = list.filter((interval) => !isWhole(interval));
    return { protocol, intervals: intervalsOf(base, exceptions) };
  });
  return {
    id,
    protocols: protocols
      .filter(({ intervals }) => intervals.some(({ decision }) => !sameDecision(decision, others)))
      .toSorted((a, b) => a.protocol - b.protocol),
    others,
  };
};

const readLists = (
  raw: RawMaps,
  cookies: Cookies,
  clocks: Clocks,
  note: Note,
): Map<number, TimedList> => {
  const lists = new Map<number, TimedList>();
  for (const { key, value } of raw.timedLists) {
    const number = keyNumber(key);
    const list = readTimedList(value, cookies);
    if (list === null) {
      note(`time-bound list ${number} cannot be read`);
      continue;
    }
    if (list.entries.some((entry) => isOff(entry, clocks)))
      note(`time-bound list ${number} ends at another moment than it says`);
    lists.set(number, {
      entries: list.entries.map(({ boot: _boot, ...entry }) => entry),
      next: list.next,
    });
  }
  return lists;
};

const isOff = ({ deadline, boot }: FoundTimed, clocks: Clocks): boolean => {
  const expected = clocks.boot + BigInt(Math.round((deadline - clocks.wall) * 1e6));
  const off = boot > expected ? boot - expected : expected - boot;
  return expected > 0n && off > CLOCK_TOLERANCE_NS;
};

export const readTables = (raw: RawMaps, clocks: Clocks): FoundTables => {
  const differences: string[] = [];
  const note: Note = (difference) => void differences.push(difference);
  const epoch = keyNumber(raw.epoch[0]?.value ?? new Uint8Array(4));
  const cookies = cookiesOf(raw);
  const classes = new Map<number, ClassName>();
  for (const { key, value } of raw.classes) {
    const name = readClassName(value);
    if (name === null) note(`class ${keyNumber(key)} cannot be read`);
    else classes.set(keyNumber(key), name);
  }
  const settings = raw.settings.find(({ key }) => keyNumber(key) === epoch % 2);
  return {
    epoch,
    tables: {
      ...readVersioned(raw, epoch, note),
      rows: readRows(raw, cookies, note),
      lists: readLists(raw, cookies, clocks, note),
      decisions: cookies.asked,
      classes,
      settings: readSettings(settings?.value ?? new Uint8Array(12)),
    },
    differences,
  };
};
