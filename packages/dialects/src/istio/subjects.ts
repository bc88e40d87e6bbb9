/** Whom a policy of the mesh is for: workloads of its namespace, or of all where it lies in the root namespace. */
import {
  selectorFromLabelSelector,
  type Block,
  type Labels,
  type Requirement,
} from "@bulkhead/model";
import type { CallerIndex } from "./callers.ts";
import { MESH_LABEL, type DataPlane } from "./mesh.ts";
import { plainRequirement, type PlainPorts } from "./plaintext.ts";
import { WAYPOINT_LABEL, type Way } from "./waypoints.ts";

/** Where policies for the whole mesh lie, unless MeshConfig says otherwise. */
export const ROOT_NAMESPACE = "istio-system";

export type Subject = Exclude<Block["subject"], { kind: "all-workloads" }>;

export interface Standing {
  readonly plane: DataPlane;
  /** Null where there is none. */
  readonly plain: PlainPorts | null;
  readonly way: Way;
}

/** A policy says different things of each. */
export const standingsOf = ({
  plain: ports,
  waypoints,
}: Pick<CallerIndex, "plain" | "waypoints">): readonly Standing[] => [
  ...[null, ...ports].map((plain): Standing => ({
    plane: "sidecar",
    plain,
    way: { kind: "direct" },
  })),
  { plane: "ambient", plain: null, way: { kind: "direct" } },
  ...waypoints.map((waypoint): Standing => ({
    plane: "ambient",
    plain: null,
    way: { kind: "from-waypoint", waypoint },
  })),
];

export function subjectOf(
  namespace: string,
  matchLabels: Labels | undefined,
  more: readonly Requirement[],
): Subject {
  const { requirements } = selectorFromLabelSelector({ matchLabels: matchLabels ?? {} });
  return {
    kind: "workloads",
    namespaces: namespace === ROOT_NAMESPACE ? { kind: "all" } : { kind: "named", name: namespace },
    selector: { requirements: [...more, ...requirements] },
  };
}

export function standingRequirements({ plane, plain, way }: Standing): readonly Requirement[] {
  return [
    { key: MESH_LABEL, operator: "In", values: [plane] },
    plainRequirement(plain),
    way.kind === "from-waypoint"
      ? { key: WAYPOINT_LABEL, operator: "In", values: [way.waypoint] }
      : { key: WAYPOINT_LABEL, operator: "DoesNotExist" },
  ];
}
