/**
 * HostPolicy → what the kernel's maps are to hold, as names and numbers; `layout.ts` writes them as bytes. Numbers are
 * taken over from what is in force (`Registry`), so that the difference between two policies is as small as their
 * difference in meaning.
 */
import type {
  Cidr,
  ClassId,
  Direction,
  HostPolicy,
  IpAddress,
  MapSet,
  OverlayEntry,
  PolicyMap,
  Row,
  RowDecision,
} from "@bulkhead/model";
import { parseIp, rangeToCidrs } from "@bulkhead/model";
import type { Plane } from "../names.ts";
import { partition } from "./atoms.ts";
import type { NumberedClass } from "./atoms.ts";
import { Numbers } from "./numbers.ts";
import { sweep } from "./sweep.ts";

/** Maps whose entries say what holds before and after an epoch. Numbers; an entry that is absent says 0. */
export interface VersionedTables {
  /** `live egress 10.0.0.1` → class, and whether it has time-bound decisions. */
  readonly subjects: ReadonlyMap<string, number>;
  /** Address or prefix → atom. */
  readonly peers: ReadonlyMap<IpAddress, number>;
  readonly ranges: ReadonlyMap<Cidr, number>;
  /** `class.atom` → row, and whether the class lists these addresses one by one. */
  readonly cells: ReadonlyMap<string, number>;
  /** `class prefix` → list. */
  readonly timed: ReadonlyMap<string, number>;
  /** Address → whose it is, and what else is known of it. */
  readonly locals: ReadonlyMap<IpAddress, number>;
  /** `address port` → 1. */
  readonly resolvers: ReadonlyMap<string, number>;
}

export type VersionedName = keyof VersionedTables;

export interface TimedEntry {
  readonly protocol: number;
  readonly first: number;
  readonly last: number;
  readonly decision: RowDecision;
  /** ms since the epoch */
  readonly deadline: number;
}

export interface ClassName {
  readonly plane: Plane;
  readonly direction: Direction;
  readonly classId: ClassId;
}

/** Entries to be tried one after the other, and where more of them are. */
export interface TimedList {
  /** At most `TIMED`. */
  readonly entries: readonly TimedEntry[];
  /** The number of the list that goes on; 0: none. */
  readonly next: number;
}

export interface Settings {
  readonly seed: number;
  /** Of 10,000 buckets; 0: no rollout. */
  readonly share: number;
  readonly nodeExempt: boolean;
  readonly hairpinExempt: boolean;
}

export interface Tables extends VersionedTables {
  readonly settings: Settings;
  /** By number; never changed while anything refers to them. */
  readonly rows: ReadonlyMap<number, Row>;
  readonly lists: ReadonlyMap<number, TimedList>;
  /** Cookies. */
  readonly decisions: ReadonlyMap<number, string>;
  readonly classes: ReadonlyMap<number, ClassName>;
}

/** Time-bound entries of a list, and lists that the kernel follows. */
export const TIMED = 8;
export const TIMED_LISTS = 8;

export const TIMED_BIT = 2 ** 31;
export const EXACT_BIT = 2 ** 31;
export const LOCAL_HOST = 1;
export const LOCAL_SERVED = 2;
export const OWNER_SHIFT = 2;

/** Which numbers stand for what, from one policy to the next. */
export interface Registry {
  readonly classes: Numbers;
  readonly atoms: Numbers;
  readonly rows: Numbers;
  readonly lists: Numbers;
  readonly owners: Numbers;
  /** By cookie; begins at 0. */
  readonly decisions: Numbers;
}

export const createRegistry = (): Registry => ({
  classes: new Numbers(),
  atoms: new Numbers(),
  rows: new Numbers(),
  lists: new Numbers(),
  owners: new Numbers(),
  decisions: new Numbers(0),
});

export const PLANES: readonly Plane[] = ["live", "shadow", "canary"];

const setsOf = ({ live, shadow, canary }: HostPolicy): readonly (readonly [Plane, MapSet])[] => [
  ["live", live],
  ["shadow", shadow],
  ...(canary === undefined ? [] : [["canary", canary.maps] as const]),
];

export const className = (plane: Plane, direction: Direction, classId: string): string =>
  `${plane} ${direction} ${classId}`;

const rowNames = new WeakMap<Row, string>();

