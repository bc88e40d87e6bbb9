/** How the versions of network-policy-api say the same: `v1alpha2` in one kind with tiers, `v1alpha1` in a kind for each. */
import { MAX_PORT, SCTP, TCP, UDP, type PortMatch, type Rule } from "@bulkhead/model";
import type { ExportedObject } from "../export/exported.ts";
import type { Tier } from "./cluster-policy.ts";

type Numbered = Exclude<PortMatch, { kind: "named" | "all" }>;

/** One or several ports; null: no words for the protocol. */
type PortEntry = (match: Numbered) => ExportedObject | null;

export interface Words {
  /** What people call the target. */
  readonly target: string;
  readonly version: "v1alpha1" | "v1alpha2";
  readonly kinds: Readonly<Record<Tier, string>>;
  readonly accept: string;
  /** Of peers, ports and rules in one list. */
  readonly most: number;
  readonly ports: string;
  readonly port: PortEntry;
  readonly named: (name: string) => ExportedObject;
  /** Does the tier have priorities, `pass` and names of domains? */
  readonly isPlain: (tier: Tier) => boolean;
}

const NAMES: Readonly<Record<number, string>> = { [TCP]: "TCP", [UDP]: "UDP", [SCTP]: "SCTP" };
/** A name stands for all of them. */
export const PROTOCOLS = Object.keys(NAMES).length;

const boundsOf = (match: Numbered): readonly [number, number] =>
  match.kind === "protocol" ? [1, MAX_PORT] : [Math.max(1, match.first), match.last];

export const V1ALPHA2: Words = {
  target: "ClusterNetworkPolicy",
  version: "v1alpha2",
  kinds: { Admin: "ClusterNetworkPolicy", Baseline: "ClusterNetworkPolicy" },
  accept: "Accept",
  most: 25,
  ports: "protocols",
  port(match) {
    const word = NAMES[match.protocol]?.toLowerCase();
    const [first, last] = boundsOf(match);
    if (word === undefined) return null;
    const destinationPort =
      first === last ? { number: first } : { range: { start: first, end: last } };
    return { [word]: { destinationPort } };
  },
  named: (name) => ({ destinationNamedPort: name }),
  isPlain: () => false,
};

export const V1ALPHA1: Words = {
  target: "AdminNetworkPolicy",
  version: "v1alpha1",
  kinds: { Admin: "AdminNetworkPolicy", Baseline: "BaselineAdminNetworkPolicy" },
  accept: "Allow",
  most: 100,
  ports: "ports",
  port(match) {
    const protocol = NAMES[match.protocol];
    const [first, last] = boundsOf(match);
    if (protocol === undefined) return null;
    return first === last
      ? { portNumber: { protocol, port: first } }
      : { portRange: { protocol, start: first, end: last } };
  },
  named: (name) => ({ namedPort: name }),
  isPlain: (tier) => tier === "Baseline",
};

/** Undefined: no word for it in this tier. */
export const actionOf = (
  { accept, isPlain }: Words,
  tier: Tier,
  action: Rule["action"],
): string | undefined => {
  if (action === "allow") return accept;
  if (action === "deny") return "Deny";
  return action === "pass" && !isPlain(tier) ? "Pass" : undefined;
};
