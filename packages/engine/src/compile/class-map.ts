/**
 * One class in one direction, compiled: for every known address and every stretch of the world's addresses the row that
 * holds there. An address belongs to one atom and an atom to one row, so nothing about precedence is left to look up.
 */
import type { CidrPeer } from "../matching.ts";
import { prefixRanges } from "../matching.ts";
import type { InventoryIndex } from "../inventory-index.ts";
import { sweepRanges, subtractRanges, type OwnedRange, type Segment } from "./address-sweep.ts";
import type { Conflicts, Coverage, Program, ProgramRule } from "./class-program.ts";
import type { DecisionTable } from "./decision-table.ts";
import type { IdentityNumber, IdentityTable } from "./identity-table.ts";
import type { RowTable } from "./row-table.ts";
import { timedRow, type Claimant, type Reading, type TimedRow } from "./timed-row.ts";

export interface ClassContext {
  readonly index: InventoryIndex;
  readonly identities: IdentityTable;
  readonly now: number;
  readonly decisions: DecisionTable;
  readonly rows: RowTable;
  readonly conflicts: Conflicts;
}

export interface WorldSegment extends Omit<Segment, "owners"> {
  readonly row: TimedRow;
}

export class ClassMap {
  /** World addresses that a prefix covers; disjoint, sorted. */
  readonly world: readonly WorldSegment[];
  /** All other world addresses. */
  readonly elsewhere: TimedRow;
  /** One policy; several only where several workloads claim the subject's address. */
  readonly programs: readonly Program[];
  readonly #context: ClassContext;
  readonly #rowsByKey = new Map<string, TimedRow>();
  readonly #ofIdentity: (TimedRow | undefined)[] = [];
  /** Rules that hold known addresses by prefix, by position in `index.known`; null when no rule does. */
  readonly #prefixOwners: (readonly RuleNumber[] | undefined)[] | null;

  constructor(programs: readonly Program[], context: ClassContext) {
    this.programs = programs;
    this.#context = context;
    const rules = programs.flatMap((program) => program.rules);
    const prefixes = rules.flatMap(({ rule }, number) =>
      rule.peers.flatMap((peer) => (peer.kind === "cidr" ? [{ peer, number }] : [])),
    );
    this.#prefixOwners = this.#knownInPrefixes(prefixes);

    const always = rules.flatMap(({ rule }, number) =>
      rule.peers.some(
        (peer) => peer.kind === "any" || (peer.kind === "entity" && peer.entity === "world"),
      )
        ? [number]
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
    const { ofKnown, contested } = this.#context.identities;
    const identity = ofKnown[position]!;
    const rivals = contested.get(position);
    const byPrefix = this.#prefixOwners?.[position];
    if (rivals === undefined && byPrefix === undefined) return this.rowOfIdentity(identity);
    return this.#knownRow(rivals ?? [identity], byPrefix ?? []);
  }

  /** The row for an address of this identity that lies in no prefix. */
  rowOfIdentity(identity: IdentityNumber): TimedRow {
    return (this.#ofIdentity[identity] ??= this.#knownRow([identity], []));
  }

  #knownRow(identities: readonly IdentityNumber[], byPrefix: readonly RuleNumber[]): TimedRow {
    return this.#row((program, offset) =>
      identities.map((identity) => this.#claimants(program, offset, identity, byPrefix)),
    );
  }

  #claimants(
    { rules }: Program,
    offset: RuleNumber,
    identity: IdentityNumber,
    byPrefix: readonly RuleNumber[],
  ): Claimant[] {
    const { identities } = this.#context;
    /** Rank, and whether a selector chose the address: then names mean something on it (SEMANTICS trap 4). */
    const held = new Map<number, boolean>();
    for (const number of byPrefix) {
      const rank = number - offset;
      if (rank >= 0 && rank < rules.length) held.set(rank, false);
    }
    for (const [rank, { rule }] of rules.entries()) {
      const chosen = rule.peers.some(
        (peer) => peer.kind !== "cidr" && identities.hits(peer)[identity] === 1,
      );
      if (chosen) held.set(rank, true);
    }
    return [...held]
      .toSorted(([a], [b]) => a - b)
      .flatMap(([rank, chosen]) => {
        const { coverage, named } = rules[rank]!;
        const names = chosen && named.length > 0;
        return claimant(rank, names ? [...coverage, ...this.#resolve(named, identity)] : coverage);
      });
  }

  /** Nobody owns a world address, so no name means anything there. */
  #worldRow(numbers: readonly RuleNumber[]): TimedRow {
    return this.#row(({ rules }, offset) => [
      numbers.flatMap((number) => {
        const rule = rules[number - offset];
        return rule === undefined ? [] : claimant(number - offset, rule.coverage);
      }),
    ]);
  }

  #resolve(named: ProgramRule["named"], identity: IdentityNumber): Coverage[] {
    return named.flatMap(({ name, protocol }) =>
      this.#context.identities
        .resolve(identity, name, protocol)
        .map((port) => ({ protocol, first: port, last: port })),
    );
  }

  #row(claimants: (program: Program, offset: RuleNumber) => Claimant[][]): TimedRow {
    let offset = 0;
    let key = "";
    const readings: Reading[] = [];
    for (const program of this.programs) {
      for (const held of claimants(program, offset)) {
        readings.push({ program, claimants: held });
        key += `|${offset}:`;
        for (const { rank, coverage } of held) {
          key += `${rank},`;
          if (coverage !== program.rules[rank]!.coverage) key += JSON.stringify(coverage);
        }
      }
      offset += program.rules.length;
    }
    let row = this.#rowsByKey.get(key);
    if (row === undefined) {
      const { now, decisions, rows } = this.#context;
      row = timedRow(readings, now, decisions, rows);
      this.#rowsByKey.set(key, row);
    }
    return row;
  }

  #knownInPrefixes(
    prefixes: readonly NumberedPrefix[],
  ): (readonly RuleNumber[] | undefined)[] | null {
    const segments = sweepRanges(
      prefixes.filter(({ peer }) => peer.matchesWorkloads).flatMap(ownedRanges),
    );
    if (segments.length === 0) return null;
    const { known } = this.#context.index;
    const owners: (readonly RuleNumber[] | undefined)[] = [];
    walkTogether(known, segments, (position, segment) => (owners[position] = segment.owners));
    return owners;
  }
}

/** Position among the rules of all programs, one after the other. */
type RuleNumber = number;

interface NumberedPrefix {
  readonly peer: CidrPeer;
  readonly number: RuleNumber;
}

/** A rule whose ports come to nothing claims nothing. */
function claimant(rank: number, coverage: readonly Coverage[]): Claimant[] {
  return coverage.length === 0 ? [] : [{ rank, coverage }];
}

function ownedRanges({ peer, number }: NumberedPrefix): OwnedRange[] {
  const { prefix, except } = prefixRanges(peer);
  return subtractRanges(prefix, except).map((range) => ({ range, owner: number }));
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
