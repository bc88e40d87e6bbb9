/**
 * Entities as peers. They overlap, since Cilium's identities are sets of labels (SEMANTICS trap 13): the API server's host
 * is a node as well, and `cluster` is nearly all of them. What nobody has in an inventory is a label that nobody can give.
 */
import {
  EVERYTHING,
  NODES_NAMESPACE,
  selectorOf,
  type NamespaceScope,
  type Peer,
} from "@bulkhead/model";
import type { Entity } from "./peers.ts";

const ALL: NamespaceScope = { kind: "all" };
const HOST: Peer = { kind: "entity", entity: "host" };
const NODE: NamespaceScope = { kind: "named", name: NODES_NAMESPACE };

const everyoneIn = (namespaces: NamespaceScope): Peer => ({
  kind: "workloads",
  namespaces,
  selector: EVERYTHING,
});
const having = (namespaces: NamespaceScope, key: string): Peer => ({
  kind: "workloads",
  namespaces,
  selector: selectorOf([{ key, operator: "Exists" }]),
});
const outside = (cidr: "0.0.0.0/0" | "::/0"): Peer => ({
  kind: "cidr",
  cidr,
  except: [],
  matchesWorkloads: false,
});

/** `namespace` is whoever is beside the subject, which no list can say. */
type Anywhere = Exclude<Entity, "namespace">;

const PEERS: Readonly<Record<Anywhere, readonly Peer[]>> = {
  all: [{ kind: "any" }],
  cluster: [HOST, everyoneIn(NODE), everyoneIn(ALL)],
  // "Identical to allowing to CIDR 0.0.0.0/0" (documentation, entities): broadcast and multicast are nobody's identity, and so its.
  world: [outside("0.0.0.0/0"), outside("::/0")],
  "world-ipv4": [outside("0.0.0.0/0")],
  "world-ipv6": [outside("::/0")],
  host: [HOST],
  "remote-node": [everyoneIn(NODE)],
  // Where a cluster runs its own API servers they are on these nodes, with the nodes' addresses.
  "kube-apiserver": [
    having(NODE, "node-role.kubernetes.io/control-plane"),
    having(ALL, ":kube-apiserver"),
  ],
  init: [having(ALL, ":init")],
  health: [having(ALL, ":health")],
  ingress: [having(ALL, ":ingress")],
  unmanaged: [having(ALL, ":unmanaged")],
  none: [],
};

export const entityPeers = (entity: Anywhere): readonly Peer[] => PEERS[entity];
