/**
 * Labels that Calico's selectors see beside a pod's own: its namespace, its service account, and the labels of both, as its
 * profiles give them (`pcns.`, `pcsa.`). Kept under reserved keys, so that no pod can claim them.
 */

import {
  NODES_NAMESPACE,
  SERVICE_ACCOUNT_LABEL,
  type Labels,
  type WorkloadId,
} from "@bulkhead/model";
import type { BuildInput } from "../dialect.ts";
import { DEFAULT_NAMESPACE } from "../resource.ts";
import type { HostEndpointObject } from "./objects.ts";

/** On nodes that a HostEndpoint makes Calico's. */
export const HOST_ENDPOINT_LABEL = ":calico/host-endpoint";

const GIVEN =
  /^(?:projectcalico\.org\/(?:namespace|serviceaccount|orchestrator|name)$|pcns\.|pcsa\.)/;

/** What a label of a selector is called in the inventory. */
export const ownKey = (key: string): string => (GIVEN.test(key) ? `:${key}` : key);
/** What a profile gives under the namespace's prefix: its labels and its name, nothing else of Calico's. */
export const namespaceKey = (key: string): string => `:pcns.${key}`;
/** Of everybody who is in a namespace, and of nobody else. */
export const IN_NAMESPACE = ":projectcalico.org/namespace";
export const accountKey = (key: string): string => `:pcsa.${key}`;

const prefixed = (prefix: string, labels: Labels): Labels =>
  Object.fromEntries(Object.entries(labels).map(([key, value]) => [`${prefix}${key}`, value]));

export function givenLabels(
  { resources, inventory }: BuildInput,
  hostEndpoints: readonly HostEndpointObject[],
): ReadonlyMap<WorkloadId, Labels> {
  const ofNamespace = new Map(
    inventory.namespaces.map(({ name, labels }) => [
      name,
      {
        ":projectcalico.org/namespace": name,
        ":projectcalico.org/orchestrator": "k8s",
        ":pcns.projectcalico.org/name": name,
        ...prefixed(":pcns.", labels),
      },
    ]),
  );
  const ofAccount = new Map(
    resources.flatMap((resource) => {
      if (resource.dialect !== "kubernetes" || resource.role !== "service-account") return [];
      const { metadata } = resource.object;
      const key = `${metadata.namespace ?? DEFAULT_NAMESPACE}/${metadata.name}`;
      return [[key, prefixed(":pcsa.", metadata.labels ?? {})] as const];
    }),
  );
  const ofHost = new Map(
    hostEndpoints.flatMap(({ metadata, spec }) =>
      spec?.node === undefined ? [] : [[spec.node, metadata.labels ?? {}] as const],
    ),
  );
  const labels = new Map<WorkloadId, Labels>();
  for (const { id, namespace, name, labels: own } of inventory.workloads) {
    if (namespace === NODES_NAMESPACE) {
      const host = ofHost.get(name);
      if (host !== undefined) labels.set(id, { ...host, [HOST_ENDPOINT_LABEL]: "" });
      continue;
    }
    const account = own[SERVICE_ACCOUNT_LABEL] ?? "default";
    labels.set(id, {
      ...ofNamespace.get(namespace),
      ":projectcalico.org/serviceaccount": account,
      ":pcsa.projectcalico.org/name": account,
      ...ofAccount.get(`${namespace}/${account}`),
    });
  }
  return labels;
}
