/**
 * Prefixes that hold nobody of an inventory, said as what they are: addresses outside. Some dialects' prefixes never hold workloads,
 * and could not say them otherwise. Over that inventory nothing changes; whoever comes to live there later is not meant.
 */
import type { Inventory, Peer, PolicySet } from "@bulkhead/model";
import { cidrRange, parseIp, rangeContains } from "@bulkhead/model";

export function withOutsideOnly(
  set: PolicySet,
  { workloads, hostAddresses }: Pick<Inventory, "workloads" | "hostAddresses">,
): PolicySet {
  const inhabited = [...workloads.flatMap(({ addresses }) => addresses), ...hostAddresses].flatMap(
    (address) => parseIp(address) ?? [],
  );
  const known = new Map<string, boolean>();
  const isOutside = (peer: Extract<Peer, { kind: "cidr" }>): boolean => {
    const found = known.get(peer.cidr);
    if (found !== undefined) return found;
    const range = cidrRange(peer.cidr);
    const isEmpty = !inhabited.some((address) => rangeContains(range, address));
    known.set(peer.cidr, isEmpty);
    return isEmpty;
  };
  const narrowed = (peer: Peer): Peer =>
    peer.kind === "cidr" && peer.matchesWorkloads && isOutside(peer)
      ? { ...peer, matchesWorkloads: false }
      : peer;
  return {
    ...set,
    stages: set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.map((block) => ({
        ...block,
        rules: block.rules.map((rule) => ({ ...rule, peers: rule.peers.map(narrowed) })),
      })),
    })),
  };
}