/** By content: an id is a hash, and a hash is no proof. */
export const rowName = (row: Row): string => {
  const known = rowNames.get(row);
  if (known !== undefined) return known;
  const name = JSON.stringify([
    row.id,
    row.others.verdict,
    row.others.cookie,
    row.protocols.map(({ protocol, intervals }) => [
      protocol,
      intervals.map(({ first, last, decision }) => [
        first,
        last,
        decision.verdict,
        decision.cookie,
      ]),
    ]),
  ]);
  rowNames.set(row, name);
  return name;
};

export const listName = (entries: readonly TimedEntry[]): string =>
  JSON.stringify(
    entries.map(({ protocol, first, last, decision, deadline }) => [
      protocol,
      first,
      last,
      decision.verdict,
      decision.cookie,
      deadline,
    ]),
  );

interface PlaneClass {
  readonly plane: Plane;
  readonly number: number;
  readonly map: PolicyMap;
  readonly overlay: readonly OverlayEntry[];
}

const classesOf = (policy: HostPolicy, registry: Registry): readonly PlaneClass[] =>
  setsOf(policy).flatMap(([plane, { maps, overlay }]) => {
    const byClass = Map.groupBy(overlay, ({ direction, classId }) => `${direction} ${classId}`);
    return maps.map((map) => ({
      plane,
      number: registry.classes.of(className(plane, map.direction, map.classId)),
      map,
      overlay: byClass.get(`${map.direction} ${map.classId}`) ?? [],
    }));
  });

const writeSubjects = (
  policy: HostPolicy,
  registry: Registry,
  timed: ReadonlySet<number>,
): Map<string, number> => {
  const subjects = new Map<string, number>();
  for (const [plane, set] of setsOf(policy))
    for (const direction of ["egress", "ingress"] as const)
      for (const [address, classId] of set.subjects[direction]) {
        const number = registry.classes.of(className(plane, direction, classId));
        const value = timed.has(number) ? number + TIMED_BIT : number;
        subjects.set(`${plane} ${direction} ${address}`, value);
      }
  return subjects;
};

const rangeOf = ([first, last]: OverlayEntry["peer"]) => {
  const [from, to] = [parseIp(first), parseIp(last)];
  if (from === null || to === null) throw new TypeError(`\`${first}\`-\`${last}\` is no range`);
  return { family: from.family, first: from.value, last: to.value };
};

const writeTimed = (
  classes: readonly PlaneClass[],
  registry: Registry,
): { timed: Map<string, number>; lists: Map<number, TimedList> } => {
  const timed = new Map<string, number>();
  const lists = new Map<number, TimedList>();
  /** Numbers the tail first, so that lists with a common one share it. */
  const numberOf = (entries: readonly TimedEntry[]): number => {
    if (entries.length === 0) return 0;
    const list = registry.lists.of(listName(entries));
    if (!lists.has(list))
      lists.set(list, { entries: entries.slice(0, TIMED), next: numberOf(entries.slice(TIMED)) });
    return list;
  };
  for (const { number, overlay } of classes) {
    const stretches = sweep(overlay.map((entry) => ({ ...rangeOf(entry.peer), tag: entry })));
    for (const stretch of stretches) {
      const entries = stretch.tags.map(({ protocol, ports, decision, deadline }): TimedEntry => ({
        protocol,
        first: ports[0],
        last: ports[1],
        decision,
        deadline,
      }));
      const list = numberOf(entries);
      for (const cidr of rangeToCidrs(stretch)) timed.set(`${number} ${cidr}`, list);
    }
  }
  return { timed, lists };
};

/** Addresses that one workload alone claims, and which. */
export const ownersOf = ({
  endpoints,
  contested = [],
}: Pick<HostPolicy, "endpoints" | "contested">): Map<IpAddress, string> => {
  const unsure = new Set(contested);
  return new Map(
    endpoints.flatMap(({ workload, addresses }) =>
      addresses.filter((address) => !unsure.has(address)).map((address) => [address, workload]),
    ),
  );
};

const writeLocals = (policy: HostPolicy, registry: Registry): Map<IpAddress, number> => {
  const { endpoints, hostAddresses, contested = [] } = policy;
  const unsure = new Set(contested);
  const locals = new Map<IpAddress, number>();
  const add = (address: IpAddress, bits: number): void => {
    locals.set(address, (locals.get(address) ?? 0) | bits);
  };
  for (const address of hostAddresses) add(address, LOCAL_HOST);
  for (const { addresses, dhcp } of endpoints)
    if (dhcp === true)
      for (const address of addresses) if (!unsure.has(address)) add(address, LOCAL_SERVED);
  for (const [address, workload] of ownersOf(policy))
    add(address, registry.owners.of(workload) << OWNER_SHIFT);
  return locals;
};

