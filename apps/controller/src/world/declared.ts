/** What operators declared about workloads, in the shape the world is built from. */
import type { Namespace, Workload } from "@bulkhead/model";

/** Where a declared workload is to be found: nothing for one that no agent sees. */
export type Binding = {
  readonly kind: "netns" | "container" | "unit";
  readonly name: string;
  /** Sockets that others made for it are known: it may be enforced without them. */
  readonly borrowedSockets?: "accepted";
};

export interface DeclaredWorkload {
  readonly workload: Workload;
  readonly binding?: Binding;
}

export interface Declared {
  readonly workloads: readonly DeclaredWorkload[];
  readonly namespaces: readonly Namespace[];
}

export const NOTHING_DECLARED: Declared = { workloads: [], namespaces: [] };
