/**
 * Who is there: workloads by namespace, those that no selector tells apart in one group, and the addresses of each group.
 * A workload that is labelled otherwise moves to another group; a group never changes what it is, only whom it holds.
 */
import {
  isReservedNamespace,
  parseIp,
  type Direction,
  type Inventory,
  type IpAddress,
  type Labels,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";
import { isProcess, NAMESPACE_NAME_LABEL } from "../inventory-index.ts";
import { compare } from "../order.ts";
import { isLoopback } from "../socket-owners.ts";
import type { BlockEntry } from "./block-entry.ts";
import type { ClusterMap } from "./cluster-map.ts";
import { append, remove, type LabelIndex, type SelectorIndex } from "./selector-index.ts";

/** Workloads that policies treat alike, wherever they have their addresses. */
export class Group {
  readonly shard: Shard;
  /** What selectors and rules may look at of it, as text. */
  readonly text: string;
  /** One of them; its labels and ports stand for all. */
  readonly workload: Workload;
  readonly #claimants: readonly Group[] | undefined;
  members: IpAddress[] = [];
  readonly judges: Record<Direction, ClusterMap | null> = { egress: null, ingress: null };
  /** Maps that say something of its own about it. */
  named: ClusterMap[] = [];
  /** For whoever goes through groups: seen in which round, and what was noted of it then. */
  round = 0;
  noted: number[] | undefined;

  constructor(shard: Shard, text: string, workload: Workload, claimants?: readonly Group[]) {
    this.shard = shard;
    this.text = text;
    this.workload = workload;
    this.#claimants = claimants;
  }

  /** Groups of an address that several claim; almost always it claims alone what it has. */
  get claimants(): readonly Group[] {
    return this.#claimants ?? [this];
  }

  get isContested(): boolean {
    return this.#claimants !== undefined;
  }
}

/** One namespace. */
export class Shard {
  readonly name: string;
  /** It is found by its name only, and never as one of all. */
  readonly isReserved: boolean;
  groups: Group[] = [];
  /** Blocks whose subjects are in this namespace by name. */
  blocks: BlockEntry[] = [];
  /** Maps with peers in this namespace by name. */
  watching: ClusterMap[] = [];
  /** The same, for the search among many; made when it is needed. */
  byText: Map<string, Group> | undefined;
  byLabel: LabelIndex<Group> | undefined;
  bySelector: SelectorIndex<BlockEntry> | undefined;

  readonly #given: Labels | undefined;
  #labels: Labels | undefined;

  constructor(name: string, labels: Labels | undefined) {
    this.name = name;
    this.#given = labels;
    this.isReserved = isReservedNamespace(name);
  }

  /** Few are ever asked. */
  namespaceLabels(): Labels {
    this.#labels ??= { ...this.#given, [NAMESPACE_NAME_LABEL]: this.name };
    return this.#labels;
  }
}

/** What selectors and rules look at. Nobody is told apart by anything else. */
export interface Words {
  readonly labelKeys: Set<string>;
  readonly portNames: Set<string>;
}

/** So few are gone through one after another. */
export const FEW = 16;

/** Who had an address, and who has it; undefined: nobody. */
export interface Reseated {
  readonly address: IpAddress;
  readonly before: Group | undefined;
  readonly after: Group | undefined;
}

export class Roster {
  readonly words: Words;
  readonly shards = new Map<string, Shard>();
  readonly reserved: Shard[] = [];
  #last: Shard | undefined;
  readonly #namespaces: ReadonlyMap<string, Labels>;
  readonly #workloads = new Map<WorkloadId, Workload>();
  /** Several, by id, where an address is contested. */
  readonly #claims = new Map<IpAddress, Workload | readonly Workload[]>();
  readonly #contested = new Map<IpAddress, Group>();
  /** Called for each new group, before anybody is in it. */
  onGroup: (group: Group) => void = () => undefined;

  constructor({ namespaces }: Pick<Inventory, "namespaces">, words: Words) {
    this.words = words;
    this.#namespaces = new Map(namespaces.map(({ name, labels }) => [name, labels]));
  }

  shard(name: string): Shard {
    // Whoever goes through a cluster mostly asks for one namespace many times.
    if (this.#last?.name === name) return this.#last;
    let shard = this.shards.get(name);
    if (shard === undefined) {
      shard = new Shard(name, this.#namespaces.get(name));
      this.shards.set(name, shard);
      if (shard.isReserved) this.reserved.push(shard);
    }
    this.#last = shard;
    return shard;
  }

  get addresses(): IterableIterator<IpAddress> {
    return this.#claims.keys();
  }

  /** Undefined: no workload owns it. */
  at(address: IpAddress): Group | undefined {
    const claim = this.#claims.get(address);
    if (claim === undefined) return undefined;
    return isSeveral(claim) ? this.#contested.get(address) : this.groupOf(claim);
  }

  /** A workload comes, or says something else. Of several with one id the first counts, as everywhere. */
  set(workload: Workload): Reseated[] {
    const before = this.#workloads.get(workload.id);
    const left = before === undefined ? [] : this.#leave(before);
    if (workload.hostNetwork) this.#workloads.delete(workload.id);
    else {
      if (isProcess(workload)) throw new RangeError("processes are a machine's, not a cluster's");
      this.#workloads.set(workload.id, workload);
    }
    return merge(left, workload.hostNetwork ? [] : this.#join(workload));
  }

  delete(id: WorkloadId): Reseated[] {
    const workload = this.#workloads.get(id);
    if (workload === undefined) return [];
    this.#workloads.delete(id);
    return this.#leave(workload);
  }

  /** As many `set`, from nothing; nobody asks what became of whom. */
  fill(workloads: readonly Workload[]): void {
    for (const workload of workloads) {
      if (workload.hostNetwork || this.#workloads.has(workload.id)) continue;
      this.#workloads.set(workload.id, workload);
      if (isProcess(workload)) throw new RangeError("processes are a machine's, not a cluster's");
      for (const address of workload.addresses) this.#claim(address, workload);
    }
  }

  groupOf(workload: Workload): Group {
    const shard = this.shard(workload.namespace);
    const text = this.#textOf(workload);
    const { groups } = shard;
    if (groups.length <= FEW) {
      for (const group of groups) if (group.text === text) return group;
    } else {
      shard.byText ??= new Map(groups.map((group) => [group.text, group]));
      const known = shard.byText.get(text);
      if (known !== undefined) return known;
    }
    const group = new Group(shard, text, workload);
    shard.groups = append(groups, group);
    shard.byText?.set(text, group);
    shard.byLabel?.add(workload.labels, group);
    this.onGroup(group);
    return group;
  }

  #textOf({ labels, namedPorts }: Workload): string {
    const { labelKeys, portNames } = this.words;
    let text = "";
    let count = 0;
    for (const key in labels) {
      if (!labelKeys.has(key)) continue;
      text += labelText(key, labels[key]!);
      count++;
    }
    if (count > 1) {
      const keys = Object.keys(labels).filter((key) => labelKeys.has(key));
      text = keys
        .toSorted()
        .map((key) => labelText(key, labels[key]!))
        .join("");
    }
    for (const { name, protocol, port } of namedPorts) {
      if (portNames.has(name)) text += `#${name.length}:${name}/${protocol}/${port}`;
    }
    return text;
  }

  #join(workload: Workload): Reseated[] {
    return [...new Set(workload.addresses)].map((address) => {
      const before = this.at(address);
      this.#claim(address, workload);
      return { address, before, after: this.at(address) };
    });
  }

  #claim(address: IpAddress, workload: Workload): void {
    const claim = this.#claims.get(address);
    if (claim === workload) return;
    if (claim === undefined) {
      if (isLoopbackText(address)) return;
      this.#claims.set(address, workload);
      seatIn(this.groupOf(workload), address);
      return;
    }
    const others = isSeveral(claim) ? claim : [claim];
    if (others.includes(workload)) return;
    this.#settle(address, [...others, workload]);
  }

  #leave(workload: Workload): Reseated[] {
    return [...new Set(workload.addresses)].flatMap((address) => {
      const claim = this.#claims.get(address);
      if (claim === undefined) return [];
      const before = this.at(address);
      this.#settle(
        address,
        (isSeveral(claim) ? claim : [claim]).filter((other) => other !== workload),
      );
      return [{ address, before, after: this.at(address) }];
    });
  }

  /** From now on the address is these workloads'. */
  #settle(address: IpAddress, claimants: readonly Workload[]): void {
    const before = this.at(address);
    if (before !== undefined) remove(before.members, address);
    this.#contested.delete(address);
    if (claimants.length === 0) {
      this.#claims.delete(address);
      return;
    }
    const [first, ...others] = claimants.toSorted((a, b) => compare(a.id, b.id));
    if (others.length === 0) {
      this.#claims.set(address, first!);
      seatIn(this.groupOf(first!), address);
      return;
    }
    this.#claims.set(address, [first!, ...others]);
    const groups = [...new Set([first!, ...others].map((one) => this.groupOf(one)))];
    const [own] = groups;
    const group = new Group(own!.shard, own!.text, own!.workload, groups);
    seatIn(group, address);
    this.#contested.set(address, group);
  }

  /** Groups of one address each. */
  get contested(): IterableIterator<Group> {
    return this.#contested.values();
  }

  get workloads(): IterableIterator<Workload> {
    return this.#workloads.values();
  }
}

function seatIn(group: Group, address: IpAddress): void {
  group.members = append(group.members, address);
}

function isSeveral(claim: Workload | readonly Workload[]): claim is readonly Workload[] {
  return Array.isArray(claim);
}

function labelText(key: string, value: string): string {
  return `${key.length}:${key}=${value.length}:${value}`;
}

/** Most addresses need no reading to be known for others. */
function isLoopbackText(address: IpAddress): boolean {
  if (!address.startsWith("127.") && !address.startsWith("::")) return false;
  const parsed = parseIp(address);
  if (parsed === null) throw new TypeError(`not an IP address: \`${address}\``);
  return isLoopback(parsed);
}

/** Whoever left an address and took it again has not moved in between. */
function merge(left: readonly Reseated[], joined: readonly Reseated[]): Reseated[] {
  const all = new Map(left.map((one) => [one.address, one]));
  for (const { address, before, after } of joined) {
    const earlier = all.get(address);
    all.set(address, { address, before: earlier === undefined ? before : earlier.before, after });
  }
  return [...all.values()];
}
