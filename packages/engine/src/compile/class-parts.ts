/**
 * A class of addresses is two in the datapath, one for each family, where prefixes let processes of the machine in over one of
 * them only: who speaks to an address speaks from one of the same family.
 */
import { familyOf, type IpAddress, type IpFamily } from "@bulkhead/model";
import { classIdKey, type CompiledClass } from "./compile-view.ts";
import type { Slot } from "./judges.ts";
import { isSamePeers, type ProcessPeers } from "./process-peers.ts";

export interface Part {
  readonly judge: CompiledClass;
  readonly peers: ProcessPeers;
  /** Its id in the datapath is a hash of this. */
  readonly key: string;
}

export interface Parts {
  /** Without an address: of a process. The same part is the same object. */
  of(slot: Slot, judge: CompiledClass, address?: IpAddress): Part;
  /** By family, or once for both. */
  peersOf(slot: Slot, judge: CompiledClass): readonly ProcessPeers[];
}

export function createParts(
  peersIn: (slot: Slot, judge: CompiledClass, family?: IpFamily) => ProcessPeers,
): Parts {
  const known = new Map<string, Map<CompiledClass, readonly [Part, Part]>>();
  const find = (slot: Slot, judge: CompiledClass): readonly [Part, Part] => {
    const key = classIdKey(slot, judge);
    if (judge.ofProcesses) {
      const part = { judge, key, peers: peersIn(slot, judge) };
      return [part, part];
    }
    const [four, six] = [peersIn(slot, judge, 4), peersIn(slot, judge, 6)];
    if (isSamePeers(four, six)) {
      const part = { judge, key, peers: four };
      return [part, part];
    }
    return [
      { judge, key: `${key} 4`, peers: four },
      { judge, key: `${key} 6`, peers: six },
    ];
  };
  const partsOf = (slot: Slot, judge: CompiledClass) => {
    const inSlot = known.get(slot) ?? new Map<CompiledClass, readonly [Part, Part]>();
    known.set(slot, inSlot);
    let parts = inSlot.get(judge);
    if (parts === undefined) inSlot.set(judge, (parts = find(slot, judge)));
    return parts;
  };
  return {
    of: (slot, judge, address) =>
      partsOf(slot, judge)[address !== undefined && familyOf(address) === 6 ? 1 : 0],
    peersOf: (slot, judge) => partsOf(slot, judge).map(({ peers }) => peers),
  };
}
