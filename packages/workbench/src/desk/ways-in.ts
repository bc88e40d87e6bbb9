/**
 * Ways in that Ingresses and routes open, as far as policies let them be gone. The controller that leads there is in no file:
 * it is taken for a pod that nothing is known of, in a namespace without labels.
 */
import type { Connection } from "@bulkhead/engine";
import {
  allPorts,
  emptyPorts,
  intersect,
  isEmptyPorts,
  portsOf,
  union,
  type Namespace,
  type PortSet,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";
import type { PartyConnection } from "./connectivity.ts";
import type { Desk, Seats } from "./desk.ts";
import { CONTROLLER_NAME, workloadName } from "./end-names.ts";

/** No name of a resource has such a character. */
const HOME = "~ingress";
export const CONTROLLER_ID: WorkloadId = `${HOME}/controller`;

export const CONTROLLER: {
  readonly workloads: readonly Workload[];
  readonly namespaces: readonly Namespace[];
} = {
  workloads: [
    {
      id: CONTROLLER_ID,
      namespace: HOME,
      name: "controller",
      kind: "pod",
      labels: {},
      addresses: [],
      namedPorts: [],
      hostNetwork: false,
    },
  ],
  namespaces: [{ name: HOME, labels: {} }],
};

export interface BarredWay {
  /** `Ingress/shop/front`. */
  readonly by: string;
  readonly workload: string;
}

export function ledIn(
  { built, workloads }: Desk,
  { index }: Seats,
  reached: readonly Connection[],
): { readonly connections: readonly PartyConnection[]; readonly barred: readonly BarredWay[] } {
  const open = new Map<WorkloadId, PortSet>();
  for (const { from, to, ports } of reached) {
    if (from.kind !== "workloads" || !from.workloads.includes(CONTROLLER_ID)) continue;
    if (to.kind === "workloads") for (const id of to.workloads) open.set(id, ports);
  }
  const ports = new Map<string, PortSet>();
  const barred: BarredWay[] = [];
  for (const { by, backends } of built.waysIn) {
    for (const { workload: id, protocol, port } of backends) {
      const workload = workloads.get(id);
      if (workload === undefined) continue;
      const name = workloadName(workload);
      // Nobody judges what goes to a node.
      const permitted = index.workloads.has(id) ? (open.get(id) ?? emptyPorts) : allPorts;
      const asked = portsOf([{ kind: "range", protocol, first: port, last: port }], () => []);
      const led = intersect(permitted, asked);
      if (isEmptyPorts(led)) {
        barred.push({ by: `${by.kind}/${by.namespace}/${by.name}`, workload: name });
      } else ports.set(name, union(ports.get(name) ?? emptyPorts, led));
    }
  }
  const from = { kind: "workloads", names: [CONTROLLER_NAME] } as const;
  const connections = [...ports].map(([name, led]): PartyConnection => ({
    from,
    to: { kind: "workloads", names: [name] },
    ports: led,
  }));
  return { connections, barred };
}
