/**
 * Makes the maps of classes: which groups the rules of a class hold is asked of the namespace that a rule names, or of an
 * index of all groups, and never of everybody in turn.
 */
import { matches, type Direction, type Rule } from "@bulkhead/model";
import { selects, type WorkloadPeer } from "../matching.ts";
import { compareBlocks } from "../strictness.ts";
import type { BlockEntry } from "./block-entry.ts";
import { ClusterMap, noteOf, type Reach } from "./cluster-map.ts";
import type { FormTable, Part } from "./forms.ts";
import { FEW, type Group, type Roster } from "./roster.ts";
import { append, LabelIndex, remove, SelectorIndex } from "./selector-index.ts";

export class MapMaker {
  readonly #roster: Roster;
  readonly #forms: FormTable;
  /** Maps with peers in more namespaces than one, by what they select. */
  readonly #watching = new SelectorIndex<ClusterMap>();
  /** Maps in which a new address may need an entry whoever it is. */
  readonly uneven = new Set<ClusterMap>();
  /** Maps that hold everybody, or resolve names on them: there are some who are not like the rest. */
  readonly #general = new Set<ClusterMap>();
  /** Where no block selects anybody. */
  readonly #silent: ClusterMap[] = [];
  #everybody: LabelIndex<Group> | undefined;
  #round = 0;

  constructor(roster: Roster, forms: FormTable) {
    this.#roster = roster;
    this.#forms = forms;
  }

  /** The map of those whom these blocks select; one list for each of the claimants. */
  take(direction: Direction, selected: readonly BlockEntry[][], group: Group): ClusterMap {
    const entries = sorted(selected.length === 1 ? selected[0]! : [...new Set(selected.flat())]);
    const parts = selected.map((own, at): Part => ({
      entries: selected.length === 1 ? upTo(entries.length) : positions(own, entries),
      subject: group.claimants[at]!,
    }));
    const form = this.#forms.of(direction, entries, parts);
    const kept = shortest(entries)?.maps ?? this.#silent;
    for (const map of kept) {
      if (map.form.text === form.text && isSameList(map.entries, entries)) return map;
    }
    const map = this.#make(direction, entries, form);
    for (const entry of entries) entry.maps = append(entry.maps, map);
    if (entries.length === 0) this.#silent.push(map);
    return map;
  }

  /** Nobody is judged by it any more. */
  drop(map: ClusterMap): void {
    for (const { maps } of map.entries) remove(maps, map);
    remove(this.#silent, map);
    for (const group of map.hits) remove(group.named, map);
    this.uneven.delete(map);
    this.#general.delete(map);
    eachPeer(map, ({ namespaces, selector }) => {
      if (namespaces.kind !== "named") this.#watching.delete(selector, map);
      else remove(this.#roster.shard(namespaces.name).watching, map);
    });
  }

  /** Somebody whom no map has met yet. */
  meet(group: Group): void {
    const { shard, workload } = group;
    this.#everybody?.add(workload.labels, group);
    const isOdd = shard.isReserved || workload.namedPorts.length > 0;
    const watching = new Set([
      ...shard.watching,
      ...this.#watching.candidates(workload.labels),
      ...(isOdd ? this.#general : []),
    ]);
    for (const map of watching) this.#enter(map, group);
  }

  /** An address of these claimants together. */
  meetContested(group: Group): void {
    for (const map of this.#concernedBy(group)) this.#enter(map, group);
  }

  /** Nobody is in it any more, nor ever will be. */
  forget(group: Group): void {
    for (const map of group.named) {
      const at = map.hits.indexOf(group);
      map.hits.splice(at, 1);
      map.rows.splice(at, 1);
    }
  }

  #concernedBy(group: Group): Set<ClusterMap> {
    return new Set(group.claimants.flatMap(({ named }) => named));
  }

  /** Notes of the rules that select the group. */
  notesOf(map: ClusterMap, group: Group): number[] {
    const notes: number[] = [];
    for (const [part, { ruleOf }] of map.form.programs.entries()) {
      for (let rank = 0; rank < ruleOf.length; rank++) {
        const holds = map
          .rule(part, rank)
          .peers.some(
            (peer) => peer.kind === "workloads" && selects(peer, group.workload, group.shard),
          );
        if (holds) notes.push(noteOf(part, rank));
      }
    }
    return notes;
  }

  rowOf(map: ClusterMap, group: Group, prefixes?: readonly number[]): number {
    return map.rowAt(group, (claimant) => this.notesOf(map, claimant), prefixes);
  }

  #enter(map: ClusterMap, group: Group): void {
    hit(map, group, this.rowOf(map, group));
  }

  #make(
    direction: Direction,
    entries: readonly BlockEntry[],
    form: ClusterMap["form"],
  ): ClusterMap {
    const round = ++this.#round;
    const reach = new Reaching();
    const met: Group[] = [];
    for (let part = 0; part < form.programs.length; part++) {
      const { entryOf, ruleOf } = form.programs[part]!;
      for (let rank = 0; rank < ruleOf.length; rank++) {
        const { peers } = entries[entryOf[rank]!]!.rules[ruleOf[rank]!]!;
        const note = noteOf(part, rank);
        for (const peer of peers) {
          if (peer.kind !== "workloads") reachBy(peer, note, reach.open());
          else if (isEverybody(peer)) push(reach.open().everyone, note);
          else {
            for (const group of this.#held(peer)) {
              if (group.round !== round) {
                group.round = round;
                group.noted = [note];
                met.push(group);
              } else if (group.noted!.at(-1) !== note) group.noted!.push(note);
            }
          }
        }
      }
    }
    const map = new ClusterMap(direction, entries, form, reach.found, this.#forms);
    const notedOf = (group: Group) => (group.round === round ? group.noted! : NONE);
    for (const group of met) hit(map, group, map.rowAt(group, notedOf));
    this.#meetOdd(map, notedOf, round);
    for (const group of met) group.noted = undefined;
    eachPeer(map, (peer) => this.#watch(map, peer));
    if (map.isUneven) this.uneven.add(map);
    if (map.reach.everyone.length > 0 || form.hasNames) this.#general.add(map);
    return map;
  }

  /** Those whose rows no single selector tells. */
  #meetOdd(map: ClusterMap, notedOf: (group: Group) => readonly number[], round: number): void {
    const { always, everyone } = map.reach;
    if (everyone.length > 0 || map.form.hasNames) {
      for (const { groups } of this.#roster.reserved) {
        for (const group of groups) {
          if (group.round !== round) hit(map, group, map.rowAt(group, notedOf));
        }
      }
    }
    if (map.form.hasNames && always.length + everyone.length > 0) {
      for (const { groups } of this.#roster.shards.values()) {
        for (const group of groups) {
          const isMet = group.round === round || group.shard.isReserved;
          if (!isMet && group.workload.namedPorts.length > 0) {
            hit(map, group, map.rowAt(group, notedOf));
          }
        }
      }
    }
    for (const group of this.#roster.contested) hit(map, group, map.rowAt(group, notedOf));
  }

  #watch(map: ClusterMap, { namespaces, selector }: WorkloadPeer): void {
    if (namespaces.kind !== "named") this.#watching.add(selector, map);
    else {
      const shard = this.#roster.shard(namespaces.name);
      const { watching } = shard;
      if (watching.at(-1) !== map) shard.watching = append(watching, map);
    }
  }

  #held({ namespaces, selector, ...peer }: WorkloadPeer): Group[] {
    if (namespaces.kind !== "named") {
      return this.#all()
        .candidates(selector)
        .filter((group) => selects({ ...peer, namespaces, selector }, group.workload, group.shard));
    }
    const shard = this.#roster.shard(namespaces.name);
    let among: readonly Group[] = shard.groups;
    if (among.length > FEW) {
      shard.byLabel ??= indexed(among);
      among = shard.byLabel.candidates(selector);
    }
    return among.filter(({ workload }) => matches(selector, workload.labels));
  }

  #all(): LabelIndex<Group> {
    this.#everybody ??= indexed(this.#roster.shards.values().flatMap(({ groups }) => groups));
    return this.#everybody;
  }
}

