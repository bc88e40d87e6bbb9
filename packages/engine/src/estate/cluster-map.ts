/**
 * The policy of one class of a cluster in one direction: for every group of workloads the row that holds there, as entries
 * where it is another than for the rest of them; a row for the machine, and rows for stretches of the world. A class is
 * whoever the same blocks select.
 */
import type { Direction, IpRange, IpValue } from "@bulkhead/model";
import { GROUP_RANGES, type Rule } from "@bulkhead/model";
import { segmentAt, sweepRanges, type Segment } from "../compile/address-sweep.ts";
import { GROUP, ownedRanges } from "../compile/atom-table.ts";
import { prefixHolds, type CidrPeer } from "../matching.ts";
import type { Place } from "../inventory-index.ts";
import type { BlockEntry } from "./block-entry.ts";
import type { Claim, Form, FormTable } from "./forms.ts";
import type { Group } from "./roster.ts";

export interface ClusterSegment extends IpRange {
  readonly row: number;
}

/** Never written to: see `append`. */
const NOBODY: Group[] = [];
const NO_ROWS: number[] = [];

/** Ranks of every program of a form, one after the other: what is noted of a group is one number a rule. */
const RANKS = 2 ** 20;
export const noteOf = (part: number, rank: number): number => part * RANKS + rank;

interface PrefixRule {
  readonly peer: CidrPeer;
  readonly note: number;
}

/** What the rules of a class hold besides groups that a selector names. Notes, ascending. */
export interface Reach {
  /** Whatever the address. */
  readonly always: number[];
  /** Whatever workload it is. */
  readonly everyone: number[];
  readonly worldly: number[];
  readonly host: number[];
  readonly prefixes: PrefixRule[];
}

export class ClusterMap {
  readonly direction: Direction;
  /** In the order in which stages look at them. */
  readonly entries: readonly BlockEntry[];
  readonly form: Form;
  /** Whom it judges. */
  subjects: Group[] = [];
  /** Groups at which another row than `known` holds, and that row. */
  hits: Group[] = NOBODY;
  rows: number[] = NO_ROWS;
  /** Numbers of rows: of all other workloads, of the machine, and of the world where no stretch says otherwise. */
  readonly known: number;
  readonly host: number;
  readonly elsewhere: number;
  /** Sorted, disjoint. */
  readonly world: readonly ClusterSegment[];
  readonly reach: Reach;
  readonly #forms: FormTable;

  constructor(
    direction: Direction,
    entries: readonly BlockEntry[],
    form: Form,
    reach: Reach,
    forms: FormTable,
  ) {
    this.direction = direction;
    this.entries = entries;
    this.form = form;
    this.reach = reach;
    this.#forms = forms;
    const { always, everyone, worldly, host, prefixes } = reach;
    this.elsewhere = this.#rowOf([{ ranks: this.#ranks(merge(always, worldly)) }]);
    this.known =
      everyone.length + worldly.length === 0
        ? this.elsewhere
        : this.#rowOf([{ ranks: this.#ranks(merge(always, everyone)) }]);
    this.host =
      host.length + worldly.length === 0
        ? this.elsewhere
        : this.#rowOf([{ ranks: this.#ranks(merge(always, host)) }]);
    this.world = prefixes.length + worldly.length === 0 ? NOWHERE : this.#segments();
  }

  /** Does it say of the world, or of prefixes, what it does not say of workloads? Then a new address may need an entry anywhere. */
  get isUneven(): boolean {
    return this.world.length > 0 || this.known !== this.elsewhere;
  }

  /** The rule with this rank. */
  rule(part: number, rank: number): Rule {
    const { entryOf, ruleOf } = this.form.programs[part]!;
    return this.entries[entryOf[rank]!]!.rules[ruleOf[rank]!]!;
  }

  /** The row where the rules noted of each claimant hold; `known` ones come to it. */
  rowAt(
    group: Group,
    notedOf: (claimant: Group) => readonly number[],
    prefixes: readonly number[] = NONE,
  ): number {
    const { always, everyone } = this.reach;
    const claims = group.claimants.map((claimant): Claim => {
      const reserved = claimant.shard.isReserved;
      const common = reserved ? always : merge(always, everyone);
      const named = merge(common, notedOf(claimant));
      const byPrefix = prefixes.filter((note) => !named.includes(note));
      return {
        ranks: this.#ranks(merge(named, byPrefix)),
        group: claimant,
        ...(byPrefix.length === 0 ? {} : { byPrefix: this.#ranks(byPrefix) }),
      };
    });
    return this.#rowOf(claims);
  }

  hostRow(place: IpValue): number {
    const inside = this.prefixesAt(place);
    if (inside.length === 0) return this.host;
    const { always, host } = this.reach;
    return this.#rowOf([{ ranks: this.#ranks(merge(merge(always, host), inside)) }]);
  }

  /** The row of the world there. */
  beneath(place: IpValue): number {
    return this.world.length === 0
      ? this.elsewhere
      : (segmentAt(this.world, place)?.row ?? this.elsewhere);
  }

  /** Notes of rules that hold a known address by its prefix. */
  prefixesAt(place: IpValue): readonly number[] {
    const { prefixes } = this.reach;
    if (prefixes.length === 0) return NONE;
    const found = prefixes.flatMap(({ peer, note }) =>
      peer.matchesWorkloads && prefixHolds(peer, place as Place) ? [note] : [],
    );
    return merge(found, NONE);
  }

  #rowOf(claims: readonly Claim[]): number {
    return this.#forms.rows.intern(this.#forms.row(this.form, claims), this.entries);
  }

  #ranks(notes: readonly number[]): readonly (readonly number[])[] {
    const { programs } = this.form;
    if (programs.length === 1) return [notes];
    return programs.map((_, part) =>
      notes.flatMap((note) => (Math.floor(note / RANKS) === part ? [note % RANKS] : [])),
    );
  }

  #segments(): ClusterSegment[] {
    const { always, worldly, prefixes } = this.reach;
    const groups =
      worldly.length === 0 ? [] : GROUP_RANGES.map((range) => ({ range, owner: GROUP }));
    const owned = prefixes.flatMap(({ peer, note }) => ownedRanges(peer, note));
    return sweepRanges([...owned, ...groups]).map(({ owners, ...range }: Segment) => {
      const inGroup = owners.includes(GROUP);
      const own = inGroup ? owners.filter((owner) => owner !== GROUP) : owners;
      const common = inGroup ? always : merge(always, worldly);
      return { ...range, row: this.#rowOf([{ ranks: this.#ranks(merge(common, own)) }]) };
    });
  }
}

const NONE: readonly number[] = [];
const NOWHERE: readonly ClusterSegment[] = [];

/** Ascending, each once. */
export function merge(a: readonly number[], b: readonly number[]): readonly number[] {
  if (b.length === 0 && isAscending(a)) return a;
  if (a.length === 0 && isAscending(b)) return b;
  return [...new Set([...a, ...b])].toSorted((one, other) => one - other);
}

function isAscending(list: readonly number[]): boolean {
  for (let i = 1; i < list.length; i++) if (list[i - 1]! >= list[i]!) return false;
  return true;
}
