/**
 * One class in one direction, compiled: for every atom and every stretch of the world's addresses the row that holds
 * there. An address belongs to one atom and an atom to one row, so nothing about precedence is left to look up. Rows are
 * found when they are first asked for, and kept by the rules that hold: atoms that these rules treat alike share one.
 */
import { GROUP_RANGES, type Direction, type Peer } from "@bulkhead/model";
import { sweepRanges, type Segment } from "./address-sweep.ts";
import { GROUP, ownedRanges, type Atom } from "./atom-table.ts";
import type { Coverage, Program, ProgramRule } from "./class-program.ts";
import type { DecisionTable } from "./decision-table.ts";
import type { Identity, OwnerPeer } from "./identity-table.ts";
import type { Interned, PeerTable } from "./peer-table.ts";
import type { RowTable } from "./row-table.ts";
import {
  timedRow,
  type Claimant,
  type Reading,
  type ReadingPorts,
  type TimedRow,
} from "./timed-row.ts";

export interface ClassContext {
  readonly peers: PeerTable;
  readonly now: number;
  readonly decisions: DecisionTable;
  readonly rows: RowTable;
}

export interface WorldSegment extends Omit<Segment, "owners"> {
  readonly row: TimedRow;
}

/** Position among the rules of all programs, one after the other. */
type RuleNumber = number;

export class ClassMap {
  /** World addresses that a prefix covers; disjoint, sorted. */
  readonly world: readonly WorldSegment[];
  /** All other world addresses. */
  readonly elsewhere: TimedRow;
  /** One policy; several only where several workloads claim the subject's address. */
  readonly #programs: readonly Program[];
  readonly #direction: Direction;
  readonly #context: ClassContext;
  /** By rule: the peers that ask who owns the address. */
  readonly #owners: readonly (readonly Interned<OwnerPeer>[])[];
  /** Rules that hold whatever address nobody owns, and those that hold them but for broadcast and multicast. */
  readonly #always: readonly RuleNumber[];
  readonly #worldly: readonly RuleNumber[];
  /** By prefix: the rules that hold the world's addresses in it, and those that hold known ones, too. */
  readonly #inPrefix = new Map<
    number,
    { readonly world: RuleNumber[]; readonly known: RuleNumber[] }
  >();
  readonly #rowsByText = new Map<string, TimedRow>();
  readonly #ofAtom: (TimedRow | undefined)[] = [];
  /** By the identity of a process. */
  readonly #apart = new WeakMap<Identity, boolean>();
  readonly #beneath: (TimedRow | undefined)[] = [];
  #disagrees = false;

  constructor(programs: readonly Program[], context: ClassContext) {
    this.#programs = programs;
    this.#direction = programs[0]!.direction;
    this.#context = context;
    const rules = programs.flatMap((program) => program.rules);
    this.#owners = rules.map(({ rule }) =>
      rule.peers.flatMap((peer) => (peer.kind === "cidr" ? [] : [context.peers.intern(peer)])),
    );
    const numbersWhere = (holds: (peer: Peer) => boolean): RuleNumber[] =>
      rules.flatMap(({ rule }, number) => (rule.peers.some(holds) ? [number] : []));
    this.#always = numbersWhere(({ kind }) => kind === "any");
    this.#worldly = numbersWhere((peer) => peer.kind === "entity" && peer.entity === "world");
    this.elsewhere = this.#worldRow([]);
    const prefixes = rules.flatMap(({ rule }, number) =>
      rule.peers.flatMap((peer) => (peer.kind === "cidr" ? [{ peer, number }] : [])),
    );
    for (const { peer, number } of prefixes) {
      const prefix = context.peers.intern(peer).number;
      let held = this.#inPrefix.get(prefix);
      if (held === undefined) this.#inPrefix.set(prefix, (held = { world: [], known: [] }));
      held.world.push(number);
      if (peer.matchesWorkloads) held.known.push(number);
    }
    const groups =
      this.#worldly.length === 0 ? [] : GROUP_RANGES.map((range) => ({ range, owner: GROUP }));
    this.world = sweepRanges([
      ...prefixes.flatMap(({ peer, number }) => ownedRanges(peer, number)),
      ...groups,
    ]).map(({ owners, ...range }): WorldSegment => {
      const inGroup = owners.includes(GROUP);
      const numbers = inGroup ? owners.filter((owner) => owner !== GROUP) : owners;
      return { ...range, row: this.#worldRow(numbers, inGroup) };
    });
  }

  /** The row for the atom's addresses. */
  rowOf(atom: Atom): TimedRow {
    return (this.#ofAtom[atom.number] ??= this.#knownRow(atom));
  }

  /** Has any row been found in which rules of one priority disagree? */
  get disagrees(): boolean {
    return this.#disagrees;
  }

  /** The row that would hold at the atom's addresses if they were the world's. */
  beneath(atom: Atom): TimedRow {
    if (atom.prefixes.length === 0) return this.elsewhere;
    return (this.#beneath[atom.number] ??= this.#worldRow(
      this.#inPrefixes(atom, "world"),
      atom.prefixes.includes(GROUP),
    ));
  }

