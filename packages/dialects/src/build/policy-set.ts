/**
 * Resources of all dialects to one PolicySet:
 *
 *   emergency → metadata → guardrail → exception → application → baseline → default
 *   firstMatch  derived    firstMatch  allow only  deny overrides  firstMatch
 *
 * Native tiers keep their names; Intents and Kubernetes NetworkPolicies live in `application` beside native Policies,
 * where isolation is the union over all of them. Tiers of other dialects stand in between (`stages.ts`).
 */
import {
  compareDiagnostics,
  INVARIANT_KINDS,
  invariantKey,
  type DeclaredInvariant,
  type Diagnostic,
  type PolicySet,
  type Stage,
} from "@bulkhead/model";
import { DIALECTS } from "../dialect-list.ts";
import type { BuildInput } from "../dialect.ts";
import { DEFAULT_NAMESPACE, type Resource } from "../resource.ts";
import {
  createContext,
  type BuildContext,
  type BuildOptions,
  type NamedNetworks,
} from "./context.ts";
import { refuseBeyondKernel, refuseParting } from "./enforceable.ts";
import { buildInventory, type DeclaredInventory } from "./inventory.ts";
import { networkPolicyBlocks } from "./kubernetes-blocks.ts";
import { reportGoesBefore } from "./goes-before.ts";
import { lintBlocks } from "./lint.ts";
import { metadataGuard } from "./metadata-guard.ts";
import { exceptionBlocks, intentBlocks, policyBlocks, type StagedBlock } from "./native-blocks.ts";
import { tellSeveralNetworks } from "./networks.ts";
import { buildProfile } from "./profile.ts";
import { policyTests, type PolicyTest } from "./policy-tests.ts";
import { servicesOf, type Services } from "./services.ts";
import { orderStages } from "./stages.ts";
import { waysIn, type WayIn } from "./ways-in.ts";

export interface BuiltPolicy {
  readonly set: PolicySet;
  readonly inventory: DeclaredInventory;
  readonly tests: readonly PolicyTest[];
  readonly networkSets: readonly NamedNetworks[];
  /** Where Services lead, among the workloads of the inventory. */
  readonly services: Services;
  /** What whoever lets the outside in must be able to reach. */
  readonly waysIn: readonly WayIn[];
  /** What the machine must be able to do; sorted, each once. */
  readonly invariants: readonly DeclaredInvariant[];
  /** Sorted by place. With an error among them the set must not be applied. */
  readonly diagnostics: readonly Diagnostic[];
}

const blocksOf = (resource: Resource, context: BuildContext): readonly StagedBlock[] => {
  if (resource.dialect === "kubernetes") {
    return resource.role === "policy" ? networkPolicyBlocks(resource.object, context) : [];
  }
  if (resource.dialect !== "native") return [];
  const { object } = resource;
  switch (object.kind) {
    case "Policy":
      return policyBlocks(object, context);
    case "Intent":
      return intentBlocks(object, context);
    case "Exception":
      return exceptionBlocks(object, context);
    case "NetworkSet":
    case "Inventory":
    case "PolicyTest":
      return [];
  }
};

const networkSetsOf = (resources: readonly Resource[]): ReadonlyMap<string, NamedNetworks> => {
  const sets = new Map<string, NamedNetworks>();
  for (const { dialect, object } of resources) {
    if (dialect !== "native" || object.kind !== "NetworkSet") continue;
    const { metadata, spec, source } = object;
    const namespace = metadata.namespace ?? DEFAULT_NAMESPACE;
    const cidrs = [...new Set(spec.cidrs)];
    sets.set(`${namespace}/${metadata.name}`, { namespace, name: metadata.name, cidrs, source });
  }
  return sets;
};

