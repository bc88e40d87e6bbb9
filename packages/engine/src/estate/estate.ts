/**
 * The policy of a whole cluster, for everybody at once, and kept current: a set and an inventory in, the map of every class
 * out, over groups of workloads and not over addresses; afterwards one change in, and what changed by it out, at the cost of
 * the change. As `decide` in one view at one moment: nothing in it is timed, and nothing is asked of requests.
 *
 *   blocks ──► entries, by namespace and label ──┐
 *   workloads ──► groups, by namespace and label ─┴──► classes ──► forms ──► rows
 *
 * What a machine's kernel holds is compiled for that machine (`createCompiler`), with names, deadlines and processes.
 */
import {
  matches,
  type Block,
  type Direction,
  type Inventory,
  type IpAddress,
  type PolicySet,
  type StageId,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";
import { isConditional } from "../bounds.ts";
import type { DecideOptions } from "../judge-stage.ts";
import { selects } from "../matching.ts";
import { readBlock, type BlockEntry } from "./block-entry.ts";
import type { ClusterMap } from "./cluster-map.ts";
import type { ClusterRow } from "./cluster-rows.ts";
import { expand, type ExpandedMap } from "./expand.ts";
import { FormTable } from "./forms.ts";
import { MapMaker } from "./map-maker.ts";
import { FEW, Roster, type Group, type Reseated } from "./roster.ts";
import { append, remove, SelectorIndex } from "./selector-index.ts";

export interface EstateChange {
  /** Who comes, or says something else under the same id. */
  readonly workloads?: readonly Workload[];
  readonly gone?: readonly WorkloadId[];
  /** A block with the same id takes the place of the one before. Absent `after`: it goes; absent `before`: it comes. */
  readonly blocks?: readonly {
    readonly stage: StageId;
    readonly before?: Block;
    readonly after?: Block;
  }[];
}

export interface EstateUpdate {
  /** Everything was made anew: all maps are others, and the lists are empty. */
  readonly isAnew: boolean;
  /** Maps that came, and maps that may say something else of an address than before. */
  readonly maps: readonly ClusterMap[];
  /** Nobody is judged by these any more. */
  readonly gone: readonly ClusterMap[];
  /** Addresses of which other maps judge from now on, or none. */
  readonly subjects: readonly IpAddress[];
}

export interface Estate {
  /** Every map that judges an address. */
  maps(): IterableIterator<ClusterMap>;
  /** Null: nothing asks about it in this direction, and the default allows. */
  mapOf(address: IpAddress, direction: Direction): ClusterMap | null;
  /** In the words of a PolicyMap: by address, only where it says something else than what lies beneath. */
  expand(map: ClusterMap): ExpandedMap;
  row(number: number): ClusterRow;
  readonly rows: number;
  /** An error leaves the estate as nobody should use it any more. */
  update(change: EstateChange): EstateUpdate;
}

/** Numbers are never given back. After this many more than at the start everything is made anew. */
const MOST_NEW_NUMBERS = 500_000;
const DIRECTIONS = ["egress", "ingress"] as const;

/** Throws a RangeError for a set that asks of requests what no map can tell, and for processes: they are a machine's. */
export function createEstate(
  set: PolicySet,
  inventory: Pick<Inventory, "workloads" | "namespaces" | "hostAddresses">,
  options: DecideOptions,
  { mostNewNumbers = MOST_NEW_NUMBERS } = {},
): Estate {
  if (isConditional(set)) throw new RangeError("a rule asks for something above layer 4");
  let books = new Books(set, inventory, options);
  let most = books.given + mostNewNumbers;
  return {
    maps: () => books.maps(),
    mapOf: (address, direction) => books.roster.at(address)?.judges[direction] ?? null,
    expand: (map) => expand(map, books.maker, books.roster, inventory.hostAddresses, set.profile),
    row: (number) => books.forms.rows.at(number),
    get rows() {
      return books.forms.rows.size;
    },
    update(change) {
      const done = books.given > most ? null : books.update(change);
      if (done !== null) return done;
      const { policies, workloads } = books.with(change);
      books = new Books(policies, { ...inventory, workloads }, options);
      most = books.given + mostNewNumbers;
      return { isAnew: true, maps: [], gone: [], subjects: [] };
    },
  };
}

class Books {
  readonly roster: Roster;
  readonly forms: FormTable;
  readonly maker: MapMaker;
  readonly #set: PolicySet;
  readonly #options: DecideOptions;
  readonly #stages: ReadonlyMap<StageId, number>;
  /** Blocks whose subjects may be anywhere. */
  readonly #anywhere = new SelectorIndex<BlockEntry>();
  readonly #formOf = (text: string) => this.forms.number(text);
  readonly #shardOf = (name: string) => this.roster.shard(name);
  readonly #inactive = new Map<string, { readonly stage: number; readonly block: Block }>();
  #entries = 0;
  #groups = 0;

  constructor(
    set: PolicySet,
    inventory: Pick<Inventory, "workloads" | "namespaces">,
    options: DecideOptions,
  ) {
    this.#set = set;
    this.#options = options;
    this.#stages = new Map(set.stages.map(({ id }, at) => [id, at]));
    this.roster = new Roster(inventory, { labelKeys: new Set(), portNames: new Set() });
    this.forms = new FormTable(set);
    this.maker = new MapMaker(this.roster, this.forms);
    for (const [stage, { blocks }] of set.stages.entries()) {
      for (const block of blocks) this.#add(stage, block);
    }
    this.roster.fill(inventory.workloads);
    for (const { groups } of this.roster.shards.values()) {
      for (const group of groups) this.#judge(group);
    }
    for (const group of this.roster.contested) this.#judge(group);
    this.roster.onGroup = (group) => this.#welcome(group);
  }

  get given(): number {
    return this.forms.rows.size + this.#entries + this.#groups;
  }

  *maps(): IterableIterator<ClusterMap> {
    const seen = new Set<ClusterMap>();
    const groups = this.roster.shards.values().flatMap((shard) => shard.groups);
    for (const list of [groups, this.roster.contested]) {
      for (const { members, judges } of list) {
        if (members.length === 0) continue;
        for (const direction of DIRECTIONS) {
          const map = judges[direction];
          if (map === null || seen.has(map)) continue;
          seen.add(map);
          yield map;
        }
      }
    }
  }

  /** Null: what is told apart is no longer the same, so all of it begins anew. */
  update({ workloads = [], gone = [], blocks = [] }: EstateChange): EstateUpdate | null {
    const changed = new Set<ClusterMap>();
    const left = new Set<ClusterMap>();
    const subjects = new Set<IpAddress>();
    const { labelKeys, portNames } = this.roster.words;
    const words = labelKeys.size + portNames.size;
    const affected = new Set<Group>();
    for (const { stage, before, after } of blocks) {
      const at = this.#stages.get(stage);
      if (at === undefined) throw new RangeError(`there is no stage \`${stage}\``);
      if (before !== undefined) this.#remove(before, affected);
      if (after !== undefined) this.#add(at, after, affected);
    }
    if (labelKeys.size + portNames.size > words) return null;
    this.#rejudge(affected, { changed, left, subjects });
    const moved = [
      ...gone.flatMap((id) => this.roster.delete(id)),
      ...workloads.flatMap((workload) => this.roster.set(workload)),
    ];
    for (const one of moved) this.#reseat(one, { changed, left, subjects });
    for (const map of left) changed.delete(map);
    return { isAnew: false, maps: [...changed], gone: [...left], subjects: [...subjects] };
  }

  /** The cluster as it is after this change, whether or not it was taken on already. */
  with({ workloads = [], gone = [], blocks = [] }: EstateChange) {
    const byId = new Map([...this.roster.workloads].map((workload) => [workload.id, workload]));
    for (const id of gone) byId.delete(id);
    for (const workload of workloads) byId.set(workload.id, workload);
    const byStage = this.#set.stages.map(() => new Map<string, Block>());
    for (const { stage, block } of this.#all()) byStage[stage]!.set(block.id, block);
    for (const { stage, before, after } of blocks) {
      const own = byStage[this.#stages.get(stage)!]!;
      if (before !== undefined) own.delete(before.id);
      if (after !== undefined) own.set(after.id, after);
    }
    const stages = this.#set.stages.map((stage, at) => ({
      ...stage,
      blocks: [...byStage[at]!.values()],
    }));
    return { policies: { ...this.#set, stages }, workloads: [...byId.values()] };
  }

  *#all(): Iterable<{ readonly stage: number; readonly block: Block }> {
    for (const { blocks } of this.roster.shards.values()) yield* blocks;
    yield* this.#anywhere;
    yield* this.#inactive.values();
  }

  #add(stage: number, block: Block, affected?: Set<Group>): void {
    const { words } = this.roster;
    const context = { words, shardOf: this.#shardOf, formOf: this.#formOf };
    const entry = readBlock(block, stage, this.#entries++, this.#options, context);
    if (entry === null) {
      this.#inactive.set(block.id, { stage, block });
      return;
    }
    if (entry.shard === null) this.#anywhere.add(selectorOf(block), entry);
    else {
      entry.shard.blocks = append(entry.shard.blocks, entry);
      entry.shard.bySelector?.add(selectorOf(block), entry);
    }
    if (affected !== undefined) for (const group of this.#subjectsOf(entry)) affected.add(group);
  }

  #remove({ id, subject }: Block, affected: Set<Group>): void {
    this.#inactive.delete(id);
    const isNamed = subject.kind === "workloads" && subject.namespaces.kind === "named";
    const shard = isNamed ? this.roster.shard(subject.namespaces.name) : null;
    const among: Iterable<BlockEntry> = shard === null ? this.#anywhere : shard.blocks;
    for (const entry of among) {
      if (entry.block.id !== id) continue;
      for (const { subjects } of entry.maps) for (const group of subjects) affected.add(group);
      if (shard === null) this.#anywhere.delete(selectorOf(entry.block), entry);
      else {
        remove(shard.blocks, entry);
        shard.bySelector?.delete(selectorOf(entry.block), entry);
      }
      return;
    }
  }

  /** Also those of an address that others claim, too. */
  *#subjectsOf({ shard, block }: BlockEntry): Iterable<Group> {
    const shards = shard === null ? this.roster.shards.values() : [shard];
    for (const { groups } of shards) {
      for (const group of groups) {
        if (selects(block.subject, group.workload, group.shard)) yield group;
      }
    }
    for (const group of this.roster.contested) {
      if (
        group.claimants.some(({ workload, shard: own }) => selects(block.subject, workload, own))
      ) {
        yield group;
      }
    }
  }

  #selecting({ shard, workload }: Group): Record<Direction, BlockEntry[]> {
    let own: readonly BlockEntry[] = shard.blocks;
    if (own.length > FEW) {
      if (shard.bySelector === undefined) {
        shard.bySelector = new SelectorIndex();
        for (const entry of own) shard.bySelector.add(selectorOf(entry.block), entry);
      }
      own = shard.bySelector.candidates(workload.labels);
    }
    const found: Record<Direction, BlockEntry[]> = { egress: [], ingress: [] };
    for (const entry of own) {
      const { subject, direction } = entry.block;
      // They are in this very namespace.
      const isMeant = subject.kind === "workloads" && matches(subject.selector, workload.labels);
      if (isMeant) found[direction] = append(found[direction], entry);
    }
    if (this.#anywhere.isEmpty) return found;
    for (const entry of this.#anywhere.candidates(workload.labels)) {
      const { subject, direction } = entry.block;
      if (selects(subject, workload, shard)) found[direction] = append(found[direction], entry);
    }
    return found;
  }

  #judge(group: Group): void {
    const each = group.claimants.map((claimant) => this.#selecting(claimant));
    for (const direction of DIRECTIONS) {
      const selected = each.map((found) => found[direction]);
      const isSilent = selected.every((list) => list.length === 0);
      if (isSilent && this.#set.profile.default === "allow") group.judges[direction] = null;
      else {
        const map = this.maker.take(direction, selected, group);
        map.subjects = append(map.subjects, group);
        group.judges[direction] = map;
      }
    }
  }

  #welcome(group: Group): void {
    this.#groups++;
    this.maker.meet(group);
    this.#judge(group);
  }

  #rejudge(groups: Iterable<Group>, { changed, left, subjects }: Changes): void {
    for (const group of groups) {
      const before = { ...group.judges };
      this.#judge(group);
      for (const direction of DIRECTIONS) {
        const [was, is] = [before[direction], group.judges[direction]];
        if (was !== null) this.#leave(group, was, left);
        if (was === is) continue;
        if (is !== null) changed.add(is);
        for (const address of group.members) subjects.add(address);
      }
    }
  }

  #leave(group: Group, map: ClusterMap, left: Set<ClusterMap>): void {
    remove(map.subjects, group);
    if (map.subjects.length > 0) return;
    this.maker.drop(map);
    left.add(map);
  }

  #reseat({ address, before, after }: Reseated, { changed, left, subjects }: Changes): void {
    if (before === after) return;
    subjects.add(address);
    const isOdd = (group: Group | undefined) =>
      group !== undefined && (group.isContested || group.shard.isReserved);
    if (after?.isContested === true) {
      this.#groups++;
      this.maker.meetContested(after);
      this.#judge(after);
    }
    for (const group of [before, after]) {
      if (group === undefined) continue;
      for (const map of group.named) changed.add(map);
      for (const direction of DIRECTIONS) {
        const map = group.judges[direction];
        if (map !== null && group === after) changed.add(map);
      }
    }
    if (before === undefined || after === undefined || isOdd(before) || isOdd(after)) {
      for (const map of this.maker.uneven) changed.add(map);
    } else for (const map of this.maker.uneven) if (map.reach.prefixes.length > 0) changed.add(map);
    if (before !== undefined && before.isContested && before.members.length === 0) {
      this.maker.forget(before);
      for (const direction of DIRECTIONS) {
        const map = before.judges[direction];
        if (map !== null) this.#leave(before, map, left);
      }
    }
  }
}

interface Changes {
  readonly changed: Set<ClusterMap>;
  readonly left: Set<ClusterMap>;
  readonly subjects: Set<IpAddress>;
}

const EVERYTHING = { requirements: [] };

function selectorOf({ subject }: Block) {
  return subject.kind === "workloads" ? subject.selector : EVERYTHING;
}
