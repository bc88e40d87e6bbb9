/**
 * Addresses that no selector of this policy set can tell apart share an identity: namespace, the labels that selectors
 * look at, and the named ports that rules refer to. Questions of membership are asked once per identity, not per address.
 */
import type {
  Block,
  NamedPort,
  Peer,
  PolicySet,
  ProtocolNumber,
  Selector,
  Workload,
} from "@bulkhead/model";
import { ownersOf, type InventoryIndex } from "../inventory-index.ts";
import { selects } from "../matching.ts";

/** Position in the table; 0 is the host. */
export type IdentityNumber = number;
export const HOST_IDENTITY: IdentityNumber = 0;

type Subject = Block["subject"];
/** A peer that asks who owns the address; `cidr` asks where it lies, and is answered by the address sweep. */
export type OwnerPeer = Exclude<Peer, { kind: "cidr" }>;

export class IdentityTable {
  /** Identity of each of `index.known`, position by position; of the first owner where several claim it. */
  readonly ofKnown: Int32Array;
  /** Identities of all owners of a contested address, by position. */
  readonly contested = new Map<number, readonly IdentityNumber[]>();
  readonly #representatives: (Workload | undefined)[] = [undefined];
  readonly #ofWorkload = new Map<Workload, IdentityNumber>();
  readonly #names: ReadonlySet<string>;
  readonly #index: InventoryIndex;
  readonly #hits = new Map<string, Uint8Array>();
  readonly #hitsOfObject = new WeakMap<object, Uint8Array>();

  constructor(set: PolicySet, index: InventoryIndex) {
    this.#index = index;
    const { labelKeys, portNames } = vocabulary(set);
    this.#names = portNames;
    const numbers = new Map<string, IdentityNumber>();
    for (const workload of index.workloads.values()) {
      let key = workload.namespace;
      for (const name of labelKeys) {
        key += Object.hasOwn(workload.labels, name) ? `\u0001${workload.labels[name]}` : "\u0002";
      }
      for (const port of this.#relevantPorts(workload)) key += `\u0003${portText(port)}`;
      let number = numbers.get(key);
      if (number === undefined) {
        number = this.#representatives.length;
        this.#representatives.push(workload);
        numbers.set(key, number);
      }
      this.#ofWorkload.set(workload, number);
    }
    this.ofKnown = Int32Array.from(index.known, (place) =>
      place.workload === undefined ? HOST_IDENTITY : this.of(place.workload),
    );
    for (const [position, place] of index.known.entries()) {
      if (place.rivals.length === 0) continue;
      this.contested.set(
        position,
        ownersOf(place).map((workload) => this.of(workload)),
      );
    }
  }

  of(workload: Workload): IdentityNumber {
    return this.#ofWorkload.get(workload)!;
  }

  /** One byte per identity: 1 where the peer or subject holds it. */
  hits(peer: OwnerPeer | Subject): Uint8Array {
    const known = this.#hitsOfObject.get(peer);
    if (known !== undefined) return known;
    const key = JSON.stringify(peer);
    let hits = this.#hits.get(key);
    if (hits === undefined) {
      hits = Uint8Array.from(this.#representatives, (workload) =>
        this.#holds(peer, workload) ? 1 : 0,
      );
      this.#hits.set(key, hits);
    }
    this.#hitsOfObject.set(peer, hits);
    return hits;
  }

  #holds(peer: OwnerPeer | Subject, workload: Workload | undefined): boolean {
    switch (peer.kind) {
      case "any":
        return true;
      case "entity":
        return peer.entity === "host" && workload === undefined;
      case "workloads":
      case "all-workloads":
        return workload !== undefined && selects(peer, workload, this.#index);
    }
  }

  resolve(identity: IdentityNumber, name: string, protocol: ProtocolNumber): number[] {
    const ports = this.#representatives[identity]?.namedPorts ?? [];
    return ports
      .filter((port) => port.name === name && port.protocol === protocol)
      .map(({ port }) => port);
  }

  #relevantPorts(workload: Workload): NamedPort[] {
    return workload.namedPorts.filter(({ name }) => this.#names.has(name));
  }
}

function portText({ name, protocol, port }: NamedPort): string {
  return `${name}/${protocol}/${port}`;
}

/** The label keys and port names that the set mentions. */
function vocabulary(set: PolicySet): { labelKeys: string[]; portNames: Set<string> } {
  const labelKeys = new Set<string>();
  const portNames = new Set<string>();
  const addKeys = ({ requirements }: Selector) => {
    for (const { key } of requirements) labelKeys.add(key);
  };
  for (const { subject, rules } of set.stages.flatMap((stage) => stage.blocks)) {
    if (subject.kind === "workloads") addKeys(subject.selector);
    for (const { peers, ports } of rules) {
      for (const peer of peers) if (peer.kind === "workloads") addKeys(peer.selector);
      for (const port of ports) if (port.kind === "named") portNames.add(port.name);
    }
  }
  return { labelKeys: [...labelKeys].toSorted(), portNames };
}
