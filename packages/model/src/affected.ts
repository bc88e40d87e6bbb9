/** Whom a change of policy affects, of everybody who was seen: recorded edges that two policies decide differently, folded. */
import type { Determinant } from "./decision.ts";
import type { Flow } from "./flow.ts";

/** One side of what changes. */
export interface Party {
  /** `shop/web`: a role's name; a workload's where no label tells its role; a set's, a domain's, or `world`. */
  readonly name: string;
  /** Whom labels name for its members, or for their namespaces. Sorted; empty where nobody is named. */
  readonly owners: readonly string[];
  /** Distinct workloads, or addresses of what is no workload. */
  readonly members: number;
}

export interface Affected {
  readonly change: "denied" | "allowed";
  readonly source: Party;
  readonly destination: Party;
  /** `5432/tcp`: of very many those of most connections. */
  readonly ports: readonly string[];
  /** How many different ones there are. */
  readonly portCount: number;
  readonly edges: number;
  readonly connections: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly before: Determinant;
  readonly after: Determinant;
  /** A few of the latest connections, each a single one that was seen, oldest first; empty where none is kept. */
  readonly samples: readonly Flow[];
}

export interface Tally {
  readonly edges: number;
  readonly connections: number;
}
