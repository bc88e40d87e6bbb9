/**
 * What a dialect is to the rest of this room: the objects it reads, the stages its policies live in, and the blocks they
 * become. Each has a folder of its own and is listed in `dialect-list.ts`; nothing else knows its kinds by name.
 */
import type { Inventory, Labels, Stage, WorkloadId } from "@bulkhead/model";
import type { BuildContext } from "./build/context.ts";
import type { StagedBlock } from "./build/native-blocks.ts";
import type { Services } from "./build/services.ts";
import type { Resource } from "./resource.ts";
import type { Shape } from "./text/shape.ts";

/**
 * A stage with its place in the order of all dialects: lower first. Antrea's numbers for its tiers, which the standard
 * ones of Kubernetes have a place among, are the ruler (SEMANTICS): native stages stand before 50, `application` at 251.
 */
export interface RankedStage extends Omit<Stage, "blocks" | "onPass"> {
  readonly rank: number;
  /** Where `pass` goes on; absent: the next stage of this plane that there is. */
  readonly passTo?: Stage["id"] | "end";
}

export interface ForeignKind<R extends Resource = Resource> {
  readonly kind: string;
  /** Versions of the group that are read, the one to use first. Others are an error that names it. */
  readonly versions: readonly string[];
  /** Those of a group below the dialect's, where they are others. */
  readonly versionsIn?: Readonly<Record<string, readonly string[]>>;
  readonly shape: Shape<R>;
}

/** What policies of a dialect look up when they become blocks: all resources, and who is there. */
export interface BuildInput {
  readonly resources: readonly Resource[];
  readonly inventory: Pick<Inventory, "workloads" | "namespaces" | "hostAddresses">;
  readonly services: Services;
}

export interface Dialect {
  /** What people call its maker: `Cilium`. */
  readonly title: string;
  /** API group; groups below it (`crd.antrea.io`) count too. */
  readonly group: string;
  readonly kinds: readonly ForeignKind[];
  /** The ConfigMap of this name says how the cluster runs it. */
  readonly configMap?: { readonly name: string; readonly shape: Shape<Resource> };
  /** Its other kinds, which do not decide who may connect. */
  readonly bystanders?: readonly string[];
  /**
   * Labels that the dialect's own rules select by, such as who is in a mesh: their keys begin with `:`, which nobody can
   * declare. Given to workloads before blocks are made.
   */
  labels?(input: BuildInput): ReadonlyMap<WorkloadId, Labels>;
  /** Stages that these resources need and that are not there without them. */
  stages(input: BuildInput, context: BuildContext): readonly RankedStage[];
  blocks(input: BuildInput, context: BuildContext): readonly StagedBlock[];
  /** Other dialects' blocks, where this one's maker has a place of its own for them. */
  adopt?(blocks: readonly StagedBlock[], input: BuildInput): readonly StagedBlock[];
}