  #inPrefixes({ prefixes }: Pick<Atom, "prefixes">, whose: "world" | "known"): RuleNumber[] {
    if (this.#inPrefix.size === 0) return [];
    return ascending(prefixes.flatMap((prefix) => this.#inPrefix.get(prefix)?.[whose] ?? []));
  }

  /** The row for whoever speaks from any of these addresses, with the identity that it has there. */
  rowFrom(met: readonly Pick<Atom, "identities" | "prefixes">[]): TimedRow {
    const readings = met.flatMap((atom) => {
      const byPrefix = this.#inPrefixes(atom, "known");
      return atom.identities.map((identity) => ({ identity, byPrefix }));
    });
    return this.#row((program, offset) =>
      readings.map(({ identity, byPrefix }) => ({
        claimants: this.#claimants(program, offset, identity, byPrefix),
      })),
    );
  }

  /** Does any rule hold one of them at an address where it does not hold the other? `host` is the same whenever this is asked. */
  tellsApart(process: Identity, host: Identity): boolean {
    let apart = this.#apart.get(process);
    if (apart === undefined) {
      const rules = this.#programs.flatMap((program) => program.rules);
      apart = rules.some(({ named }, number) => {
        const [one, other] = [process, host].map((identity) =>
          this.#owners[number]!.some((peer) => identity.hit(peer)),
        );
        return one !== other || (one === true && named.length > 0);
      });
      this.#apart.set(process, apart);
    }
    return apart;
  }

  #knownRow(atom: Atom): TimedRow {
    const byPrefix = this.#inPrefixes(atom, "known");
    const [own] = atom.identities;
    const owned =
      this.#direction === "ingress"
        ? []
        : atom.sockets.filter(({ identities }) =>
            identities.some((one) => this.tellsApart(one, own!)),
          );
    return this.#row((program, offset) => {
      const claimants = (identity: Identity) =>
        this.#claimants(program, offset, identity, byPrefix);
      if (owned.length === 0) return atom.identities.map((one) => ({ claimants: claimants(one) }));
      const but = { kind: "but", ports: owned.flatMap(({ ports }) => ports) } as const;
      return [
        ...atom.identities.map((one) => ({ claimants: claimants(one), ports: but })),
        ...owned.flatMap(({ identities, ports }) => {
          const only = { kind: "only", ports, isContested: identities.length > 1 } as const;
          return identities.map((one) => ({ claimants: claimants(one), ports: only }));
        }),
      ];
    });
  }

  #claimants(
    { rules }: Program,
    offset: RuleNumber,
    identity: Identity,
    byPrefix: readonly RuleNumber[],
  ): Claimant[] {
    const inPrefix = new Set(byPrefix);
    return rules.flatMap(({ coverage, named }, rank) => {
      const number = offset + rank;
      // Only where a selector chose the address do names mean something on it (SEMANTICS trap 4).
      if (this.#owners[number]!.some((peer) => identity.hit(peer))) {
        const ports = named.length > 0 ? [...coverage, ...resolve(named, identity)] : coverage;
        return claimant(rank, ports);
      }
      return inPrefix.has(number) ? claimant(rank, coverage) : [];
    });
  }

  /** Nobody owns a world address, so no name means anything there. */
  #worldRow(inPrefix: readonly RuleNumber[], inGroup = false): TimedRow {
    const worldly = inGroup ? [] : this.#worldly;
    const numbers = ascending([...this.#always, ...worldly, ...inPrefix]);
    return this.#row(({ rules }, offset) => [
      {
        claimants: numbers.flatMap((number) => {
          const rule = rules[number - offset];
          return rule === undefined ? [] : claimant(number - offset, rule.coverage);
        }),
      },
    ]);
  }

  #row(read: (program: Program, offset: RuleNumber) => Omit<Reading, "program">[]): TimedRow {
    let offset = 0;
    const readings = new Map<string, Reading>();
    for (const [number, program] of this.#programs.entries()) {
      for (const reading of read(program, offset)) {
        let text = `${number}:`;
        for (const { rank, coverage } of reading.claimants) {
          text += `${rank},`;
          if (coverage !== program.rules[rank]!.coverage) text += JSON.stringify(coverage);
        }
        const { ports } = reading;
        // Claimants are all that a reading says: those that say the same are one, unless their order among others counts.
        if (ports !== undefined) text += ports.isContested ? portsText(ports) : ports.kind;
        const same = readings.get(text);
        if (same === undefined) readings.set(text, { program, ...reading });
        else if (same.ports !== undefined && ports !== undefined) {
          const all = [...same.ports.ports, ...ports.ports];
          readings.set(text, { ...same, ports: { ...ports, ports: all } });
        }
      }
      offset += program.rules.length;
    }
    const all = [...readings];
    const text = all.map(([said, { ports }]) => said + (ports ? portsText(ports) : "")).join("|");
    let row = this.#rowsByText.get(text);
    if (row === undefined) {
      const { now, decisions, rows } = this.#context;
      row = timedRow([...readings.values()], now, decisions, rows);
      this.#disagrees ||= row.conflicts.length > 0;
      this.#rowsByText.set(text, row);
    }
    return row;
  }
}

function portsText({ kind, ports }: ReadingPorts): string {
  return `${kind} ${ports.map(({ protocol, port }) => `${protocol}/${port}`).join()}`;
}

function resolve(named: ProgramRule["named"], identity: Identity): Coverage[] {
  return named.flatMap(({ name, protocol }) =>
    identity.resolve(name, protocol).map((port) => ({ protocol, first: port, last: port })),
  );
}

/** A rule whose ports come to nothing claims nothing. */
function claimant(rank: number, coverage: readonly Coverage[]): Claimant[] {
  return coverage.length === 0 ? [] : [{ rank, coverage }];
}

/** Each once. */
function ascending(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].toSorted((a, b) => a - b);
}
