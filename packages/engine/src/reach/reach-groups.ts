/**
 * Ends of connections, grouped by what policies can tell apart: two workloads are in one group when the same classes
 * judge them and every class gives them the same rows. The world's addresses are grouped the same way.
 */
import {
  allPorts,
  equalPorts,
  wholeRange,
  type IpFamily,
  type IpRange,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";
import { sweepRanges } from "../compile/address-sweep.ts";
import type { Atom } from "../compile/atom-table.ts";
import type { CompiledClass } from "../compile/compile-view.ts";
import type { TimedRow } from "../compile/timed-row.ts";
import { isOwnNode } from "../exemption.ts";
import { isProcess, ownersOf, type InventoryIndex } from "../inventory-index.ts";
import { isLoopback } from "../socket-owners.ts";
import type { Universe } from "./reach-universe.ts";

/** A set of ends that all policies at hand treat alike. */
export type ReachGroup =
  | { readonly kind: "workloads"; readonly workloads: readonly WorkloadId[] }
  | { readonly kind: "host" }
  /** Sorted, disjoint, neighbours merged. */
  | { readonly kind: "world"; readonly ranges: readonly IpRange[] };

/** How an end looks at one of its addresses: its row in every class of every universe. */
export interface Facet {
  /** Null: the end has no address yet, and meets either family. */
  readonly family: IpFamily | null;
  /** By the number of the class. The same array where the atom is the same. */
  readonly rows: readonly number[];
}

/** Number of a class among those of all universes. Null: nobody judges. */
export type ClassNumber = number | null;

/** Who judges the end, in one universe. */
export interface Judges {
  readonly egress: ClassNumber;
  readonly ingress: ClassNumber;
}

export interface GroupedEnd {
  readonly group: ReachGroup;
  readonly isProcess: boolean;
  /** In each universe: is it the node, whose way into workloads may be exempt? */
  readonly isNode: readonly boolean[];
  /** In each universe: the node that it is, if policies would deny that node anything at workloads there. */
  readonly hosts: readonly OwnNode[];
  /** In each universe: the node where it runs, if a policy would deny that node anything. */
  readonly runsOn: readonly OwnNode[];
  readonly facets: readonly Facet[];
  /** One for each universe. */
  readonly judges: readonly Judges[];
}

type OwnNode = WorkloadId | null;

const NOBODY: Judges = { egress: null, ingress: null };

/** Groups that hold for all universes together. The ids and addresses of `index` are those of every universe. */
export function groupEnds(universes: readonly Universe[], index: InventoryIndex): GroupedEnd[] {
  const classes: { readonly judge: CompiledClass; readonly universe: Universe }[] = [];
  const numbers = new Map<CompiledClass, number>();
  const numberOf = (judge: CompiledClass | null, universe: Universe): ClassNumber => {
    if (judge === null) return null;
    let number = numbers.get(judge);
    if (number === undefined) {
      numbers.set(judge, (number = classes.length));
      classes.push({ judge, universe });
    }
    return number;
  };
  const judgesOf = new Map(
    [...index.workloads.values()].map((workload) => [
      workload,
      universes.map((universe): Judges => {
        const here = inside(universe, workload);
        return {
          egress: numberOf(universe.classOf(here, "egress"), universe),
          ingress: numberOf(universe.classOf(here, "ingress"), universe),
        };
      }),
    ]),
  );
  const rowsBy = (rowOf: (judge: CompiledClass, universe: Universe) => TimedRow) =>
    classes.map(({ judge, universe }) => rowOf(judge, universe).base);

  const positions = new Map(index.known.map(({ address }, position) => [address, position]));
  const host = index.known.flatMap((place, position) =>
    place.kind === "host" && !isLoopback(place) ? [position] : [],
  );
  const rowsOfAtoms = new Map<string, readonly number[]>();
  /** Found once for addresses that no class tells apart: there are as many as classes, and not as addresses. */
  const facetOf = (family: IpFamily | null, atomIn: (universe: Universe) => Atom): Facet => {
    const key = universes.map((universe) => atomIn(universe).number).join();
    let rows = rowsOfAtoms.get(key);
    if (rows === undefined) {
      rows = rowsBy(({ map }, universe) => map.rowOf(atomIn(universe)));
      rowsOfAtoms.set(key, rows);
    }
    return { family, rows };
  };
  const facetAt = (position: number): Facet =>
    facetOf(index.known[position]!.family, ({ atoms }) => atoms[position]!);
  /** Of the machine, or of a process as if every port there were its own. */
  const facetOfMachine = (position: number, process?: Workload): Facet => ({
    family: index.known[position]!.family,
    rows: rowsBy(({ map }, universe) => {
      const { identities, prefixes } = universe.atoms[position]!;
      if (process === undefined) return map.rowFrom([{ identities, prefixes }]);
      const own = universe.bareAtom(inside(universe, process)).identities;
      return map.rowFrom([{ identities: own, prefixes }]);
    }),
  });
  const nobody = universes.map(() => NOBODY);
  const nowhere = universes.map(() => null);
  const runsOn = ownNodes(universes, index);
  const hosting = universes.map((_, at) => new Set([...runsOn.values()].map((nodes) => nodes[at])));
  const groups = new Grouping();
  for (const [workload, judges] of judgesOf) {
    const ofMachine = isProcess(workload);
    const owned = workload.addresses.filter((address) =>
      ownersOf(index.at(address)).includes(workload),
    );
    const known = ofMachine
      ? host.map((position) => facetOfMachine(position, workload))
      : owned.map((address) => facetAt(positions.get(address)!));
    const bare = (): Facet =>
      facetOf(null, (universe) => universe.bareAtom(inside(universe, workload)));
    const facets = known.length > 0 ? known : [bare()];
    const isNode = universes.map(
      (universe) => ofMachine && !universe.isSubject(inside(universe, workload)),
    );
    groups.addWorkload(workload.id, {
      facets,
      judges,
      isProcess: ofMachine,
      isNode,
      hosts: hosting.map((nodes) => (nodes.has(workload.id) ? workload.id : null)),
      runsOn: runsOn.get(workload.id) ?? nowhere,
    });
  }
  if (host.length > 0) {
    const facets = host.map((position) => facetOfMachine(position));
    const isNode = universes.map(() => true);
    const apart = { isNode, hosts: nowhere, runsOn: nowhere };
    groups.addHost({ facets, judges: nobody, isProcess: false, ...apart });
  }
  for (const { range, segments } of worldAtoms([...numbers.keys()])) {
    const facet = {
      family: range.family,
      rows: rowsBy((judge) => segments.get(judge) ?? judge.map.elsewhere),
    };
    const isNode = universes.map(() => false);
    const apart = { isNode, hosts: nowhere, runsOn: nowhere };
    groups.addWorld(range, { facets: [facet], judges: nobody, isProcess: false, ...apart });
  }
  return groups.all();
}

/**
 * Who runs on which node of the inventory, in each universe; nobody where it makes no difference, so that workloads are told
 * apart by their nodes only where somebody would keep a node out.
 */
function ownNodes(
  universes: readonly Universe[],
  index: InventoryIndex,
): ReadonlyMap<WorkloadId, readonly OwnNode[]> {
  const found = new Map<WorkloadId, readonly OwnNode[]>();
  if (![...index.workloads.values()].some(({ kind }) => kind === "node")) return found;
  const positions = new Map(index.known.map(({ address }, position) => [address, position]));
  const ownNode = (universe: Universe, given: Workload): OwnNode => {
    const workload = inside(universe, given);
    const node = universe.index.workloads.get(workload.node ?? "");
    if (node === undefined || !isOwnNode(workload, node)) return null;
    const judge = universe.classOf(workload, "ingress");
    if (judge === null) return null;
    const atoms = node.addresses.flatMap(
      (address) => universe.atoms[positions.get(address)!] ?? [],
    );
    const met = atoms.length === 0 ? [universe.bareAtom(node)] : atoms;
    const isKeptOut = met.some(
      (atom) => !equalPorts(universe.permitted(judge.map.rowOf(atom).base), allPorts),
    );
    return isKeptOut ? node.id : null;
  };
  for (const workload of index.workloads.values()) {
    if (workload.node === undefined) continue;
    const nodes = universes.map((universe) => ownNode(universe, workload));
    if (nodes.some((node) => node !== null)) found.set(workload.id, nodes);
  }
  return found;
}

/** The same workload with the labels that it has there. */
function inside({ index }: Universe, workload: Workload): Workload {
  return index.workloads.get(workload.id) ?? workload;
}

/** The world cut where any class cuts it. */
function* worldAtoms(
  classes: readonly CompiledClass[],
): Iterable<{ range: IpRange; segments: ReadonlyMap<CompiledClass, TimedRow> }> {
  const pieces = classes.flatMap((judge) =>
    judge.map.world.map(({ row, ...range }) => ({ judge, row, range })),
  );
  const covered = sweepRanges(pieces.map(({ range }, owner) => ({ range, owner })));
  for (const family of [4, 6] as const) {
    const whole = wholeRange(family);
    let from = whole.first;
    for (const { first, last, owners } of covered.filter((one) => one.family === family)) {
      if (from < first)
        yield { range: { family, first: from, last: first - 1n }, segments: new Map() };
      yield {
        range: { family, first, last },
        segments: new Map(owners.map((owner) => [pieces[owner]!.judge, pieces[owner]!.row])),
      };
      from = last + 1n;
    }
    if (from <= whole.last) {
      yield { range: { family, first: from, last: whole.last }, segments: new Map() };
    }
  }
}

type Ungrouped = Omit<GroupedEnd, "group">;

/** Collects ends by the text of everything that tells them apart. */
class Grouping {
  readonly #ends = new Map<
    string,
    { end: GroupedEnd; workloads: WorkloadId[]; ranges: IpRange[] }
  >();
  readonly #facetNumbers = new Map<string, number>();
  readonly #numberOfRows = new Map<readonly number[], number>();

  addWorkload(id: WorkloadId, end: Ungrouped): void {
    const workloads: WorkloadId[] = [];
    this.#join({ kind: "workloads", workloads }, end, workloads, []).workloads.push(id);
  }

  addHost(end: Ungrouped): void {
    this.#join({ kind: "host" }, end, [], []);
  }

  addWorld(range: IpRange, end: Ungrouped): void {
    const fresh: IpRange[] = [];
    const { ranges } = this.#join({ kind: "world", ranges: fresh }, end, [], fresh);
    const previous = ranges.at(-1);
    if (previous !== undefined && previous.last + 1n === range.first) {
      ranges[ranges.length - 1] = { ...previous, last: range.last };
    } else {
      ranges.push(range);
    }
  }

  all(): GroupedEnd[] {
    return [...this.#ends.values()].map(({ end }) => end);
  }

  #join(
    group: ReachGroup,
    { facets, judges, isProcess: ofMachine, isNode, hosts, runsOn }: Ungrouped,
    workloads: WorkloadId[],
    ranges: IpRange[],
  ) {
    const distinct = new Map(facets.map((facet) => [this.#facetNumber(facet), facet]));
    const judgeText = judges.map(({ egress, ingress }) => `${egress}-${ingress}`);
    const kind = [group.kind, ofMachine, isNode.join(), hosts.join(), runsOn.join()].join(" ");
    const key = [kind, judgeText.join(), ...[...distinct.keys()].toSorted((a, b) => a - b)].join(
      "|",
    );
    let found = this.#ends.get(key);
    if (found === undefined) {
      const seen = { facets: [...distinct.values()], isProcess: ofMachine, isNode };
      const end = { group, judges, ...seen, hosts, runsOn };
      found = { end, workloads, ranges };
      this.#ends.set(key, found);
    }
    return found;
  }

  /** The same for facets that look the same. */
  #facetNumber({ family, rows }: Facet): number {
    let number = this.#numberOfRows.get(rows);
    if (number === undefined) {
      const text = rows.join();
      number = this.#facetNumbers.get(text) ?? this.#facetNumbers.size;
      this.#facetNumbers.set(text, number);
      this.#numberOfRows.set(rows, number);
    }
    return number * 3 + (family === null ? 0 : family === 4 ? 1 : 2);
  }
}
