/**
 * Tables → what of a HostPolicy they hold: rebuilt from what packets are judged by, and from nothing that a driver remembers. What
 * does not add up to a policy is a difference.
 */
import { cidrRange, compareIp, formatIp, hostCidr } from "@bulkhead/model";
import type {
  CanaryMaps,
  Cidr,
  Direction,
  HostPolicy,
  IpAddress,
  IpFamily,
  MapSet,
  OverlayEntry,
  PolicyMap,
} from "@bulkhead/model";
import type { Plane } from "../names.ts";
import { EXACT_BIT, TIMED_BIT } from "./tables.ts";
import type { ClassName, Tables, TimedList } from "./tables.ts";
import { createWider } from "./wider.ts";

type Note = (difference: string) => void;

interface Piece {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
}

/** Ascending, those that touch as one. */
const merged = (cidrs: readonly Cidr[]): Piece[] => {
  const pieces = cidrs
    .map((cidr) => cidrRange(cidr))
    .toSorted((a, b) => a.family - b.family || (a.first < b.first ? -1 : 1));
  const found: Piece[] = [];
  for (const piece of pieces) {
    const previous = found.at(-1);
    if (previous?.family === piece.family && previous.last + 1n === piece.first)
      found[found.length - 1] = { ...previous, last: piece.last };
    else found.push(piece);
  }
  return found;
};

const ends = ({ family, first, last }: Piece): [IpAddress, IpAddress] => [
  formatIp(family, first),
  formatIp(family, last),
];

export type FoundMaps = Pick<HostPolicy, "live" | "shadow" | "canary" | "rows" | "profile">;

/** What packets are judged by, as a policy has it. Entries whose time is over by `now` are over. */
export const mapsOf = (
  tables: Tables,
  now: number,
): { readonly maps: FoundMaps; readonly differences: readonly string[] } => {
  const differences: string[] = [];
  const note: Note = (difference) => void differences.push(difference);
  const byAtom = Map.groupBy([...tables.ranges], ([, atom]) => atom);
  const addresses = Map.groupBy([...tables.peers], ([, atom]) => atom);
  const cells = Map.groupBy([...tables.cells], ([name]) =>
    Number(name.slice(0, name.indexOf("."))),
  );
  const used = new Set<number>();
  const rowId = (value: number): string => {
    const number = value % EXACT_BIT;
    used.add(number);
    const id = tables.rows.get(number)?.id;
    if (id === undefined) note(`row ${number} is led to and is not there`);
    return id ?? "";
  };
  const mapOf = (number: number, { direction, classId }: ClassName): PolicyMap => {
    const exact: [IpAddress, string][] = [];
    const byRow = new Map<string, Cidr[]>();
    let defaultRow: string | null = null;
    for (const [name, value] of cells.get(number) ?? []) {
      const atom = Number(name.slice(name.indexOf(".") + 1));
      const row = rowId(value);
      if (atom === 0) defaultRow = row;
      if (value >= EXACT_BIT)
        for (const [address] of addresses.get(atom) ?? []) exact.push([address, row]);
      else
        for (const [cidr] of byAtom.get(atom) ?? [])
          byRow.set(row, [...(byRow.get(row) ?? []), cidr as Cidr]);
    }
    if (defaultRow === null) note(`class ${number} has no default`);
    return {
      classId,
      direction,
      exact: exact.toSorted((a, b) => compareIp(a[0], b[0])),
      ranges: [...byRow]
        .flatMap(([row, cidrs]) => merged(cidrs).map((piece) => [...ends(piece), row] as const))
        .toSorted((a, b) => compareIp(a[0], b[0])),
      defaultRow: defaultRow ?? "",
    };
  };
  const classNumbers = [...tables.classes];
  const setOf = (plane: Plane): MapSet => {
    const own = classNumbers.filter(([, name]) => name.plane === plane);
    const subjectsOf = (direction: Direction): [IpAddress, string][] => {
      const prefix = `${plane} ${direction} `;
      return [...tables.subjects]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, value]): [IpAddress, string] => {
          const found = tables.classes.get(value % TIMED_BIT);
          if (found?.plane !== plane || found.direction !== direction)
            note(`subject ${name} leads to a class of another kind`);
          return [name.slice(prefix.length), found?.classId ?? ""];
        })
        .toSorted((a, b) => compareIp(a[0], b[0]));
    };
    return {
      subjects: { egress: subjectsOf("egress"), ingress: subjectsOf("ingress") },
      maps: own
        .map(([number, name]) => mapOf(number, name))
        .toSorted(
          (a, b) =>
            (a.direction < b.direction ? -1 : a.direction > b.direction ? 1 : 0) ||
            (a.classId < b.classId ? -1 : 1),
        ),
      overlay: own.flatMap(([number, name]) => overlayOf(tables, number, name, now)),
    };
  };
  checkListed(tables, note);
  const [live, shadow] = [setOf("live"), setOf("shadow")];
  const { seed, share, nodeExempt, hairpinExempt } = tables.settings;
  const canary: CanaryMaps | null = share === 0 ? null : { seed, share, maps: setOf("canary") };
  if (canary === null && classNumbers.some(([, { plane }]) => plane === "canary"))
    note("classes of a rollout that is not under way");
  const dns = [...tables.resolvers.keys()].map((name) => {
    const [address = "", port] = name.split(" ");
    return { address, port: Number(port) };
  });
  const sortedDns = dns.toSorted((a, b) => compareIp(a.address, b.address) || a.port - b.port);
  for (const number of tables.rows.keys())
    if (!used.has(number)) note(`row ${number} is there and nothing leads to it`);
  return {
    maps: {
      live,
      shadow,
      ...(canary === null ? {} : { canary }),
      rows: [...used]
        .flatMap((number) => tables.rows.get(number) ?? [])
        .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      profile: {
        nodeExempt,
        hairpinExempt,
        ...(sortedDns.length === 0 ? {} : { dns: sortedDns }),
      },
    },
    differences,
  };
};

