/**
 * Policies that name a target instead of selecting workloads are a waypoint's or a gateway's. A waypoint stands before the
 * workloads that use it, and looks into requests; what it lets through has to pass the ztunnel's own policies besides.
 */
import type { Requirement } from "@bulkhead/model";
import type { BuildInput } from "../dialect.ts";
import type { AuthorizationPolicy } from "./authorization-policy.ts";
import { MESH_LABEL } from "./mesh.ts";
import { ROOT_NAMESPACE, type Subject } from "./subjects.ts";

type Spec = NonNullable<AuthorizationPolicy["spec"]>;
type Target = NonNullable<Spec["targetRef"]>;

const USES_WAYPOINT = "istio.io/use-waypoint";
const GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name";
const AMBIENT: Requirement = { key: MESH_LABEL, operator: "In", values: ["ambient"] };

export const targetsOf = ({ targetRef: single, targetRefs }: Spec): readonly Target[] =>
  single === undefined ? (targetRefs ?? []) : [single];

/** Null: this kind of target is none of a workload's. */
export function targetSubjects(
  target: Target,
  home: string,
  input: BuildInput,
): readonly Subject[] | null {
  switch (target.kind) {
    case "Gateway":
      return [gatewayPods(home, target.name), ...behindWaypoint(input, home, target.name)];
    case "GatewayClass":
      return home === ROOT_NAMESPACE ? behindWaypoint(input, undefined, undefined) : [];
    case "Service":
      return behindService(input, home, target.name);
    case "ServiceEntry":
      return null;
  }
}

/** What is addressed to a Service goes through its waypoint; workloads that are called by their own address are not asked about. */
function behindService({ services }: BuildInput, namespace: string, name: string): Subject[] {
  const selector = services.named(namespace, name)?.selector;
  if (selector === undefined) return [];
  return [
    {
      kind: "workloads",
      namespaces: { kind: "named", name: namespace },
      selector: { requirements: [AMBIENT, ...selector.requirements] },
    },
  ];
}

function gatewayPods(namespace: string, gateway: string): Subject {
  return {
    kind: "workloads",
    namespaces: { kind: "named", name: namespace },
    selector: { requirements: [{ key: GATEWAY_NAME, operator: "In", values: [gateway] }] },
  };
}

/** Those that use the waypoint by their own label, and those that do by their namespace's. Without a name: any waypoint. */
function behindWaypoint(
  { inventory }: BuildInput,
  home: string | undefined,
  waypoint: string | undefined,
): Subject[] {
  const uses: Requirement =
    waypoint === undefined
      ? { key: USES_WAYPOINT, operator: "NotIn", values: ["none"] }
      : { key: USES_WAYPOINT, operator: "In", values: [waypoint] };
  const own: Requirement[] =
    waypoint === undefined ? [{ key: USES_WAYPOINT, operator: "Exists" }, uses] : [uses];
  const byNamespace = inventory.namespaces.filter(({ name, labels }) => {
    const used = labels[USES_WAYPOINT];
    const of = labels["istio.io/use-waypoint-namespace"] ?? name;
    if (used === undefined || used === "none") return false;
    return waypoint === undefined || (used === waypoint && of === home);
  });
  const direct: Subject = {
    kind: "workloads",
    namespaces: home === undefined ? { kind: "all" } : { kind: "named", name: home },
    selector: { requirements: [AMBIENT, ...own] },
  };
  return [
    direct,
    ...byNamespace.map(({ name }): Subject => ({
      kind: "workloads",
      namespaces: { kind: "named", name },
      selector: {
        requirements: [AMBIENT, { key: USES_WAYPOINT, operator: "DoesNotExist" }],
      },
    })),
  ];
}