/** Whoever loses a name that nobody else needs gives its number to the name that takes its place. */
const numberAtoms = (
  members: readonly (readonly [string, number | undefined])[],
  { atoms }: Registry,
): void => {
  const names = new Map([...atoms.entries()].map(([name, number]) => [number, name]));
  const needed = new Set(members.map(([name]) => name));
  for (const [name, former] of members) {
    if (atoms.get(name) !== undefined) continue;
    const formerName = former === undefined ? undefined : names.get(former);
    if (formerName === undefined || former === undefined || needed.has(formerName)) atoms.of(name);
    else {
      atoms.rename(formerName, name);
      names.delete(former);
    }
  }
};

/** `former`: what is in force; null: nothing. */
export const tablesOf = (
  policy: HostPolicy,
  registry: Registry,
  former: Pick<VersionedTables, "peers" | "ranges"> | null,
): Tables => {
  const byId = new Map(policy.rows.map((row) => [row.id, row]));
  const rows = new Map<number, Row>();
  const rowNumber = (id: string): number => {
    const row = byId.get(id);
    if (row === undefined) throw new Error(`row ${id} is used but not given`);
    const number = registry.rows.of(rowName(row));
    rows.set(number, row);
    return number;
  };
  const classes = classesOf(policy, registry);
  const numbered = classes.map(({ number, map }): NumberedClass => ({
    number,
    exact: map.exact.map(([address, row]) => [address, rowNumber(row)]),
    ranges: map.ranges.map(([first, last, row]) => [first, last, rowNumber(row)]),
  }));
  const found = partition(numbered.toSorted((a, b) => a.number - b.number));
  numberAtoms(
    [
      ...[...found.peers].map(([address, name]) => [name, former?.peers.get(address)] as const),
      ...[...found.ranges].map(([cidr, name]) => [name, former?.ranges.get(cidr)] as const),
    ],
    registry,
  );
  const atom = (name: string): number => registry.atoms.of(name);
  const cells = new Map<string, number>();
  for (const { number, map } of classes) cells.set(`${number}.0`, rowNumber(map.defaultRow));
  for (const [name, list] of found.cells)
    for (const { classNumber, row, exact } of list)
      cells.set(`${classNumber}.${atom(name)}`, exact ? EXACT_BIT + row : row);
  const { timed, lists } = writeTimed(classes, registry);
  const { canary, profile } = policy;
  return {
    subjects: writeSubjects(
      policy,
      registry,
      new Set(classes.filter(({ overlay }) => overlay.length > 0).map(({ number }) => number)),
    ),
    peers: new Map([...found.peers].map(([address, name]) => [address, atom(name)])),
    ranges: new Map([...found.ranges].map(([cidr, name]) => [cidr, atom(name)])),
    cells,
    timed,
    lists,
    locals: writeLocals(policy, registry),
    resolvers: new Map((profile.dns ?? []).map(({ address, port }) => [`${address} ${port}`, 1])),
    rows,
    classes: new Map(
      classes.map(({ plane, number, map: { direction, classId } }) => [
        number,
        { plane, direction, classId },
      ]),
    ),
    decisions: new Map(
      [...cookiesOf(rows, lists)].map((cookie) => [registry.decisions.of(cookie), cookie]),
    ),
    settings: {
      seed: canary?.seed ?? 0,
      share: canary?.share ?? 0,
      nodeExempt: profile.nodeExempt,
      hairpinExempt: profile.hairpinExempt,
    },
  };
};

const cookiesOf = (
  rows: ReadonlyMap<number, Row>,
  lists: ReadonlyMap<number, TimedList>,
): ReadonlySet<string> => {
  const cookies = new Set<string>();
  for (const { others, protocols } of rows.values()) {
    cookies.add(others.cookie);
    for (const { intervals } of protocols)
      for (const { decision } of intervals) cookies.add(decision.cookie);
  }
  for (const { entries } of lists.values())
    for (const { decision } of entries) cookies.add(decision.cookie);
  return cookies;
};