/**
 * An address that is listed leads to one atom for all classes, those too that know it by a range only: for them its cell must
 * say what the range's says.
 */
const checkListed = ({ peers, ranges, cells, classes }: Tables, note: Note): void => {
  const rangeOf = createWider(ranges);
  const seen = new Set<string>();
  for (const [address, atom] of peers) {
    const range = rangeOf(hostCidr(address));
    const pair = `${atom} ${range}`;
    if (seen.has(pair)) continue;
    seen.add(pair);
    for (const number of classes.keys()) {
      const own = cells.get(`${number}.${atom}`);
      const beneath = range === 0 ? undefined : cells.get(`${number}.${range}`);
      if (own === undefined ? beneath !== undefined : own < EXACT_BIT && own !== beneath)
        note(`class ${number} treats ${address} other than the range that holds it`);
    }
  }
  for (const [cidr, atom] of ranges)
    for (const number of classes.keys())
      if ((cells.get(`${number}.${atom}`) ?? 0) >= EXACT_BIT)
        note(`class ${number} lists ${cidr} as addresses`);
};

/** Of a list, its entries and those of the lists that go on with it. */
export const entriesOf = (lists: Tables["lists"], from: number): TimedList["entries"] => {
  const found: TimedList["entries"][number][] = [];
  const seen = new Set<number>();
  for (let number = from; number !== 0 && !seen.has(number);) {
    seen.add(number);
    const list = lists.get(number);
    found.push(...(list?.entries ?? []));
    number = list?.next ?? 0;
  }
  return found;
};

const overlayOf = (
  { timed, lists }: Tables,
  number: number,
  { direction, classId }: ClassName,
  now: number,
): OverlayEntry[] => {
  const prefix = `${number} `;
  const pieces = new Map<string, { entry: TimedList["entries"][number]; cidrs: Cidr[] }>();
  for (const [name, list] of timed) {
    if (!name.startsWith(prefix)) continue;
    for (const entry of entriesOf(lists, list)) {
      if (entry.deadline <= now) continue;
      const key = JSON.stringify(entry);
      const found = pieces.get(key) ?? { entry, cidrs: [] };
      pieces.set(key, found);
      found.cidrs.push(name.slice(prefix.length) as Cidr);
    }
  }
  return [...pieces.values()].flatMap(({ entry, cidrs }) =>
    merged(cidrs).map((piece): OverlayEntry => ({
      classId,
      direction,
      peer: ends(piece),
      protocol: entry.protocol,
      ports: [entry.first, entry.last],
      decision: entry.decision,
      deadline: entry.deadline,
    })),
  );
};
