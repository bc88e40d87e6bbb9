/**
 * Rules that no connection from here can prove, and why. A probe has two ends that are both ours to watch; nothing is
 * ever sent in the name of somebody else, for his answers would go to him. Such a rule counts as not proven.
 */
import type { ProbeView } from "@bulkhead/api";
import { isProcess } from "@bulkhead/engine";
import { formatPortMatch, type Peer } from "@bulkhead/model";
import { selects } from "../queries/workloads.ts";
import type { World } from "../world/world.ts";
import type { ActiveRule, SkippedProbe } from "./probe-plan.ts";

export function unprobed(active: ActiveRule, world: World): SkippedProbe {
  const { block, rule } = active;
  const outgoing = block.direction === "egress";
  const [subject, peers] = ["its subject", peersText(rule.peers)];
  const view: ProbeView = {
    purpose: "rule",
    from: outgoing ? subject : peers,
    to: outgoing ? peers : subject,
    source: "",
    destination: "",
    protocol: 0,
    port: 0,
    expected: rule.action === "allow" ? "pass" : "blocked",
    rule: rule.id,
    place: rule.source,
  };
  return { view, skipped: reasonOf(active, world) };
}

function reasonOf({ block, rule }: ActiveRule, world: World): string {
  const subjects = world.inventory.workloads.filter((workload) => selects(block, workload, world));
  if (!subjects.some((one) => world.attachments.has(one.id) || isProcess(one))) {
    return "none of the workloads it is about is attached here: start one, and probe again";
  }
  const outside = rule.peers.length > 0 && rule.peers.every(isOutside);
  const [peer] = rule.peers;
  if (outside && peer !== undefined && block.direction === "ingress") {
    const ports = rule.ports.flatMap(formatPortMatch).join(", ") || "a port";
    return `it is about connections from outside this machine, which nothing here can make: try ${ports} from ${peersText(rule.peers)}; \`bulkhead observe --from ${peer.kind === "entity" ? peer.entity : "world"}\` then shows what became of it`;
  }
  if (outside) {
    return "no address of its peers is known to answer: once a connection there was seen, that address is tried";
  }
  return "nobody attached here can try it: no pair of ends matches it, or another rule decides before it (`bulkhead explain` tells which)";
}

function isOutside(peer: Peer): boolean {
  return peer.kind === "cidr" || (peer.kind === "entity" && peer.entity === "world");
}

const SHOWN = 3;

function peersText(peers: readonly Peer[]): string {
  if (peers.length === 0 || !peers.every(isOutside)) return "its peer";
  const names = peers.flatMap((peer) =>
    peer.kind === "cidr" ? [peer.cidr] : peer.kind === "entity" ? [peer.entity] : [],
  );
  const more = names.length > SHOWN ? `, and ${names.length - SHOWN} more` : "";
  return `${names.slice(0, SHOWN).join(", ")}${more}`;
}
