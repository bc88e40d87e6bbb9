/** Rules that permit more than was used, and how their texts would say less. Pure. */
export { groupEstate, type EstateGroups } from "./estate-groups.ts";
export { findNarrower, type PeerFinding, type WrittenPeer } from "./narrower-peers.ts";
export { createPeerUse, type PeerUse, type SeenPeer } from "./peer-use.ts";
export { peerText, peerYaml } from "./peer-text.ts";
export { mapsOf, type FindMap } from "./list-edit.ts";
export { peersEdit, type PeerSide, type PeersEdit } from "./peers-edit.ts";
export { formatHeld, type PortsHeld, type PortUse, type UsedRule } from "./port-use.ts";
export { portsEdit, type PortsEdit } from "./ports-edit.ts";
export { createRuleUse, isUse, type RuleUse } from "./rule-use.ts";
