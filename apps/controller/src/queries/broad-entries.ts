/** The entries of a rule as its resource writes them, with what each came to: a NetworkSet is one entry and many prefixes. */
import { DEFAULT_NAMESPACE, type Resource } from "@bulkhead/dialects";
import { peerHolds, type InventoryIndex } from "@bulkhead/engine";
import { unitsIn } from "@bulkhead/learn";
import { formatSpan, GROUPS, type Block, type Peer, type Rule } from "@bulkhead/model";
import {
  peerText,
  type EstateGroups,
  type SeenPeer,
  type WrittenPeer,
} from "@bulkhead/workbench/hygiene";

export interface Entry extends WrittenPeer {
  /** For people. */
  readonly text: string;
}

export interface EntriesOf {
  readonly block: Block;
  readonly rule: Rule;
  /** Whose rule it is. */
  readonly resource: Resource;
  /** By their full names. */
  readonly sets: ReadonlyMap<string, { readonly size: number; readonly followsName?: string }>;
}

/** Null: what is written and what came of it do not go together. */
export function entriesOf({ block, rule, resource, sets }: EntriesOf): readonly Entry[] | null {
  const home = block.policy.namespace;
  const plain = (peer: Peer): Entry => ({ peers: [peer], text: peerText(peer, home) });
  if (resource.dialect !== "native") return rule.peers.map(plain);
  const written = writtenPeers(resource.object, block, rule);
  if (written === undefined) return null;
  const entries: Entry[] = [];
  let at = 0;
  for (const peer of written) {
    const set = peer.kind === "networkSet" ? setNamed(peer.networkSet, home, sets) : undefined;
    const size =
      peer.kind === "networkSet"
        ? (set?.size ?? 0)
        : peer.kind === "entity" && peer.entity in GROUPS
          ? GROUPS[peer.entity as keyof typeof GROUPS].length
          : 1;
    const peers = rule.peers.slice(at, at + size);
    at += size;
    const text =
      peer.kind === "networkSet"
        ? `NetworkSet ${peer.networkSet}`
        : peers.map((one) => peerText(one, home)).join(", ");
    const { followsName } = set ?? {};
    entries.push({ peers, text, ...(followsName === undefined ? {} : { followsName }) });
  }
  return at === rule.peers.length ? entries : null;
}

type NativeObject = Extract<Resource, { dialect: "native" }>["object"];

function writtenPeers(object: NativeObject, { direction }: Block, { source }: Rule) {
  switch (object.kind) {
    case "Policy": {
      const at = formatSpan(source);
      const { ingress, egress } = object.spec;
      return direction === "ingress"
        ? ingress?.rules.find((one) => formatSpan(one.source) === at)?.from
        : egress?.rules.find((one) => formatSpan(one.source) === at)?.to;
    }
    case "Intent":
    case "Exception":
      return [direction === "ingress" ? object.spec.from : object.spec.to];
    case "NetworkSet":
    case "Inventory":
    case "PolicyTest":
      return undefined;
  }
}

function setNamed(name: string, home: string, sets: EntriesOf["sets"]) {
  const names = name.includes("/") ? [name] : [`${home}/${name}`, `${DEFAULT_NAMESPACE}/${name}`];
  return names.map((one) => sets.get(one)).find((one) => one !== undefined);
}

/** Whoever several entries hold counts for the one that says most of him. */
export function shareOut(
  entries: readonly Entry[],
  seen: readonly SeenPeer[],
  index: InventoryIndex,
  groups: EstateGroups,
): readonly (readonly SeenPeer[])[] {
  const widths = entries.map(({ peers }) =>
    peers.reduce((sum, peer) => sum + widthOf(peer, groups), 0),
  );
  const shares = entries.map((): SeenPeer[] => []);
  for (const one of seen) {
    let best = -1;
    for (const [at, { peers }] of entries.entries()) {
      if (!peers.some((peer) => peerHolds(peer, one.place, index))) continue;
      if (best < 0 || widths[at]! < widths[best]!) best = at;
    }
    shares[best]?.push(one);
  }
  return shares;
}

function widthOf(peer: Peer, groups: EstateGroups): number {
  switch (peer.kind) {
    case "workloads":
      return groups.admittedBy(peer).length;
    case "cidr":
      return unitsIn(peer.cidr);
    case "domain":
      return 1;
    case "entity":
      return Number.MAX_SAFE_INTEGER;
    case "any":
      return Infinity;
  }
}
