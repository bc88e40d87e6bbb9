/** Why a rule did not match, in words: the first clause that failed, with what was found and what was wanted. */
import {
  formatPort,
  formatPortMatch,
  formatSelector,
  groupAt,
  matches,
  type Peer,
  type Rule,
  type Workload,
} from "@bulkhead/model";
import type { InventoryIndex, Place } from "./inventory-index.ts";
import { prefixHolds, type DirectedFlow, type FailedClause } from "./matching.ts";

export function clauseText(
  clause: FailedClause,
  rule: Rule,
  flow: DirectedFlow,
  index: InventoryIndex,
): string {
  switch (clause) {
    case "peer": {
      const [first, ...others] = rule.peers;
      if (first === undefined) return "peer: the list of peers is empty and holds nobody";
      const more = others.length === 0 ? "" : `, and so on for ${others.length} more`;
      return `peer: ${peerText(first, flow.peer, index)}${more}`;
    }
    case "port": {
      const wanted = rule.ports.flatMap(formatPortMatch).join(", ");
      const found = formatPort(flow.protocol, flow.port);
      return wanted === "" ? "port: the list of ports is empty" : `port: ${found} is not ${wanted}`;
    }
    case "named-port-on-address":
      return "port: a port name means nothing on a destination given by address";
  }
}

function peerText(peer: Peer, place: Place, index: InventoryIndex): string {
  const found = place.workload?.id ?? place.address;
  switch (peer.kind) {
    case "any":
      return "any address";
    case "entity":
      return `${found} is ${placeText(place)}, not the ${peer.entity}`;
    case "domain":
      if (place.kind !== "world")
        return `${found} is ${placeText(place)}, and names are the world's`;
      return `${place.address} is not told to be \`${peer.pattern}\``;
    case "cidr":
      if (!peer.matchesWorkloads && place.kind !== "world") {
        return `${found} is ${placeText(place)}, and this prefix means the world's addresses only`;
      }
      return prefixHolds({ ...peer, except: [] }, place)
        ? `${place.address} is excepted from ${peer.cidr}`
        : `${place.address} is not in ${peer.cidr}`;
    case "workloads":
      return place.workload === undefined
        ? `${found} is no workload`
        : selectionText(peer, place.workload, index);
  }
}

function placeText(place: Place): string {
  if (place.kind === "workload") return "a workload";
  if (place.workload !== undefined) return `a process of the ${place.kind}`;
  return groupAt(place) ?? `the ${place.kind}`;
}

function selectionText(
  { namespaces, selector }: Extract<Peer, { kind: "workloads" }>,
  workload: Workload,
  index: InventoryIndex,
): string {
  const { namespace } = workload;
  if (namespaces.kind === "named" && namespaces.name !== namespace) {
    return `namespace is ${namespace}, not ${namespaces.name}`;
  }
  if (
    namespaces.kind === "selected" &&
    !matches(namespaces.selector, index.namespaceLabels(namespace))
  ) {
    return `namespace ${namespace} is not selected by \`${formatSelector(namespaces.selector)}\``;
  }
  const failed = selector.requirements.find(
    (requirement) => !matches({ requirements: [requirement] }, workload.labels),
  );
  // All namespaces together do not hold those who are in none that anybody could name.
  if (failed === undefined) return `${workload.id} is a ${workload.kind}, and in no namespace`;
  const value = workload.labels[failed.key];
  const have = value === undefined ? `no label ${failed.key}` : `${failed.key}=${value}`;
  return `${workload.id} has ${have}, wanted \`${formatSelector({ requirements: [failed] })}\``;
}
