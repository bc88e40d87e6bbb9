/**
 * Addresses that no selector of this policy set can tell apart share an identity: namespace and its labels, the labels
 * that selectors look at, and the named ports that rules refer to. Questions of membership are asked once per identity,
 * and an identity never changes: whoever is labelled otherwise has another one.
 */
import type {
  Block,
  Labels,
  NamedPort,
  Peer,
  PolicySet,
  ProtocolNumber,
  Selector,
  Workload,
} from "@bulkhead/model";
import type { InventoryIndex } from "../inventory-index.ts";
import { selects } from "../matching.ts";
import type { Interned } from "./peer-table.ts";

type Subject = Block["subject"];
/** A peer that asks who owns the address; `cidr` asks where it lies, and is answered by the address sweep. */
export type OwnerPeer = Exclude<Peer, { kind: "cidr" }>;

export class Identity {
  readonly number: number;
  /** Somebody who has it; undefined: the host. */
  readonly workload: Workload | undefined;
  readonly #isHost: boolean;
  readonly #namespaceLabels: Labels;
  readonly #hits: boolean[] = [];

  /** `isHost`: met at an address of the machine. */
  constructor(
    number: number,
    workload: Workload | undefined,
    isHost: boolean,
    namespaceLabels: Labels,
  ) {
    this.number = number;
    this.workload = workload;
    this.#isHost = isHost;
    this.#namespaceLabels = namespaceLabels;
  }

  /** Does the peer or subject hold everybody of this identity? */
  hit({ number, peer }: Interned<OwnerPeer | Subject>): boolean {
    return (this.#hits[number] ??= this.#holds(peer));
  }

  #holds(peer: OwnerPeer | Subject): boolean {
    switch (peer.kind) {
      case "any":
        return true;
      // Only flows tell names, and only of addresses that nobody here owns.
      case "domain":
        return false;
      case "entity":
        return peer.entity === "host" && this.#isHost;
      case "workloads":
      case "all-workloads":
        return this.workload !== undefined && selects(peer, this.workload, this);
    }
  }

  /** Of its own namespace; nobody asks an identity about another. */
  namespaceLabels(): Labels {
    return this.#namespaceLabels;
  }

  resolve(name: string, protocol: ProtocolNumber): number[] {
    const ports = this.workload?.namedPorts ?? [];
    return ports
      .filter((port) => port.name === name && port.protocol === protocol)
      .map(({ port }) => port);
  }
}

/** What the selectors and named ports of a set look at. */
export interface Vocabulary {
  readonly labelKeys: readonly string[];
  readonly namespaceKeys: readonly string[];
  readonly portNames: readonly string[];
}

export class IdentityTable {
  readonly vocabulary: Vocabulary;
  readonly host = new Identity(0, undefined, true, {});
  readonly #portNames: ReadonlySet<string>;
  readonly #byText = new Map<string, Identity>();
  #ofWorkload = new WeakMap<Workload, Identity>();
  #ofProcess = new WeakMap<Workload, Identity>();
  #index: InventoryIndex | undefined;
  #namespaceTexts = new Map<string, string>();

  constructor(vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
    this.#portNames = new Set(vocabulary.portNames);
  }

  /** From now on workloads are those of this index. True: somebody may have another identity without having changed. */
  adopt(index: InventoryIndex): boolean {
    const before = this.#index;
    this.#index = index;
    if (before !== undefined && sameNamespaces(before, index)) return false;
    this.#ofWorkload = new WeakMap();
    this.#ofProcess = new WeakMap();
    this.#namespaceTexts = new Map();
    return true;
  }

  of(workload: Workload): Identity {
    let identity = this.#ofWorkload.get(workload);
    if (identity === undefined) {
      identity = this.#intern(this.#text(workload), workload, false);
      this.#ofWorkload.set(workload, identity);
    }
    return identity;
  }

  /** Of a process that is met at an address of the machine. */
  atHost(process: Workload): Identity {
    let identity = this.#ofProcess.get(process);
    if (identity === undefined) {
      identity = this.#intern(`host ${this.#text(process)}`, process, true);
      this.#ofProcess.set(process, identity);
    }
    return identity;
  }

  #intern(text: string, workload: Workload, isHost: boolean): Identity {
    let identity = this.#byText.get(text);
    if (identity === undefined) {
      const labels = this.#labelsOf(workload.namespace);
      identity = new Identity(this.#byText.size + 1, workload, isHost, labels);
      this.#byText.set(text, identity);
    }
    return identity;
  }

  #labelsOf(namespace: string): Labels {
    return this.#index!.namespaceLabels(namespace);
  }

  #text({ namespace, labels, namedPorts }: Workload): string {
    let text = this.#namespaceText(namespace);
    for (const key of this.vocabulary.labelKeys) text += labelText(labels, key);
    for (const port of namedPorts) if (this.#portNames.has(port.name)) text += portText(port);
    return text;
  }

  #namespaceText(namespace: string): string {
    let text = this.#namespaceTexts.get(namespace);
    if (text === undefined) {
      const labels = this.#labelsOf(namespace);
      const values = this.vocabulary.namespaceKeys.map((key) => labelText(labels, key));
      text = [measured(namespace), ...values].join("");
      this.#namespaceTexts.set(namespace, text);
    }
    return text;
  }
}

/** A value carries its length, so that no label can pretend to be two. */
function labelText(labels: Labels, key: string): string {
  return Object.hasOwn(labels, key) ? measured(labels[key]!) : "-";
}

function measured(value: string): string {
  return `${value.length}:${value}`;
}

function portText({ name, protocol, port }: NamedPort): string {
  return `${measured(name)}/${protocol}/${port};`;
}

function sameNamespaces(a: InventoryIndex, b: InventoryIndex): boolean {
  const [before, after] = [a.inventory.namespaces, b.inventory.namespaces];
  return before === after || JSON.stringify(before) === JSON.stringify(after);
}

export function vocabularyOf(set: PolicySet): Vocabulary {
  const labelKeys = new Set<string>();
  const namespaceKeys = new Set<string>();
  const portNames = new Set<string>();
  const addKeys = (keys: Set<string>, { requirements }: Selector) => {
    for (const { key } of requirements) keys.add(key);
  };
  const addPeer = (peer: Peer | Subject) => {
    if (peer.kind !== "workloads") return;
    addKeys(labelKeys, peer.selector);
    if (peer.namespaces.kind === "selected") addKeys(namespaceKeys, peer.namespaces.selector);
  };
  for (const { subject, rules } of set.stages.flatMap((stage) => stage.blocks)) {
    addPeer(subject);
    for (const { peers, ports } of rules) {
      for (const peer of peers) addPeer(peer);
      for (const port of ports) if (port.kind === "named") portNames.add(port.name);
    }
  }
  const sorted = (names: ReadonlySet<string>) => [...names].toSorted();
  return {
    labelKeys: sorted(labelKeys),
    namespaceKeys: sorted(namespaceKeys),
    portNames: sorted(portNames),
  };
}
