/**
 * From held resources to what the engine works on. Each resource counts with the mode it was applied with: what was
 * applied in audit is staged, whatever the others are.
 */
import {
  buildPolicySet,
  formatResourceName,
  stageAudited,
  type DeclaredInventory,
  type PolicyTest,
  type Resource,
} from "@bulkhead/dialects";
import type { Block, DeclaredInvariant, Diagnostic, PolicySet } from "@bulkhead/model";
import type { Declared } from "../world/declared.ts";
import type { NamedSet } from "../world/naming.ts";
import type { HeldResource } from "./candidate.ts";
import { rolloutOf } from "./rollout.ts";

export interface Reading {
  readonly set: PolicySet;
  readonly declared: Declared;
  readonly networkSets: readonly NamedSet[];
  readonly tests: readonly PolicyTest[];
  readonly invariants: readonly DeclaredInvariant[];
  readonly diagnostics: readonly Diagnostic[];
}

export interface ReadOptions {
  readonly now: number;
  readonly strict: boolean;
  /** What was read before: where nobody was declared anew, the declarations stay the same object. */
  readonly known?: { readonly held: readonly HeldResource[]; readonly reading: Reading };
}

export function readPolicy(
  held: readonly HeldResource[],
  { now, strict, known }: ReadOptions,
): Reading {
  const built = buildPolicySet(
    held.map(({ resource }) => resource),
    { now, strict, mode: "enforce" },
  );
  const audited = new Set(
    held.filter(({ stored }) => stored.mode === "audit").map(({ stored }) => stored.key),
  );
  return {
    set: inRollout(stageAudited(built.set, audited), held),
    declared:
      known !== undefined && sameDeclarations(known.held, held)
        ? known.reading.declared
        : declaredOf(built.inventory),
    networkSets: built.networkSets.map(({ namespace, name, cidrs }) => ({
      name: `${namespace}/${name}`,
      cidrs,
    })),
    tests: built.tests,
    invariants: built.invariants,
    diagnostics: built.diagnostics,
  };
}

/** What was applied with a share of flows is in force for that share. */
function inRollout(set: PolicySet, held: readonly HeldResource[]): PolicySet {
  const rollout = rolloutOf(held);
  if (rollout === null) return set;
  const { canary, keys } = rollout;
  const mark = (block: Block): Block =>
    keys.has(ownerOf(block)) && block.enforce === "on" ? { ...block, canary: true } : block;
  const stages = set.stages.map((one) => ({ ...one, blocks: one.blocks.map(mark) }));
  const concerns = stages.some(({ blocks }) => blocks.some((block) => block.canary === true));
  return concerns ? { ...set, stages, canary } : set;
}

/** As resources that are held are called. */
function ownerOf({ policy }: Block): string {
  return formatResourceName(policy);
}

function declaredOf({ workloads, namespaces, bindings }: DeclaredInventory): Declared {
  const bound = new Map(bindings.map(({ workload, ...binding }) => [workload, binding]));
  return {
    namespaces,
    workloads: workloads.map((workload) => {
      const binding = bound.get(workload.id);
      return binding === undefined ? { workload } : { workload, binding };
    }),
  };
}

function sameDeclarations(
  before: readonly HeldResource[],
  after: readonly HeldResource[],
): boolean {
  const [old, fresh] = [before, after].map((list) =>
    list.map(({ resource }) => resource).filter(declares),
  );
  return old?.length === fresh?.length && old?.every((one, at) => one === fresh?.[at]) === true;
}

function declares(resource: Resource): boolean {
  if (resource.dialect === "kubernetes") return resource.role !== "policy";
  return resource.object.kind === "Inventory";
}
