/**
 * Who is in the mesh, and how its proxy stands: a sidecar beside the workload looks into requests, the node's ztunnel of
 * ambient mode does not. Told by labels of namespaces and pods, which the cluster's authority gives.
 */
import {
  isReservedNamespace,
  type Inventory,
  type Labels,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";

/** Reserved: nobody can declare such a key. Value: the data plane. */
export const MESH_LABEL = ":mesh";
export type DataPlane = "sidecar" | "ambient";

const MARKS = [
  "istio-injection",
  "istio.io/rev",
  "istio.io/dataplane-mode",
  "sidecar.istio.io/inject",
];

/** Pods of the installation's own gateways, as its charts label them: `istio: ingressgateway`. */
const GATEWAYS = ["ingressgateway", "egressgateway", "eastwestgateway"];

/** Pods that istiod makes for a Gateway, a waypoint among them; those of another class are none of the mesh. */
export const GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name";
const GATEWAY_CLASS = "gateway.networking.k8s.io/gateway-class-name";

const isGateway = (labels: Labels): boolean =>
  GATEWAYS.includes(labels["istio"] ?? "") ||
  (Object.hasOwn(labels, GATEWAY_NAME) && (labels[GATEWAY_CLASS] ?? "istio").startsWith("istio"));

/** The data plane of every workload in the mesh. Where nothing at all speaks of a mesh, everybody is taken to have a sidecar. */
export function dataPlanes({
  workloads,
  namespaces,
}: Pick<Inventory, "workloads" | "namespaces">): {
  readonly planes: ReadonlyMap<WorkloadId, DataPlane>;
  readonly assumed: boolean;
} {
  const labelsOf = new Map(namespaces.map(({ name, labels }) => [name, labels]));
  const told = [...namespaces, ...workloads].some(({ labels }) =>
    MARKS.some((mark) => Object.hasOwn(labels, mark)),
  );
  const planes = new Map<WorkloadId, DataPlane>();
  for (const workload of workloads) {
    if (workload.hostNetwork || isReservedNamespace(workload.namespace)) continue;
    const plane = told ? planeOf(workload, labelsOf.get(workload.namespace) ?? {}) : "sidecar";
    if (plane !== null) planes.set(workload.id, plane);
  }
  return { planes, assumed: !told };
}

/** istio.io, "Installing the Sidecar" and "Add workloads to the mesh": a pod's own word comes before its namespace's. */
function planeOf({ labels }: Workload, namespace: Labels): DataPlane | null {
  // A gateway is a proxy, and nothing is put beside it.
  if (isGateway(labels)) return "sidecar";
  const inject = labels["sidecar.istio.io/inject"];
  if (inject === "true") return "sidecar";
  if (inject !== "false") {
    if (namespace["istio-injection"] === "enabled") return "sidecar";
    const injected =
      Object.hasOwn(namespace, "istio.io/rev") || Object.hasOwn(labels, "istio.io/rev");
    if (injected && namespace["istio-injection"] !== "disabled") return "sidecar";
  }
  const mode = labels["istio.io/dataplane-mode"] ?? namespace["istio.io/dataplane-mode"];
  return mode === "ambient" ? "ambient" : null;
}
