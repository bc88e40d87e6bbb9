/**
 * Names of chains, sets and counters in the kernel, and back. Two letters in front say the plane (`l` live, `s`
 * shadow, `c` canary) and the direction (`e` egress, `i` ingress); ids are those of the HostPolicy, so that a person who reads
 * `nft list table inet bulkhead` can follow a packet.
 */
import type { ClassId, Cookie, DecisionVerdict, Direction, IpFamily, RowId } from "@bulkhead/model";

/** `canary`: what holds instead of `live` for flows that take part in a rollout. */
export type Plane = "live" | "shadow" | "canary";

/** One of the look-up trees. */
export interface Tree {
  readonly plane: Plane;
  readonly direction: Direction;
}

export const TREES: readonly Tree[] = [
  { plane: "live", direction: "egress" },
  { plane: "live", direction: "ingress" },
  { plane: "shadow", direction: "egress" },
  { plane: "shadow", direction: "ingress" },
  { plane: "canary", direction: "egress" },
  { plane: "canary", direction: "ingress" },
];

const PLANE_TAGS = { live: "l", shadow: "s", canary: "c" } as const satisfies Record<Plane, string>;

export const FAMILIES: readonly IpFamily[] = [4, 6];

export const treeTag = ({ plane, direction }: Tree): string =>
  `${PLANE_TAGS[plane]}${direction === "egress" ? "e" : "i"}`;

export const treeOfTag = (tag: string): Tree | null =>
  TREES.find((tree) => treeTag(tree) === tag) ?? null;

export const subjectsName = (tree: Tree, family: IpFamily): string =>
  `${treeTag(tree)}_subjects${family}`;
/** The same addresses as a plain set, to ask about packets that have no conntrack entry. */
export const judgedName = (tree: Tree, family: IpFamily): string =>
  `${treeTag(tree)}_judged${family}`;
export const classChain = (tree: Tree, id: ClassId): string => `${treeTag(tree)}_class_${id}`;
export const exactName = (tree: Tree, family: IpFamily, id: ClassId): string =>
  `${treeTag(tree)}_exact${family}_${id}`;
export const rangeName = (tree: Tree, family: IpFamily, id: ClassId): string =>
  `${treeTag(tree)}_range${family}_${id}`;
/** Overlay entries: one address and port, wider ones, and whole protocols of one address or of a range. */
export type OverlayShape = "one" | "wide" | "bare" | "widebare";

export const overlayName = (
  tree: Tree,
  family: IpFamily,
  id: ClassId,
  shape: OverlayShape,
): string => `${treeTag(tree)}_${shape}${family}_${id}`;

/** Processes by the level of their control group, to their classes; and all of them by handle, bound or not. */
export const processesName = (tree: Tree, level: number): string =>
  `${treeTag(tree)}_process${level}`;
export const processRecord = (tree: Tree): string => `${treeTag(tree)}_processes`;
/** The same control groups as a plain set, to ask about packets that have no conntrack entry. */
export const boundName = (tree: Tree, level: number): string => `${treeTag(tree)}_bound${level}`;
/** Subjects whose class tells processes apart, for packets from sockets of this machine. */
export const nearName = (tree: Tree, family: IpFamily): string => `${treeTag(tree)}_near${family}`;
/** Sockets on one address, and on all: to the class of their owner. */
export const ownersName = (tree: Tree, family: IpFamily): string =>
  `${treeTag(tree)}_owner${family}`;
export const openPortsName = (tree: Tree, family: IpFamily): string =>
  `${treeTag(tree)}_open${family}`;

/** All known processes by the level of their control group, judged or not. */
export const knownName = (level: number): string => `known${level}`;
/** First-level control groups: those where the unknown are denied, and all others that there are. */
export const MANAGED = "managed";
export const ELSEWHERE = "elsewhere";
/** Sockets that belong to processes of one level: on all addresses of a family, and on one. */
export const ownedName = (level: number, family: IpFamily): string => `owned${level}_${family}`;
export const ownedAtName = (level: number, family: IpFamily): string => `ownedat${level}_${family}`;

/** Sockets on one address, whosever they are: there who has the port everywhere has it not. */
export const placedName = (family: IpFamily): string => `placed${family}`;

/** The class as it judges peers that the kernel knows by their control group. */
export const nearChain = (tree: Tree, id: ClassId): string => `${treeTag(tree)}_near_${id}`;
/** The same, where the node is exempt and the subject an address. */
export const viaChain = (tree: Tree, id: ClassId): string => `${treeTag(tree)}_via_${id}`;
/** Rows by process: of one level of control groups, or, without a level, all by handle. */
export const peersName = (tree: Tree, id: ClassId, level: number | ""): string =>
  `${treeTag(tree)}_peer${level}_${id}`;
/** Time-bound decisions by process: of one port, of several, of a whole protocol. */
export type PeerShape = "pone" | "pwide" | "pbare";
export const peerOverlayName = (
  tree: Tree,
  id: ClassId,
  shape: PeerShape,
  level: number | "",
): string => `${treeTag(tree)}_${shape}${level}_${id}`;
export const rowChain = (tree: Tree, id: RowId): string => `${treeTag(tree)}_row_${id}`;
export const portsName = (tree: Tree, id: RowId): string => `${treeTag(tree)}_ports_${id}`;
export const portRangesName = (tree: Tree, id: RowId, protocol: number): string =>
  `${treeTag(tree)}_portr_${id}_${protocol}`;
/** Also the name of the leaf's counter. */
export const leafName = (tree: Tree, verdict: DecisionVerdict, cookie: Cookie): string =>
  `${treeTag(tree)}_${verdict}_${cookie}`;

const LEAF = /^([lsc][ei])_(allow|drop|reject)_([0-9a-f]{8})$/;

export const parseLeaf = (
  name: string,
): { tree: Tree; verdict: DecisionVerdict; cookie: Cookie } | null => {
  const parts = LEAF.exec(name);
  if (parts === null) return null;
  const tree = treeOfTag(parts[1] as string);
  if (tree === null) return null;
  return { tree, verdict: parts[2] as DecisionVerdict, cookie: parts[3] as Cookie };
};
