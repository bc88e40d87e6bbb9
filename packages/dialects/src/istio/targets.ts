/**
 * Policies that name a target instead of selecting workloads are a waypoint's or a gateway's. A waypoint stands before the
 * workloads that use it, and looks into requests; what it lets through has to pass the ztunnel's own policies besides.
 */
import type { Requirement } from "@bulkhead/model";
import type { BuildInput } from "../dialect.ts";
import type { AuthorizationPolicy } from "./authorization-policy.ts";
import { GATEWAY_NAME, MESH_LABEL } from "./mesh.ts";
import { ROOT_NAMESPACE, type Subject } from "./subjects.ts";
import { WAYPOINT_LABEL } from "./waypoints.ts";

type Spec = NonNullable<AuthorizationPolicy["spec"]>;
type Target = NonNullable<Spec["targetRef"]>;

const AMBIENT: Requirement = { key: MESH_LABEL, operator: "In", values: ["ambient"] };

export const targetsOf = ({ targetRef: single, targetRefs }: Spec): readonly Target[] =>
  single === undefined ? (targetRefs ?? []) : [single];

export interface TargetPart {
  readonly subject: Subject;
  /** The gateway's own pods otherwise. */
  readonly isBehind: boolean;
}

/** Null: this kind of target is none of a workload's. */
export function targetParts(
  target: Target,
  home: string,
  input: BuildInput,
): readonly TargetPart[] | null {
  switch (target.kind) {
    case "Gateway":
      return [
        { subject: gatewayPods(home, target.name), isBehind: false },
        behindWaypoint({ operator: "In", values: [`${home}/${target.name}`] }),
      ];
    case "GatewayClass":
      return home === ROOT_NAMESPACE ? [behindWaypoint({ operator: "Exists" })] : [];
    case "Service":
      return behindService(input, home, target.name);
    case "ServiceEntry":
      return null;
  }
}

/** What is addressed to a Service goes through its waypoint; workloads that are called by their own address are not asked about. */
function behindService({ services }: BuildInput, namespace: string, name: string): TargetPart[] {
  const selector = services.named(namespace, name)?.selector;
  if (selector === undefined) return [];
  const requirements = [AMBIENT, ...selector.requirements];
  const namespaces = { kind: "named", name: namespace } as const;
  return [
    { subject: { kind: "workloads", namespaces, selector: { requirements } }, isBehind: true },
  ];
}

function gatewayPods(namespace: string, gateway: string): Subject {
  return {
    kind: "workloads",
    namespaces: { kind: "named", name: namespace },
    selector: { requirements: [{ key: GATEWAY_NAME, operator: "In", values: [gateway] }] },
  };
}

type Uses =
  | { readonly operator: "In"; readonly values: readonly string[] }
  | { readonly operator: "Exists" };

const behindWaypoint = (uses: Uses): TargetPart => ({
  subject: {
    kind: "workloads",
    namespaces: { kind: "all" },
    selector: { requirements: [{ key: WAYPOINT_LABEL, ...uses }] },
  },
  isBehind: true,
});
