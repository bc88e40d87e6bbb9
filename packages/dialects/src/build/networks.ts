/** Cilium, Calico and Antrea each make a cluster's network: policies of two of them are in force together nowhere. */
import { formatSpan } from "@bulkhead/model";
import { formatResourceName, resourceName, resourceSource, type Resource } from "../resource.ts";
import type { BuildContext } from "./context.ts";

const NETWORKS: Readonly<Partial<Record<Resource["dialect"], string>>> = {
  antrea: "Antrea",
  calico: "Calico",
  cilium: "Cilium",
};

/** What such a folder says is judged all the same, since somebody may be moving from one to the other; but it is told. */
export const tellSeveralNetworks = (
  resources: readonly Resource[],
  context: BuildContext,
): void => {
  const first = new Map<string, Resource>();
  for (const resource of resources) {
    const network = NETWORKS[resource.dialect];
    if (network !== undefined && !first.has(network)) first.set(network, resource);
  }
  const [[one, here] = [], ...others] = first;
  for (const [other, there] of others) {
    context.report(
      "BH0409",
      resourceSource(there),
      `\`${formatResourceName(resourceName(there))}\` is ${other}'s, and others here are ${one}'s: no cluster holds both`,
      `the first of those is at ${formatSpan(resourceSource(here!))}; judge them apart, each with what is in force beside it`,
    );
  }
};