const declaredInvariants = (resources: readonly Resource[]): readonly DeclaredInvariant[] => {
  const found = new Map<string, DeclaredInvariant>();
  for (const { dialect, object } of resources) {
    if (dialect !== "native" || object.kind !== "Inventory") continue;
    const given = object.spec.machine?.invariants;
    for (const one of INVARIANT_KINDS.flatMap((kind) => given?.[kind] ?? []))
      if (!found.has(invariantKey(one))) found.set(invariantKey(one), one);
  }
  return [...found.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
};

const withReservedLabels = (
  resources: readonly Resource[],
  inventory: DeclaredInventory,
): DeclaredInventory => {
  const input = { resources, inventory, services: servicesOf(resources, inventory) };
  const given = DIALECTS.flatMap((dialect) => dialect.labels?.(input) ?? []);
  if (given.every(({ size }) => size === 0)) return inventory;
  const workloads = inventory.workloads.map((workload) => ({
    ...workload,
    labels: Object.assign({}, workload.labels, ...given.map((labels) => labels.get(workload.id))),
  }));
  return { ...inventory, workloads };
};

const adopted = (blocks: readonly StagedBlock[], input: BuildInput): readonly StagedBlock[] =>
  DIALECTS.reduce((all, dialect) => dialect.adopt?.(all, input) ?? all, blocks);

const byOrder = (a: StagedBlock, b: StagedBlock): number =>
  (a.block.order[0] ?? 0) - (b.block.order[0] ?? 0) || (a.block.id < b.block.id ? -1 : 1);

const guardsOf = (
  blocks: readonly StagedBlock[],
  native: readonly StagedBlock[],
  { metadataGuard: guard = true }: BuildOptions,
): readonly StagedBlock[] => {
  if (guard === false) return [];
  if (guard === true) return metadataGuard(blocks);
  const ids = new Set(native.map(({ block }) => block.id));
  return metadataGuard(blocks, ({ id }) => ids.has(id));
};

export const buildPolicySet = (
  resources: readonly Resource[],
  options: BuildOptions,
): BuiltPolicy => {
  const diagnostics: Diagnostic[] = [];
  const networkSets = networkSetsOf(resources);
  const context = createContext(options, networkSets, diagnostics);
  const declared = buildInventory(resources, diagnostics);
  // Where no selector may ask for them, who is who must not depend on what policies there are.
  const inventory = options.target === "desk" ? withReservedLabels(resources, declared) : declared;
  const services = servicesOf(resources, inventory);
  const input = { resources, inventory, services };
  const brought = DIALECTS.flatMap((dialect) => dialect.stages(input, context));
  const written = resources.map((resource) => ({ resource, blocks: blocksOf(resource, context) }));
  // Sorted, so that the same resources give the same set in whatever order their files were read.
  const own = [
    ...written.flatMap(({ blocks }) => blocks),
    ...DIALECTS.flatMap((dialect) => dialect.blocks(input, context)),
  ];
  const native = written.filter(({ resource }) => resource.dialect === "native");
  const blocks = adopted(own, input).toSorted(byOrder);
  lintBlocks(blocks, context);
  if (options.target === "desk") tellSeveralNetworks(resources, context);
  const guards = guardsOf(
    blocks,
    native.flatMap((one) => one.blocks),
    options,
  );
  const tests = resources.flatMap(({ dialect, object }) =>
    dialect === "native" && object.kind === "PolicyTest" ? policyTests(object, context) : [],
  );
  const profile = buildProfile(resources, diagnostics);
  const frames = orderStages(brought);
  const ours = new Set(native.flatMap((one) => one.blocks.map(({ block }) => block.id)));
  reportGoesBefore(blocks, ours, frames, context);
  const stages = frames.map((frame): Stage => {
    const members = [...blocks, ...guards].filter(({ stage }) => stage === frame.id);
    return { ...frame, blocks: members.map(({ block }) => block) };
  });
  if (options.target !== "desk") {
    refuseBeyondKernel(stages, context);
    refuseParting(own, blocks, stages, context);
  }
  return {
    set: { stages, profile },
    inventory,
    tests,
    networkSets: [...networkSets.values()],
    services,
    waysIn: waysIn(resources, services, inventory.namespaces, context),
    invariants: declaredInvariants(resources),
    diagnostics: diagnostics.toSorted(compareDiagnostics),
  };
};
