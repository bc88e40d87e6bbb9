/**
 * Waypoints stand before workloads of ambient mode, and only callers that a ztunnel captures go through them: sidecars, gateways
 * and whoever is outside the mesh go past. The ztunnel behind a waypoint sees the waypoint's identity and no longer the caller's.
 */
import type { Labels, Peer, WorkloadId } from "@bulkhead/model";
import type { BuildInput } from "../dialect.ts";
import { MESH_LABEL, type DataPlane } from "./mesh.ts";

/** Reserved: `namespace/name` of the waypoint that stands before a workload. */
export const WAYPOINT_LABEL = ":mesh-waypoint";

const USE = "istio.io/use-waypoint";
const USE_NAMESPACE = "istio.io/use-waypoint-namespace";

/** How callers come. */
export type Way =
  | { readonly kind: "direct" }
  | { readonly kind: "to-waypoint" }
  | { readonly kind: "from-waypoint"; readonly waypoint: string };

export const CAPTURED: Peer = {
  kind: "workloads",
  namespaces: { kind: "all" },
  selector: { requirements: [{ key: MESH_LABEL, operator: "In", values: ["ambient"] }] },
};

/** The first that says something does; `none` is a word too. */
function named(home: string, told: readonly Labels[]): string | undefined {
  const first = told.find((labels) => Object.hasOwn(labels, USE));
  const name = first?.[USE];
  return name === undefined || name === "none"
    ? undefined
    : `${first?.[USE_NAMESPACE] ?? home}/${name}`;
}

/** Callers are taken to name the Service of a workload, whose word comes first, then its own, then its namespace's. */
export function waypoints(
  { inventory, services }: BuildInput,
  planes: ReadonlyMap<WorkloadId, DataPlane>,
): ReadonlyMap<WorkloadId, string> {
  const ofNamespace = new Map(inventory.namespaces.map(({ name, labels }) => [name, labels]));
  const ofService = new Map(
    services.all
      .filter(({ metadata }) => Object.hasOwn(metadata.labels ?? {}, USE))
      .toReversed()
      .flatMap((service) =>
        services.selected(service).map(({ id }) => [id, service.metadata.labels ?? {}] as const),
      ),
  );
  return new Map(
    inventory.workloads.flatMap(({ id, namespace, labels }): [WorkloadId, string][] => {
      if (planes.get(id) !== "ambient") return [];
      const told = [ofService.get(id) ?? {}, labels, ofNamespace.get(namespace) ?? {}];
      const waypoint = named(namespace, told);
      return waypoint === undefined ? [] : [[id, waypoint]];
    }),
  );
}
