/**
 * PeerAuthentication: which callers may come without a certificate. Of a workload's own, its namespace's and the mesh's, the
 * nearest that says anything holds; ports may differ from the rest of their workload.
 */
import {
  matches,
  selectorFromLabelSelector,
  TCP,
  type Labels,
  type PortMatch,
  type Rule,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import { refId, type StagedBlock } from "../build/native-blocks.ts";
import { DEFAULT_NAMESPACE } from "../resource.ts";
import { MESH_LABEL, type DataPlane } from "./mesh.ts";
import { ROOT_NAMESPACE, subjectOf } from "./subjects.ts";
import { plainPorts, type PlainPorts } from "./plaintext.ts";
import type { PeerAuthentication, TlsMode } from "./tls-settings.ts";

export const TLS_STAGE = "istio/tls";

const homeOf = ({ metadata }: PeerAuthentication): string =>
  metadata.namespace ?? DEFAULT_NAMESPACE;
const labelsOf = ({ spec }: PeerAuthentication): Labels => spec?.selector?.matchLabels ?? {};
const isSelecting = (policy: PeerAuthentication): boolean =>
  Object.keys(labelsOf(policy)).length > 0;

/** 0 for a workload's own, 1 for its namespace's, 2 for the mesh's. */
const levelOf = (policy: PeerAuthentication): number =>
  isSelecting(policy) ? 0 : homeOf(policy) === ROOT_NAMESPACE ? 2 : 1;

/** Reserved: names the one policy of its own that a workload goes by. */
export const TLS_LABEL = ":mesh-tls";

/** Of several at one level the oldest counts, and it alone, with its ports (ComposePeerAuthentication); names break ties. */
const byAge = (a: PeerAuthentication, b: PeerAuthentication): number => {
  const keys = [a, b].map(({ metadata }) => `${metadata.creationTimestamp ?? ""} ${metadata.name}`);
  return keys[0]! < keys[1]! ? -1 : 1;
};

/** One of the root namespace that selects is for that namespace alone; only authorization is for all. */
const ownOf = (policies: readonly PeerAuthentication[], workload: Workload) =>
  policies
    .filter(
      (policy) =>
        levelOf(policy) === 0 &&
        homeOf(policy) === workload.namespace &&
        matches(selectorFromLabelSelector({ matchLabels: labelsOf(policy) }), workload.labels),
    )
    .toSorted(byAge)[0];

const wholeOf = (policies: readonly PeerAuthentication[], level: number, home: string) =>
  policies
    .filter((policy) => levelOf(policy) === level && homeOf(policy) === home)
    .toSorted(byAge)[0];

export const tlsLabels = (policies: readonly PeerAuthentication[], workload: Workload): Labels => {
  const own = ownOf(policies, workload);
  return own === undefined ? {} : { [TLS_LABEL]: own.metadata.name };
};

/** Of workloads with a sidecar. A ztunnel does not know that mode. */
export function plaintextWorkloads(
  policies: readonly PeerAuthentication[],
  workloads: readonly Workload[],
  planes: ReadonlyMap<WorkloadId, DataPlane>,
): ReadonlyMap<WorkloadId, PlainPorts> {
  return new Map(
    workloads.flatMap((workload): [WorkloadId, PlainPorts][] => {
      if (planes.get(workload.id) !== "sidecar") return [];
      const own = ownOf(policies, workload);
      const nearest = [
        own,
        wholeOf(policies, 1, workload.namespace),
        wholeOf(policies, 2, ROOT_NAMESPACE),
      ].map((policy) => policy?.spec?.mtls?.mode ?? "UNSET");
      const rest = nearest.find((mode) => mode !== "UNSET") === "DISABLE";
      const others = Object.entries(own?.spec?.portLevelMtls ?? {}).filter(
        ([, { mode = "UNSET" }]) => mode !== "UNSET" && (mode === "DISABLE") !== rest,
      );
      const plain = plainPorts(
        rest,
        others.map(([port]) => Number(port)),
      );
      return plain === null ? [] : [[workload.id, plain]];
    }),
  );
}

export function tlsBlocks(
  policy: PeerAuthentication,
  all: readonly PeerAuthentication[],
  context: BuildContext,
): readonly StagedBlock[] {
  const { metadata, spec, source } = policy;
  const home = homeOf(policy);
  const ref = { kind: "PeerAuthentication", namespace: home, name: metadata.name };
  const id = refId(ref);
  const level = levelOf(policy);
  const older = level === 0 ? policy : wholeOf(all, level, home);
  if (older !== undefined && older !== policy) {
    context.report(
      "BH0308",
      source,
      `\`${older.metadata.name}\` is for the same workloads, and older`,
      "Istio takes the oldest, or the first by name; make them one",
    );
    return [];
  }
  const ports = Object.entries(isSelecting(policy) ? (spec?.portLevelMtls ?? {}) : {});
  const enforce = context.options.mode === "enforce" ? "on" : "staged";
  const rulesOf = (mode: TlsMode, name: string, match: PortMatch): readonly Rule[] => {
    const rule = { source, ports: [match], enforce } as const;
    switch (mode) {
      case "UNSET":
        return [];
      case "DISABLE":
      case "PERMISSIVE":
        return [{ ...rule, id: `${id}#ingress/${name}`, action: "pass", peers: [{ kind: "any" }] }];
      case "STRICT":
        return [
          {
            ...rule,
            id: `${id}#ingress/${name}-with-certificate`,
            action: "pass",
            peers: [
              {
                kind: "workloads",
                namespaces: { kind: "all" },
                selector: { requirements: [{ key: MESH_LABEL, operator: "Exists" }] },
              },
            ],
          },
          { ...rule, id: `${id}#ingress/${name}`, action: "deny", peers: [{ kind: "any" }] },
        ];
    }
  };
  const rules = [
    ...ports.flatMap(([port, { mode }]) =>
      rulesOf(mode ?? "UNSET", `port-${port}`, {
        kind: "range",
        protocol: TCP,
        first: Number(port),
        last: Number(port),
      }),
    ),
    ...rulesOf(spec?.mtls?.mode ?? "UNSET", "all", { kind: "protocol", protocol: TCP }),
  ];
  if (rules.length === 0) return [];
  const inMesh = subjectOf(home, labelsOf(policy), [
    { key: MESH_LABEL, operator: "Exists" },
    ...(level === 0 ? [{ key: TLS_LABEL, operator: "In" as const, values: [metadata.name] }] : []),
  ]);
  // One that selects holds in its own namespace, also in the root's.
  const subject =
    level === 0 ? { ...inMesh, namespaces: { kind: "named", name: home } as const } : inMesh;
  return [
    {
      stage: TLS_STAGE,
      block: {
        id: `${id}#ingress`,
        source,
        subject,
        direction: "ingress",
        order: [level],
        isolates: false,
        enforce,
        rules,
        policy: ref,
      },
    },
  ];
}
