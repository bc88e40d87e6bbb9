/**
 * What a change of policy would do, as data: resources, permitted connections, recorded traffic that would be judged
 * otherwise, size, and the policy's own tests. Two lists of resources and a world in; nothing is printed here.
 */
import { buildPolicySet, type Resource } from "@bulkhead/dialects";
import {
  compileIndexed,
  diffSets,
  indexInventory,
  replay,
  type Capacity,
  type Connection,
  type ReplayedEdge,
} from "@bulkhead/engine";
import type { Diagnostic, Edge, Endpoint, Inventory } from "@bulkhead/model";
import { runPolicyTests, type TestResult } from "./policy-tests.ts";
import { diffResources, type ResourceDiff } from "./resource-diff.ts";

export interface PlanInput {
  /** In force; `[]` for none. */
  readonly before: readonly Resource[];
  readonly after: readonly Resource[];
  /** Who there is, and who of them is attached here: only those take room in the kernel. */
  readonly inventory: Inventory;
  readonly endpoints: readonly Endpoint[];
  /** What was seen; our own probes and forged packets left out by the caller. */
  readonly edges: readonly Edge[];
  readonly mode: "audit" | "enforce";
  readonly strict: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Plan {
  readonly resources: ResourceDiff;
  readonly permitted: {
    readonly added: readonly Connection[];
    readonly removed: readonly Connection[];
  };
  readonly newlyDenied: readonly ReplayedEdge[];
  readonly newlyAllowed: readonly ReplayedEdge[];
  readonly unchanged: number;
  readonly capacity: Capacity;
  readonly tests: readonly TestResult[];
  /** Of the set as it would be. With an error among them it cannot be applied, and the rest is what it would have been. */
  readonly diagnostics: readonly Diagnostic[];
  /** Nothing would be different, and no test fails. */
  readonly idle: boolean;
}

export function plan(input: PlanInput): Plan {
  const { inventory, endpoints, edges, now, mode, strict } = input;
  const index = indexInventory(inventory);
  const before = buildPolicySet(input.before, { now, strict, mode }).set;
  const built = buildPolicySet(input.after, { now, strict, mode });
  const after = built.set;
  const resources = diffResources(input.before, input.after);
  const permitted = diffSets(before, after, index, now);
  const { newlyDenied, newlyAllowed, unchanged } = replay(before, after, edges, index, now);
  const compiled = compileIndexed(after, index, { now, revision: 0, endpoints });
  const tests = runPolicyTests(built.tests, after, index, now);
  const changes = [
    resources.added,
    resources.changed,
    resources.removed,
    permitted.added,
    permitted.removed,
    newlyDenied,
    newlyAllowed,
  ];
  return {
    resources,
    permitted,
    newlyDenied,
    newlyAllowed,
    unchanged,
    capacity: compiled.capacity,
    tests,
    diagnostics: [...built.diagnostics, ...compiled.diagnostics],
    idle: changes.every((change) => change.length === 0) && tests.every((test) => test.passed),
  };
}
