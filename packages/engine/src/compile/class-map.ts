/**
 * One class in one direction, compiled: for every known address and every stretch of the world's addresses the row that
 * holds there. An address belongs to one atom and an atom to one row, so nothing about precedence is left to look up.
 */
import type { CidrPeer } from "../matching.ts";
import { prefixRanges } from "../matching.ts";
import type { InventoryIndex } from "../inventory-index.ts";
import { sweepRanges, subtractRanges, type OwnedRange, type Segment } from "./address-sweep.ts";
import type { Coverage, Program, ProgramRule } from "./class-program.ts";
import type { DecisionTable } from "./decision-table.ts";
import type { IdentityNumber, IdentityTable } from "./identity-table.ts";
import type { RowTable } from "./row-table.ts";
import { timedRow, type Claimant, type TimedRow } from "./timed-row.ts";

export interface ClassContext {
  readonly index: InventoryIndex;
  readonly identities: IdentityTable;
  readonly now: number;
  readonly decisions: DecisionTable;
  readonly rows: RowTable;
}

export interface WorldSegment extends Omit<Segment, "owners"> {
  readonly row: TimedRow;
}

/** How a rule holds an address. A named port needs a workload that was chosen by selector (SEMANTICS trap 4). */
const BY_ADDRESS = 1;
const BY_SELECTOR = 2;

export class ClassMap {
  readonly program: Program;
  /** World addresses that a prefix covers; disjoint, sorted. */
  readonly world: readonly WorldSegment[];
  /** All other world addresses. */
  readonly elsewhere: TimedRow;
  readonly #context: ClassContext;
  readonly #rowsByKey = new Map<string, TimedRow>();
  readonly #ofIdentity: (TimedRow | undefined)[] = [];
  /** Rules that hold known addresses by prefix, by position in `index.known`; null when no rule does. */
  readonly #prefixOwners: (readonly number[] | undefined)[] | null;

  constructor(program: Program, context: ClassContext) {
    this.program = program;
    this.#context = context;
    const prefixes = program.rules.flatMap(({ rule }, rank) =>
      rule.peers.flatMap((peer) => (peer.kind === "cidr" ? [{ peer, rank }] : [])),
    );
    this.#prefixOwners = this.#knownInPrefixes(prefixes);

    const always = program.rules.flatMap(({ rule }, rank) =>
      rule.peers.some(
        (peer) => peer.kind === "any" || (peer.kind === "entity" && peer.entity === "world"),
      )
        ? [rank]
        : [],
    );
    this.elsewhere = this.#worldRow(always);
    this.world = sweepRanges(prefixes.flatMap(ownedRanges)).map(
      ({ owners, ...range }): WorldSegment => ({
        ...range,
        row: this.#worldRow(always.length === 0 ? owners : mergeAscending(always, owners)),
      }),
    );
  }

  /** The row for a known address. */
  rowOfKnown(position: number): TimedRow {
    const identity = this.#context.identities.ofKnown[position]!;
    const owners = this.#prefixOwners?.[position];
    return owners === undefined ? this.rowOfIdentity(identity) : this.#knownRow(identity, owners);
  }

  /** The row for an address of this identity that lies in no prefix. */
  rowOfIdentity(identity: IdentityNumber): TimedRow {
    return (this.#ofIdentity[identity] ??= this.#knownRow(identity, []));
  }

  #knownRow(identity: IdentityNumber, prefixOwners: readonly number[]): TimedRow {
    const held = new Map<number, number>(prefixOwners.map((rank) => [rank, BY_ADDRESS]));
    for (const [rank, { rule }] of this.program.rules.entries()) {
      for (const peer of rule.peers) {
        if (peer.kind === "cidr" || this.#context.identities.hits(peer)[identity] === 0) continue;
        const how = peer.kind === "entity" ? BY_ADDRESS : BY_SELECTOR;
        if (how > (held.get(rank) ?? 0)) held.set(rank, how);
      }
    }
    const ranks = [...held].toSorted(([a], [b]) => a - b);
    return this.#row(
      ranks.flatMap(([rank, how]) => this.#claimant(rank, how === BY_SELECTOR ? identity : null)),
    );
  }

  /** Nobody owns a world address, so no name means anything there. */
  #worldRow(ranks: readonly number[]): TimedRow {
    return this.#row(ranks.flatMap((rank) => this.#claimant(rank, null)));
  }

  #claimant(rank: number, namesOn: IdentityNumber | null): Claimant[] {
    const { coverage, named } = this.program.rules[rank]!;
    const resolved = namesOn === null || named.length === 0 ? [] : this.#resolve(named, namesOn);
    const all = resolved.length === 0 ? coverage : [...coverage, ...resolved];
    return all.length === 0 ? [] : [{ rank, coverage: all }];
  }

  #resolve(named: ProgramRule["named"], identity: IdentityNumber): Coverage[] {
    return named.flatMap(({ name, protocol }) =>
      this.#context.identities
        .resolve(identity, name, protocol)
        .map((port) => ({ protocol, first: port, last: port })),
    );
  }

  #row(claimants: readonly Claimant[]): TimedRow {
    let key = "";
    for (const { rank, coverage } of claimants) {
      key += `${rank},`;
      if (coverage !== this.program.rules[rank]!.coverage) key += JSON.stringify(coverage);
    }
    let row = this.#rowsByKey.get(key);
    if (row === undefined) {
      const { now, decisions, rows } = this.#context;
      row = timedRow(this.program, claimants, now, decisions, rows);
      this.#rowsByKey.set(key, row);
    }
    return row;
  }

  #knownInPrefixes(
    prefixes: readonly { readonly peer: CidrPeer; readonly rank: number }[],
  ): (readonly number[] | undefined)[] | null {
    const segments = sweepRanges(
      prefixes.filter(({ peer }) => peer.matchesWorkloads).flatMap(ownedRanges),
    );
    if (segments.length === 0) return null;
    const { known } = this.#context.index;
    const owners: (readonly number[] | undefined)[] = [];
    walkTogether(known, segments, (position, segment) => (owners[position] = segment.owners));
    return owners;
  }
}

function ownedRanges({ peer, rank }: { peer: CidrPeer; rank: number }): OwnedRange[] {
  const { prefix, except } = prefixRanges(peer);
  return subtractRanges(prefix, except).map((range) => ({ range, owner: rank }));
}

function mergeAscending(a: readonly number[], b: readonly number[]): number[] {
  return [...new Set([...a, ...b])].toSorted((x, y) => x - y);
}

interface Addressed {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** Calls `found` for each address that lies in a segment. Both lists sorted: IPv4 first, then by value. */
export function walkTogether<S extends Omit<Segment, "owners">>(
  addresses: readonly Addressed[],
  segments: readonly S[],
  found: (position: number, segment: S) => void,
): void {
  let at = 0;
  for (const [position, { family, value }] of addresses.entries()) {
    while (
      at < segments.length &&
      (segments[at]!.family < family ||
        (segments[at]!.family === family && segments[at]!.last < value))
    ) {
      at++;
    }
    const segment = segments[at];
    if (segment !== undefined && segment.family === family && segment.first <= value) {
      found(position, segment);
    }
  }
}
