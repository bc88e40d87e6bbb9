/** Istio: AuthorizationPolicy and PeerAuthentication, in sidecar and ambient mode. Policies of the destination's side only. */
import { SERVICE_ACCOUNT_LABEL, type Labels, type WorkloadId } from "@bulkhead/model";
import type { BuildInput, Dialect, ForeignKind } from "../dialect.ts";
import type { Resource } from "../resource.ts";
import { mapped, type Shape } from "../text/shape.ts";
import { authorizationPolicy, type AuthorizationPolicy } from "./authorization-policy.ts";
import { authorizationBlocks, ISTIO_STAGES } from "./blocks.ts";
import type { CallerIndex } from "./callers.ts";
import { askedPrefixes, placeLabels, tellTornWorkloads } from "./destinations.ts";
import { dataPlanes, MESH_LABEL } from "./mesh.ts";
import { plaintextWorkloads, tlsBlocks, tlsLabels } from "./peer-authentication.ts";
import { PLAINTEXT_LABEL, plainText } from "./plaintext.ts";
import { peerAuthentication, type PeerAuthentication } from "./tls-settings.ts";
import { WAYPOINT_LABEL, waypoints } from "./waypoints.ts";

export type IstioResource =
  | {
      readonly dialect: "istio";
      readonly role: "authorization";
      readonly object: AuthorizationPolicy;
    }
  | {
      readonly dialect: "istio";
      readonly role: "authentication";
      readonly object: PeerAuthentication;
    };

const kind = <T>(name: string, shape: Shape<T>, as: (object: T) => Resource): ForeignKind => ({
  kind: name,
  versions: ["v1", "v1beta1"],
  shape: mapped(shape, as),
});

interface Found {
  readonly authorizations: readonly AuthorizationPolicy[];
  readonly authentications: readonly PeerAuthentication[];
}

const found = ({ resources }: BuildInput): Found => ({
  authorizations: resources.flatMap((one) =>
    one.dialect === "istio" && one.role === "authorization" ? [one.object] : [],
  ),
  authentications: resources.flatMap((one) =>
    one.dialect === "istio" && one.role === "authentication" ? [one.object] : [],
  ),
});

const isThere = ({ authorizations, authentications }: Found): boolean =>
  authorizations.length + authentications.length > 0;

/** Trust domain of a mesh that nobody configured otherwise. */
const TRUST_DOMAIN = "cluster.local";

export const istio: Dialect = {
  title: "Istio",
  group: "security.istio.io",
  kinds: [
    kind("AuthorizationPolicy", authorizationPolicy, (object) => ({
      dialect: "istio",
      role: "authorization",
      object,
    })),
    kind("PeerAuthentication", peerAuthentication, (object) => ({
      dialect: "istio",
      role: "authentication",
      object,
    })),
  ],
  labels(input) {
    const policies = found(input);
    const labels = new Map<WorkloadId, Labels>();
    if (!isThere(policies)) return labels;
    const { workloads } = input.inventory;
    const { planes } = dataPlanes(input.inventory);
    const plain = plaintextWorkloads(policies.authentications, workloads, planes);
    const before = waypoints(input, planes);
    const asked = askedPrefixes(policies.authorizations);
    for (const workload of workloads) {
      const { id, labels: own } = workload;
      const plane = planes.get(id);
      const places = placeLabels(workload, asked);
      const waypoint = before.get(id);
      const open = plain.get(id);
      if (plane === undefined) {
        if (Object.keys(places).length > 0) labels.set(id, places);
        continue;
      }
      labels.set(id, {
        [MESH_LABEL]: plane,
        // Kubernetes' own default; who is declared in another way has no account, and the same identity.
        [SERVICE_ACCOUNT_LABEL]: own[SERVICE_ACCOUNT_LABEL] ?? "default",
        ...(open === undefined ? {} : { [PLAINTEXT_LABEL]: plainText(open) }),
        ...(waypoint === undefined ? {} : { [WAYPOINT_LABEL]: waypoint }),
        ...tlsLabels(policies.authentications, workload),
        ...places,
      });
    }
    return labels;
  },
  stages: (input) => (isThere(found(input)) ? ISTIO_STAGES : []),
  blocks(input, context) {
    const { authorizations, authentications } = found(input);
    const first = authorizations[0] ?? authentications[0];
    if (first === undefined) return [];
    const { planes, assumed } = dataPlanes(input.inventory);
    if (assumed && input.inventory.workloads.length > 0) {
      context.report(
        "BH0420",
        first.source,
        "nothing here says who is in the mesh: every workload is taken to have a sidecar",
        "label namespaces `istio-injection: enabled` or `istio.io/dataplane-mode: ambient`",
      );
    }
    tellTornWorkloads(authorizations, input.inventory.workloads, context);
    const callers: CallerIndex = {
      workloads: input.inventory.workloads,
      planes,
      trustDomain: TRUST_DOMAIN,
      waypoints: [...new Set(waypoints(input, planes).values())].toSorted(),
      plain: [
        ...new Map(
          plaintextWorkloads(authentications, input.inventory.workloads, planes)
            .values()
            .map((one) => [plainText(one), one]),
        ).values(),
      ],
    };
    return [
      ...authentications.flatMap((policy) => tlsBlocks(policy, authentications, context)),
      ...authorizations.flatMap((policy) => authorizationBlocks(policy, input, callers, context)),
    ];
  },
};