const NONE: readonly number[] = [];

/** Most classes name whom they mean, and all that reach nobody else reach so in the same way. */
class Reaching {
  found: Reach = NOBODY_ELSE;

  open(): Reach {
    if (this.found === NOBODY_ELSE) {
      this.found = { always: [], everyone: [], worldly: [], host: [], prefixes: [] };
    }
    return this.found;
  }
}

const NOBODY_ELSE: Reach = { always: [], everyone: [], worldly: [], host: [], prefixes: [] };

/** Whether an entry is needed depends on who else is there: nobody who is like the rest has one. */
function hit(map: ClusterMap, group: Group, row: number): void {
  if (row === map.known) return;
  map.hits = append(map.hits, group);
  map.rows = append(map.rows, row);
  group.named = append(group.named, map);
}

function reachBy(peer: Exclude<Rule["peers"][number], WorkloadPeer>, note: number, reach: Reach) {
  switch (peer.kind) {
    case "any":
      push(reach.always, note);
      break;
    case "entity":
      push(peer.entity === "host" ? reach.host : reach.worldly, note);
      break;
    case "cidr":
      reach.prefixes.push({ peer, note });
      break;
    // Only flows tell names.
    case "domain":
  }
}

function push(notes: number[], note: number): void {
  if (notes.at(-1) !== note) notes.push(note);
}

function isEverybody({ namespaces, selector }: WorkloadPeer): boolean {
  return namespaces.kind === "all" && selector.requirements.length === 0;
}

/** Those that name somebody. */
function eachPeer({ entries }: ClusterMap, what: (peer: WorkloadPeer) => void): void {
  for (const { rules } of entries) {
    for (const { peers } of rules) {
      for (const peer of peers) if (peer.kind === "workloads" && !isEverybody(peer)) what(peer);
    }
  }
}

function indexed(groups: Iterable<Group>): LabelIndex<Group> {
  const index = new LabelIndex<Group>();
  for (const group of groups) index.add(group.workload.labels, group);
  return index;
}

function sorted(entries: readonly BlockEntry[]): readonly BlockEntry[] {
  if (entries.length < 2) return entries;
  return entries.toSorted((a, b) => a.stage - b.stage || compareBlocks(a.block, b.block));
}

/** One after the other from 0 on. */
const counted: number[][] = [];
function upTo(length: number): readonly number[] {
  return (counted[length] ??= Array.from({ length }, (_, at) => at));
}

function positions(own: readonly BlockEntry[], entries: readonly BlockEntry[]): number[] {
  const at = new Map(entries.map((entry, position) => [entry, position]));
  return own.map((entry) => at.get(entry)!).toSorted((a, b) => a - b);
}

function shortest(entries: readonly BlockEntry[]): BlockEntry | undefined {
  let least = entries[0];
  for (const entry of entries) if (entry.maps.length < least!.maps.length) least = entry;
  return least;
}

function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
